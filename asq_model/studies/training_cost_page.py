"""The page on the cost of a training step, made from a report, never typed. Free of torch."""

from pathlib import Path

from asq_model.common.markdown import format_table_lines
from asq_model.common.result_schemas import BenchReport, Cost
from asq_model.common.templates import render_template
from asq_model.studies.method_names import MEANING_OF_METHODS, MEANING_OF_PRECISION, MEANING_OF_WEIGHTS

PAGE = Path(__file__).with_name("training-speed.md.j2")
COSTS = Path(__file__).with_name("training-speed-costs.md.j2")  # the part that a terminal shows, too
BASE = "full precision"  # what the others are set against


def render_costs(costs: dict[str, Cost]) -> list[str]:
    """Write the table of each candidate's cost, with ratios to full precision."""
    base, rows = costs[BASE], []
    for name, cost in costs.items():
        low, middle, high = (f"{ratio:.2f}" for ratio in cost["ratios"])
        ratio = middle if name == BASE else f"{middle} ({low} to {high})"
        memory = f"{cost['mebibytes']:.0f}", f"{cost['mebibytes'] / base['mebibytes']:.2f}"
        rows.append([name, f"{1000 * cost['seconds']:.0f}", ratio, *memory])
    titles = "", "step, ms", f"× {BASE} (quartiles)", "peak memory, MiB", f"× {BASE}"
    return format_table_lines(titles, rows, "lrrrr")


def render_table(report: BenchReport) -> str:
    """Write how costs were measured, and a table for each network and number of threads, in Markdown."""
    return render_template(COSTS, **describe_report(report)).rstrip()


def render_page(report: BenchReport) -> str:
    """Write the page on the cost of a training step."""
    return render_template(
        PAGE,
        precision=MEANING_OF_PRECISION,
        methods=MEANING_OF_METHODS,
        weights=MEANING_OF_WEIGHTS,
        **describe_report(report),
    )


def describe_report(report: BenchReport) -> dict[str, object]:
    """Make the values of the templates: the report, and each measurement with its table."""
    return {"report": report, "tables": [(one, "\n".join(render_costs(one["costs"]))) for one in report["measured"]]}
