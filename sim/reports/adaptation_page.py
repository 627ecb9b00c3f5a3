"""The page on what adaptation costs in hardware: cycles, area and its share, and the picture of β."""

from typing import TypedDict

from asq_model.common.records import Count, Line, Schema, Text, Width, Word
from asq_model.spec.golden_manifest import Manifest
from sim.measure.fpga_families import FPGA_FAMILIES
from sim.reports.adaptation import CYCLES_NOTE, CycleRow, cycle_rows, cycle_table
from sim.reports.adaptation_areas import AreaReport, area_lines
from sim.runner.jobs import Outcome


class Compared(TypedDict):
    """What a block's bench compared: words and steps of the network's maps, and of maps that the bench made up."""

    module: Word
    golden: Count
    made_up: Count
    passed: bool


class AsqReport(TypedDict):
    """The content of the page, without its picture. note: a sentence about the network."""

    network: Line
    weight_bits: Width
    activation_bits: Width
    checkpoint: Word
    note: Text
    blocks: list[Compared]
    cycles: list[CycleRow]
    areas: list[AreaReport]


def check_asq(report: AsqReport) -> None:
    """Raises ValueError for areas on an unknown FPGA family, or without the modules that are set in relation."""
    for part in report["areas"]:
        wanted = {*part["steps"], part["mac"], part["rescale"] or part["mac"]}
        if part["family"] not in FPGA_FAMILIES or not wanted <= part["modules"].keys():
            raise ValueError(f"areas on {part['family']} are not whole")


ASQ = Schema("report on adaptation", AsqReport, 2, remedy="`make asq` writes it", check=check_asq)


def count_compared(outcomes: list[Outcome]) -> list[Compared]:
    """What each block's bench compared: words and steps of the network's maps, and all of them."""
    return [
        {
            "module": outcome.job.spec.name,
            "golden": outcome.findings["golden"]["vectors"],
            "made_up": outcome.vectors - outcome.findings["golden"]["vectors"],
            "passed": outcome.passed,
        }
        for outcome in outcomes
    ]


def asq_report(manifest: Manifest, outcomes: list[Outcome], areas: list[AreaReport], note: str) -> AsqReport:
    """The content of the page on a network, from its manifest, the outcomes of its blocks' benches, and their areas."""
    return {
        "network": manifest["network"],
        "weight_bits": manifest["weight_bits"],
        "activation_bits": manifest["activation_bits"],
        "checkpoint": manifest["checkpoint_digest"],
        "note": note,
        "blocks": count_compared(outcomes),
        "cycles": cycle_rows(manifest, outcomes),
        "areas": areas,
    }


def page(report: AsqReport, picture: str) -> str:
    """The page in Markdown. picture: the file name of the picture of β."""
    words = ", ".join(
        f"`{block['module']}` {block['golden']} of the maps, {block['made_up']} made up" for block in report["blocks"]
    )
    failed = [f"`{block['module']}`" for block in report["blocks"] if not block["passed"]]
    verdict = f"**not all equal: {', '.join(failed)}**" if failed else "all equal"
    name = f"`{report['network']}` W{report['weight_bits']}A{report['activation_bits']}"
    lines = [
        f"# What adaptation costs in hardware: {report['network']}",
        "",
        f"Blocks as large as {name} needs (checkpoint `{report['checkpoint'][:12]}`), compared on its feature maps."
        " Made by `make asq`.",
        "",
        *([report["note"], ""] if report["note"] else []),
        f"Words and steps compared, {verdict}: {words}.",
        "",
        "The paper's Table 1 counts an adapter's parameters and operations as shares of a network's (`make reproduce"
        " TABLE=1`). In hardware the operations want a multiplier of their own, of many more bits than the network's;"
        " the shares of area below say what that is beside arrays of MACs.",
        "",
        "## β, by the RTL and by torch",
        "",
        "A circle is β of one image by torch, the dot in it β by the RTL. A title has the largest difference of both in"
        " its layer, as a part of β.",
        "",
        f"![β of each image, by layer]({picture})",
        "",
        "## Cycles",
        "",
        cycle_table(report["cycles"]),
        "",
        CYCLES_NOTE,
        "",
        *area_lines(report["areas"]),
    ]
    return "\n".join(lines).rstrip() + "\n"
