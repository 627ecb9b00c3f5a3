"""Which networks are trained out: a plan as data, and what of it a record does not have yet. Free of torch."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from asq_model.common.errors import InputError
from asq_model.common.files import read_text
from asq_model.common.records import Amount, Positive, Whole
from asq_model.common.result_schemas import Seed
from asq_model.config.recipe import Recipe
from asq_model.studies.method_row import MethodRow
from asq_model.studies.trained_out.record import TrainedOut, epochs, row_of, seed

PLAN = Path(__file__).with_suffix(".toml")
PLANS = {"resnet8": PLAN, "resnet20": PLAN.with_name("resnet20_plan.toml")}  # of the committed records

Part = Literal["ceiling", "rows", "curve", "control", "repeats"]
LISTS: tuple[Literal["rows", "curve", "control", "repeats"], ...] = ("rows", "curve", "control", "repeats")
Precision = Annotated[str, Meta(pattern=r"\AW[2-8]A[2-8]\Z")]
Width = Annotated[str, Meta(pattern=r"\AW[2-8]\Z")]


class Ceiling(msgspec.Struct, forbid_unknown_fields=True):
    """The training in full precision that all runs start from."""

    epochs: Whole
    rate: Positive
    weight_decay: Amount
    seed: Seed = 0


class Runs(msgspec.Struct, forbid_unknown_fields=True):
    """Every combination of these lists.

    part: which list of the record the runs belong to. weights: a family and its kind. times: how often each is done.
    """

    seeds: tuple[Seed, ...]
    part: Literal["rows", "curve", "control", "repeats"] = "rows"
    precisions: tuple[Precision, ...] = ("W4A4",)
    weights: tuple[str, ...] = ("uniform",)
    activations: tuple[str, ...] = ("lsq",)
    epochs: tuple[Whole, ...] = ()
    times: Whole = 1


class Plan(msgspec.Struct, forbid_unknown_fields=True):
    """A plan. epochs: of runs that say nothing else; rates: the first learning rate, by bits of a weight."""

    network: str
    dataset: str
    batch: Whole
    epochs: Whole
    rates: dict[Width, Positive]
    ceiling: Ceiling
    runs: tuple[Runs, ...]


class RunKey(NamedTuple):
    """What tells a run from others of the record."""

    part: Part
    row: MethodRow
    seed: int
    epochs: int


class PlannedRun(NamedTuple):
    """A run of a plan and the part of the record that it belongs to. time: of a run that is done several times."""

    part: Part
    recipe: Recipe
    time: int = 1

    @property
    def key(self) -> RunKey:
        """What tells the run from others of the record."""
        recipe = self.recipe
        row = MethodRow(
            recipe.weight_bits,
            recipe.activation_bits,
            recipe.family,
            recipe.kind,
            recipe.activations,
            recipe.step_gradient,
        )
        return RunKey(self.part, row, recipe.seed, recipe.epochs)

    @property
    def name(self) -> str:
        """The name of the run's checkpoint."""
        again = f"_{self.time}" if self.time > 1 else ""
        return f"{self.part}_{self.recipe.name}_e{self.recipe.epochs}{again}"


def read_plan(path: Path) -> list[PlannedRun]:
    """Read a plan's runs in order, the ceiling first. Raises InputError for a plan that cannot be."""
    try:
        plan = msgspec.toml.decode(read_text(path, "plan"), type=Plan, strict=True)
        ceiling = Recipe(
            network=plan.network,
            data=plan.dataset,
            seed=plan.ceiling.seed,
            batch=plan.batch,
            full_precision_epochs=plan.ceiling.epochs,
            quantised_epochs=0,
            full_precision_rate=plan.ceiling.rate,
            weight_decay=plan.ceiling.weight_decay,
        )
        return [PlannedRun("ceiling", ceiling), *(run for runs in plan.runs for run in expand(plan, runs))]
    except (msgspec.DecodeError, InputError, KeyError, ValueError) as error:
        raise InputError(f"plan {path}: {' '.join(str(error).split())}") from error


def expand(plan: Plan, runs: Runs) -> Iterator[PlannedRun]:
    """Yield every run of a plan's lists: each combination, as often as `times` says."""
    lengths = runs.epochs or (plan.epochs,)
    for number, length, *method in product(runs.seeds, lengths, runs.precisions, runs.weights, runs.activations):
        for time in range(1, runs.times + 1):
            yield PlannedRun(runs.part, make_recipe(plan, number, length, runs.part == "control", *method), time)


def make_recipe(
    plan: Plan, number: int, length: int, full_precision: bool, precision: str, weights: str, activations: str
) -> Recipe:
    """The recipe of a run: quantised, or trained on in full precision at the rate of its weights' bits."""
    width, _, activation_bits = precision.partition("A")
    if width not in plan.rates:
        raise InputError(f"rates has no {width}")
    recipe = Recipe(
        network=plan.network,
        data=plan.dataset,
        seed=number,
        batch=plan.batch,
        full_precision_epochs=length,
        quantised_epochs=0,
        full_precision_rate=plan.rates[width],
    )
    if full_precision:
        return recipe
    family, _, kind = weights.partition(" ")
    method, _, step_gradient = activations.partition("-")
    return replace(
        recipe,
        weight_bits=int(width[1:]),
        activation_bits=int(activation_bits),
        family=family,
        kind=kind,
        activations=method,
        step_gradient=step_gradient or "numel",
        full_precision_epochs=0,
        quantised_epochs=length,
        full_precision_rate=Recipe.full_precision_rate,
        quantised_rate=plan.rates[width],
    )


def list_missing_runs(plan: list[PlannedRun], study: TrainedOut) -> list[PlannedRun]:
    """The runs of a plan that a record does not have, in the plan's order; a record always has its ceiling."""
    there: Counter[RunKey] = Counter(
        RunKey(part, row_of(run), seed(run), epochs(run)) for part in LISTS for run in study[part]
    )
    missing = []
    for run in plan:
        if run.part == "ceiling":
            continue
        if there[run.key]:
            there[run.key] -= 1
        else:
            missing.append(run)
    return missing
