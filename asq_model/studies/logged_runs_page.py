"""The page of all trainings that the committed records hold, with totals at its end. Free of torch."""

from pathlib import Path

from asq_model.common.markdown import format_table_lines
from asq_model.common.records import read_record
from asq_model.common.result_schemas import STUDY
from asq_model.common.templates import render_template
from asq_model.studies.logged_runs import FIELDS, Log, LoggedRun, list_runs_of_tables, list_runs_trained_out
from asq_model.studies.paper_tables import TABLES
from asq_model.studies.tables_page import results_name
from asq_model.studies.trained_out.record import TRAINED_OUT

PAGE = "runs.md"
TEMPLATE = Path(__file__).with_name("runs.md.j2")
TRAINED_OUT_RECORDS = ("trained-out.json", "trained-out-resnet20.json")
TITLES = ("part", "network", "row", "seed", "epochs", "right", "seconds", "day", "device", "commit", "checkpoint")
SIDES = "lllrrrrllll"
SUMS = ("runs", "epochs", "seconds, where kept")  # titles of what `format_sums` gives


def read_logs(folder: Path) -> dict[str, Log]:
    """Read the trainings of each record in a folder, by the record's name. Raises InputError for a damaged one."""
    logs = {}
    for name in TRAINED_OUT_RECORDS:
        if (folder / name).is_file():
            study = read_record(folder / name, TRAINED_OUT)
            held = sum(session["seconds"] for session in study["sessions"])
            logs[name] = Log(list(list_runs_trained_out(study)), held)
    for name in map(results_name, TABLES):
        if (folder / name).is_file():
            logs[name] = Log(list(list_runs_of_tables(read_record(folder / name, STUDY))), None)
    return logs


def render_page(logs: dict[str, Log]) -> str:
    """Write the page of all trainings, a section for each record and totals."""
    by_record, by_device = render_totals(logs)
    return render_template(
        TEMPLATE,
        pages=", ".join(f"[{name}]({Path(name).with_suffix('.md')})" for name in logs),
        runs_of={name: log.runs for name, log in logs.items()},
        lacking={name: list_lacking(log.runs) for name, log in logs.items()},
        tables={
            name: "\n".join(format_table_lines(TITLES, map(format_cells, log.runs), SIDES))
            for name, log in logs.items()
        },
        by_record=by_record,
        by_device=by_device,
    )


def list_lacking(runs: list[LoggedRun]) -> list[str]:
    """List the fields that the record lacks, each with how many runs lack it."""
    return [f"{field} of {count}" for field in FIELDS if (count := sum(getattr(run, field) is None for run in runs))]


def format_cells(run: LoggedRun) -> list[str]:
    """Write a training's line."""
    values = run._asdict()
    values["seconds"] = None if run.seconds is None else f"{run.seconds:.1f}"
    for name in ("commit", "checkpoint"):
        values[name] = values[name] and f"`{values[name]}`"
    return ["–" if values[name] is None else str(values[name]) for name in TITLES]


def render_totals(logs: dict[str, Log]) -> tuple[str, str]:
    """Write the totals of each record, and those of each device and commit, as tables."""
    lines = [[name, *format_sums(log.runs), format_minutes(log.held)] for name, log in logs.items()]
    everything = [run for log in logs.values() for run in log.runs]
    held = sum(log.held for log in logs.values() if log.held is not None)
    lines.append(["all", *format_sums(everything), format_minutes(held)])
    groups: dict[tuple[str, str], list[LoggedRun]] = {}
    for run in everything:
        groups.setdefault((run.device or "–", f"`{run.commit}`" if run.commit else "–"), []).append(run)
    return (
        "\n".join(format_table_lines(("record", *SUMS, "devices held, minutes"), lines, "lrrrr")),
        "\n".join(
            format_table_lines(
                ("device", "commit", *SUMS), [[*key, *format_sums(runs)] for key, runs in groups.items()], "llrrr"
            )
        ),
    )


def format_minutes(seconds: float | None) -> str:
    """Write a time in minutes, or a dash."""
    return f"{seconds / 60:.1f}" if seconds else "–"


def format_sums(runs: list[LoggedRun]) -> list[str]:
    """Count the runs, their epochs, and the seconds of those runs that have them."""
    seconds = [run.seconds for run in runs if run.seconds is not None]
    return [str(len(runs)), str(sum(run.epochs for run in runs)), f"{sum(seconds):.0f}" if seconds else "–"]
