"""The page on the cost of a training step, made from a report, never typed. Free of torch."""

from asq_model.common.markdown import table_lines
from asq_model.common.result_schemas import BenchReport, Cost

BASE = "full precision"  # what the others are set against


def render_costs(costs: dict[str, Cost]) -> list[str]:
    """The table of each candidate's cost, with ratios to full precision."""
    base, rows = costs[BASE], []
    for name, cost in costs.items():
        low, middle, high = (f"{ratio:.2f}" for ratio in cost["ratios"])
        ratio = middle if name == BASE else f"{middle} ({low} to {high})"
        memory = f"{cost['mebibytes']:.0f}", f"{cost['mebibytes'] / base['mebibytes']:.2f}"
        rows.append([name, f"{1000 * cost['seconds']:.0f}", ratio, *memory])
    titles = "", "step, ms", f"× {BASE} (quartiles)", "peak memory, MiB", f"× {BASE}"
    return table_lines(titles, rows, "lrrrr")


def render_table(report: BenchReport) -> str:
    """The paragraph on how costs were measured, and a table for each network, in Markdown."""
    lines = [
        f"A training step of batch {report['batch']} with {report['threads']} CPU thread"
        f"{'s' if report['threads'] > 1 else ''}, torch {report['torch']}. The candidates take turns for"
        f" {report['rounds']} rounds: the median of the steps, and of the ratios within a round. Meanwhile"
        f" {report['busy']:.1f} processes on average wanted the machine's {report['cpus']} CPUs.",
    ]
    for network, costs in report["networks"].items():
        lines += ["", f"{network}:", "", *render_costs(costs)]
    return "\n".join(lines)


def render_page(report: BenchReport) -> str:
    """The page on the cost of a training step."""
    return f"# Cost of a training step\n\nBy `make bench`.\n\n{render_table(report)}\n"
