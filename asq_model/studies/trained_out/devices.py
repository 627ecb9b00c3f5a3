"""On which devices the runs of a record were trained. Free of torch."""

from collections.abc import Sequence

from asq_model.studies.method_row import MethodRow
from asq_model.studies.trained_out.record import Session, Trained, TrainedOut, row_of, seed


def is_cpu(session: Session) -> bool:
    """Whether a session's device was a CPU."""
    return "CUDA" not in session["versions"]


def list_cpu_lines(study: TrainedOut, runs: Sequence[Trained]) -> list[str]:
    """List the lines that were trained on a CPU, where others of these runs were not; seeds if it was some of them."""
    seeds: dict[MethodRow, dict[int, bool]] = {}
    for run in runs:
        seeds.setdefault(row_of(run), {})[seed(run)] = is_cpu(study["sessions"][run["session"]])
    if all(on_cpu for found in seeds.values() for on_cpu in found.values()):
        return []
    lines = []
    for row, found in seeds.items():
        on_cpu = [number for number in sorted(found) if found[number]]
        words = f" (seed{'s' if len(on_cpu) > 1 else ''} {', '.join(map(str, on_cpu))})"
        some = words if len(on_cpu) < len(found) else ""
        lines += [f"{row.precision} {row.label}{some}"] * bool(on_cpu)
    return lines
