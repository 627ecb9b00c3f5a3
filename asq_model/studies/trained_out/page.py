"""The page on networks trained out, made from its record."""

from collections.abc import Iterator
from statistics import mean, mode

from asq_model.common.cifar10_copy import yardsticks
from asq_model.common.errors import InputError
from asq_model.studies.paired_comparisons import CONFIDENCE, spread
from asq_model.studies.trained_out.adaptation import adaptation_section
from asq_model.studies.trained_out.aims import aims
from asq_model.studies.trained_out.claims import pairs_table, summary_table
from asq_model.studies.trained_out.control import control_section
from asq_model.studies.trained_out.longer import longer_section
from asq_model.studies.trained_out.record import TrainedOut, by_row, control_percents, epochs, percent, row_of, title
from asq_model.studies.trained_out.repeats import repeats_section
from asq_model.studies.trained_out.tables import (
    accuracy_table,
    collapsed_runs,
    printed_top_1,
    trials_section,
)
from asq_model.studies.trained_out.training import how_it_was_trained
from asq_model.studies.verdicts import MEANING

FEWEST_SEEDS = 5
NAMES = (
    "**Names of rows**: W4A4 has weights and activations of 4 bits. *LSQ* learns one step size for the activations of a"
    " layer; in *ASQ* an adapter multiplies the step by a factor β for each image. Behind a name, *features* and"
    " *unscaled* stand for another scale of the step's gradient. Weights are uniform but for *POST* (signed powers of"
    " √2), *POT* (of 2), *APOT* (sums of two powers of 2) and *E2M1* (a float of 4 bits); in brackets stands the"
    " [set of levels](../post-code.md#levels)."
)


def how_each_row_starts(study: TrainedOut) -> str:
    """The recipe of the rows, in words."""
    run = study["rows"][0]
    rates = {row_of(run).bits: run["recipe"]["quantised_rate"] for run in study["rows"]}
    groups = by_row(study["rows"])
    usual = min(FEWEST_SEEDS, mode(map(len, groups.values())))
    few = [f"{row.precision} {row.label}" for row, values in groups.items() if len(values) < usual]
    return (
        f"**Each row** starts from the ceiling: {epochs(run)} epochs, batch {run['recipe']['batch']}, a learning"
        f" rate that falls as a cosine from {', '.join(f'{rate:g} at {bits} bits' for bits, rate in rates.items())},"
        f" weight decay {run['recipe']['weight_decay']:g}, first and last layer 8-bit LSQ. A seed is the order of"
        " images, their augmentation and the adapters' weights; rows of one seed see the same images in the same order."
        " The test set was used once for each run, after the last epoch."
        + (f" Fewer than {usual} seeds have: {'; '.join(few)}." if few else "")
    )


def opening(study: TrainedOut) -> Iterator[list[str]]:
    """Yield the paragraphs above the table of accuracies."""
    ceiling, recipe = study["ceiling"], study["ceiling"]["recipe"]
    control = control_percents(study, epochs(study["rows"][0]))
    yield yardsticks([study["data"]])
    yield [
        f"**The ceiling**: full precision, {epochs(ceiling)} epochs of SGD, batch {recipe['batch']}, a learning"
        f" rate that falls as a cosine from {recipe['full_precision_rate']:g}, weight decay"
        f" {recipe['weight_decay']:g}, seed {recipe['seed']}:"
        f" **{percent(ceiling):.2f} %** (digest `{ceiling['digest'][:12]}`)."
        + (
            f" Trained on like the rows below, but in full precision, it scores {mean(control):.2f} % on average of"
            f" {len(control)} seeds: the control."
            if control
            else ""
        )
        + ("" if study["trials"] else " No other recipe was tried on this network.")
    ]
    yield [how_each_row_starts(study)]
    yield [NAMES]


def accuracies(study: TrainedOut) -> Iterator[list[str]]:
    """Yield the table of accuracies and what is to be said of it."""
    yield accuracy_table(study)
    yield [
        "Zero weights and terms (signed powers of two, times 1 or √2) are those of the low-bit layers. *Training* is"
        " the accuracy on augmented images during the last epoch. ± is the standard deviation over seeds; distances are"
        " those of means, and decide nothing: intervals follow."
        + (
            " The paper trained for 300 epochs on the original files, and does not say with which kind of levels:"
            " orderings can be compared, levels cannot."
            if printed_top_1(study)
            else ""
        )
    ]
    yield list(aims(study))
    collapsed = collapsed_runs(study)
    if collapsed:
        yield [
            f"**Runs that collapsed**: {'; '.join(collapsed)}. They are in the table; their rows are in no comparison,"
            " since Student's t does not describe them."
        ]


def claims(study: TrainedOut) -> Iterator[list[str]]:
    """Yield the section on the paper's claims."""
    groups = by_row(study["rows"])
    spreads = {precision: spread(groups, precision) for precision in dict.fromkeys(row.precision for row in groups)}
    yield [
        f"Differences are of the same seeds. Intervals are {100 * CONFIDENCE:.0f} % by Student's t, corrected by Holm's"
        f" method for all comparisons of a table. {MEANING} A run's standard deviation about its row and its seed:"
        + ",".join(f" {sd:.2f} points at {name} ({freedom} degrees)" for name, (sd, freedom) in spreads.items())
        + ". All runs start from one network and are tested on the same images: the intervals say nothing of other"
        " starts or other images."
    ]
    yield ["All pairs of lines of one precision together:"]
    yield summary_table(groups)
    yield ["Pair by pair:"]
    yield pairs_table(groups)


def sections(study: TrainedOut) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield each section's title and paragraphs."""
    yield "Which claims hold", list(claims(study))
    yield "Is it above full precision", list(control_section(study))
    yield "Does ASQ gain by adapting", list(adaptation_section(study))
    yield "Would more epochs change it", list(longer_section(study))
    yield "The same run made again", list(repeats_section(study))
    yield "How recipes were chosen", list(trials_section(study))
    yield "How it was trained", list(how_it_was_trained(study))


def render_page(study: TrainedOut, name: str = "trained-out.json") -> str:
    """The page on networks trained out, of the record called `name`. Raises InputError for a record without rows."""
    if not study["rows"]:
        raise InputError(f"{name} has no rows yet, and so there is no page: `asq-post trained-out` goes on with it")
    parts = [[f"# {title(study)}, trained out"], [f"Made from the runs in `{name}` by `make pages`."]]
    parts += [*opening(study), *accuracies(study)]
    for heading, paragraphs in sections(study):
        if paragraphs:
            parts += [[f"## {heading}"], *paragraphs]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"
