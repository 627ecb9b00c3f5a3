"""Schemas of the result files that pages are made from. Free of torch.

The files hold accuracies by arithmetic, the runs of a study, what its figures show, and what training steps cost.
"""

from typing import Annotated, NotRequired, TypedDict, cast

from msgspec import Meta

from asq_model.common.records import Amount, Count, Digest, Line, Positive, Schema, Text, Whole, Width, Word

Seed = Annotated[int, Meta(ge=0, lt=1 << 32)]
Versions = dict[Word, Word]
Frac = Annotated[int, Meta(ge=-1, le=12)]  # fraction bits of products


class ArithmeticRun(TypedDict):
    """A network that is tested on `images` test images, whatever computes it.

    product_frac: what training rounded products to, null: to nothing. digest: of the checkpoint. data: the whole test
    set's labels by `cifar10_copy.digest_labels`.
    """

    network: Word
    level_set: Word
    family: Word
    kind: Line
    weight_bits: Width
    activations: Word
    activation_bits: Width
    product_frac: Frac | None
    seed: Seed
    digest: Digest
    data: Digest
    images: Whole


class ArithmeticRow(ArithmeticRun):
    """A network in one arithmetic, in which `correct` of the images are classified correctly.

    unit, frac: of the arithmetic, null for torch's own. lost, gained: images right in torch and wrong here, and the
    other way round. rms_error: of the sums, as `product_rounding.measure_error` has it; null for torch's own, which
    are those of floats.
    """

    arithmetic: Line
    unit: Word | None
    frac: Frac | None
    correct: Count
    lost: Count
    gained: Count
    rms_error: Amount | None


class ArithmeticStudy(TypedDict):
    """What `python -m asq_model arithmetic` measured: how, with what, and the rows."""

    command: Line
    note: Text
    versions: Versions
    rows: list[ArithmeticRow]


def check_arithmetic(study: ArithmeticStudy) -> None:
    """Raises ValueError for counts that cannot be, or two rows of the same."""
    seen = set()
    for row in study["rows"]:
        what = f"{row['network']} seed {row['seed']} in {row['arithmetic']}"
        if row["gained"] > row["correct"] or row["correct"] + row["lost"] > row["images"]:
            counts = ", ".join(f"{name} {row[name]}" for name in ("images", "correct", "lost", "gained"))
            raise ValueError(f"{what} has counts that cannot be: {counts}")
        if (row["digest"], row["arithmetic"]) in seen:
            raise ValueError(f"{what} is there twice")
        seen.add((row["digest"], row["arithmetic"]))


class RecipeRecord(TypedDict):
    """The recipe of a trained network as results and the zoo's record hold it: fields of `Recipe`."""

    activation_bits: Width
    activations: Word
    batch: Whole
    data: Word
    family: Word
    full_precision_epochs: Count
    full_precision_rate: Positive
    kind: Line
    momentum: Amount
    network: Word
    precision: Word
    product_frac: NotRequired[Frac | None]
    adapter_start: NotRequired[Word]
    step_gradient: NotRequired[Word]
    quantised_epochs: Count
    quantised_rate: Positive
    seed: Seed
    threads: Whole
    validation: Count
    weight_bits: Width
    weight_decay: Amount


class Start(TypedDict):
    """The full-precision weights that a study starts from; of a checkpoint of this program, recipe and result, too."""

    network: Word
    digest: Digest
    recipe: NotRequired[RecipeRecord]
    correct: NotRequired[Count]


class RunTask(TypedDict):
    """Which training a run of a study is."""

    network: Word
    bits: Width
    family: Word
    kind: Line
    activations: Word
    label: Line
    seed: Seed


class StudyRun(RunTask):
    """A training of a study and how many test images its network classifies correctly; stored_bits: of a weight."""

    correct: Count
    top_5: Count | None
    images: Whole
    stored_bits: Width
    digest: Digest
    fingerprint: Digest


class FailedRun(RunTask):
    """A training that did not end well, and why."""

    error: Text


class StudyResults(TypedDict):
    """What `python -m asq_model reproduce` measured of a table of the paper.

    data: the test set's labels by `cifar10_copy.digest_labels`.
    """

    table: Annotated[int, Meta(ge=2, le=4)]
    epochs: Count
    command: Line
    note: Text
    commit: Line
    versions: Versions
    start: list[Start]
    data: Digest
    runs: list[StudyRun]
    failed: list[FailedRun]


def check_study(study: StudyResults) -> None:
    """Raises ValueError for counts that cannot be, or two runs of the same."""
    seen = set()
    for run in study["runs"]:
        what = tuple(cast(dict[str, object], run)[name] for name in RunTask.__annotations__)
        top_5 = run["images"] if run["top_5"] is None else run["top_5"]
        if not run["correct"] <= top_5 <= run["images"]:
            raise ValueError(f"run {what} has {run['correct']} and {top_5} right of {run['images']} images")
        if what in seen:
            raise ValueError(f"run {what} is there twice")
        seen.add(what)
    for start in study["start"]:
        if ("recipe" in start) != ("correct" in start):
            raise ValueError(f"the start of {start['network']} has one of recipe and correct without the other")


REMEDY = "nothing in it may be edited by hand; take it from version control, or delete it and measure again"
ARITHMETIC = Schema("accuracies by arithmetic", ArithmeticStudy, 2, REMEDY, megabytes=64, check=check_arithmetic)
STUDY = Schema("results of a study", StudyResults, 2, REMEDY, megabytes=64, check=check_study)


class Cost(TypedDict):
    """Cost of one training step: median seconds, peak MiB.

    ratios: quartiles of its time over that of full precision in the same round.
    """

    seconds: Positive
    ratios: Annotated[list[Positive], Meta(min_length=3, max_length=3)]
    mebibytes: Positive


class StepCosts(TypedDict):
    """What the steps of a network's candidates cost with so many CPU threads.

    busy: how many processes wanted a CPU when it was measured, this one among them.
    """

    network: Word
    threads: Whole
    busy: Amount
    costs: dict[Line, Cost]


class BenchReport(TypedDict):
    """What training steps cost, by network and number of threads, and what was measured with."""

    batch: Whole
    cpus: Whole
    rounds: Whole
    torch: Word
    measured: list[StepCosts]


BENCH: Schema[BenchReport] = Schema("report on training steps", BenchReport, 3, REMEDY)
