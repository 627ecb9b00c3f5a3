"""How networks were trained out: programs, devices, times, and what of the plan is not done yet."""

from collections import Counter
from collections.abc import Iterator

from asq_model.common.markdown import table_lines
from asq_model.studies.trained_out.plan import PLANS, PlannedRun, missing_runs, read_plan
from asq_model.studies.trained_out.record import TrainedOut, network
from asq_model.studies.trained_out.repeats import is_cpu
from asq_model.studies.trained_out.tables import sessions_table


def planned_line(run: PlannedRun) -> str:
    """The name of the line that a planned run belongs to, with its length where lines of other lengths are there."""
    part, row, _, length = run.key
    name = "full precision" if part == "control" else f"{row.precision} {row.label}"
    return {"rows": name, "repeats": f"{name} made again"}.get(part, f"{name} for {length} epochs")


def how_it_was_trained(study: TrainedOut) -> Iterator[list[str]]:
    """Yield the section on programs, devices and times."""
    on_cpu = [str(number) for number, session in enumerate(study["sessions"]) if is_cpu(session)]
    where = f"session{'s' if len(on_cpu) > 1 else ''} {', '.join(on_cpu)}"
    again = [run for run in [study["ceiling"], *study["rows"]] if "again" in run]
    equal = sum(run["again"] == run["correct"] for run in again)
    agreement = ", ".join(f"{kind} {value:.1e}" for kind, value in study["agreement"].items())
    yield [
        "The layers are this program's own. The whole step is one CUDA graph, and several runs share the device."
        " Convolutions multiply in TF32 in training, as torch has it on such a device, and in float32 in the test."
        + (
            " Largest difference of a loss in the first 20 steps from the layers run one by one, all in float32:"
            f" {agreement}."
            if agreement
            else ""
        )
        + (f" On a CPU ({where}) layers run one by one, in float32." if on_cpu else "")
        + (f" Of {len(again)} networks tested once more by a CPU, {equal} have the same number right." if again else "")
    ]
    yield sessions_table(study)
    plan = PLANS.get(network(study))
    missing = Counter(map(planned_line, missing_runs(read_plan(plan), study))) if plan else {}
    if missing:
        runs = "; ".join(f"{line} {count}" for line, count in missing.items())
        yield [f"Runs of the plan that are not done yet: {runs}."]
    costs = [[how, f"{cost:.2f}"] for how, cost in study["step_ms"].items()]
    if costs:
        batch = study["ceiling"]["recipe"]["batch"]
        yield table_lines((f"a step of batch {batch}, alone on the device (session 0)", "ms"), costs, "lr")
