"""What README says of whole engines: made from the rows of their page, never typed."""

from sim.engine.engines_report import EngineRow, EnginesReport
from sim.engine.engines_table import are_placed, compute_merit, find_main_preset, group_rows, is_rival

BLOCK = "engines"  # of README


def compute_ratio(rows: list[EngineRow]) -> float | None:
    """Compute POST's best engine over uniform's best, in images a second and LUT; None where one is not measured."""
    placed = are_placed(rows)
    post = [compute_merit(row, placed) for row in rows if row.unit == "post"]
    rivals = [compute_merit(row, placed) for row in rows if is_rival(row)]
    return max(post) / max(rivals) if post and rivals else None


def render_findings(report: EnginesReport) -> str:
    """Tell in sentences how POST stands beside uniform in whole engines, for each device and width of weights."""
    devices: dict[str, list[str]] = {}
    for _, weights, _, rows in group_rows(report.rows):
        ratio = compute_ratio(rows)
        network = rows[0].network.partition("_")[0]
        clock = "placed" if are_placed(rows) else "no clock"
        device = f"{network} on `{find_main_preset(rows)}`, {clock}"
        devices.setdefault(device, []).append(
            f"{'not measured' if ratio is None else f'{ratio:.2f}'} at {weights} bits"
        )
    lines = [f"{', '.join(parts)} ({device})" for device, parts in devices.items()]
    return "POST over uniform, in images a second and LUT of a whole engine:\n" + ";\n".join(lines) + ".\n"
