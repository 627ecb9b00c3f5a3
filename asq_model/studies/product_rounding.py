"""Measure what the rounding of products, as hardware does it, costs a trained network: accuracy and error of the sums.

Each arithmetic is a run of its own through the network: a low-bit layer's sums move the codes of all that come after.
The error of the sums is measured one layer at a time, on the inputs that the layer has in torch.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from asq_model.common.cifar10_copy import digest_labels
from asq_model.common.errors import InputError
from asq_model.common.progress import SILENT, Bar
from asq_model.common.result_schemas import ArithmeticRow, ArithmeticRun
from asq_model.config.recipe import Recipe
from asq_model.datasets import load_dataset
from asq_model.quantisation.convert import inner_layers
from asq_model.quantisation.mac_unit_layers import IntegerLayer, put_on_unit, unit_of
from asq_model.quantisation.observe import observe_inputs
from asq_model.training.evaluate import find_correct
from asq_model.training.load import load_quantised
from asq_model.training.trained_network import Trained

TORCH = "fake-quantised"
ERROR_IMAGES = 256  # of the test set, for the error of the sums


@dataclass(frozen=True)
class Arithmetic:
    """A unit, and for `post` its fraction bits, that computes every low-bit layer."""

    unit: str
    frac: int | None = None

    @property
    def name(self) -> str:
        """The arithmetic's name in tables and options."""
        return self.unit if self.frac is None else f"{self.unit} frac {self.frac}"


EXACT = {"post": "post-exact", "uniform": "uniform"}
ARITHMETICS = {
    "post": (
        Arithmetic("post-exact"),
        *(Arithmetic("post", frac) for frac in (4, 3, 2, 1, 0, -1)),
        Arithmetic("post-three-halves"),
    ),
    "uniform": (Arithmetic("uniform-sign"),),
}
NAMES = tuple(arithmetic.name for family in ARITHMETICS.values() for arithmetic in family)


@torch.no_grad()
def measure_error(model: nn.Module, images: Tensor, arithmetic: Arithmetic) -> float:
    """Measure the rms error of the sums over the rms of the exact ones, averaged over the low-bit layers."""
    layers = inner_layers(model)
    inputs = observe_inputs(model, layers, images)
    errors = []
    for name, layer in layers:
        specs = unit_of(layer, arithmetic.unit, arithmetic.frac), unit_of(layer, EXACT[layer.config.weights])
        sums, wanted = (IntegerLayer(layer, spec).compute_sums(inputs[name])[0].double() for spec in specs)
        size = wanted.square().mean()  # 0 where all sums are: they agree, or the error is not relative
        errors.append(((sums - wanted).square().mean() / (size if size else 1)).sqrt().item())
    return sum(errors) / len(errors)


def load_low_bit(checkpoint: Path) -> tuple[nn.Module, Trained, Recipe]:
    """Load a quantised checkpoint with low-bit layers: (network, configuration, recipe). Raises InputError."""
    model, config = load_quantised(checkpoint)
    if not inner_layers(model):
        raise InputError(f"checkpoint {checkpoint} has no low-bit layer; this command compares how they are computed")
    return model, config, Recipe.from_record(config["recipe"])


def describe_run(recipe: Recipe, config: Trained, data: str, images: int) -> ArithmeticRun:
    """Describe a network's test: the fields of a row that are the same for every arithmetic."""
    return {
        "network": recipe.network,
        "level_set": recipe.level_set.name,
        "family": recipe.level_set.family,
        "kind": recipe.level_set.kind,
        "weight_bits": recipe.weight_bits,
        "activations": recipe.activations,
        "activation_bits": recipe.activation_bits,
        "product_frac": recipe.product_frac,
        "seed": recipe.seed,
        "digest": config["digest"],
        "data": data,
        "images": images,
    }


def make_arithmetic_row(
    run: ArithmeticRun, arithmetic: Arithmetic | None, in_torch: Tensor, correct: Tensor, error: float | None
) -> ArithmeticRow:
    """Make the row of an arithmetic, None for torch's own. in_torch, correct: which images are right, bool [N]."""
    return {
        **run,
        "arithmetic": TORCH if arithmetic is None else arithmetic.name,
        "unit": None if arithmetic is None else arithmetic.unit,
        "frac": None if arithmetic is None else arithmetic.frac,
        "correct": int(correct.sum()),
        "lost": int((in_torch & ~correct).sum()),
        "gained": int((correct & ~in_torch).sum()),
        "rms_error": error,
    }


def measure_arithmetics(
    checkpoint: Path,
    images: int | None,
    data_folder: Path | None,
    only: Collection[str] = (),
    bar: Bar = SILENT,
) -> list[ArithmeticRow]:
    """Count a network's right answers in torch and in each arithmetic of its family. Raises InputError.

    only: the names of the arithmetics, if not all. images: of the test set, the first (None: all of it).
    """
    model, config, recipe = load_low_bit(checkpoint)
    test = load_dataset(recipe.data, data_folder).test
    data = digest_labels(test.labels.numpy())
    test = test.select(torch.arange(min(images or len(test), len(test))))
    first, _ = next(test.batches(torch.arange(min(ERROR_IMAGES, len(test))), ERROR_IMAGES, None))
    arithmetics = [each for each in ARITHMETICS.get(recipe.family, ()) if not only or each.name in only]
    if only and not arithmetics:
        allowed = ", ".join(each.name for each in ARITHMETICS.get(recipe.family, ())) or "no --only"
        raise InputError(f"only is {', '.join(only)}, none of {recipe.family} weights; allowed: {allowed}", "only")
    bar.expect(1 + len(arithmetics))
    in_torch = find_correct(model, test)
    bar.advance(note=f"{checkpoint.stem}, {TORCH}")
    run = describe_run(recipe, config, data, len(test))
    rows = [make_arithmetic_row(run, None, in_torch, in_torch, None)]
    for arithmetic in arithmetics:
        correct = find_correct(put_on_unit(model, arithmetic.unit, arithmetic.frac), test)
        rows.append(make_arithmetic_row(run, arithmetic, in_torch, correct, measure_error(model, first, arithmetic)))
        bar.advance(note=f"{checkpoint.stem}, {arithmetic.name}")
    return rows
