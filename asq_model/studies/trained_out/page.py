"""The page on networks trained out, made from its record."""

from pathlib import Path
from statistics import mean, mode

from asq_model.common.cifar10_copy import find_yardsticks
from asq_model.common.errors import InputError
from asq_model.common.templates import render_template
from asq_model.studies.method_names import MEANING_OF_METHODS, MEANING_OF_PRECISION, MEANING_OF_WEIGHTS
from asq_model.studies.method_row import find_equal_lines
from asq_model.studies.paired_comparisons import CONFIDENCE
from asq_model.studies.spreads import describe_spreads
from asq_model.studies.trained_out.adaptation import describe_frozen, describe_gradients
from asq_model.studies.trained_out.aims import judge_aims, measure_losses
from asq_model.studies.trained_out.claims import render_pairs_table, render_summary_table, summarise_claims
from asq_model.studies.trained_out.control import render_control_table
from asq_model.studies.trained_out.devices import list_cpu_lines
from asq_model.studies.trained_out.fewer_bits import describe_falls, render_falls_table
from asq_model.studies.trained_out.longer import describe_longer
from asq_model.studies.trained_out.record import (
    Trained,
    TrainedOut,
    epochs,
    group_by_row,
    list_control_percents,
    network,
    percent,
    row_of,
    title,
)
from asq_model.studies.trained_out.repeats import describe_repeats, describe_repeats_elsewhere
from asq_model.studies.trained_out.tables import (
    describe_strays,
    find_printed_top_1,
    render_accuracy_table,
    render_curve_table,
    render_trials_table,
)
from asq_model.studies.trained_out.training import describe_training
from asq_model.studies.verdicts import MEANING, MEANING_FOR_AIMS, MEANING_OF_INTERVALS

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
    groups = group_by_row(study["rows"])
    usual = min(FEWEST_SEEDS, mode(map(len, groups.values())))
    return {
        "epochs": epochs(run),
        "batch": run["recipe"]["batch"],
        "rates": [f"{rate:g} at {bits} bits" for bits, rate in rates.items()],
        "weight_decay": f"{run['recipe']['weight_decay']:g}",
        "usual": usual,
        "few": [f"{row.precision} {row.label}" for row, values in groups.items() if len(values) < usual],
    }


def render_page(study: TrainedOut, name: str = "trained-out.json") -> str:
    """The page on networks trained out, of the record called `name`. Raises InputError for a record without rows."""
    if not study["rows"]:
        raise InputError(f"{name} has no rows yet, and so there is no page: `asq-post trained-out` goes on with it")
    control, groups = list_control_percents(study, epochs(study["rows"][0])), group_by_row(study["rows"])
    return render_template(
        PAGE,
        title=title(study),
        network=network(study),
        name=name,
        claims=summarise_claims(groups),
        falls_in_short=describe_falls(groups),
        falls="\n".join(render_falls_table(groups)),
        notes=find_yardsticks([study["data"]]),
        ceiling=describe_ceiling(study["ceiling"]),
        control_seeds=len(control),
        control_percent=f"{mean(control):.2f}" if control else None,
        rows=describe_rows(study),
        precision=MEANING_OF_PRECISION,
        methods=MEANING_OF_METHODS,
        weights=MEANING_OF_WEIGHTS,
        accuracies="\n".join(render_accuracy_table(study)),
        equal=[f"{one.precision} {one.label} and {other.label}" for one, other in find_equal_lines(groups)],
        printed=bool(find_printed_top_1(study)),
        aims=judge_aims(study),
        lines_with_aims=len(measure_losses(study)),
        meaning_for_aims=MEANING_FOR_AIMS,
        strays=describe_strays(study),
        confidence=f"{100 * CONFIDENCE:.0f}",
        meaning=MEANING,
        intervals=MEANING_OF_INTERVALS,
        cpu_lines=list_cpu_lines(study, study["rows"]),
        spreads=describe_spreads(groups),
        summary="\n".join(render_summary_table(groups)),
        pairs="\n".join(render_pairs_table(groups)),
        over_control="\n".join(render_control_table(study)),
        gradients=describe_gradients(study),
        frozen=describe_frozen(study),
        longer=describe_longer(study),
        curve="\n".join(render_curve_table(study)) if study["curve"] else "",
        repeats=describe_repeats(study),
        elsewhere=describe_repeats_elsewhere(study),
        trials="\n".join(render_trials_table(study)),
        trial_images=study["trials"][0]["images"] if study["trials"] else None,
        training=describe_training(study),
    )
