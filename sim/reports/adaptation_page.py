"""The page on what adaptation costs in hardware: cycles, area and its share, and the picture of β."""

from pathlib import Path
from typing import TypedDict

from asq_model.common.markdown import format_markdown_table
from asq_model.common.records import Count, Line, Schema, Text, Width, Word
from asq_model.common.templates import render_template
from asq_model.spec.golden_manifest import Manifest
from sim.measure.fpga_families import FPGA_FAMILIES
from sim.reports.adaptation import CYCLES_NOTE, CycleRow, make_cycle_rows, make_cycle_table
from sim.reports.adaptation_areas import AreaReport, describe_areas
from sim.runner.jobs import Outcome

TEMPLATE = Path(__file__).with_name("adaptation.md.j2")
COMPARED_COLUMNS = (("module", "block"), ("golden", "of the network's maps"), ("made_up", "of maps made up"))


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


def make_asq_report(manifest: Manifest, outcomes: list[Outcome], areas: list[AreaReport], note: str) -> AsqReport:
    """Make the content of a network's page from its manifest, the outcomes of its blocks' benches, and their areas."""
    return {
        "network": manifest["network"],
        "weight_bits": manifest["weight_bits"],
        "activation_bits": manifest["activation_bits"],
        "checkpoint": manifest["checkpoint_digest"],
        "note": note,
        "blocks": count_compared(outcomes),
        "cycles": make_cycle_rows(manifest, outcomes),
        "areas": areas,
    }


def render_page(report: AsqReport, picture: str) -> str:
    """The page in Markdown. picture: the file name of the picture of β."""
    return render_template(
        TEMPLATE,
        report=report,
        failed=[f"`{block['module']}`" for block in report["blocks"] if not block["passed"]],
        compared=format_markdown_table(
            [{**block, "module": f"`{block['module']}`"} for block in report["blocks"]], COMPARED_COLUMNS
        ),
        picture=picture,
        cycles=make_cycle_table(report["cycles"]),
        cycles_note=CYCLES_NOTE,
        areas=[describe_areas(areas) for areas in report["areas"]],
    )
