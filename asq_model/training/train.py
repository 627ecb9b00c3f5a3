"""Train a network: first in full precision, then quantised from there; killed at any point, it resumes.

The hyperparameters were chosen on a validation part of the training images (`Recipe.validation`); the test images
are looked at once, when all training is done. Under `torchrun` the processes share each batch and act as one.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from math import cos, pi
from pathlib import Path

import click
import torch
from torch import Tensor, nn

from asq_model.common.errors import InputError, check_choice, shown
from asq_model.common.progress import SILENT, TRAINING, Bar, progress_bar
from asq_model.config.layer_config import make_layer_record
from asq_model.config.recipe import Recipe
from asq_model.config.run_options import DEFAULT_RUN, RunOptions
from asq_model.cpu.compiled_functions import compiled_functions
from asq_model.datasets import Dataset, load_dataset
from asq_model.distributed import process_group, rank
from asq_model.networks import build_network
from asq_model.quantisation.convert import layer_configs
from asq_model.training.checkpoint_file import write_checkpoint
from asq_model.training.evaluate import count_correct, count_top_correct
from asq_model.training.load import as_arrays
from asq_model.training.monitor import Log, find_first_fault, observe_layer_states
from asq_model.training.state import EXAMPLES, TrainingState, digest_images, take_examples
from asq_model.training.trained_network import TrainedConfig


def train(
    recipe: Recipe, out: Path, run: RunOptions = DEFAULT_RUN, after_epoch: Callable[[int], None] = lambda epoch: None
) -> TrainedConfig:
    """Train by `recipe` and write the checkpoint `out`; return its configuration.

    Each epoch's state goes to `<out>.resume`, from which a later call goes on, with the same result to the last
    bit. Raises InputError when the loss is no longer a number; that file then still holds the last good epoch.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or cuBLAS is not deterministic
    check_choice("device", run.device, ("cpu", "cuda"))
    if run.device == "cuda" and not torch.cuda.is_available():
        raise InputError("device is cuda, but torch finds no CUDA device; allowed here: cpu", "device")
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True)
    with process_group(torch.device(run.device)), compiled_functions():
        return train_on(load_images(recipe, run), recipe, out, run, after_epoch)


def load_images(recipe: Recipe, run: RunOptions) -> Dataset:
    """Load the images that a recipe trains and tests on. Raises InputError."""
    dataset = load_dataset(recipe.data, run.data_folder, run.workers)
    return hold_back(dataset, recipe.validation) if recipe.validation else dataset


def check_same_images(path: Path, images: str, recipe: Recipe, run: RunOptions) -> None:
    """Raises InputError if a finished checkpoint was trained on other images than those in the data folder.

    images: the digest that the checkpoint has of its own, or empty where it has none.
    """
    split = load_images(recipe, run).train
    if images and images != digest_images(split, take_examples(split)):
        why = f"checkpoint {path} was trained on other images; give another --out, or --force to train again"
        raise InputError(f"data_folder is {shown(run.data_folder)}, but {why}", "data_folder")


def hold_back(dataset: Dataset, images: int) -> Dataset:
    """Make a dataset whose test set is the last training images of a fixed random order: for choosing, not for results.

    Raises InputError unless training images are left.
    """
    order = torch.randperm(len(dataset.train), generator=torch.Generator().manual_seed(0))
    if images >= len(order):
        raise InputError(f"validation is {images}; allowed: less than the {len(order)} training images", "validation")
    cut = len(order) - images
    return Dataset(dataset.train.select(order[:cut]), dataset.train.select(order[cut:]), dataset.classes)


def train_on(
    dataset: Dataset, recipe: Recipe, out: Path, run: RunOptions, after_epoch: Callable[[int], None]
) -> TrainedConfig:
    """Train on a dataset at hand, see `train`.

    The state must be gone before the process group is left: torch's DistributedDataParallel may hang otherwise.
    """
    state = TrainingState(recipe, dataset, run)
    resume_path = out.with_name(f"{out.name}.resume")
    train_epochs(state, resume_path, run.log, after_epoch)
    config = evaluate(state)
    if rank() == 0:
        write_checkpoint(out, as_arrays(state.model.state_dict()), config)
        resume_path.unlink(missing_ok=True)
    return config


def train_epochs(
    state: TrainingState, resume_path: Path, log_folder: Path | None, after_epoch: Callable[[int], None]
) -> None:
    """Train all epochs of the recipe from where a saved state stands; save, log and report each of them."""
    recipe = state.recipe
    state.resume(resume_path)
    state.save(resume_path)  # a folder that cannot be written to is better found out now
    log_files = closing(Log(log_folder if rank() == 0 else None, state.epoch))
    with log_files as log, progress_bar(TRAINING, quiet=rank() > 0) as bar:
        bar.expect(recipe.epochs * state.steps, done=state.epoch * state.steps)
        while state.epoch < recipe.epochs:
            if state.epoch == recipe.full_precision_epochs:
                state.start_quantised()
                bar.say(str(state.conversion))
            loss, accuracy = train_epoch(state, bar)
            state.save(resume_path)
            scalars = {"loss": loss, "accuracy": accuracy, "rate": state.optimiser.param_groups[0]["lr"]}
            log.write_epoch(state.epoch, scalars, state.model, state.examples.to(state.device))
            after_epoch(state.epoch)


def train_epoch(state: TrainingState, bar: Bar = SILENT) -> tuple[float, float]:
    """Train on all training images once: (mean loss, accuracy), of this process's part."""
    recipe = state.recipe
    state.parallel.train()
    generator = make_epoch_generator(recipe.seed, state.epoch)
    order = torch.randperm(len(state.train_set), generator=generator)[: state.steps * recipe.batch]
    total, hits, seen = 0.0, 0, 0
    for step, (images, labels) in enumerate(state.train_set.batches(order, recipe.batch, generator)):
        for group in state.optimiser.param_groups:
            group["lr"] = compute_learning_rate(recipe, state.epoch, step / state.steps)
        loss, correct = train_step(state, images, labels)
        total, hits, seen = total + loss * len(labels), hits + correct, seen + len(labels)
        phase = "full precision" if state.epoch < recipe.full_precision_epochs else "quantised"
        bar.advance(note=f"{phase}, loss {total / seen:.3f}, right {hits / seen:.1%}")
    state.epoch += 1
    return total / seen, hits / seen


def make_epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """Make the random numbers of one epoch, from a hash: torch's generator takes the low 32 bits of a seed only."""
    mixed = hashlib.sha256(f"{seed} {epoch}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(mixed[:4], "little"))


def compute_learning_rate(recipe: Recipe, epoch: int, progress: float) -> float:
    """Compute the rate: cosine decay to 0 within each phase; `progress` is how much of the epoch is done."""
    if epoch < recipe.full_precision_epochs:
        start, length, peak = 0, recipe.full_precision_epochs, recipe.full_precision_rate
    else:
        start, length, peak = recipe.full_precision_epochs, recipe.quantised_epochs, recipe.quantised_rate
    return peak * (1 + cos(pi * (epoch - start + progress) / length)) / 2


def train_step(state: TrainingState, images: Tensor, labels: Tensor) -> tuple[float, int]:
    """Do one update: (loss, correct) of this process's part. Raises InputError for a loss that is not finite."""
    recipe, device = state.recipe, state.device
    images, labels = images.to(device, memory_format=torch.channels_last), labels.to(device)
    where = f"in epoch {state.epoch + 1} of {recipe.epochs}"
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            logits = state.parallel(images)
    except InputError as error:
        raise InputError(f"training stopped {where}: {error}; {find_first_fault(state.model, images)}") from error
    logits = logits.float() if logits.dtype == torch.bfloat16 else logits
    loss = nn.functional.cross_entropy(logits, labels)
    if not torch.isfinite(loss):
        raise InputError(
            f"training stopped: the loss is {loss.item()} {where}; {find_first_fault(state.model, images)}"
        )
    state.optimiser.zero_grad()
    loss.backward()
    state.optimiser.step()
    return loss.item(), int((logits.argmax(1) == labels).sum())


def describe(state: TrainingState, full_precision_correct: int) -> TrainedConfig:
    """Describe a trained network as its checkpoint does, but for how many images its quantised form has right."""
    config: TrainedConfig = {
        "network": state.recipe.network,
        "classes": state.dataset.classes,
        "recipe": asdict(state.recipe),
        "start": state.start_digest,
        "layers": {name: make_layer_record(layer) for name, layer in layer_configs(state.model).items()},
        "fingerprint": state.fingerprint,
        "train_images": len(state.dataset.train),
        "test_images": len(state.dataset.test),
        "full_precision_correct": full_precision_correct,
    }
    if state.recipe.data != "digits":  # which come with scikit-learn: its version is in the fingerprint
        config["images"] = state.images_digest
    return config


def evaluate(state: TrainingState) -> TrainedConfig:
    """Test the trained network; return the configuration that its checkpoint has."""
    recipe, dataset, device = state.recipe, state.dataset, state.device
    if not state.full_precision_state:
        return describe(state, count_correct(state.model, dataset.test, device))
    full_precision = build_network(recipe.network, dataset.classes)
    full_precision.load_state_dict(state.full_precision_state)
    config = describe(state, count_correct(full_precision.to(device), dataset.test, device))
    config["quantised_correct"], config["quantised_top_5"] = count_top_correct(state.model, dataset.test, device)
    if rank() == 0:
        warn_of_adapters(state)
    return config


def warn_of_adapters(state: TrainingState) -> None:
    """Warn of layers whose adapters do not adapt.

    Those are layers with samples whose β sits on its floor or ceiling, where no gradient reaches it, and those whose β
    is a constant.
    """
    for name, layer in observe_layer_states(state.model, state.examples.to(state.device)).items():
        warnings = [
            f"β is on its {limit} for {share:.0%} of {EXAMPLES} training images"
            for limit, share in (("floor", layer.on_floor), ("ceiling", layer.on_ceiling))
            if share
        ]
        if layer.constant:
            warnings.append(f"{layer.constant}; its activations are quantised as by lsq")
        for warning in warnings:
            click.echo(f"warning: {name}: {warning}", err=True)
