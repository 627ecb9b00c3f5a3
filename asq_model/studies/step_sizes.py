"""Where training left the steps of activations, and how much β varies from image to image, layer by layer."""

from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from asq_model.common.cifar10_copy import digest_labels
from asq_model.common.errors import InputError
from asq_model.common.result_schemas import RecipeRecord
from asq_model.datasets import load_in_memory
from asq_model.quantisation import LsqActivation
from asq_model.quantisation.convert import inner_layers
from asq_model.quantisation.observe import observe_inputs
from asq_model.studies.step_sizes_page import LayerStep, NetworkSteps
from asq_model.studies.trained_out.record import row_of_recipe
from asq_model.training.load import load_quantised


def measure_steps(checkpoint: Path, count: int, data_folder: Path | None) -> NetworkSteps:
    """Measure the steps of a network's low-bit layers on the first test images. Raises InputError for one without."""
    model, config = load_quantised(checkpoint)
    inner = inner_layers(model)
    layers = [(name, layer) for name, layer in inner if isinstance(layer.activation_quantiser, LsqActivation)]
    if not layers:
        raise InputError(f"checkpoint {checkpoint} has no layer whose activations have a learned step")
    recipe = cast(RecipeRecord, config["recipe"])
    _, test = load_in_memory(recipe["data"], data_folder)
    inputs = observe_inputs(model, layers, test.scale(test.images[:count]))
    row = row_of_recipe(recipe)
    return {
        "network": config["network"],
        "precision": row.precision,
        "method": row.label,
        "epochs": recipe["quantised_epochs"],
        "seed": recipe["seed"],
        "digest": config["digest"],
        "start": config["start"],
        "images": min(count, len(test)),
        "data": digest_labels(test.labels.numpy()),
        "layers": {
            name: measure_layer_step(cast(LsqActivation, layer.activation_quantiser), inputs[name])
            for name, layer in layers
            if name in inputs
        },
    }


@torch.no_grad()
def measure_layer_step(quantiser: LsqActivation, x: Tensor) -> LayerStep:
    """Measure the step of one layer, and with an adapter also how its β varies over the images of the input x."""
    found: LayerStep = {"step": abs(quantiser.step.item())}
    if quantiser.adapter is not None:
        beta = quantiser.adapter(x)
        found["beta"] = {
            "mean": beta.mean().item(),
            "deviation": beta.std(correction=0).item(),
            "least": beta.min().item(),
            "most": beta.max().item(),
        }
    return found
