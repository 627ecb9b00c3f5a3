"""The page of all trainings that the committed records hold, with totals at its end. Free of torch."""

from collections.abc import Iterator
from pathlib import Path

from asq_model.common.markdown import table_lines
from asq_model.common.records import read_record
from asq_model.common.result_schemas import STUDY
from asq_model.studies.logged_runs import FIELDS, Log, LoggedRun, runs_of_tables, runs_trained_out
from asq_model.studies.paper_tables import TABLES
from asq_model.studies.tables_page import results_name
from asq_model.studies.trained_out import TRAINED_OUT

PAGE = "runs.md"
TRAINED_OUT_RECORDS = ("trained-out.json", "trained-out-resnet20.json")
TITLES = ("part", "network", "row", "seed", "epochs", "right", "seconds", "day", "device", "commit", "checkpoint")
SIDES = "lllrrrrllll"
SUMS = ("runs", "epochs", "seconds, where kept")  # titles of what `sums` gives


def read_logs(folder: Path) -> dict[str, Log]:
    """Read the trainings of each record in a folder, by the record's name. Raises InputError for a damaged one."""
    logs = {}
    for name in TRAINED_OUT_RECORDS:
        if (folder / name).is_file():
            study = read_record(folder / name, TRAINED_OUT)
            held = sum(session["seconds"] for session in study["sessions"])
            logs[name] = Log(list(runs_trained_out(study)), held)
    for name in map(results_name, TABLES):
        if (folder / name).is_file():
            logs[name] = Log(list(runs_of_tables(read_record(folder / name, STUDY))), None)
    return logs


def render_page(logs: dict[str, Log]) -> str:
    """The page of all trainings, a section for each record and totals."""
    parts = [["# What was trained"], introduction(logs)]
    for name, log in logs.items():
        parts += [[f"## {name}"], [not_kept(log.runs)], runs_table(log.runs)]
    parts += [["## Totals"], *totals(logs)]
    return "\n\n".join("\n".join(part) for part in parts if part != [""]) + "\n"


def introduction(logs: dict[str, Log]) -> list[str]:
    """The paragraph above the tables."""
    pages = ", ".join(f"[{name}]({Path(name).with_suffix('.md')})" for name in logs)
    return [
        f"Every training in the records behind {pages}, made from them by `make pages`. *Seconds* are those"
        " that a run took; of runs side by side on one device each counts the whole time. *Right* is the number of test"
        " images classified correctly; in *trials*, of training images that were held back. A checkpoint is named by"
        " the first digits of its digest. A dash: not kept."
    ]


def not_kept(runs: list[LoggedRun]) -> str:
    """Which fields the record lacks, and of how many runs; empty where it has them all."""
    lacking = [f"{field} of {count}" for field in FIELDS if (count := sum(getattr(run, field) is None for run in runs))]
    return f"Not kept, of {len(runs)} runs: {', '.join(lacking)}." if lacking else ""


def runs_table(runs: list[LoggedRun]) -> list[str]:
    """A line for each training."""
    return table_lines(TITLES, map(cells, runs), SIDES)


def cells(run: LoggedRun) -> list[str]:
    """A training's line."""
    values = run._asdict()
    values["seconds"] = None if run.seconds is None else f"{run.seconds:.1f}"
    for name in ("commit", "checkpoint"):
        values[name] = values[name] and f"`{values[name]}`"
    return ["–" if values[name] is None else str(values[name]) for name in TITLES]


def totals(logs: dict[str, Log]) -> Iterator[list[str]]:
    """Yield the totals of each record, and those of each device and commit."""
    lines = [[name, *sums(log.runs), minutes(log.held)] for name, log in logs.items()]
    everything = [run for log in logs.values() for run in log.runs]
    held = sum(log.held for log in logs.values() if log.held is not None)
    lines.append(["all", *sums(everything), minutes(held)])
    yield table_lines(("record", *SUMS, "devices held, minutes"), lines, "lrrrr")
    groups: dict[tuple[str, str], list[LoggedRun]] = {}
    for run in everything:
        groups.setdefault((run.device or "–", f"`{run.commit}`" if run.commit else "–"), []).append(run)
    yield table_lines(("device", "commit", *SUMS), [[*key, *sums(runs)] for key, runs in groups.items()], "llrrr")


def minutes(seconds: float | None) -> str:
    """A time in minutes, or a dash."""
    return f"{seconds / 60:.1f}" if seconds else "–"


def sums(runs: list[LoggedRun]) -> list[str]:
    """How many runs and epochs there are, and the seconds of those runs that have them."""
    seconds = [run.seconds for run in runs if run.seconds is not None]
    return [str(len(runs)), str(sum(run.epochs for run in runs)), f"{sum(seconds):.0f}" if seconds else "–"]
