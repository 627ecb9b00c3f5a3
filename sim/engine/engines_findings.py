"""What README says of whole engines: made from the rows of their page, never typed."""

from sim.engine.engines_report import UNIFORM, EngineRow, EnginesReport

BLOCK = "engines"  # of README


def ratio_over_uniform(rows: list[EngineRow]) -> float | None:
    """POST's best engine over uniform's, in images a second and LUT; None where one of them is not measured."""
    post = [row.density for row in rows if row.unit == "post"]
    rivals = [row.density for row in rows if row.unit == UNIFORM and not row.serial]
    return max(post) / max(rivals) if post and rivals else None


def findings(report: EnginesReport) -> str:
    """The sentence of README: POST beside uniform in whole engines, for each width of weights."""
    parts = []
    for bits in sorted({row.weight_bits for row in report.rows}, reverse=True):
        ratio = ratio_over_uniform([row for row in report.rows if row.weight_bits == bits])
        parts.append(f"{'not measured' if ratio is None else f'{ratio:.2f}'} at {bits} bits")
    return (
        f"In images a second and LUT of a whole engine with ResNet-8 ({report.preset}, without a clock), POST is, times"
        f" uniform:\n{', '.join(parts)}.\n"
    )
