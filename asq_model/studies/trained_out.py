"""The record of networks trained out on one GPU: a ceiling in full precision, and quantised rows that start from it.

Rows of one seed saw the same images in the same order. Free of torch.
"""

from typing import NotRequired, TypedDict

from asq_model.common.records import Amount, Count, Digest, Kind, Line, Positive, Text, Whole, Width, Word
from asq_model.common.result_schemas import REMEDY, RecipeRecord, Seed, Versions

Key = tuple[int, str, str, str]  # bits, family, kind, activations


class Trial(TypedDict):
    """A training on part of the training images, tested on those held back: what the recipes were chosen by."""

    recipe: RecipeRecord
    correct: Count
    images: Whole


class Trained(Trial):
    """A training and its test.

    train_correct: of train_seen augmented images in the last epoch. seconds: on the device, with others beside it.
    weights, zeros, terms: of quantised networks between first and last layer, how many weights there are, how many are
    zero, and how many signed powers of two (times 1 or √2) all have together. frozen: images right with each layer's β
    held at its mean. again: images right when a CPU tested the network once more.
    """

    top_5: Count
    train_correct: Count
    train_seen: Whole
    seconds: Positive
    digest: Digest
    weights: NotRequired[Whole]
    zeros: NotRequired[Count]
    terms: NotRequired[Count]
    stored_bits: NotRequired[Width]
    frozen: NotRequired[Count]
    again: NotRequired[Count]


class TrainedOut(TypedDict):
    """The trainings of the record and how they were done.

    trials: before; control: the ceiling trained on in full precision as the rows are; curve: rows of other lengths.
    step_ms: a step's time on the device, by how it was done. held: seconds that the device was held for all of it.
    agreement: largest difference of a loss in the first 20 steps between the captured step and the layers run one by
    one, by kind.
    """

    commit: Line
    device: Line
    versions: Versions
    pixels: dict[Word, Digest]
    data: Digest
    note: Text
    trials: list[Trial]
    ceiling: Trained
    control: list[Trained]
    rows: list[Trained]
    curve: list[Trained]
    held: Positive
    step_ms: dict[Line, Positive]
    agreement: dict[Line, Amount]


def check(study: TrainedOut) -> None:
    """Raises ValueError for counts that cannot be, or two trainings of the same."""
    seen = set()
    for part, runs in (("rows", study["rows"]), ("curve", study["curve"]), ("control", study["control"])):
        for run in runs:
            what = part, key(run), epochs(run), seed(run)
            if what in seen:
                raise ValueError(f"{what} is there twice")
            seen.add(what)
    trained = [study["ceiling"], *study["rows"], *study["curve"], *study["control"]]
    for trial in [*study["trials"], *trained]:
        if trial["correct"] > trial["images"]:
            raise ValueError(
                f"{key(trial)} seed {seed(trial)} has {trial['correct']} right of {trial['images']} images"
            )
    for run in trained:
        if run.get("frozen", 0) > run["images"]:
            raise ValueError(f"{key(run)} seed {seed(run)} has {run['frozen']} right of {run['images']} images")
        if run.get("zeros", 0) > run.get("weights", 0):
            raise ValueError(f"{key(run)} seed {seed(run)} has more zeros than weights")


TRAINED_OUT = Kind("networks trained out", TrainedOut, remedy=REMEDY, megabytes=16, check=check)


def key(run: Trial) -> Key:
    """The line of the table that a run belongs to."""
    recipe = run["recipe"]
    return recipe["weight_bits"], recipe["family"], recipe["kind"], recipe["activations"]


def seed(run: Trial) -> Seed:
    """The seed of a training."""
    return run["recipe"]["seed"]


def epochs(run: Trial) -> int:
    """The number of epochs of a training."""
    return run["recipe"]["quantised_epochs"] + run["recipe"]["full_precision_epochs"]


def percent(run: Trial) -> float:
    """The accuracy of a training in percent."""
    return 100 * run["correct"] / run["images"]


def label(row: Key) -> str:
    """The method's name, as the paper writes it, with its level set."""
    _, family, kind, activations = row
    weights = {"uniform": ""}.get(family, f" + {family.upper()}") + (f" ({kind})" if kind else "")
    return activations.upper() + weights


def by_row(runs: list[Trained]) -> dict[Key, dict[int, float]]:
    """Each line's percentages by seed."""
    found: dict[Key, dict[int, float]] = {}
    for run in runs:
        found.setdefault(key(run), {})[seed(run)] = percent(run)
    return found
