"""What a run says of ASQ's blocks: β and steps beside torch's, and what the adapter costs in cycles."""

from pathlib import Path
from typing import TypedDict

from asq_model.common.markdown import format_markdown_table
from asq_model.common.records import Line, Whole
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.golden_manifest import Manifest
from asq_model.spec.golden_vectors import read_maps
from asq_model.spec.precision import GUARD
from sim.runner.jobs import Outcome
from sim.runner.outcomes import LayerFindings

MACS = (1, 64)  # multiplying side by side, that the adapter's time is compared with
CYCLE_COLUMNS = (
    ("layer", "layer"),
    ("words", "values a map"),
    ("latency", "latency of β"),
    ("fixed", "cycles a map, fixed step"),
    ("adapted", "with adapter"),
    *((f"share_{macs}", f"latency / layer on {macs} MAC{'s' if macs > 1 else ''}") for macs in MACS),
)
CYCLES_NOTE = (
    "Maps back to back. The latency of β passes while the map waits in the buffer and the next one enters: only where a"
    " map is shorter than the adapter's time for it do cycles go up. A layer on N MACs takes its products divided by N."
)


def group_findings(outcomes: list[Outcome], unit: str) -> dict[str, LayerFindings]:
    """Group the findings of the golden test by layer, over all blocks of a kind."""
    return {
        layer["layer"]: layer
        for outcome in outcomes
        if isinstance(outcome.job.spec, BlockSpec) and outcome.job.spec.unit == unit
        for layer in outcome.findings.get("golden", {}).get("layers", [])
    }


class AdaptationRow(TypedDict):
    """β and step of a layer for each image, as the RTL gave them and as torch has them."""

    layer: str
    rtl_betas: list[float]
    torch_betas: list[float]
    rtl_steps: list[float]
    torch_steps: list[float]


def compare_steps(golden: Path, outcomes: list[Outcome]) -> list[AdaptationRow]:
    """Compare β and step of each image, as the RTL gave them, with torch's, of every layer with an adapter."""
    adapters = group_findings(outcomes, "adapter")
    rows: list[AdaptationRow] = []
    for maps in read_maps(golden):
        if maps.name not in adapters:
            continue
        precision = adapters[maps.name]["precision"]
        scale = 2.0 ** -(maps.entry["point"] + GUARD)
        rows.append(
            {
                "layer": maps.name,
                "rtl_betas": [beta * 2.0**-precision for beta in adapters[maps.name]["betas"]],
                "torch_betas": maps.arrays["torch_betas"].tolist(),
                "rtl_steps": [step * scale for step in adapters[maps.name]["steps"]],
                "torch_steps": maps.arrays["torch_steps"].tolist(),
            }
        )
    return rows


def make_step_rows(rows: list[AdaptationRow]) -> list[list[str]]:
    """Make the rows of the summary: layer, β by RTL and by torch, step by RTL and by torch, of the first image."""
    series = ((row["rtl_betas"], row["torch_betas"], row["rtl_steps"], row["torch_steps"]) for row in rows)
    firsts = ([f"{values[0]:.5f}" for values in each] for each in series)
    return [[row["layer"], *first] for row, first in zip(rows, firsts, strict=True)]


class CycleRow(TypedDict):
    """Measured cycles of a layer with an adapter, and its products for one image.

    words: values a map. latency: of β. fixed, adapted: cycles from map to map, with a fixed step and with the adapter.
    """

    layer: Line
    words: Whole
    latency: Whole
    fixed: Whole
    adapted: Whole
    products: Whole


def make_cycle_rows(manifest: Manifest, outcomes: list[Outcome]) -> list[CycleRow]:
    """Make the rows of the measured cycles of every layer with an adapter."""
    products = {entry["name"]: entry["products"] for entry in manifest["maps"]}
    adapters, fixed = group_findings(outcomes, "adapter"), group_findings(outcomes, "quantiser")
    return [
        {
            "layer": name,
            "words": step["words"],
            "latency": adapters[name]["latency"],
            "fixed": fixed[name]["interval"],
            "adapted": step["interval"],
            "products": products[name],
        }
        for name, step in group_findings(outcomes, "adapter-step").items()
    ]


def make_cycle_shares(rows: list[CycleRow]) -> list[dict[str, object]]:
    """Make the rows of cycles with the latency of β as a share of the time that the layer's products take."""
    return [
        {**row} | {f"share_{macs}": f"{row['latency'] * macs / row['products']:.2%}" for macs in MACS} for row in rows
    ]


def make_cycle_table(rows: list[CycleRow]) -> str:
    """Make the table of cycles of every layer with an adapter, in Markdown."""
    return format_markdown_table(make_cycle_shares(rows), CYCLE_COLUMNS)
