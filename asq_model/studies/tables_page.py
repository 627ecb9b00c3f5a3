"""The results page of Tables 2 to 5: accuracies with their spread, and which of the paper's claims hold.

Made from the runs in a results file, never typed. Free of torch.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Literal, get_args

from asq_model.common.cifar10_copy import find_yardsticks
from asq_model.common.errors import InputError
from asq_model.common.markdown import format_table_lines
from asq_model.common.result_schemas import RecipeRecord, Start, StudyResults
from asq_model.common.templates import render_template
from asq_model.config.recipe import OPTIONS
from asq_model.studies.level_sets import judge_level_sets
from asq_model.studies.method_names import MEANING_OF_METHODS, MEANING_OF_WEIGHTS, name_network
from asq_model.studies.paper_tables import TABLES
from asq_model.studies.printed_tables import PRINTED, TOP_1, compute_gains, render_printed_table
from asq_model.studies.spreads import describe_spreads
from asq_model.studies.table_runs import NetworkRuns, list_study_runs
from asq_model.studies.tables_claims import PRINTED_NAMES, render_claims_table
from asq_model.studies.verdicts import MEANING, MEANING_OF_INTERVALS, UNDECIDED

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


def render_accuracy_table(table: int, networks: Sequence[NetworkRuns]) -> list[str]:
    """Write a table's lines: stored bits, mean and spread over seeds, the paper's figure of the same network."""
    order, rows = TABLES[table].rows, []
    for runs in networks:
        for row in sorted((row for row in runs.top_1 if row in order), key=order.index):
            values, five = runs.top_1[row].values(), runs.top_5.get(row, {}).values()
            spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
            method = name_network(runs.network), row.bits, row.method, row.kind or "–", runs.stored_bits.get(row, "–")
            accuracies = f"{mean(values):.2f}{spread}", f"{mean(five):.2f}" if five else "–", len(values)
            paper = TOP_1.get((runs.network, row.bits, PRINTED_NAMES.get(row.method, row.method)))
            rows.append([*method, *accuracies, "–" if paper is None else f"{paper:.1f}"])
    return format_table_lines(ACCURACY_COLUMNS, rows, "lrllrrrrr")


def describe_start(start: Start, images: int) -> dict[str, object]:
    """Describe a network in full precision that runs start from; its accuracy and options if it was trained here."""
    if "correct" not in start:
        return {**start}
    return {
        **start,
        "percent": f"{100 * start['correct'] / images:.2f}",
        "options": list_full_precision_options(start["recipe"]),
    }


def describe_study(study: StudyResults) -> dict[str, object]:
    """Describe what a study's runs are, as `tables-start.md.j2` has it."""
    return {
        "study": study,
        "results": results_name(study["table"]),
        "starts": [describe_start(start, study["runs"][0]["images"]) for start in study["start"]],
        "seeds": sorted({run["seed"] for run in study["runs"]}),
        "libraries": ", ".join(f"{name} {version}" for name, version in study["versions"].items()),
    }


def describe_claims(table: int, networks: Sequence[NetworkRuns]) -> dict[str, object]:
    """Describe what runs say of a table's claims, and what the paper prints, as all pages on tables have it."""
    # The paper's text is judged on the page of its Table 4, by the figures of all networks.
    printed = PRINTED if table == 4 else TABLES[table].networks
    spreads = {runs.network: describe_spreads(runs.top_1) for runs in networks}
    return {
        "title": TABLES[table].title,
        "methods": MEANING_OF_METHODS,
        "weights": MEANING_OF_WEIGHTS,
        "accuracies": "\n".join(render_accuracy_table(table, networks)),
        "spreads": [f"{name_network(name)} {', '.join(found)}" for name, found in spreads.items() if found],
        "meaning": MEANING,
        "intervals": MEANING_OF_INTERVALS,
        "undecided": UNDECIDED,
        "claims": "\n".join(render_claims_table(table, networks)),
        "level_sets": [found for runs in networks for found in judge_level_sets(runs)],
        "printed": "\n".join(render_printed_table(printed)),
        "names": {name: name_network(name) for name in printed},
        "gains": compute_gains() if table == 4 else None,
    }


def render_page(study: StudyResults) -> str:
    """Write the page on a table of the paper. Raises InputError for a study of which no run ended well."""
    if not study["runs"]:
        raise InputError(f"{results_name(study['table'])} has no runs, and so there is no page")
    notes = find_yardsticks([study["data"]])
    claims = describe_claims(study["table"], list_study_runs(study))
    return render_template(PAGE, notes=notes, **describe_study(study), **claims)


def list_full_precision_options(recipe: RecipeRecord) -> str:
    """List the options of the `train` command that made a full-precision checkpoint."""
    return " ".join(f"{OPTIONS[name]} {recipe[name]}" for name in FULL_PRECISION_FIELDS)


def results_name(table: int) -> str:
    """The name of the file that a table's runs are in; Tables 4 and 5 are one study."""
    return "cifar10.json" if table == 4 else f"imagenet_table{table}.json"
