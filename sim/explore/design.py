"""One design that is compared, a unit or an array: its form, its name in tables, its products a cycle."""

from asq_model.spec.array import ArraySpec
from asq_model.spec.mac import MacSpec
from asq_model.spec.mapping import GENERIC

Design = MacSpec | ArraySpec

STAGES = {2: "two", 3: "three"}  # of an array's product, where it can be cut


def mac_of(design: Design) -> MacSpec:
    """The multiply-accumulate unit whose products a design has, one or many of them."""
    return design.mac if isinstance(design, ArraySpec) else design


def form_of(design: Design) -> str:
    """A design's form as options and tables name it: `mac`, `dot16`, `array8x8`, …"""
    if isinstance(design, ArraySpec):
        return f"array{design.rows}x{design.columns}"
    return "mac" if design.lanes == 1 else f"dot{design.lanes}"


def products_per_cycle(design: Design) -> float:
    """How many products a design starts in a cycle at full rate; below 1 for a unit that takes several cycles."""
    if isinstance(design, ArraySpec):
        return design.rows * design.columns
    return design.lanes / design.interval


def fpga_family_of(design: Design) -> str:
    """The FPGA family of whose cells a design is made; `GENERIC` where any tool maps it."""
    return design.fpga_family if isinstance(design, ArraySpec) else GENERIC


def is_for(design: Design, target: str) -> bool:
    """Whether a design can be measured on a target: one out of a family's own cells on that family only."""
    return fpga_family_of(design) in (GENERIC, target)


def is_rival(design: Design) -> bool:
    """Whether a design has uniform weights and takes one cycle for a product: what POST is compared with."""
    return mac_of(design).level_set.family == "uniform" and design.unit != "serial"


def title(design: Design) -> str:
    """A design's name in a table: unit, level set, fraction bits, what else was chosen."""
    mac = mac_of(design)
    parts = [f"`{mac.unit}`", mac.kind if mac.kind != "symmetric" else ""]
    parts += [f"F = {mac.frac}" if mac.unit in ("post", "post-exact") else "", "shared" if mac.shared else ""]
    parts += ["gated" if mac.gated else ""]
    parts += [f"{STAGES[design.stages]} stages" if isinstance(design, ArraySpec) and design.stages > 1 else ""]
    parts += ["mapped" if fpga_family_of(design) != GENERIC else ""]
    return " ".join(filter(None, parts))
