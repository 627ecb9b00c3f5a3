"""The record of networks trained out on a GPU: a ceiling in full precision, and quantised rows that start from it.

Runs of one seed saw the same images in the same order. Free of torch.
"""

from collections.abc import Iterable
from typing import NotRequired, TypedDict

from asq_model.common.records import Amount, Count, Digest, Line, Positive, Schema, Whole, Width, Word
from asq_model.common.result_schemas import REMEDY, RecipeRecord, Seed, Versions
from asq_model.config.layer_config import STEP_GRADIENTS
from asq_model.studies.method_names import name_network
from asq_model.studies.method_row import Groups, MethodRow

FAMILIES = ("uniform", "post", "pot", "apot", "e2m1", "dorefa")
KINDS = ("", "sign-magnitude", "symmetric", "asymmetric", "extended")
DATASETS = {"cifar10": "CIFAR-10"}
ACTIVATIONS = ("lsq", "asq", "lsq+", "pact", "dorefa", "pot")


class Session(TypedDict):
    """A use of a device: the program that trained, its commit, and for how many seconds it had the device."""

    day: Word
    device: Line
    commit: Line
    program: Line
    versions: Versions
    seconds: Positive


class Trial(TypedDict):
    """A training on part of the training images, tested on those held back: what the recipes were chosen by."""

    recipe: RecipeRecord
    correct: Count
    images: Whole


class Trained(Trial):
    """A training and its test.

    train_correct: of train_seen augmented images in the last epoch. seconds: on the device, with others beside it.
    session: the place of its session in the record's list.
    weights, zeros, terms: of quantised networks between first and last layer, how many weights there are, how many are
    zero, and how many signed powers of two (times 1 or √2) all have together. frozen: images right with each layer's β
    held at its mean. again: images right when a CPU tested the network once more.
    """

    top_5: Count
    train_correct: Count
    train_seen: Whole
    seconds: Positive
    session: Count
    digest: Digest
    weights: NotRequired[Whole]
    zeros: NotRequired[Count]
    terms: NotRequired[Count]
    stored_bits: NotRequired[Width]
    frozen: NotRequired[Count]
    again: NotRequired[Count]


class TrainedOut(TypedDict):
    """The trainings of the record and how they were done.

    trials: those by which the recipes were chosen; control: the ceiling trained on in full precision as the rows are;
    curve: rows of other lengths; repeats: rows trained once more.
    pixels, data: of the images; labels by `cifar10_copy.digest_labels`.
    step_ms: a step's time on the device, by how it was done. agreement: largest difference of a loss in the first 20
    steps between the captured step and the layers run one by one, by kind.
    """

    sessions: list[Session]
    pixels: dict[Word, Digest]
    data: Digest
    trials: list[Trial]
    ceiling: Trained
    control: list[Trained]
    rows: list[Trained]
    curve: list[Trained]
    repeats: list[Trained]
    step_ms: dict[Line, Positive]
    agreement: dict[Line, Amount]


def check(study: TrainedOut) -> None:
    """Raises ValueError for counts that cannot be, two trainings of the same, or a session that is not there."""
    seen = set()
    for part, runs in (("rows", study["rows"]), ("curve", study["curve"]), ("control", study["control"])):
        for run in runs:
            what = part, row_of(run), epochs(run), seed(run)
            if what in seen:
                raise ValueError(f"{what} is there twice")
            seen.add(what)
    trained = [study["ceiling"], *study["rows"], *study["curve"], *study["control"], *study["repeats"]]
    for trial in [*study["trials"], *trained]:
        check_counts(trial, trial["correct"])
    for run in trained:
        check_counts(run, run.get("frozen", 0))
        if run.get("zeros", 0) > run.get("weights", 0):
            raise ValueError(f"{row_of(run)} seed {seed(run)} has more zeros than weights")
        if run["session"] >= len(study["sessions"]):
            raise ValueError(f"{row_of(run)} seed {seed(run)} is of session {run['session']}, which is not there")


def check_counts(run: Trial, correct: int) -> None:
    """Raises ValueError for more images right than there are."""
    if correct > run["images"]:
        raise ValueError(f"{row_of(run)} seed {seed(run)} has {correct} right of {run['images']} images")


TRAINED_OUT = Schema("networks trained out", TrainedOut, 2, REMEDY, megabytes=16, check=check)


def row_of(run: Trial) -> MethodRow:
    """The line of the table that a run belongs to."""
    return row_of_recipe(run["recipe"])


def row_of_recipe(recipe: RecipeRecord) -> MethodRow:
    """The line of the table that a recipe's network belongs to."""
    return MethodRow(
        recipe["weight_bits"],
        recipe["activation_bits"],
        recipe["family"],
        recipe["kind"],
        recipe["activations"],
        recipe.get("step_gradient", "numel"),
    )


def place_of(run: Trial) -> tuple[int, ...]:
    """Where a run stands in the table: by bits, level set, activations, gradient scale, epochs and seed."""
    row = row_of(run)
    names = (
        (FAMILIES, row.family),
        (KINDS, row.kind),
        (ACTIVATIONS, row.activations),
        (STEP_GRADIENTS, row.step_gradient),
    )
    return -row.bits, row.activation_bits, *(order.index(name) for order, name in names), epochs(run), seed(run)


def seed(run: Trial) -> Seed:
    """The seed of a training."""
    return run["recipe"]["seed"]


def epochs(run: Trial) -> int:
    """The number of epochs of a training."""
    return run["recipe"]["quantised_epochs"] + run["recipe"]["full_precision_epochs"]


def percent(run: Trial) -> float:
    """The accuracy of a training in percent."""
    return 100 * run["correct"] / run["images"]


def network(study: TrainedOut) -> str:
    """The network of a record."""
    return study["ceiling"]["recipe"]["network"]


def title(study: TrainedOut) -> str:
    """The network and its images as a page's title has them."""
    recipe = study["ceiling"]["recipe"]
    return f"{name_network(recipe['network'])} on {DATASETS.get(recipe['data'], recipe['data'])}"


def list_control_percents(study: TrainedOut, length: int) -> list[float]:
    """The accuracies of the ceiling trained on in full precision for so many epochs."""
    return [percent(run) for run in study["control"] if epochs(run) == length]


def frozen_change(run: Trained) -> float:
    """By how many points a run's accuracy changes when each layer's β is held at its mean."""
    return 100 * (run["frozen"] - run["correct"]) / run["images"]


def group_by_row(runs: Iterable[Trained]) -> Groups:
    """Each line's percentages by seed."""
    groups: Groups = {}
    for run in runs:
        groups.setdefault(row_of(run), {})[seed(run)] = percent(run)
    return groups
