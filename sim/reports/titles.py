"""What pages, pictures and tables call FPGA families, forms of a design and widths."""

SHORT = {"ice40": "iCE40", "ecp5": "ECP5", "xc7": "LUT6"}
TITLES = {
    "mac": "One multiply-accumulate unit",
    "dot16": "Dot product of 16 lanes",
    "dot64": "Dot product of 64 lanes",
    "array8x8": "Array of 8 × 8",
    "array16x16": "Array of 16 × 16",
}


def widths_text(widths: tuple[int, int]) -> str:
    """Weight bits and activation bits in words, such as `4 × 8 bits`."""
    return f"{widths[0]} × {widths[1]} bits"
