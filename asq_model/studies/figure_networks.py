"""What the paper's figures are drawn from: the trained networks, the images they see, and what is measured of them."""

from pathlib import Path

import torch
from torch import Tensor, nn

from asq_model.common.cifar10_copy import digest_labels
from asq_model.common.errors import InputError
from asq_model.config.recipe import Recipe, recipe_of
from asq_model.datasets import load_dataset
from asq_model.networks.resnet import BasicBlock
from asq_model.quantisation.convert import inner_layers, quantisable_layers, quantised_layers
from asq_model.quantisation.observe import observe_inputs, observe_outputs
from asq_model.quantisation.quantised import Quantised
from asq_model.studies.figure_records import COMPARED_BITS, METHODS
from asq_model.training.load import load_model
from asq_model.training.trained_network import read_trained

FEWEST_BITS = 2  # of Figure 4 where such networks are there
IMAGES = 512  # of the test set


class Networks:
    """The checkpoints that the figures compare, and the images that they see."""

    def __init__(self, full: Path, quantised: dict[tuple[str, int], Path], images: Tensor, data: str = ""):
        """`quantised`: (method, bits) to checkpoint, both methods at 3 bits or at 2 and 3.

        `data`: the whole test set's labels by `digest_labels`.

        Raises InputError where a checkpoint is missing or of another network.
        """
        self.images, self.data = images, data
        self.full, config = load_model(full)
        self.name = config["network"]
        right = f"{config['full_precision_correct']} of {config['test_images']} test images correct"
        self.origins = [f"full precision: {right}, checkpoint `{config['digest'][:12]}`"]
        if config["layers"]:
            raise InputError(f"checkpoint {full} is quantised; the figures compare with one in full precision")
        self.quantised = {}
        self.low_bits = min(bits for _, bits in quantised)
        for (method, bits), path in quantised.items():
            model, other = load_model(path)
            if other["network"] != config["network"]:
                raise InputError(f"checkpoint {path} is of {other['network']}, but {full} of {config['network']}")
            layers = [layer.config for _, layer in inner_layers(model)]
            wanted = method.lower(), bits
            if not layers or any((layer.activations, layer.activation_bits) != wanted for layer in layers):
                raise InputError(f"checkpoint {path} is not one of {method} at {bits} bits")
            self.quantised[method, bits] = model
            right = f"{other['quantised_correct']} of {other['test_images']} correct"
            self.origins.append(f"{method} at {bits} bits: {right}, checkpoint `{other['digest'][:12]}`")


def load_networks(network: str, seed: int, study: Path, start: Path | None, data_folder: Path | None) -> Networks:
    """Load the checkpoints that `reproduce 5` or `trained-out` left in a folder, found by their recipes' names.

    Those of 2 bits may be missing, both of them. Raises InputError.
    """

    def path(**fields: object) -> Path:
        return find_checkpoint(study, recipe_of(network, seed=seed, **fields))

    full = start or path(quantised_epochs=0)
    quantised = {
        (method, bits): path(
            weight_bits=bits, activation_bits=bits, family="uniform", activations=method.lower(), quantised_epochs=1
        )
        for bits in (FEWEST_BITS, COMPARED_BITS)
        for method in METHODS
    }
    if not any(quantised[method, FEWEST_BITS].exists() for method in METHODS):
        quantised = {key: checkpoint for key, checkpoint in quantised.items() if key[1] == COMPARED_BITS}
    config = read_trained(full)[1]
    test = load_dataset(str(config["recipe"]["data"]), data_folder).test
    images, _ = next(test.batches(torch.arange(min(IMAGES, len(test))), IMAGES, None))
    return Networks(full, quantised, images, digest_labels(test.labels.numpy()))


def find_checkpoint(folder: Path, recipe: Recipe) -> Path:
    """Find the checkpoint of a recipe in a folder, as `reproduce` names it, or `trained-out`, with part and epochs.

    A run that `trained-out` made again serves where the first one is not there. Raises InputError where there are
    several.
    """
    plain = folder / f"{recipe.name}.safetensors"
    parts = ("rows", "repeats") if recipe.quantised_epochs else ("ceiling",)
    of_parts = [sorted(folder.glob(f"{part}_{recipe.name}_e*.safetensors")) for part in parts]
    found = [*filter(Path.exists, [plain]), *next(filter(None, of_parts), [])]
    if len(found) > 1:
        raise InputError(f"{folder} has several checkpoints of {recipe.name}: {', '.join(path.name for path in found)}")
    return found[0] if found else plain


def observe_layer_inputs(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Run a network on images; return the input of each layer that is quantised, or in full precision can be."""
    return observe_inputs(model, quantised_layers(model) or quantisable_layers(model), images)


def measure_errors(layer: Quantised, x: Tensor) -> tuple[Tensor, Tensor]:
    """Measure a layer's rounding and its clipping error on the input x [N, ...]: two tensors of L2 norms [N].

    The norms are those of x̂ − x over the values inside the range, and over those outside it.
    """
    quantiser = layer.activation_quantiser
    with torch.no_grad():
        step, _ = quantiser.compute_grid(x)
        difference = quantiser.round_to_grid(x, step, 0.0) - x
        inside = (x >= quantiser.low * step) & (x <= quantiser.high * step)
    return (difference * inside).flatten(1).norm(dim=1), (difference * ~inside).flatten(1).norm(dim=1)


def observe_block_outputs(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Run a network on images; return the output of every residual block, by name."""
    blocks = [(name, block) for name, block in model.named_modules() if isinstance(block, BasicBlock)]
    return observe_outputs(model, blocks, images)
