"""Areas of ASQ's blocks beside the network's multiply-accumulate units, and beside the quantiser's rival."""

from pathlib import Path
from typing import NamedTuple, TypedDict

from msgspec import structs

from asq_model.common.files import write_text
from asq_model.common.markdown import format_markdown_table
from asq_model.common.progress import SILENT, Bar
from asq_model.common.records import Count, Whole, Width, Word
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.golden_manifest import Manifest
from asq_model.spec.mac import MacSpec
from hw.emit import to_verilog
from sim.measure.fpga_families import FPGA_FAMILIES
from sim.measure.yosys_area import Area, measure_areas
from sim.workspace import Workspace

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


class Pair(TypedDict):
    """LUTs of the quantiser's two forms for codes of so many bits, and the multiplier blocks of the second."""

    bits: Width
    division: Whole
    reciprocal: Whole
    blocks: Count


class AreaReport(TypedDict):
    """Areas on an FPGA family, with or without multiplier blocks.

    steps, rescale, mac: the modules that are the adapter-steps, what follows a layer's sums (null: nothing), and the
    network's MAC.
    """

    family: Word
    dsp: bool
    steps: list[Word]
    rescale: Word | None
    mac: Word
    modules: dict[Word, Area]
    quantisers: list[Pair]


def write_rivals(workspace: Workspace) -> dict[str, Path]:
    """Verilog of the quantiser by division and by a reciprocal, for several widths of the codes."""
    from hw.asq.reciprocal_quantiser import ReciprocalQuantiser

    files = {}
    for bits in RIVAL_BITS:
        spec = BlockSpec("quantiser", activation_bits=bits)
        files[spec.name] = workspace.emit_verilog(spec)
        name = spec.name.replace("quantiser", "reciprocal")
        files[name] = workspace.verilog_file(name)
        write_text(files[name], to_verilog(ReciprocalQuantiser(spec), name, "the quantiser's rival, to be measured"))
    return files


def compute_adaptation_shares(modules: dict[str, Area], step: str, rescale: str | None, mac: str) -> str:
    """Compute which part of the LUTs adapts, in an engine of N MACs, an adapter-step and, if given, a rescale."""
    parts = []
    for macs in MACS:
        others = macs * modules[mac].luts + (modules[rescale].luts if rescale else 0)
        share = modules[step].luts / (modules[step].luts + others)
        parts.append(f"{macs} MAC{'s' if macs > 1 else ''}: {share:.0%}")
    return ", ".join(parts)


def compare_quantisers(pairs: list[Pair]) -> str:
    """The quantiser's two forms, for each width of the codes."""
    parts = []
    for pair in pairs:
        blocks = f" and {pair['blocks']} multiplier blocks" if pair["blocks"] else ""
        parts.append(f"{pair['bits']} bits {pair['division']} against {pair['reciprocal']} LUTs{blocks}")
    return "; ".join(parts)


def find_macs(manifest: Manifest) -> list[MacSpec]:
    """Find `post` and `uniform` of the network's bits. Raises InputError where POST has no such width."""
    return [MacSpec(unit, manifest["weight_bits"], manifest["activation_bits"]) for unit in ("post", "uniform")]


def pair_quantisers(modules: dict[str, Area], bits: int) -> Pair:
    """Pair the areas of the quantiser's two forms for codes of `bits` bits, out of those by module."""
    division, reciprocal = modules[f"quantiser_a{bits}"], modules[f"reciprocal_a{bits}"]
    return {"bits": bits, "division": division.luts, "reciprocal": reciprocal.luts, "blocks": reciprocal.dsps}


def measure_adaptation(manifest: Manifest, blocks: list[BlockSpec], root: Path, bar: Bar = SILENT) -> list[AreaReport]:
    """Measure the blocks and two MACs of the network's bits on each FPGA family, with and without multiplier blocks."""
    macs, workspace = find_macs(manifest), Workspace(root)
    verilog = {spec.name: workspace.emit_verilog(spec) for spec in macs}
    verilog = {block.name: workspace.emit_verilog(block) for block in blocks} | verilog
    others = write_rivals(workspace)
    steps = [spec.name for spec in blocks if spec.unit == "adapter-step"]
    rescale = next((spec.name for spec in blocks if spec.unit == "rescale"), None)
    reports: list[AreaReport] = []
    bar.expect(2 * len(FPGA_FAMILIES) * len(verilog | others))
    for family in FPGA_FAMILIES:
        for dsp in (False, True):
            modules = measure_areas(verilog | others, family, dsp, root, bar)
            pairs = [pair_quantisers(modules, bits) for bits in RIVAL_BITS]
            reports.append(
                {
                    "family": family,
                    "dsp": dsp,
                    "steps": steps,
                    "rescale": rescale,
                    "mac": macs[0].name,
                    "modules": {name: modules[name] for name in verilog},
                    "quantisers": pairs,
                }
            )
    return reports


class AreaSection(NamedTuple):
    """A section of the page: areas on an FPGA family, with or without multiplier blocks, in a table.

    shares: of each adapter-step in an engine, in words. quantisers: `compare_quantisers`.
    """

    family: str
    dsp: bool
    table: str
    shares: dict[str, str]
    quantisers: str


def describe_areas(report: AreaReport) -> AreaSection:
    """The section on one report's areas."""
    modules = report["modules"]
    rows = [{"module": f"`{name}`"} | structs.asdict(area) for name, area in modules.items()]
    return AreaSection(
        family=FPGA_FAMILIES[report["family"]].title,
        dsp=report["dsp"],
        table=format_markdown_table(rows, AREA_COLUMNS),
        shares={
            step: compute_adaptation_shares(modules, step, report["rescale"], report["mac"]) for step in report["steps"]
        },
        quantisers=compare_quantisers(report["quantisers"]),
    )
