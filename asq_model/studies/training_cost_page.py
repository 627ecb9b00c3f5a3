"""The page on the cost of a training step, made from a report, never typed. Free of torch."""

from asq_model.common.result_schemas import BenchReport

BASE = "full precision"  # what the others are set against


def table(report: BenchReport) -> str:
    """In Markdown, ratios to full precision."""
    base = report["costs"][BASE]
    lines = [
        f"A training step of {report['network']}, batch {report['batch']}, {report['threads']} CPU threads, torch"
        f" {report['torch']}:",
        "",
        f"| | step, ms | × {BASE} | peak memory, MiB | × {BASE} |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, cost in report["costs"].items():
        seconds, mebibytes = cost["seconds"], cost["mebibytes"]
        lines.append(
            f"| {name} | {1000 * seconds:.0f} | {seconds / base['seconds']:.2f}"
            f" | {mebibytes:.0f} | {mebibytes / base['mebibytes']:.2f} |"
        )
    return "\n".join(lines)


def page(report: BenchReport) -> str:
    return f"# Cost of a training step\n\nBy `make bench`.\n\n{table(report)}\n"
