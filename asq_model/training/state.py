"""The state of a training run: network, optimiser and epoch, saved so that a later run goes on from there.

Random numbers are drawn anew for every epoch from the seed and the epoch's number, so there are none to keep.
"""

from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from asq_model.common.errors import InputError, check_range
from asq_model.common.tensor_file import digest_contents
from asq_model.config.fingerprints import fingerprint_recipe
from asq_model.config.recipe import Recipe
from asq_model.config.run_options import DEFAULT_RUN, RunOptions
from asq_model.datasets import Dataset, Split
from asq_model.distributed import rank, share_batch_norms, world_size
from asq_model.networks import build_network, put_channels_last
from asq_model.quantisation import PactActivation
from asq_model.quantisation.convert import Conversion, convert, quantisable_layers, quantised_layers
from asq_model.training.checkpoint_file import read_checkpoint, read_tensors, write_checkpoint
from asq_model.training.load import MOST_REASON, as_arrays, as_tensors

EXAMPLES = 64  # training images that show `convert` each layer's sign, and the log each layer's β


class SavedConfig(TypedDict):
    """What the header of a saved state says. images: see `digest_images`. epoch: how many are done."""

    fingerprint: str
    images: str
    epoch: int


def take_examples(split: Split) -> Tensor:
    """Take the first images of a training set, not augmented; the same in every process."""
    count = min(EXAMPLES, len(split))
    return torch.cat([split.image(index).unsqueeze(0) for index in range(count)])


def digest_images(split: Split, examples: Tensor) -> str:
    """Hash what tells a training set from others: its first images, as a network sees them, and all labels."""
    return digest_contents(as_arrays({"examples": examples, "labels": split.labels}), {})


class TrainingState:
    """A run between two epochs: first the full-precision network, after `start_quantised` its quantised form."""

    def __init__(self, recipe: Recipe, dataset: Dataset, run: RunOptions = DEFAULT_RUN):
        self.recipe, self.dataset, self.train_set = recipe, dataset, dataset.train
        self.device = torch.device(run.device)
        if recipe.batch % world_size() or recipe.batch > len(self.train_set):
            shared = f"a multiple of the {world_size()} processes, " if world_size() > 1 else ""
            allowed = f"{shared}at most the {len(self.train_set)} training images"
            raise InputError(f"batch is {recipe.batch}; allowed: {allowed}", "batch")
        torch.manual_seed(recipe.seed)
        self.model = build_network(recipe.network, dataset.classes)
        self.start_digest = self.load_start(run.start) if run.start is not None else ""
        self.full_precision_state: dict[str, Tensor] = {}
        self.conversion: Conversion | None = None
        self.epoch = 0
        self.examples = take_examples(self.train_set)
        self.images_digest = digest_images(self.train_set, self.examples)
        self.begin_phase()

    def load_start(self, path: Path) -> str:
        """Take over a checkpoint's parameters; return its digest."""
        arrays, start_digest = read_tensors(path)
        try:
            self.model.load_state_dict(as_tensors(arrays))
        except (RuntimeError, TypeError) as error:  # TypeError: a type of number that torch does not have
            reason = " ".join(str(error).split())[:MOST_REASON]
            raise InputError(f"checkpoint {path} does not fit network {self.recipe.network}: {reason}") from error
        return start_digest

    def begin_phase(self) -> None:
        """Set up what depends on the model's parameters. Channels last is how oneDNN and cuDNN are fastest."""
        put_channels_last(self.model.to(self.device))
        if world_size() > 1:
            share_batch_norms(self.model)
        self.optimiser = make_optimiser(self.model, self.recipe)
        self.parallel = self.model
        if world_size() > 1:
            self.parallel = DistributedDataParallel(self.model, broadcast_buffers=False)

    def start_quantised(self) -> None:
        """Keep the full-precision network for comparison and go on with its quantised form."""
        self.full_precision_state = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        torch.manual_seed(self.recipe.seed)  # of the adapters' weights
        self.conversion = convert(self.model, self.recipe.quantisation, self.examples.to(self.device))
        self.begin_phase()

    @property
    def steps(self) -> int:
        """Updates per epoch. A last batch that is not full is left out; the order being random, no image always is."""
        return len(self.train_set) // self.recipe.batch

    @property
    def fingerprint(self) -> str:
        """The hash of all that the result depends on."""
        return fingerprint_recipe(self.recipe, self.start_digest)

    def list_moved_parameters(self) -> list[tuple[str, Tensor]]:
        """List every parameter that the optimiser moves, in its order, with the name that its momentum is saved by."""
        parameters = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        return [(f"momentum.{index}", parameter) for index, parameter in enumerate(parameters)]

    def save(self, path: Path) -> None:
        """Write everything that a later run needs to go on from here; only the first process does."""
        if rank():
            return
        momentum = {
            name: self.optimiser.state[parameter]["momentum_buffer"]
            for name, parameter in self.list_moved_parameters()
            if "momentum_buffer" in self.optimiser.state[parameter]
        }
        model = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        full = {f"full.{name}": tensor for name, tensor in self.full_precision_state.items()}
        config: SavedConfig = {"fingerprint": self.fingerprint, "images": self.images_digest, "epoch": self.epoch}
        write_checkpoint(path, as_arrays(model | full | momentum), config)

    def resume(self, path: Path) -> None:
        """Go on from a saved state if there is a usable one of the same recipe and images; otherwise start over.

        Images are told apart by `digest_images`.
        """
        try:
            arrays, config = read_checkpoint(path)
        except InputError:
            return
        if (config.get("fingerprint"), config.get("images")) != (self.fingerprint, self.images_digest):
            return
        try:
            self.restore(arrays, config["epoch"])
        except (KeyError, TypeError, RuntimeError, InputError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"saved state {path} cannot be used: {reason}; delete it to begin anew") from error

    def restore(self, arrays: dict[str, np.ndarray], epoch: int) -> None:
        """Take over a saved state. Raises InputError or torch's errors for one that does not fit."""
        check_range("epoch", epoch, 0, self.recipe.epochs)
        tensors = as_tensors(arrays)
        if epoch > self.recipe.full_precision_epochs:
            self.start_quantised()
        self.full_precision_state = strip_prefix(tensors, "full.")
        self.model.load_state_dict(strip_prefix(tensors, "model."))
        for name, parameter in self.list_moved_parameters():
            if name in tensors:
                like = torch.empty_like(parameter)  # the same memory layout, on the same device
                self.optimiser.state[parameter]["momentum_buffer"] = like.copy_(tensors[name])
        self.epoch = epoch


def make_optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """Make the SGD optimiser. Weight decay is for the layers' weights and PACT's clips only, not for steps or β."""
    layers = [layer for _, layer in [*quantisable_layers(model), *quantised_layers(model)]]
    decayed = [layer.get_parameter("weight") for layer in layers]
    decayed += [module.clip for module in model.modules() if isinstance(module, PactActivation)]
    ids = {id(parameter) for parameter in decayed}
    others = [parameter for parameter in model.parameters() if id(parameter) not in ids]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum)


def strip_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take the tensors whose names begin with a prefix, by their names without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
