"""Training, top to bottom: full precision first, then quantised from there; killed at any point, it resumes.

The hyperparameters were chosen on a validation part of the training images (`Recipe.validation`); the test images
are looked at once, when all training is done.
"""

from collections.abc import Callable
from dataclasses import asdict
from math import cos, pi
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from asq_model.checkpoint import read_checkpoint, write_checkpoint
from asq_model.data import Split, shifted, split_digits
from asq_model.files import InputError
from asq_model.networks import DigitsNet
from asq_model.recipe import Recipe, recipe_fingerprint

# Fixed, since the order of a sum's terms depends on it, and with it the last bits of every weight. One, since a network
# this small gains little from a second (14 s against 17 s) and loses a factor of 7 to spinning when cores are taken.
THREADS = 1


def optimiser_of(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """SGD; weight decay is for convolution and linear weights only: a step size or β has no business shrinking."""
    decayed = [layer.weight for _, layer in model.quantised_layers()]
    ids = {id(parameter) for parameter in decayed}
    others = [parameter for parameter in model.parameters() if id(parameter) not in ids]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum)


def learning_rate(recipe: Recipe, epoch: int, progress: float) -> float:
    """Cosine decay to 0 within each phase; `progress` is how much of the epoch is done."""
    if epoch < recipe.full_precision_epochs:
        start, length, peak = 0, recipe.full_precision_epochs, recipe.full_precision_rate
    else:
        start, length, peak = recipe.full_precision_epochs, recipe.quantised_epochs, recipe.quantised_rate
    return peak * (1 + cos(pi * (epoch - start + progress) / length)) / 2


@torch.no_grad()
def correct(model: nn.Module, split: Split) -> int:
    """How many images are classified correctly, in eval mode."""
    model.eval()
    return int((model(split.images).argmax(1) == split.labels).sum())


def not_finite(model: nn.Module) -> str:
    """The first parameter with a NaN or an infinity, for an error message."""
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            return name
    return "no parameter; the loss itself overflowed"


class Training:
    """The state of a run: model, optimiser, generator, epoch. `save` and `resume` keep all of it."""

    def __init__(self, recipe: Recipe):
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.model = DigitsNet()
        self.optimiser = optimiser_of(self.model, recipe)
        self.epoch = 0
        self.full_precision_state: dict[str, Tensor] = {}

    def start_quantised(self) -> None:
        """Keep the full-precision network for comparison and go on with its quantised form."""
        self.full_precision_state = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        torch.manual_seed(self.recipe.seed)  # of the adapters' weights
        self.model.quantise(self.recipe.level_set, self.recipe.activation_bits)
        self.optimiser = optimiser_of(self.model, self.recipe)

    def run_epoch(self, train: Split) -> tuple[float, float]:
        """One pass over the training images: (mean loss, accuracy). Raises InputError for a loss that is not finite."""
        self.model.train()
        order = torch.randperm(len(train), generator=self.generator)
        batches = order.split(self.recipe.batch)
        total, hits = 0.0, 0
        for step, batch in enumerate(batches):
            for group in self.optimiser.param_groups:
                group["lr"] = learning_rate(self.recipe, self.epoch, step / len(batches))
            logits = self.model(shifted(train.images[batch], self.generator))
            loss = nn.functional.cross_entropy(logits, train.labels[batch])
            if not torch.isfinite(loss):
                raise InputError(
                    f"training stopped: the loss is {loss.item()} in epoch {self.epoch + 1} of {self.recipe.epochs};"
                    f" first value that is not finite: {not_finite(self.model)}"
                )
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            total += loss.item() * len(batch)
            hits += int((logits.argmax(1) == train.labels[batch]).sum())
        self.epoch += 1
        return total / len(train), hits / len(train)

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a later run needs to go on from here."""
        parameters = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        momentum = {
            f"momentum.{index}": self.optimiser.state[parameter]["momentum_buffer"]
            for index, parameter in enumerate(parameters)
            if "momentum_buffer" in self.optimiser.state[parameter]
        }
        model = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        full = {f"full.{name}": tensor for name, tensor in self.full_precision_state.items()}
        return model | full | momentum | {"generator": self.generator.get_state()}

    def save(self, path: Path) -> None:
        arrays = {name: tensor.detach().numpy() for name, tensor in self.tensors().items()}
        write_checkpoint(path, arrays, {"fingerprint": recipe_fingerprint(self.recipe), "epoch": self.epoch})

    def resume(self, path: Path) -> None:
        """Go on from a saved state if there is a usable one of the same recipe; otherwise start over."""
        try:
            arrays, config = read_checkpoint(path)
        except InputError:
            return
        if config.get("fingerprint") != recipe_fingerprint(self.recipe):
            return
        tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
        if config["epoch"] > self.recipe.full_precision_epochs:
            self.start_quantised()
        self.full_precision_state = strip(tensors, "full.")
        self.model.load_state_dict(strip(tensors, "model."))
        parameters = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        for index, momentum in strip(tensors, "momentum.").items():
            self.optimiser.state[parameters[int(index)]]["momentum_buffer"] = momentum
        self.generator.set_state(tensors["generator"])
        self.epoch = config["epoch"]


def strip(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors under a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def train(recipe: Recipe, out: Path, after_epoch: Callable[[int], None] = lambda epoch: None) -> dict:
    """Train by `recipe` and write the checkpoint `out`; return its configuration.

    Each epoch's state goes to `<out>.resume`, from which a later call goes on, with the same result to the last
    bit. Raises InputError when the loss is no longer a number; that file then still holds the last good epoch.
    """
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    train_set, test_set = split_digits()
    if recipe.validation:
        cut = len(train_set) - recipe.validation
        test_set = Split(train_set.images[cut:], train_set.labels[cut:])
        train_set = Split(train_set.images[:cut], train_set.labels[:cut])
    state = out.with_name(f"{out.name}.resume")
    training = Training(recipe)
    training.resume(state)
    training.save(state)  # a folder that cannot be written to is better found out now
    with tqdm(total=recipe.epochs, initial=training.epoch, unit="epoch", desc="training") as bar:
        while training.epoch < recipe.epochs:
            if training.epoch == recipe.full_precision_epochs:
                training.start_quantised()
            loss, accuracy = training.run_epoch(train_set)
            training.save(state)
            phase = "full precision" if training.epoch <= recipe.full_precision_epochs else "quantised"
            bar.set_postfix_str(f"{phase}, loss {loss:.3f}, train accuracy {accuracy:.1%}", refresh=False)
            bar.update()
            after_epoch(training.epoch)
    full_precision = DigitsNet()
    full_precision.load_state_dict(training.full_precision_state)
    config = {
        "network": "DigitsNet",
        "recipe": asdict(recipe),
        "fingerprint": recipe_fingerprint(recipe),
        "train_images": len(train_set),
        "test_images": len(test_set),
        "full_precision_correct": correct(full_precision, test_set),
        "quantised_correct": correct(training.model, test_set),
    }
    write_checkpoint(out, {name: tensor.numpy() for name, tensor in training.model.state_dict().items()}, config)
    state.unlink(missing_ok=True)
    return config


def load_model(path: Path) -> tuple[DigitsNet, Recipe, dict]:
    """(quantised network in eval mode, its recipe, configuration) of a checkpoint. Raises InputError."""
    arrays, config = read_checkpoint(path)
    if config.get("network") != "DigitsNet":
        raise InputError(f"checkpoint {path} is of network {config.get('network')!r}; this command takes DigitsNet")
    model = DigitsNet()
    try:
        recipe = Recipe(**config["recipe"])
        model.quantise(recipe.level_set, recipe.activation_bits)
        model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    except (KeyError, TypeError, RuntimeError) as error:
        raise InputError(f"checkpoint {path} does not fit this program's {config['network']}: {error}") from error
    return model.eval(), recipe, config
