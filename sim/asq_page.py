"""The page on what adaptation costs in hardware: cycles, area and its share, and the picture of β."""

from collections.abc import Callable
from pathlib import Path

from asq_model.files import write_text
from asq_model.integer.blocks import BlockSpec
from asq_model.integer.mac import MacSpec
from hw.emit import emit, to_verilog
from sim.asq_report import CYCLE_COLUMNS, CYCLES_NOTE, cycle_rows
from sim.report import markdown_table
from sim.run import Outcome
from sim.synth import FABRICS, areas

MACS = (1, 16, 64, 256)  # multiplying side by side, that the block's area is compared with
RIVAL_BITS = (3, 4, 8)
AREA_COLUMNS = (
    ("module", "module"),
    ("luts", "LUTs"),
    ("carries", "carry cells"),
    ("ffs", "flip-flops"),
    ("memories", "memories"),
    ("dsps", "multiplier blocks"),
)


def rivals(root: Path) -> dict[str, Path]:
    """Verilog of the quantiser by division and by a reciprocal, for several widths of the codes."""
    from hw.asq.reciprocal import ReciprocalQuantiser

    found = {}
    for bits in RIVAL_BITS:
        spec = BlockSpec("quantiser", activation_bits=bits)
        found[spec.name] = emit(spec, root / "verilog")[0]
        name = spec.name.replace("quantiser", "reciprocal")
        found[name] = root / "verilog" / f"{name}.v"
        write_text(found[name], to_verilog(ReciprocalQuantiser(spec), name, "the quantiser's rival, to be measured"))
    return found


def shares(found: dict[str, dict[str, int]], step: str, rescale: str | None, mac: str) -> str:
    """What part of the LUTs is for adaptation, in an engine of N MACs, an adapter-step and, if given, a rescale."""
    parts = []
    for macs in MACS:
        rest = macs * found[mac]["luts"] + (found[rescale]["luts"] if rescale else 0)
        share = found[step]["luts"] / (found[step]["luts"] + rest)
        parts.append(f"{macs} MAC{'s' if macs > 1 else ''}: {share:.0%}")
    return ", ".join(parts)


def against(found: dict[str, dict[str, int]]) -> str:
    """The quantiser's two forms, for each width of the codes."""
    parts = []
    for width in RIVAL_BITS:
        division, reciprocal = found[f"quantiser_a{width}"], found[f"reciprocal_a{width}"]
        blocks = f" and {reciprocal['dsps']} multiplier blocks" if reciprocal["dsps"] else ""
        parts.append(f"{width} bits {division['luts']} against {reciprocal['luts']} LUTs{blocks}")
    return "; ".join(parts)


def macs_of(manifest: dict) -> list[MacSpec]:
    """`post` and `uniform` of the network's bits. Raises InputError where POST has no such width."""
    return [MacSpec(unit, manifest["weight_bits"], manifest["activation_bits"]) for unit in ("post", "uniform")]


def area_sections(manifest: dict, blocks: list[BlockSpec], root: Path, progress: Callable[[str], None]) -> list[str]:
    """The blocks and two MACs of the network's bits: a table for each fabric, with and without multiplier blocks."""
    specs = [*blocks, *macs_of(manifest)]
    verilog = {spec.name: emit(spec, root / "verilog")[0] for spec in specs}
    names = {spec.unit: spec.name for spec in specs}
    others = rivals(root)
    lines = ["## Area", "", "By Yosys, not placed. `post` and `uniform` are MACs of the network's bits.", ""]
    for fabric, about in FABRICS.items():
        for dsp in (False, True):
            found = areas(verilog | others, fabric, dsp, root, progress)
            rows = [{"module": f"`{name}`"} | found[name] for name in verilog]
            lines += [f"### {about.title}, {'with' if dsp else 'no'} multiplier blocks", ""]
            lines += [markdown_table(rows, AREA_COLUMNS), ""]
            share = shares(found, names["adapter-step"], names.get("rescale"), names["post"])
            lines += [f"Share of `adapter-step` in an engine of N `post` MACs, one rescale and itself: {share}.", ""]
            lines += [f"Quantiser, division against reciprocal: {against(found)}.", ""]
    return lines


def page(manifest: dict, outcomes: list[Outcome], picture: str, note: str, areas_by_fabric: list[str]) -> str:
    """In Markdown. `outcomes`: of the blocks' benches; `areas_by_fabric`: `area_sections`, or nothing."""
    checked = [(outcome.job.spec.name, outcome.found["golden"]["vectors"], outcome.vectors) for outcome in outcomes]
    bits = manifest["activation_bits"]
    name = f"`{manifest['network']}` W{manifest['weight_bits']}A{bits}"
    lines = [
        "# What adaptation costs in hardware",
        "",
        f"Blocks as large as {name} needs (checkpoint `{manifest['checkpoint_digest'][:12]}`), bit-exact on its feature"
        " maps. Made by `make asq`.",
        "",
        *([note, ""] if note else []),
        "Words and steps compared, all equal: "
        + ", ".join(f"`{module}` {golden} of the maps, {total - golden} made up" for module, golden, total in checked)
        + ".",
        "",
        "The paper's Table 1 counts an adapter's parameters and operations as shares of a network's (0.04 to 0.14 % of"
        " operations, 2.7 to 10.7 % of parameters; [table 1](../../README.md)). In hardware the operations are a share"
        " of that order, but they want a multiplier of their own, of many more bits than the network's: the block is"
        " small only beside a large array.",
        "",
        "## β, by the RTL and by torch",
        "",
        f"![β]({picture})",
        "",
        "## Cycles",
        "",
        markdown_table(cycle_rows(manifest, outcomes), CYCLE_COLUMNS),
        "",
        CYCLES_NOTE,
        "",
        *areas_by_fabric,
    ]
    return "\n".join(lines).rstrip() + "\n"
