"""The page on networks trained out, made from its record."""

from collections.abc import Iterable
from pathlib import Path
from statistics import mean, mode

from asq_model.common.cifar10_copy import yardsticks
from asq_model.common.errors import InputError
from asq_model.common.templates import render_template
from asq_model.studies.paired_comparisons import CONFIDENCE, spread
from asq_model.studies.trained_out.adaptation import adaptation_section
from asq_model.studies.trained_out.aims import aims
from asq_model.studies.trained_out.claims import pairs_table, summary_table
from asq_model.studies.trained_out.control import control_section
from asq_model.studies.trained_out.longer import longer_section
from asq_model.studies.trained_out.record import (
    Groups,
    Trained,
    TrainedOut,
    by_row,
    control_percents,
    epochs,
    percent,
    row_of,
    title,
)
from asq_model.studies.trained_out.repeats import repeats_section
from asq_model.studies.trained_out.tables import (
    accuracy_table,
    collapsed_runs,
    printed_top_1,
    trials_section,
)
from asq_model.studies.trained_out.training import how_it_was_trained
from asq_model.studies.verdicts import MEANING

PAGE = Path(__file__).with_name("trained-out.md.j2")
FEWEST_SEEDS = 5


def describe_ceiling(run: Trained) -> dict[str, object]:
    """The recipe of the network in full precision that all rows start from, and what it scores."""
    recipe = run["recipe"]
    return {
        "epochs": epochs(run),
        "batch": recipe["batch"],
        "rate": f"{recipe['full_precision_rate']:g}",
        "weight_decay": f"{recipe['weight_decay']:g}",
        "seed": recipe["seed"],
        "percent": f"{percent(run):.2f}",
        "digest": run["digest"][:12],
    }


def describe_rows(study: TrainedOut) -> dict[str, object]:
    """The recipe of the rows, and which of them have fewer seeds than is usual."""
    run = study["rows"][0]
    rates = {row_of(run).bits: run["recipe"]["quantised_rate"] for run in study["rows"]}
    groups = by_row(study["rows"])
    usual = min(FEWEST_SEEDS, mode(map(len, groups.values())))
    return {
        "epochs": epochs(run),
        "batch": run["recipe"]["batch"],
        "rates": [f"{rate:g} at {bits} bits" for bits, rate in rates.items()],
        "weight_decay": f"{run['recipe']['weight_decay']:g}",
        "usual": usual,
        "few": [f"{row.precision} {row.label}" for row, values in groups.items() if len(values) < usual],
    }


def describe_spreads(groups: Groups) -> list[str]:
    """A run's standard deviation about its row and its seed, at each precision."""
    found = {precision: spread(groups, precision) for precision in dict.fromkeys(row.precision for row in groups)}
    return [f"{sd:.2f} points at {name} ({freedom} degrees)" for name, (sd, freedom) in found.items()]


def render_page(study: TrainedOut, name: str = "trained-out.json") -> str:
    """The page on networks trained out, of the record called `name`. Raises InputError for a record without rows."""
    if not study["rows"]:
        raise InputError(f"{name} has no rows yet, and so there is no page: `asq-post trained-out` goes on with it")
    control, groups = control_percents(study, epochs(study["rows"][0])), by_row(study["rows"])
    return render_template(
        PAGE,
        title=title(study),
        name=name,
        notes=yardsticks([study["data"]]),
        ceiling=describe_ceiling(study["ceiling"]),
        control_seeds=len(control),
        control_percent=f"{mean(control):.2f}" if control else None,
        rows=describe_rows(study),
        accuracies="\n".join(accuracy_table(study)),
        printed=bool(printed_top_1(study)),
        aims="\n".join(aims(study)),
        collapsed=collapsed_runs(study),
        confidence=f"{100 * CONFIDENCE:.0f}",
        meaning=MEANING,
        spreads=describe_spreads(groups),
        summary="\n".join(summary_table(groups)),
        pairs="\n".join(pairs_table(groups)),
        control=join_paragraphs(control_section(study)),
        adaptation=join_paragraphs(adaptation_section(study)),
        longer=join_paragraphs(longer_section(study)),
        repeats=join_paragraphs(repeats_section(study)),
        trials=join_paragraphs(trials_section(study)),
        training=join_paragraphs(how_it_was_trained(study)),
    )


def join_paragraphs(paragraphs: Iterable[list[str]]) -> str:
    """The text of a section of which the lines of each paragraph are given."""
    return "\n\n".join("\n".join(lines) for lines in paragraphs if lines)
