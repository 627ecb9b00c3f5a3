"""The page on the cost of a training step, made from a report, never typed. Free of torch."""

from asq_model.common.markdown import table_lines
from asq_model.common.result_schemas import BenchReport

BASE = "full precision"  # what the others are set against


def render_table(report: BenchReport) -> str:
    """The table of each candidate's cost, with ratios to full precision."""
    base = report["costs"][BASE]
    rows = []
    for name, cost in report["costs"].items():
        seconds, mebibytes = cost["seconds"], cost["mebibytes"]
        ratios = f"{seconds / base['seconds']:.2f}", f"{mebibytes / base['mebibytes']:.2f}"
        rows.append([name, f"{1000 * seconds:.0f}", ratios[0], f"{mebibytes:.0f}", ratios[1]])
    titles = "", "step, ms", f"× {BASE}", "peak memory, MiB", f"× {BASE}"
    lines = [
        f"A training step of {report['network']}, batch {report['batch']}, {report['threads']} CPU threads, torch"
        f" {report['torch']}:",
        "",
        *table_lines(titles, rows, "lrrrr"),
    ]
    return "\n".join(lines)


def render_page(report: BenchReport) -> str:
    """The page on the cost of a training step."""
    return f"# Cost of a training step\n\nBy `make bench`.\n\n{render_table(report)}\n"
