"""The results page of Tables 2 to 5: accuracies with their spread, and which of the paper's claims hold.

Made from the runs in a results file, never typed. Free of torch.
"""

from collections.abc import Iterator
from math import inf, sqrt
from pathlib import Path
from statistics import mean, variance
from typing import Literal, get_args

from asq_model.common.cifar10_copy import find_yardsticks
from asq_model.common.errors import InputError
from asq_model.common.markdown import format_table_lines
from asq_model.common.result_schemas import RecipeRecord, Start, StudyResults
from asq_model.common.templates import render_template
from asq_model.config.recipe import OPTIONS
from asq_model.studies.method_names import MEANING_OF_METHODS, MEANING_OF_WEIGHTS
from asq_model.studies.paper_tables import TABLES
from asq_model.studies.printed_tables import NETWORKS, TOP_1, compute_gains, render_printed_table
from asq_model.studies.tables_claims import (
    Groups,
    compare_rows,
    format_difference,
    group_runs,
    key_of,
    pool_spread,
    render_claims_table,
)
from asq_model.studies.verdicts import MEANING, UNDECIDED

PAGE = Path(__file__).with_name("tables.md.j2")
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


def render_accuracy_table(study: StudyResults, groups: Groups) -> list[str]:
    """Write the table of every row: stored bits, mean and spread over seeds, the paper's figure."""
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
    return format_table_lines(ACCURACY_COLUMNS, rows, "lrllrrrrr")


def judge_level_sets(study: StudyResults, groups: Groups) -> Iterator[dict[str, object]]:
    """Yield, for 3 and 4 bits, what `asymmetric` and `extended` gain over `symmetric`, and whether that is sure."""
    network = study["runs"][0]["network"]
    for bits in (3, 4):
        symmetric, asymmetric, extended = (
            (network, bits, "ASQ + POST", kind) for kind in ("symmetric", "asymmetric", "extended")
        )
        gain = compare_rows(groups, asymmetric, symmetric)
        if gain is None:
            continue
        difference, interval = gain
        if interval == inf:
            verdict = "one seed"
        elif abs(difference) > interval:
            verdict = "gains" if difference > 0 else "loses"
        else:
            verdict = UNDECIDED
        wider = compare_rows(groups, extended, symmetric)
        yield {
            "bits": bits,
            "verdict": verdict,
            "gain": f"{difference:+.2f}",
            "loss": f"{-difference:.2f}",
            "gain_and_interval": format_difference(gain),
            "extended": None if wider is None else format_difference(wider),
        }


def describe_start(start: Start, images: int) -> dict[str, object]:
    """Describe a network in full precision that runs start from; its accuracy and options if it was trained here."""
    if "correct" not in start:
        return {**start}
    return {
        **start,
        "percent": f"{100 * start['correct'] / images:.2f}",
        "options": list_full_precision_options(start["recipe"]),
    }


def render_page(study: StudyResults) -> str:
    """Write the page on a table of the paper. Raises InputError for a study of which no run ended well."""
    results = results_name(study["table"])
    if not study["runs"]:
        raise InputError(f"{results} has no runs, and so there is no page")
    groups = group_runs(study)
    spread, freedom = pool_spread(groups)
    # The paper's text is judged on the page of its Table 4, by the figures of all networks.
    printed = tuple(NETWORKS) if study["table"] == 4 else TABLES[study["table"]].networks
    return render_template(
        PAGE,
        study=study,
        methods=MEANING_OF_METHODS,
        weights=MEANING_OF_WEIGHTS,
        results=results,
        title=TABLES[study["table"]].title,
        starts=[describe_start(start, study["runs"][0]["images"]) for start in study["start"]],
        seeds=sorted({run["seed"] for run in study["runs"]}),
        libraries=", ".join(f"{name} {version}" for name, version in study["versions"].items()),
        notes=find_yardsticks([study["data"]]),
        accuracies="\n".join(render_accuracy_table(study, groups)),
        spread=f"{spread:.2f}",
        freedom=freedom,
        meaning=MEANING,
        undecided=UNDECIDED,
        claims="\n".join(render_claims_table(study, groups)),
        level_sets=list(judge_level_sets(study, groups)),
        printed="\n".join(render_printed_table(printed)),
        networks=NETWORKS,
        gains=compute_gains(),
    )


def list_full_precision_options(recipe: RecipeRecord) -> str:
    """List the options of the `train` command that made a full-precision checkpoint."""
    return " ".join(f"{OPTIONS[name]} {recipe[name]}" for name in FULL_PRECISION_FIELDS)


def results_name(table: int) -> str:
    """The name of the file that a table's runs are in; Tables 4 and 5 are one study."""
    return "cifar10.json" if table == 4 else f"imagenet_table{table}.json"
