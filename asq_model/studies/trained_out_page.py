"""The page on networks trained out, made from its record: accuracies, which claims hold, and how it was trained."""

from collections.abc import Iterator
from statistics import mean, stdev
from typing import Literal, NamedTuple

from asq_model.common.cifar10_copy import yardsticks
from asq_model.common.markdown import table_lines
from asq_model.studies.paired_comparisons import CONFIDENCE, Test, claims, fallen, holm, paired, spread, verdict
from asq_model.studies.trained_out import Key, Trained, TrainedOut, by_row, epochs, key, label, percent, seed

BLOCK = "accuracy"  # of README
ACCURACY_COLUMNS = (
    "bits",
    "method",
    "stored bits",
    "zero weights",
    "terms a weight",
    "top-1, %",
    "top-5, %",
    "training, %",
    "seeds",
    "to the ceiling",
    "to the control",
)
AIMS = {4: 0.5, 3: 1.5}  # points below the ceiling, by bits


class Comparison(NamedTuple):
    """One difference between two lines: the claim that it is about, its seeds, the test, and its corrected interval."""

    claim: str
    one: Key
    other: Key
    seeds: int
    test: Test
    half_width: float
    decided: bool

    @property
    def outcome(self) -> str:
        """Whether the claim holds here, or how many seeds would tell."""
        return verdict(self.test, self.seeds, self.half_width, self.decided)


def comparisons(groups: dict[Key, dict[int, float]]) -> list[Comparison]:
    """Every comparison of the page, corrected for how many they are."""
    asked = [(claim, one, other, paired(groups, one, other)) for claim, one, other in claims()]
    known = [(claim, one, other, test) for claim, one, other, test in asked if test is not None]
    corrected = holm([test for *_, test in known])
    return [
        Comparison(claim, one, other, len(groups[one].keys() & groups[other].keys()), test, *interval)
        for (claim, one, other, test), interval in zip(known, corrected, strict=True)
    ]


def counts(found: list[Comparison]) -> dict[str, tuple[int, int, int, int]]:
    """How often each claim holds, does not hold, cannot be told, and of how many comparisons."""
    counted: dict[str, tuple[int, int, int, int]] = {}
    for claim in dict.fromkeys(row.claim for row in found):
        outcomes = [row.outcome.strip("*").split(";")[0] for row in found if row.claim == claim]
        holds, not_so, unknown = map(outcomes.count, ("holds", "does not hold", "cannot be told"))
        counted[claim] = holds, not_so, unknown, len(outcomes)
    return counted


def claims_table(groups: dict[Key, dict[int, float]]) -> list[str]:
    """Every comparison, and one sentence for each claim."""
    found = comparisons(groups)
    rows = []
    for row in found:
        compared = f"{label(row.one)} against {label(row.other)}"
        difference = f"{row.test[0]:+.2f} ± {row.half_width:.2f}"
        rows.append([row.claim, row.one[0], compared, row.seeds, difference, row.outcome])
    sums = [
        f"- **{claim}**: holds in {holds} of {every} comparisons, does not hold in {not_so}, cannot be told in"
        f" {unknown}."
        for claim, (holds, not_so, unknown, every) in counts(found).items()
    ]
    return [*sums, "", *table_lines(("claim", "bits", "", "seeds", "difference, points", ""), rows, "lrlrrl")]


def findings(study: TrainedOut) -> str:
    """What README says of accuracy, in a few lines."""
    groups, ceiling = by_row(study["rows"]), percent(study["ceiling"])
    counted = counts(comparisons(groups))
    lost = {
        name: ceiling - mean(groups[row].values())
        for name, row in (
            ("uniform weights with LSQ", (4, "uniform", "", "lsq")),
            ("POST weights with ASQ", (4, "post", "symmetric", "asq")),
        )
    }
    losses = [f"{name} lose {points:.2f} points" for name, points in lost.items()]
    claimed = [
        f"{claim.replace(' > ', ' is better than ')} in {holds} of {every} comparisons (cannot be told in {unknown})"
        for claim, (holds, _, unknown, every) in counted.items()
        if claim in ("ASQ > LSQ", "POST > uniform")
    ]
    frozen = [run for run in study["rows"] if "frozen" in run]
    change = mean(100 * (run["frozen"] - run["correct"]) / run["images"] for run in frozen)
    return "\n".join(
        (
            f"ResNet-8 on CIFAR-10 (a JPEG copy, quality 75, 4:2:0) has {ceiling:.2f} % right in full precision.",
            f"At 4 bits {' and '.join(losses)} ({epochs(study['rows'][0])} epochs).",
            ";\n".join(claimed) + ".",
            f"With every β held at its mean over images, ASQ's accuracy changes by {change:+.2f} points.",
            "",
        )
    )


def averaged(runs: list[Trained], name: Literal["zeros", "terms"]) -> str:
    """The mean of a count per weight over a line's runs, as text."""
    shares = [run[name] / run["weights"] for run in runs if name in run]
    return f"{mean(shares):.2f}" if shares else "–"


def accuracy_table(study: TrainedOut, control: float) -> list[str]:
    """Every line: what a weight costs, mean and spread over seeds, and how far it is from ceiling and control."""
    cells = []
    for row in by_row(study["rows"]):
        runs = [run for run in study["rows"] if key(run) == row]
        values = [percent(run) for run in runs]
        five = mean(100 * run["top_5"] / run["images"] for run in runs)
        train = mean(100 * run["train_correct"] / run["train_seen"] for run in runs)
        around = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
        weights = runs[0].get("stored_bits", "–"), averaged(runs, "zeros"), averaged(runs, "terms")
        accuracy = f"{mean(values):.2f}{around}", f"{five:.2f}", f"{train:.2f}", len(values)
        distances = f"{mean(values) - percent(study['ceiling']):+.2f}", f"{mean(values) - control:+.2f}"
        cells.append([row[0], label(row), *weights, *accuracy, *distances])
    return table_lines(ACCURACY_COLUMNS, cells, "rlrrrrrrrrr")


def aims(study: TrainedOut) -> Iterator[str]:
    """What the aims say of POST weights."""
    groups = by_row(study["rows"])
    for bits, aim in AIMS.items():
        rows = {row: mean(values.values()) for row, values in groups.items() if row[:2] == (bits, "post")}
        if rows:
            best = max(rows, key=rows.__getitem__)
            loss = percent(study["ceiling"]) - rows[best]
            reached = "reached" if loss <= aim else "not reached"
            aimed = f"W{bits}A{bits} POST within {aim} points of the ceiling"
            yield f"- {aimed}: {reached}, {label(best)} loses {loss:.2f}."
    longest = max(study["curve"], key=lambda run: (epochs(run), percent(run)), default=None)
    if longest is not None:
        loss = percent(study["ceiling"]) - percent(longest)
        what = f"W{key(longest)[0]}A{longest['recipe']['activation_bits']} {label(key(longest))}"
        yield f"- Trained for {epochs(longest)} epochs, {what} with seed {seed(longest)} loses {loss:.2f}."


def collapsed(study: TrainedOut) -> list[str]:
    """The runs that collapsed, in words."""
    return [
        f"W{row[0]}A{row[0]} {label(row)} with seed {number} ({values[number]:.2f} %)"
        for row, values in by_row(study["rows"]).items()
        for number in fallen(values)
    ]


def curve_table(study: TrainedOut) -> list[str]:
    """Accuracy by epochs, each line's first seed."""
    rows = list(dict.fromkeys(key(run) for run in study["curve"]))
    runs = [run for run in [*study["curve"], *study["rows"]] if key(run) in rows and seed(run) == 0]
    lengths = sorted({epochs(run) for run in runs})
    by_length = {(key(run), epochs(run)): percent(run) for run in runs}
    cells = []
    for row in rows:
        accuracies = (f"{by_length[row, length]:.2f}" if (row, length) in by_length else "–" for length in lengths)
        cells.append([label(row), *accuracies])
    if len(rows) == 2:
        apart = (
            f"{by_length[rows[1], length] - by_length[rows[0], length]:+.2f}"
            if (rows[0], length) in by_length and (rows[1], length) in by_length
            else "–"
            for length in lengths
        )
        cells.append(["the second over the first", *apart])
    titles = ["W4A4, seed 0", *(f"{length} epochs" for length in lengths)]
    return table_lines(titles, cells, "l" + "r" * len(lengths))


def lead_of(runs: list[Trained], groups: dict[Key, dict[int, float]]) -> str:
    """How far these runs are above the same with LSQ, in words; nothing where there is none to compare with."""
    pairs = [(percent(run), groups.get((*key(run)[:3], "lsq"), {}).get(seed(run))) for run in runs]
    leads = [value - other for value, other in pairs if other is not None]
    if not leads:
        return ""
    return f" Their lead over the same with LSQ is {mean(leads):+.2f} points on average."


def frozen_table(study: TrainedOut) -> list[str]:
    """What the same ASQ networks score with every layer's β held at its mean."""
    runs = [run for run in study["rows"] if "frozen" in run]
    if not runs:
        return ["Not measured."]
    changes = [100 * (run["frozen"] - run["correct"]) / run["images"] for run in runs]
    cells = []
    for run in runs:
        share = 100 * run["frozen"] / run["images"]
        cells.append([key(run)[0], label(key(run)), seed(run), f"{percent(run):.2f}", f"{share:.2f}"])
    return [
        f"With each layer's β held at its mean over 1,024 training images, {len(runs)} networks change by"
        f" {min(changes):+.2f} to {max(changes):+.2f} points, {mean(changes):+.2f} on average."
        + lead_of(runs, by_row(study["rows"])),
        "",
        *table_lines(("bits", "method", "seed", "top-1, %", "with β at its mean, %"), cells, "rlrrr"),
    ]


def trials_table(study: TrainedOut) -> list[str]:
    """The table of the trainings that the recipes were chosen by."""
    cells = []
    for run in study["trials"]:
        recipe, quantised = run["recipe"], run["recipe"]["quantised_epochs"]
        name = f"W{key(run)[0]}A{key(run)[0]} {label(key(run))}" if quantised else "full precision"
        rate = recipe["quantised_rate"] if quantised else recipe["full_precision_rate"]
        cells.append([name, epochs(run), f"{rate:g}", f"{recipe['weight_decay']:g}", f"{percent(run):.2f}"])
    titles = "network", "epochs", "rate", "weight decay", "right of the images held back, %"
    return table_lines(titles, cells, "lrrrr")


def render_page(study: TrainedOut, name: str = "trained-out.json") -> str:
    """The page on networks trained out."""
    ceiling, rows = study["ceiling"], study["rows"]
    recipe = ceiling["recipe"]
    groups, control = by_row(rows), mean(map(percent, study["control"]))
    rates = {key(run)[0]: run["recipe"]["quantised_rate"] for run in rows}
    spreads = {bits: spread(groups, bits) for bits in rates}
    versions = ", ".join(f"{library} {version}" for library, version in study["versions"].items())
    lost = collapsed(study)
    again = [run for run in [ceiling, *rows] if "again" in run]
    equal = sum(run["again"] == run["correct"] for run in again)
    parts: list[list[str]] = [
        ["# ResNet-8 on CIFAR-10, trained out"],
        [f"Made from the runs in `{name}`, trained on {study['device']} at commit `{study['commit']}`, {versions}."],
        yardsticks([study["data"]]),
        [
            f"**The ceiling**: full precision, {epochs(ceiling)} epochs of SGD, batch {recipe['batch']}, cosine from"
            f" {recipe['full_precision_rate']:g}, weight decay {recipe['weight_decay']:g}, seed {recipe['seed']}:"
            f" **{percent(ceiling):.2f} %** (digest `{ceiling['digest'][:12]}`). Trained on like the rows below, but in"
            f" full precision, it scores {control:.2f} % on average of {len(study['control'])} seeds: the control."
        ],
        [
            f"**Each row** starts from the ceiling: {epochs(rows[0])} epochs, batch {rows[0]['recipe']['batch']},"
            f" cosine from {', '.join(f'{rate:g} at {bits} bits' for bits, rate in rates.items())}, weight decay"
            f" {rows[0]['recipe']['weight_decay']:g}, first and last layer 8-bit LSQ. A seed is the order of images,"
            " their augmentation and the adapters' weights; rows of one seed see the same images in the same order. The"
            " test set was used once for each run, after the last epoch."
        ],
        [study["note"]] if study["note"] else [],
        accuracy_table(study, control),
        [
            "Zero weights and terms (signed powers of two, times 1 or √2) are those of the low-bit layers. *Training*"
            " is the accuracy on augmented images during the last epoch."
        ],
        list(aims(study)),
        [
            f"**Runs that collapsed**: {'; '.join(lost)}. They are in the table; their rows are in no comparison, since"
            " Student's t does not describe them."
        ]
        if lost
        else [],
        ["## Which claims hold"],
        [
            f"Differences are of the same seeds. Intervals are {100 * CONFIDENCE:.0f} % by Student's t, corrected by"
            f" Holm's method for all comparisons of this page. A run's standard deviation about its row and its seed:"
            + ",".join(f" {sd:.2f} points at {bits} bits ({free} degrees)" for bits, (sd, free) in spreads.items())
            + ". All runs start from one network and are tested on the same images: the intervals say nothing of other"
            " starts or other images."
        ],
        claims_table(groups),
        ["## Would more epochs change it"],
        curve_table(study),
        ["## Does ASQ gain by adapting"],
        frozen_table(study),
        ["## How recipes were chosen"],
        [f"On {study['trials'][0]['images']} of the training images, held back; one seed, so differences are rough."],
        trials_table(study),
        ["## How it was trained"],
        [
            "The layers are this program's own. The whole step is one CUDA graph, and several runs share the device."
            " Largest difference of a loss in the first 20 steps from the layers run one by one, all in float32: "
            + ", ".join(f"{kind} {value:.1e}" for kind, value in study["agreement"].items())
            + f". Of {len(again)} networks tested once more by a CPU, {equal} have the same number of images right. All"
            f" of it took {study['held'] / 60:.0f} minutes of the device."
        ],
        table_lines(
            ("a step of batch 256, alone on the device", "ms"),
            [[how, f"{cost:.2f}"] for how, cost in study["step_ms"].items()],
            "lr",
        ),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"
