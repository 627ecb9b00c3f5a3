"""The results page of Tables 2 to 5: accuracies with their spread, and which of the paper's claims hold.

Made from the runs in a results file, never typed. Free of torch.
"""

from collections.abc import Iterator
from math import inf, sqrt
from statistics import mean, variance
from typing import Literal, get_args

from asq_model.common.cifar10_copy import yardsticks
from asq_model.common.errors import InputError
from asq_model.common.markdown import table_lines
from asq_model.common.result_schemas import RecipeRecord, StudyResults
from asq_model.config.recipe import OPTIONS
from asq_model.studies.paper_tables import TABLES
from asq_model.studies.printed_tables import NETWORKS, TOP_1, contradictions, printed_table
from asq_model.studies.tables_claims import (
    Groups,
    claims_table,
    compare_rows,
    difference_text,
    group_runs,
    key_of,
    pooled_spread,
)
from asq_model.studies.verdicts import MEANING, UNDECIDED

# What decides how a network in full precision is trained, as the page says it.
FullPrecisionField = Literal[
    "network",
    "full_precision_epochs",
    "quantised_epochs",
    "full_precision_rate",
    "batch",
    "seed",
    "threads",
    "precision",
]
FULL_PRECISION_FIELDS: tuple[FullPrecisionField, ...] = get_args(FullPrecisionField)
ACCURACY_COLUMNS = (
    "network",
    "bits",
    "method",
    "level set",
    "stored bits per weight",
    "top-1, %",
    "top-5, %",
    "seeds",
    "paper, top-1",
)


def accuracy_table(study: StudyResults, groups: Groups) -> list[str]:
    """The table of every row: stored bits, mean and spread over seeds, the paper's figure."""
    stored = {key_of(run): run["stored_bits"] for run in study["runs"]}
    top_5 = group_runs(study, "top_5") if all(run["top_5"] is not None for run in study["runs"]) else {}
    rows = []
    for key, values in groups.items():
        network, bits, label, kind = key
        spread = f" ± {sqrt(variance(values)):.2f}" if len(values) > 1 else ""
        paper = TOP_1.get((network, bits, label), TOP_1.get(("resnet20", bits, label)))
        five = f"{mean(top_5[key]):.2f}" if top_5 else "–"
        accuracies = f"{mean(values):.2f}{spread}", five, len(values), "–" if paper is None else f"{paper:.1f}"
        rows.append([network, bits, label, kind or "–", stored[key], *accuracies])
    return table_lines(ACCURACY_COLUMNS, rows, "lrllrrrrr")


def recommendation(study: StudyResults, groups: Groups) -> list[str]:
    """The level set to take at 3 and at 4 bits, among those that fit, and whether `asymmetric` earns its place."""
    network, lines = study["runs"][0]["network"], []
    for bits in (3, 4):
        symmetric, asymmetric, extended = (
            (network, bits, "ASQ + POST", kind) for kind in ("symmetric", "asymmetric", "extended")
        )
        gain = compare_rows(groups, asymmetric, symmetric)
        if gain is None:
            continue
        difference, interval = gain
        if interval == inf:
            advice = f"{UNDECIDED}, one seed: `asymmetric` is at {difference_text(gain)} points over `symmetric`"
        elif difference > interval:
            advice = f"take `asymmetric`: {difference:+.2f} points over `symmetric` for the same {bits} stored bits"
        elif difference < -interval:
            advice = f"take `symmetric`: `asymmetric` loses {-difference:.2f} points"
        else:
            shown = difference_text(gain)
            advice = f"take `symmetric`, the simpler: `asymmetric` ({shown} points) does not earn its place here"
        wider = compare_rows(groups, extended, symmetric)
        if wider is not None:
            advice += f"; `extended`, with a stored bit more, is at {difference_text(wider)}"
        lines.append(f"- **{bits} bits**: {advice}.")
    return lines


def start_lines(study: StudyResults) -> Iterator[str]:
    """Yield a line on each network in full precision that runs start from."""
    for start in study["start"]:
        if "correct" in start:
            images, recipe = study["runs"][0]["images"], start["recipe"]
            yield (
                f"Start: {start['network']} in full precision, {recipe['full_precision_epochs']} epochs:"
                f" **{100 * start['correct'] / images:.2f} %** (digest `{start['digest'][:12]}`), by"
                f" `python -m asq_model train {full_precision_options(recipe)} --data …`."
            )
        else:
            yield f"Start: {start['network']}, weights from elsewhere (digest `{start['digest'][:12]}`)."


def opening(study: StudyResults) -> Iterator[str]:
    """Yield the paragraphs above the table of accuracies."""
    seeds = sorted({run["seed"] for run in study["runs"]})
    epochs = "1 epoch" if study["epochs"] == 1 else f"{study['epochs']} epochs"
    versions = ", ".join(f"{name} {version}" for name, version in study["versions"].items())
    yield f"# {TABLES[study['table']].title}"
    yield f"Made by `{study['command']}` from the runs in `{results_name(study['table'])}`."
    each_run = (
        f"Each run: {epochs} quantised from there, first and last layer 8-bit LSQ, test set used once,"
        f" after the last epoch. Seeds {', '.join(map(str, seeds))}: the order of images, their augmentation and"
        f" the adapters' weights. Commit `{study['commit']}`, {versions}."
    )
    yield "\n".join([*start_lines(study), each_run])
    if study["note"]:
        yield study["note"]
    if study["failed"]:
        failed = "; ".join(
            f"{run['network']} {run['label']} {run['bits']} bits: {run['error']}" for run in study["failed"]
        )
        yield f"**Failed runs:** {failed}"
    yield from yardsticks([study["data"]])


def printed_section(study: StudyResults) -> Iterator[str]:
    """Yield the section on what the paper prints: of the study's networks, of all where the paper's text is judged."""
    networks = tuple(NETWORKS) if study["table"] == 4 else TABLES[study["table"]].networks
    yield "## What the paper prints"
    yield (
        "Top-1 accuracy in percent, top-5 in brackets where it is printed. Some methods' names are pictures in the"
        " paper and missing in its text; which lines are LSQ's and APOT's follows from what is said beside the tables."
    )
    yield "\n".join(printed_table(networks))
    if study["table"] == 4:
        yield "What the figures of all its tables say of its text:"
        yield "\n".join(contradictions())


def render_page(study: StudyResults) -> str:
    """The page on a table of the paper. Raises InputError for a study of which no run ended well."""
    if not study["runs"]:
        raise InputError(f"{results_name(study['table'])} has no runs, and so there is no page")
    groups = group_runs(study)
    parts = [*opening(study), "\n".join(accuracy_table(study, groups))]
    if study["table"] == 4:
        parts.append(
            "The paper's figures are ResNet-20's after 300 epochs: the orderings can be compared, the levels cannot."
        )
    parts += ["## Which of the paper's claims hold", judgement(groups), "\n".join(claims_table(study, groups))]
    parts += ["## Which level set to take", "\n".join(recommendation(study, groups)), *printed_section(study)]
    return "\n\n".join(parts) + "\n"


def judgement(groups: Groups) -> str:
    """The spread of runs over seeds, and the rule by which claims are judged."""
    spread, freedom = pooled_spread(groups)
    if not freedom:
        return "One seed: how far a run strays is not known, so nothing is decided."
    return (
        f"A run's standard deviation, pooled over all rows, is {spread:.2f} points ({freedom} degrees of freedom);"
        " intervals are 95 % by Student's t, corrected by Holm's method for all comparisons of the table."
        f" {MEANING} *Full precision* is the network that all runs start from. The last column has the difference of"
        " the paper's own figures."
    )


def full_precision_options(recipe: RecipeRecord) -> str:
    """The options of the `train` command that made a full-precision checkpoint."""
    return " ".join(f"{OPTIONS[name]} {recipe[name]}" for name in FULL_PRECISION_FIELDS)


def results_name(table: int) -> str:
    """The name of the file that a table's runs are in; Tables 4 and 5 are one study."""
    return "cifar10.json" if table == 4 else f"imagenet_table{table}.json"
