"""The results page of Tables 2 to 5: accuracies with their spread, and which of the paper's orderings hold.

Made from the runs in a results file, never typed. Free of torch.
"""

from math import inf, sqrt
from statistics import mean, variance
from typing import Literal, get_args

from asq_model.common.cifar10_copy import yardsticks
from asq_model.common.markdown import table_lines
from asq_model.common.result_schemas import RecipeRecord, RunTask, StudyResults
from asq_model.config.recipe import OPTIONS
from asq_model.spec.levels import KINDS
from asq_model.studies.paper_tables import TABLES

Key = tuple[str, int, str, str]  # network, bits, label and level set: a line of the table
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


def key_of(run: RunTask) -> Key:
    """The line of the table that a run belongs to."""
    return run["network"], run["bits"], run["label"], run["kind"]


def group_runs(study: StudyResults, count: Literal["correct", "top_5"] = "correct") -> dict[Key, list[float]]:
    """Each line's percentages, one per seed, in the table's order; of `correct` or `top_5` images."""
    percentages: dict[Key, list[float]] = {}
    for run in study["runs"]:
        images = run[count]
        if images is not None:
            percentages.setdefault(key_of(run), []).append(100 * images / run["images"])
    return percentages


def pooled_spread(groups: dict[Key, list[float]]) -> tuple[float, int]:
    """The standard deviation of one run and its degrees of freedom, from every row's spread about its mean."""
    freedom = sum(len(values) - 1 for values in groups.values())
    if not freedom:
        return float("nan"), 0
    return sqrt(sum((len(v) - 1) * variance(v) for v in groups.values() if len(v) > 1) / freedom), freedom


def compare_rows(groups: dict[Key, list[float]], one: Key, other: Key) -> tuple[float, float] | None:
    """The difference of two rows' means and the half-width of its 95 % interval by the pooled spread.

    None where one of the rows was not measured.
    """
    from scipy.stats import t

    if one not in groups or other not in groups:
        return None
    spread, freedom = pooled_spread(groups)
    difference = mean(groups[one]) - mean(groups[other])
    if not freedom:
        return difference, inf
    return difference, t.ppf(0.975, freedom) * spread * sqrt(1 / len(groups[one]) + 1 / len(groups[other]))


def verdict(comparison: tuple[float, float] | None) -> str:
    """What is to be said of the claim that the first row is better."""
    if comparison is None:
        return "not measured"
    difference, interval = comparison
    if interval == inf:
        return "one seed: open"
    if abs(difference) <= interval:
        return "within noise"
    return "holds" if difference > 0 else "**does not hold**"


def difference_text(comparison: tuple[float, float] | None) -> str:
    """A difference and its interval, as far as they are known."""
    if comparison is None:
        return "–"
    difference, interval = comparison
    return f"{difference:+.2f}" + ("" if interval == inf else f" ± {interval:.2f}")


def accuracy_table(study: StudyResults, groups: dict[Key, list[float]]) -> list[str]:
    """The table of every row: stored bits, mean and spread over seeds, the paper's figure."""
    printed = TABLES[study["table"]].printed
    stored = {key_of(run): run["stored_bits"] for run in study["runs"]}
    top_5 = group_runs(study, "top_5") if all(run["top_5"] is not None for run in study["runs"]) else {}
    rows = []
    for key, values in groups.items():
        network, bits, label, kind = key
        spread = f" ± {sqrt(variance(values)):.2f}" if len(values) > 1 else ""
        paper = printed.get((network, bits, label), printed.get(("resnet20", bits, label)))
        five = f"{mean(top_5[key]):.2f}" if top_5 else "–"
        accuracies = f"{mean(values):.2f}{spread}", five, len(values), "–" if paper is None else f"{paper:.1f}"
        rows.append([network, bits, label, kind or "–", stored[key], *accuracies])
    return table_lines(ACCURACY_COLUMNS, rows, "lrllrrrrr")


def claims(study: StudyResults) -> list[tuple[str, Key, Key]]:
    """The orderings that the paper claims: (claim, row said to be better, row it is compared with)."""
    network = study["runs"][0]["network"]
    orderings = []

    def claim(bits: int, better: tuple[str, str], worse: tuple[str, str]) -> None:
        names = [f"{label} ({kind})" if kind else label for label, kind in (better, worse)]
        orderings.append((f"{bits} bits: {names[0]} > {names[1]}", (network, bits, *better), (network, bits, *worse)))

    for kind in KINDS:
        claim(4, ("LSQ + POST", kind), ("LSQ + POT", kind))
        claim(4, ("LSQ + POST", kind), ("LSQ", ""))
    for bits in (4, 3, 2):
        claim(bits, ("ASQ", ""), ("LSQ", ""))
    for bits in (4, 3):
        for kind in KINDS:
            claim(bits, ("ASQ + POST", kind), ("ASQ", ""))
    return orderings


def claims_table(study: StudyResults, groups: dict[Key, list[float]]) -> list[str]:
    """Each of the paper's orderings with the difference that was measured, and whether it holds."""
    rows = []
    for claim, better, worse in claims(study):
        difference = compare_rows(groups, better, worse)
        rows.append([claim, difference_text(difference), verdict(difference)])
    return table_lines(("claim", "difference, points", ""), rows, "lrl")


def recommendation(study: StudyResults, groups: dict[Key, list[float]]) -> list[str]:
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
            advice = f"open, of one seed: `asymmetric` is at {difference_text(gain)} points over `symmetric`"
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


def render_page(study: StudyResults) -> str:
    """The page on a table of the paper."""
    table, groups = TABLES[study["table"]], group_runs(study)
    seeds = sorted({run["seed"] for run in study["runs"]})
    epochs = "1 epoch" if study["epochs"] == 1 else f"{study['epochs']} epochs"
    origin = f"Made by `{study['command']}` from the runs in `{results_name(study['table'])}`."
    lines = [f"# {table.title}", "", origin, ""]
    for start in study["start"]:
        if "correct" in start:
            images, recipe = study["runs"][0]["images"], start["recipe"]
            lines.append(
                f"Start: {start['network']} in full precision, {recipe['full_precision_epochs']} epochs:"
                f" **{100 * start['correct'] / images:.2f} %** (digest `{start['digest'][:12]}`), by"
                f" `python -m asq_model train {full_precision_options(recipe)} --data …`."
            )
        else:
            lines.append(f"Start: {start['network']}, weights from elsewhere (digest `{start['digest'][:12]}`).")
    versions = ", ".join(f"{name} {version}" for name, version in study["versions"].items())
    lines += [
        f"Each run: {epochs} quantised from there, first and last layer 8-bit LSQ, test set used once,"
        f" after the last epoch. Seeds {', '.join(map(str, seeds))}: the order of images, their augmentation and"
        f" the adapters' weights. Commit `{study['commit']}`, {versions}.",
        "",
    ]
    if study["note"]:
        lines += [study["note"], ""]
    if study["failed"]:
        failed = "; ".join(
            f"{run['network']} {run['label']} {run['bits']} bits: {run['error']}" for run in study["failed"]
        )
        lines += [f"**Failed runs:** {failed}", ""]
    lines += [line for note in yardsticks([study["data"]]) for line in (note, "")]
    lines += [*accuracy_table(study, groups), ""]
    if study["table"] == 4:
        spread, freedom = pooled_spread(groups)
        noise = (
            f"A run's standard deviation, pooled over all rows, is {spread:.2f} points ({freedom} degrees of freedom);"
            " intervals are 95 % by Student's t, each comparison by itself. What lies inside its interval is called"
            " noise."
        )
        lines += [
            "The paper's figures are ResNet-20's after 300 epochs: the orderings can be compared, the levels cannot.",
            "",
            "## Which of the paper's orderings hold",
            "",
            noise if freedom else "One seed: how far a run strays is not known, so nothing is decided.",
            "",
            *claims_table(study, groups),
            "",
            "## Which level set to take",
            "",
            *recommendation(study, groups),
        ]
    return "\n".join(lines) + "\n"


def full_precision_options(recipe: RecipeRecord) -> str:
    """The options of the `train` command that made a full-precision checkpoint."""
    return " ".join(f"{OPTIONS[name]} {recipe[name]}" for name in FULL_PRECISION_FIELDS)


def results_name(table: int) -> str:
    """The name of the file that a table's runs are in; Tables 4 and 5 are one study."""
    return "cifar10.json" if table == 4 else f"imagenet_table{table}.json"
