"""Products and sums of an array out of an FPGA family's own cells."""

from pathlib import Path

from asq_model.common.files import write_text
from asq_model.spec.array import ArraySpec
from asq_model.spec.mapping import GENERIC


def cell_models(spec: object) -> list[Path]:
    """Verilog to simulate a unit with beside its own: models of the cells that it is made of, if it is mapped."""
    if not isinstance(spec, ArraySpec) or spec.fpga_family == GENERIC:
        return []
    return [Path(__file__).with_name(f"{spec.fpga_family}.v")]


def copy_models(spec: object, stem: Path) -> list[Path]:
    """Copy the models of a unit's cells beside its Verilog, whose path without ending is `stem`; returns the copies."""
    copies = []
    for model in cell_models(spec):
        copies.append(stem.with_name(f"{stem.name}-{model.name}"))
        write_text(copies[-1], model.read_text(encoding="utf-8"))
    return copies
