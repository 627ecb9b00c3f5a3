"""Training, top to bottom: full precision first, then quantised from there; killed at any point, it resumes.

The hyperparameters were chosen on a validation part of the training images (`Recipe.validation`); the test images
are looked at once, when all training is done. Under `torchrun` the processes share each batch and act as one.
"""

import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import cos, pi
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from asq_model.common.errors import InputError, check_range
from asq_model.config.layer_config import QuantConfig, layer_config, record
from asq_model.config.recipe import Recipe, recipe_fingerprint
from asq_model.datasets import Dataset, Split, load_dataset
from asq_model.distributed import global_sum, process_group, rank, share_batch_norms, world_size
from asq_model.networks import build
from asq_model.quantisation import PactActivation
from asq_model.quantisation.convert import convert, layer_configs, quantisable_layers, quantised_layers
from asq_model.training.checkpoint_file import read_checkpoint, read_tensors, write_checkpoint
from asq_model.training.monitor import Log, first_fault, layer_states
from asq_model.training.trained_network import read_trained

EXAMPLES = 64  # training images that show `convert` each layer's sign, and the log each layer's β
EVALUATION_BATCH = 500
EVALUATION_PIXELS = 1 << 22  # per batch at most: 83 images of 224 × 224


@dataclass(frozen=True)
class Run:
    """Where a run gets its images and does its work; none of it is meant to change the result.

    start: a full-precision checkpoint, or any safetensors file with the network's parameter names, to start from.
    log: a folder for TensorBoard files.
    workers: processes that decode an image folder's images, per training process.
    """

    data_folder: Path | None = None
    start: Path | None = None
    device: str = "cpu"
    log: Path | None = None
    workers: int = 2


def optimiser_of(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """SGD; weight decay is for the layers' weights and PACT's clips: a step size or β has no business shrinking."""
    layers = [layer for _, layer in quantisable_layers(model) + quantised_layers(model)]
    decayed = [layer.weight for layer in layers]
    decayed += [module.clip for module in model.modules() if isinstance(module, PactActivation)]
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
def top_correct(model: nn.Module, split: Split, device: torch.device | str = "cpu") -> tuple[int, int]:
    """For how many images the label is the first class, and one of the first five; in eval mode, of all processes."""
    model.eval()
    hits = torch.zeros(2, dtype=torch.int64, device=device)
    batch = min(EVALUATION_BATCH, EVALUATION_PIXELS // split.image(0)[0].numel())
    for images, labels in split.batches(torch.arange(len(split)), batch, None):
        if len(labels):
            logits = model(images.to(device))
            best = logits.topk(min(5, logits.shape[1])).indices == labels.to(device).unsqueeze(1)
            hits += torch.stack([best[:, 0].sum(), best.sum()])
    first, five = global_sum(hits).tolist()
    return first, five


def correct(model: nn.Module, split: Split, device: torch.device | str = "cpu") -> int:
    """How many images are classified correctly."""
    return top_correct(model, split, device)[0]


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """The random numbers of one epoch. Hashed, since torch's generator looks at the low 32 bits of a seed only."""
    mixed = hashlib.sha256(f"{seed} {epoch}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(mixed[:4], "little"))


class Training:
    """The state of a run: model, optimiser, epoch. `save` and `resume` keep all of it.

    Random numbers are drawn anew for every epoch from the seed and the epoch's number, so there are none to keep.
    """

    def __init__(self, recipe: Recipe, dataset: Dataset, run: Run = Run()):
        self.recipe, self.train_set = recipe, dataset.train
        self.classes = dataset.classes
        self.device = torch.device(run.device)
        if self.recipe.batch % world_size() or self.recipe.batch > len(self.train_set):
            raise InputError(
                f"batch is {self.recipe.batch}; allowed: a multiple of the {world_size()} processes, at most the"
                f" {len(self.train_set)} training images"
            )
        torch.manual_seed(recipe.seed)
        self.model = build(recipe.network, dataset.classes)
        self.start_digest = self.load_start(run.start) if run.start is not None else ""
        self.full_precision_state: dict[str, Tensor] = {}
        self.epoch = 0
        self.examples = self.first_images()
        self.begin_phase()

    def first_images(self) -> Tensor:
        """Some training images, not augmented; the same in every process."""
        count = min(EXAMPLES, len(self.train_set))
        return torch.cat([self.train_set.image(index).unsqueeze(0) for index in range(count)])

    def load_start(self, path: Path) -> str:
        """Take over a checkpoint's parameters; its digest."""
        tensors, digest = read_tensors(path)
        try:
            self.model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in tensors.items()})
        except (RuntimeError, TypeError) as error:  # TypeError: a type of number that torch does not have
            said = " ".join(str(error).split())
            raise InputError(f"checkpoint {path} does not fit network {self.recipe.network}: {said}") from error
        return digest

    def begin_phase(self) -> None:
        """Set up what depends on the model's parameters. Channels last is how oneDNN and cuDNN are fastest."""
        self.model.to(self.device, memory_format=torch.channels_last)
        if world_size() > 1:
            share_batch_norms(self.model)
        self.optimiser = optimiser_of(self.model, self.recipe)
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
        """Per epoch. A last batch that is not full is left out; the order being random, no image always is."""
        return len(self.train_set) // self.recipe.batch

    def step(self, images: Tensor, labels: Tensor) -> tuple[float, int]:
        """One update: (loss, correct) of this process's part. Raises InputError for a loss that is not finite."""
        images, labels = images.to(self.device, memory_format=torch.channels_last), labels.to(self.device)
        where = f"in epoch {self.epoch + 1} of {self.recipe.epochs}"
        try:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
                logits = self.parallel(images)
        except InputError as error:
            raise InputError(f"training stopped {where}: {error}; {first_fault(self.model, images)}") from error
        logits = logits.float() if logits.dtype == torch.bfloat16 else logits
        loss = nn.functional.cross_entropy(logits, labels)
        if not torch.isfinite(loss):
            raise InputError(f"training stopped: the loss is {loss.item()} {where}; {first_fault(self.model, images)}")
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item(), int((logits.argmax(1) == labels).sum())

    def run_epoch(self, bar: tqdm | None = None) -> tuple[float, float]:
        """One pass over the training images: (mean loss, accuracy), of this process's part."""
        self.parallel.train()
        generator = epoch_generator(self.recipe.seed, self.epoch)
        order = torch.randperm(len(self.train_set), generator=generator)[: self.steps * self.recipe.batch]
        total, hits, seen = 0.0, 0, 0
        for step, (images, labels) in enumerate(self.train_set.batches(order, self.recipe.batch, generator)):
            for group in self.optimiser.param_groups:
                group["lr"] = learning_rate(self.recipe, self.epoch, step / self.steps)
            loss, good = self.step(images, labels)
            total, hits, seen = total + loss * len(labels), hits + good, seen + len(labels)
            if bar is not None:
                phase = "full precision" if self.epoch < self.recipe.full_precision_epochs else "quantised"
                bar.set_postfix_str(f"{phase}, loss {total / seen:.3f}, accuracy {hits / seen:.1%}", refresh=False)
                bar.update()
        self.epoch += 1
        return total / seen, hits / seen

    @property
    def fingerprint(self) -> str:
        return recipe_fingerprint(self.recipe, self.start_digest)

    def momenta(self) -> list[tuple[str, Tensor]]:
        """(name, parameter) of all that the optimiser moves, in its order."""
        parameters = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        return [(f"momentum.{index}", parameter) for index, parameter in enumerate(parameters)]

    def save(self, path: Path) -> None:
        """Everything that a later run needs to go on from here, by the first process."""
        if rank():
            return
        momentum = {
            name: self.optimiser.state[parameter]["momentum_buffer"]
            for name, parameter in self.momenta()
            if "momentum_buffer" in self.optimiser.state[parameter]
        }
        model = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        full = {f"full.{name}": tensor for name, tensor in self.full_precision_state.items()}
        config = {"fingerprint": self.fingerprint, "epoch": self.epoch}
        write_checkpoint(path, arrays(model | full | momentum), config)

    def resume(self, path: Path) -> None:
        """Go on from a saved state if there is a usable one of the same recipe; otherwise start over."""
        try:
            saved, config = read_checkpoint(path)
        except InputError:
            return
        if config.get("fingerprint") != self.fingerprint:
            return
        try:
            self.restore(saved, config["epoch"])
        except (KeyError, TypeError, RuntimeError, InputError) as error:
            said = " ".join(str(error).split())
            raise InputError(f"saved state {path} cannot be used: {said}; delete it to begin anew") from error

    def restore(self, saved: dict[str, np.ndarray], epoch: int) -> None:
        """Take over a saved state. Raises InputError or torch's errors for one that does not fit."""
        check_range("epoch", epoch, 0, self.recipe.epochs)
        tensors = {name: torch.from_numpy(array.copy()) for name, array in saved.items()}
        if epoch > self.recipe.full_precision_epochs:
            self.start_quantised()
        self.full_precision_state = strip(tensors, "full.")
        self.model.load_state_dict(strip(tensors, "model."))
        for name, parameter in self.momenta():
            if name in tensors:
                like = torch.empty_like(parameter)  # the same memory layout, on the same device
                self.optimiser.state[parameter]["momentum_buffer"] = like.copy_(tensors[name])
        self.epoch = epoch


def arrays(tensors: dict[str, Tensor]) -> dict:
    """Tensors as a checkpoint takes them."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}


def strip(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors under a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def held_back(dataset: Dataset, images: int) -> Dataset:
    """A dataset whose test set is the last training images of a fixed random order: for choosing, not for results."""
    order = torch.randperm(len(dataset.train), generator=torch.Generator().manual_seed(0))
    if images >= len(order):
        raise InputError(f"validation is {images}; allowed: less than the {len(order)} training images")
    cut = len(order) - images
    return Dataset(dataset.train.part(order[:cut]), dataset.train.part(order[cut:]), dataset.classes)


def train(recipe: Recipe, out: Path, run: Run = Run(), after_epoch: Callable[[int], None] = lambda epoch: None) -> dict:
    """Train by `recipe` and write the checkpoint `out`; return its configuration.

    Each epoch's state goes to `<out>.resume`, from which a later call goes on, with the same result to the last
    bit. Raises InputError when the loss is no longer a number; that file then still holds the last good epoch.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or cuBLAS is not deterministic
    if run.device not in ("cpu", "cuda"):
        raise InputError(f"device is {run.device!r}; allowed: cpu, cuda")
    if run.device == "cuda" and not torch.cuda.is_available():
        raise InputError("device is cuda, but torch finds no CUDA device; allowed here: cpu")
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True)
    with process_group(torch.device(run.device)):
        dataset = load_dataset(recipe.data, run.data_folder, run.workers)
        if recipe.validation:
            dataset = held_back(dataset, recipe.validation)
        return train_on(recipe, dataset, out, run, after_epoch)


def train_on(recipe: Recipe, dataset: Dataset, out: Path, run: Run, after_epoch: Callable[[int], None]) -> dict:
    """`train`, the images being at hand."""
    state = out.with_name(f"{out.name}.resume")
    training = Training(recipe, dataset, run)
    training.resume(state)
    training.save(state)  # a folder that cannot be written to is better found out now
    log = Log(run.log if rank() == 0 else None, training.epoch)
    total = recipe.epochs * training.steps
    with tqdm(
        total=total,
        initial=training.epoch * training.steps,
        unit="step",
        desc="training",
        disable=rank() > 0,
        mininterval=0.2 if sys.stderr.isatty() else 20,  # seconds; a log file does not need more
    ) as bar:
        while training.epoch < recipe.epochs:
            if training.epoch == recipe.full_precision_epochs:
                training.start_quantised()
                if rank() == 0:
                    tqdm.write(str(training.conversion), file=sys.stderr)
            loss, accuracy = training.run_epoch(bar)
            training.save(state)
            scalars = {"loss": loss, "accuracy": accuracy, "rate": training.optimiser.param_groups[0]["lr"]}
            log.epoch(training.epoch, scalars, training.model, training.examples.to(training.device))
            after_epoch(training.epoch)
    log.close()
    config = {
        "network": recipe.network,
        "classes": dataset.classes,
        "recipe": asdict(recipe),
        "start": training.start_digest,
        "layers": {name: record(layer) for name, layer in layer_configs(training.model).items()},
        "fingerprint": training.fingerprint,
        "train_images": len(dataset.train),
        "test_images": len(dataset.test),
    }
    if training.full_precision_state:
        full_precision = build(recipe.network, dataset.classes)
        full_precision.load_state_dict(training.full_precision_state)
        config["full_precision_correct"] = correct(full_precision.to(run.device), dataset.test, run.device)
        config["quantised_correct"], config["quantised_top_5"] = top_correct(training.model, dataset.test, run.device)
        warn_of_adapters(training)
    else:
        config["full_precision_correct"] = correct(training.model, dataset.test, run.device)
    if rank() == 0:
        write_checkpoint(out, arrays(training.model.state_dict()), config)
        state.unlink(missing_ok=True)
    return config


def warn_of_adapters(training: Training) -> None:
    """Say which layers' adapters do not adapt: those with samples whose β sits on its floor or ceiling, where no
    gradient reaches it, and those whose β is a constant."""
    for name, layer in layer_states(training.model, training.examples.to(training.device)).items():
        said = [
            f"β is on its {limit} for {share:.0%} of {EXAMPLES} training images"
            for limit, share in (("floor", layer.on_floor), ("ceiling", layer.on_ceiling))
            if share
        ]
        said += [f"{layer.constant}; its activations are quantised as by lsq"] if layer.constant else []
        for line in said if rank() == 0 else []:
            tqdm.write(f"warning: {name}: {line}", file=sys.stderr)


def load_model(path: Path) -> tuple[nn.Module, dict]:
    """(network in eval mode, configuration) of a checkpoint, quantised if it is. Raises InputError."""
    tensors, config = read_trained(path)
    try:
        model = build(config["network"], config["classes"])
        layers = {name: layer_config(stored) for name, stored in config["layers"].items()}
        if layers:
            absent = {name: None for name, _ in quantisable_layers(model) if name not in layers}
            convert(model, QuantConfig(overrides=layers | absent))
        model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in tensors.items()})
    except (InputError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"checkpoint {path} does not fit this program's {config['network']}: {said}") from error
    return model.eval(), config


def load_quantised(path: Path) -> tuple[nn.Module, dict]:
    """`load_model` of a quantised network. Raises InputError for one in full precision."""
    model, config = load_model(path)
    if not config["layers"]:
        raise InputError(f"checkpoint {path} is of a network in full precision; this command takes a quantised one")
    return model, config
