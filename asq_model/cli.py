"""The commands of `python -m asq_model`: train networks, export what they multiply, repeat the paper's experiments."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from asq_model.artifacts import GOLDEN, check_fits, export_digits_networks, export_if_needed, train_if_needed
from asq_model.common.command_line import parse_widths
from asq_model.common.errors import fields_named, shown
from asq_model.common.option_types import (
    CHECKPOINT,
    MOST_PROCESSES,
    OUTPUT_FILE,
    OUTPUT_FOLDER,
    Commands,
    Integer,
    Real,
    refuse_unused,
    switch,
)
from asq_model.config.recipe import MOST_EPOCHS, MOST_RATE, MOST_THREADS, NETWORKS, Recipe, recipe_of
from asq_model.config.run_options import RunOptions
from asq_model.export.excerpt import check_excerpt_folder, check_excerpt_layers, write_excerpt
from asq_model.golden_choice import check_golden_choice, layers_of_checkpoint, layers_of_recipe
from asq_model.network_commands import network_commands
from asq_model.studies.commands import studies
from asq_model.studies.compare_commands import comparisons
from asq_model.studies.network_options import DATA, DIGITS_NEED_NO_DATA
from asq_model.studies.zoo_commands import zoo

DEFAULT_BITS = 3
EPOCHS = Integer(0, MOST_EPOCHS)
RATE = Real(0, MOST_RATE)


@click.group(cls=Commands)
def cli() -> None:
    """Train networks with POST weights and ASQ activations, and export them for hardware."""


def add_network_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command that trains a network where there is no checkpoint yet."""
    options: list[Callable[[Callable[..., Any]], Callable[..., Any]]] = [
        click.option(
            "--bits", "weight_bits", type=Integer(), help="Bits of a weight.  [default: 3, or the checkpoint's]"
        ),
        click.option("--abits", "activation_bits", type=Integer(), help="Bits of an activation.  [default: as --bits]"),
        click.option("--kind", help="Level set: symmetric, extended or asymmetric.  [default: symmetric]"),
        click.option("--seed", type=Integer(0), help="Seed of all random numbers.  [default: 0, or the checkpoint's]"),
        DATA,
        switch("--force", "1: do it again even if nothing changed."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def fill_default_bits(weight_bits: int | None, activation_bits: int | None) -> dict[str, int]:
    """Fill in a recipe's fields for these bits; where they are not given, as many for activations as for weights."""
    bits = DEFAULT_BITS if weight_bits is None else weight_bits
    return {"weight_bits": bits, "activation_bits": bits if activation_bits is None else activation_bits}


def recipes_of_widths(widths: str, **others: Any) -> list[Recipe]:
    """The recipe of the digits network for each of several widths, as `3x3,4x8`, that is there once. Raises InputError.

    others: fields that all of them have.
    """
    pairs = [fill_default_bits(*pair) for pair in parse_widths("--widths", widths)]
    named = {"weight_bits": "weight bits of --widths", "activation_bits": "activation bits of --widths"}
    with fields_named(named):
        return list(dict.fromkeys(recipe_of("digits", **pair, **others) for pair in pairs))


@cli.command(epilog="Example: asq-post train --bits 4 --activations lsq")
@add_network_options
@click.option("--out", type=OUTPUT_FILE, help="Checkpoint to write.  [default: build/checkpoint/<name>.safetensors]")
@click.option("--network", default="digits", show_default=True, help=f"{', '.join(NETWORKS)}.")
@click.option("--dataset", "data", help="digits, cifar10 or imagenet.  [default: the network's own]")
@click.option("--family", help="Weights: post, pot, apot, e2m1, uniform (LSQ) or dorefa.  [default: post]")
@click.option("--activations", help="asq, lsq, lsq+, pact, dorefa or pot.  [default: asq]")
@click.option("--from", "start", type=CHECKPOINT, help="Full-precision weights to start from, a safetensors file.")
@click.option(
    "--full-epochs",
    "full_precision_epochs",
    type=EPOCHS,
    help="Epochs in full precision.  [default: the network's own; none with --from]",
)
@click.option("--epochs", "quantised_epochs", type=EPOCHS, help="Epochs quantised.  [default: the network's own]")
@click.option(
    "--full-rate",
    "full_precision_rate",
    type=RATE,
    help="First learning rate in full precision.  [default: the network's own]",
)
@click.option(
    "--rate", "quantised_rate", type=RATE, help="First learning rate quantised.  [default: the network's own]"
)
@click.option("--product-frac", type=Integer(), help="Fraction bits of √2·a in training, -1 to 12.  [default: exact]")
@click.option("--adapter-start", help="active, or authors: as published, dead at times.  [default: active]")
@click.option("--step-gradient", help="numel, features or unscaled: LSQ's gradient scale.  [default: numel]")
@click.option(
    "--batch", type=Integer(1), help="Images per update, of all processes together.  [default: the network's own]"
)
@click.option("--validation", type=Integer(0), help="Hold that many training images back and test on them instead.")
@click.option("--threads", type=Integer(1, MOST_THREADS), help="CPU threads per process.")
@click.option("--precision", help="float32 or bfloat16 (mixed).  [default: float32]")
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
@click.option(
    "--workers",
    type=Integer(0, MOST_PROCESSES),
    default=2,
    show_default=True,
    help="Processes that decode an image folder's images.",
)
@click.option("--tensorboard", "log", type=OUTPUT_FOLDER, help="Write TensorBoard files to this folder.")
def train(
    weight_bits: int | None,
    activation_bits: int | None,
    data_folder: Path | None,
    force: bool,
    out: Path | None,
    network: str,
    start: Path | None,
    device: str,
    log: Path | None,
    workers: int,
    **fields: Any,
) -> None:
    """Train a network and write a checkpoint.

    Trains first in full precision, then quantised, and prints the checkpoint's path. Under torchrun, the processes
    share the work. After a kill, the same command goes on from the last whole epoch.
    """
    if start is not None and fields["full_precision_epochs"] is None:
        fields["full_precision_epochs"] = 0  # what it starts from is trained already
    recipe = recipe_of(network, **fill_default_bits(weight_bits, activation_bits), **fields)
    click.echo(train_if_needed(recipe, out, force, RunOptions(data_folder, start, device, log, workers)))


def check_checkpoint(
    ckpt: Path, asked: dict[str, object], unit: str | None, layer: str | None, excerpted: Path | None
) -> None:
    """Raises InputError unless a checkpoint's recipe and golden vectors have what is asked for.

    asked: values of the recipe's fields; None where any will do. excerpted: the folder of the golden vectors, if an
    excerpt of them is to be written.
    """
    check_fits(ckpt, asked)
    layers = layers_of_checkpoint(ckpt)
    check_golden_choice(layers, unit, layer)
    if excerpted is not None:
        check_excerpt_layers(excerpted, layers)


@cli.command(epilog="Example: asq-post export --ckpt build/checkpoint/digits_post3_a3_seed0.safetensors")
@add_network_options
@click.option(
    "--ckpt",
    type=CHECKPOINT,
    help="Checkpoint to export.  [default: the digits network's, trained now]",
)
@click.option("--widths", help="Networks of several weight x activation bits at once, as 3x3,4x8.")
@click.option("--excerpt", type=OUTPUT_FOLDER, help="Also write here the small part that comparing hardware needs.")
@click.option("--unit", help="Only go on if there will be vectors for this unit, block or module.")
@click.option("--layer", help="Only go on if the network has this layer.")
@click.option("--out", type=OUTPUT_FOLDER, help="Folder to write.  [default: build/golden/<checkpoint's name>]")
def export(
    weight_bits: int | None,
    activation_bits: int | None,
    kind: str | None,
    seed: int | None,
    data_folder: Path | None,
    ckpt: Path | None,
    widths: str | None,
    excerpt: Path | None,
    unit: str | None,
    layer: str | None,
    out: Path | None,
    force: bool,
) -> None:
    """Export golden vectors of a trained network.

    Golden vectors are what the network's layers multiply on held-out images, and what must come out. Without --ckpt the
    digits network is trained first. Prints the folder. What --unit and --layer name is checked before anything is
    trained.
    """
    if ckpt is None:
        refuse_unused({"--data": data_folder}, DIGITS_NEED_NO_DATA, "--ckpt")
    if excerpt is not None:
        check_excerpt_folder(excerpt, GOLDEN if out is None else out.parent)
    bits = {"weight_bits": weight_bits, "activation_bits": activation_bits}
    if widths is not None:
        unused: dict[str, object] = {"--ckpt": ckpt, "--out": out, "--unit": unit, "--layer": layer}
        refuse_unused(bits | unused, f"--widths is {shown(widths)}")
        folders = export_digits_networks(recipes_of_widths(widths, seed=seed, kind=kind), force)
    elif ckpt is None:
        recipe = recipe_of("digits", seed=seed, kind=kind, **fill_default_bits(weight_bits, activation_bits))
        if unit is not None or layer is not None:
            check_golden_choice(layers_of_recipe(recipe), unit, layer)
        folders = [export_if_needed(train_if_needed(recipe, None, force), out, None, force)]
    else:
        excerpted = None if excerpt is None else out or GOLDEN / ckpt.stem
        check_checkpoint(ckpt, bits | {"kind": kind, "seed": seed}, unit, layer, excerpted)
        folders = [export_if_needed(ckpt, out, data_folder, force)]
    for folder in folders:
        if excerpt is not None:
            write_excerpt(folder, excerpt / folder.name)
        click.echo(folder)


for command in [*network_commands, *studies, *comparisons, zoo]:
    cli.add_command(command)
