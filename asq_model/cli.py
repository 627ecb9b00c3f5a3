"""The command line of the training room: `python -m asq_model train`, `golden`, `inspect`."""

import json
from pathlib import Path

import click

from asq_model.checkpoint import read_checkpoint
from asq_model.files import InputError
from asq_model.golden import MANIFEST, check_files, read_manifest
from asq_model.integer.mac import checked_range
from asq_model.overhead import table_1
from asq_model.recipe import Recipe, export_fingerprint, recipe_fingerprint


@click.group()
def cli():
    """Train ASQ/POST networks and export golden vectors."""


DEFAULT_BITS = 3


def network_options(command):
    """The options of every command that trains where there is no checkpoint yet."""
    for option in reversed(
        [
            click.option("--bits", type=int, help="Weight bits, 2-6.  [default: 3, or the checkpoint's]"),
            click.option("--abits", type=int, help="Activation bits, 2-8.  [default: as --bits]"),
            click.option("--levels", help="symmetric, extended or asymmetric.  [default: symmetric]"),
            click.option("--seed", type=int, default=0, show_default=True),
            click.option("--force", is_flag=True, help="Do it again even if nothing changed."),
        ]
    ):
        command = option(command)
    return command


def trained(bits: int | None, abits: int | None, levels: str | None, seed: int, out: Path | None, force: bool) -> Path:
    """The checkpoint of a recipe, trained now if it is not there or its inputs changed."""
    bits = DEFAULT_BITS if bits is None else bits
    abits = bits if abits is None else abits
    recipe = Recipe(weight_bits=bits, activation_bits=abits, kind=levels or "symmetric", seed=seed)
    out = out or Path("build/checkpoint") / f"digits_{recipe.level_set.name}_a{abits}_seed{seed}.safetensors"
    checked_range("ABITS", abits, 2, 8)
    if out.exists() and not force and made_again(out)[1].get("fingerprint") == recipe_fingerprint(recipe):
        click.echo(f"{out} is up to date", err=True)
        return out
    from asq_model.train import train

    config = train(recipe, out)
    click.echo(f"{out}: {config['quantised_correct']} of {config['test_images']} held-out digits correct", err=True)
    return out


def made_again(path: Path):
    """`read_checkpoint` of a file that this program can make again; says how, if it is damaged."""
    try:
        return read_checkpoint(path)
    except InputError as error:
        raise InputError(f"{error}; delete it or give --force (make: FORCE=1) to train again") from error


def exported(checkpoint: Path, out: Path | None, force: bool) -> Path:
    """The golden vectors of a checkpoint, exported now if they are not there or their inputs changed."""
    _, config = read_checkpoint(checkpoint)
    out = out or Path("build/golden") / checkpoint.stem
    if (out / MANIFEST).exists() and not force:
        try:
            manifest = read_manifest(out)
            check_files(out, manifest)
        except InputError as error:
            raise InputError(f"{error}; delete {out} or give --force (make: FORCE=1) to export again") from error
        if manifest["fingerprint"] == export_fingerprint(config["digest"]):
            click.echo(f"{out} is up to date", err=True)
            return out
    click.echo(f"exporting golden vectors of {checkpoint} to {out}", err=True)
    from asq_model.export import export

    export(checkpoint, out)
    return out


def check_fits(checkpoint: Path, asked: dict[str, object]) -> None:
    """Raises InputError unless a checkpoint has the bits and levels asked for (None: not asked)."""
    recipe = read_checkpoint(checkpoint)[1].get("recipe", {})
    keys = {"BITS": "weight_bits", "ABITS": "activation_bits", "LEVELS": "kind"}
    for name, wanted in asked.items():
        if wanted is not None and wanted != recipe.get(keys[name]):
            has = recipe.get(keys[name])
            raise InputError(f"{name} is {wanted}, but checkpoint {checkpoint} was trained with {name}={has}")


@cli.command()
@network_options
@click.option("--out", type=click.Path(path_type=Path), help="[default: build/checkpoint/<name>.safetensors]")
def train(bits, abits, levels, seed, out, force):
    """Train the digits network (full precision, then ASQ and POST) and print the checkpoint's path."""
    click.echo(trained(bits, abits, levels, seed, out, force))


@cli.command()
@network_options
@click.option("--ckpt", type=click.Path(path_type=Path), help="Take this checkpoint instead of training one.")
@click.option("--out", type=click.Path(path_type=Path), help="[default: build/golden/<checkpoint's name>]")
def golden(bits, abits, levels, seed, ckpt, out, force):
    """Export golden vectors (what a network's layers multiply on held-out images) and print their folder."""
    if ckpt is None:
        ckpt = trained(bits, abits, levels, seed, None, force)
    else:
        check_fits(ckpt, {"BITS": bits, "ABITS": abits, "LEVELS": levels})
    click.echo(exported(ckpt, out, force))


@cli.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
def inspect(checkpoint):
    """Verify a checkpoint and print its configuration as JSON."""
    click.echo(json.dumps(read_checkpoint(checkpoint)[1], indent=1))


@cli.command()
@click.argument("number", type=click.IntRange(1, 1))
def table(number):
    """Print the paper's table NUMBER beside the figures computed here (1: the overhead of ASQ on ResNet-18)."""
    click.echo(table_1())
