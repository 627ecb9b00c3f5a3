"""How networks were trained out: programs, devices, times, and what of the plan is not done yet."""

from collections import Counter

from asq_model.common.markdown import format_table_lines
from asq_model.studies.trained_out.devices import is_cpu
from asq_model.studies.trained_out.plan import PLANS, PlannedRun, list_missing_runs, read_plan
from asq_model.studies.trained_out.record import TrainedOut, network
from asq_model.studies.trained_out.tables import render_sessions_table


def name_line(run: PlannedRun) -> str:
    """The name of the line that a planned run belongs to, with its length where lines of other lengths are there."""
    part, row, _, length = run.key
    name = "full precision" if part == "control" else f"{row.precision} {row.label}"
    return {"rows": name, "repeats": f"{name} made again"}.get(part, f"{name} for {length} epochs")


def describe_training(study: TrainedOut) -> dict[str, object]:
    """Programs, devices and times, and which runs of the plan are not done yet."""
    again = [run for run in [study["ceiling"], *study["rows"]] if "again" in run]
    plan = PLANS.get(network(study))
    missing = Counter(map(name_line, list_missing_runs(read_plan(plan), study))) if plan else {}
    costs = [[how, f"{cost:.2f}"] for how, cost in study["step_ms"].items()]
    titles = (f"a step of batch {study['ceiling']['recipe']['batch']}, alone on the device (session 0)", "ms")
    return {
        "agreement": [f"{kind} {value:.1e}" for kind, value in study["agreement"].items()],
        "on_cpu": [number for number, session in enumerate(study["sessions"]) if is_cpu(session)],
        "tested_again": len(again),
        "equal": sum(run["again"] == run["correct"] for run in again),
        "sessions": "\n".join(render_sessions_table(study)),
        "missing": [f"{line} {count}" for line, count in missing.items()],
        "costs": "\n".join(format_table_lines(titles, costs, "lr")) if costs else "",
    }
