"""The command line of the training room: `python -m asq_model train`, `export`, `inspect`."""

import json
from pathlib import Path

import click

from asq_model.checkpoint import read_checkpoint
from asq_model.codes import LevelSet
from asq_model.files import InputError
from asq_model.golden import MANIFEST, check_files, read_manifest
from asq_model.integer.mac import checked_range


@click.group()
def cli():
    """Train ASQ/POST networks and export golden vectors."""


def checkpoint_name(family: str, kind: str, bits: int, abits: int) -> str:
    suffix = f"_{kind}" if kind not in ("", "symmetric") else ""
    return f"digits_{family}_w{bits}a{abits}{suffix}"


@cli.command()
@click.option("--bits", type=int, default=3, show_default=True, help="Weight bits, 2-6.")
@click.option("--abits", type=int, help="Activation bits, 2-8.  [default: as --bits]")
@click.option("--family", type=click.Choice(["post", "pot"]), default="post", show_default=True)
@click.option("--levels", default="symmetric", show_default=True, help="symmetric, extended or asymmetric.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="[default: build/checkpoint/<name>.safetensors]")
@click.option("--force", is_flag=True, help="Train again even if nothing changed.")
def train(bits, abits, family, levels, seed, out, force):
    """Train the digits network: full precision, then ASQ activations and POST weights."""
    abits = bits if abits is None else abits
    LevelSet(family, bits, levels)
    checked_range("ABITS", abits, 2, 8)
    out = out or Path("build/checkpoint") / f"{checkpoint_name(family, levels, bits, abits)}.safetensors"
    from asq_model.recipe import Recipe, recipe_fingerprint

    recipe = Recipe(weight_bits=bits, activation_bits=abits, family=family, kind=levels, seed=seed)
    if out.exists() and not force and read_checkpoint(out)[1].get("fingerprint") == recipe_fingerprint(recipe):
        click.echo(f"{out} is up to date")
        return
    from asq_model.train import train

    config = train(recipe, out)
    click.echo(f"{out}: {config['quantised_correct']} of {config['test_images']} held-out digits correct")


@cli.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
def inspect(checkpoint):
    """Verify a checkpoint and print its configuration as JSON."""
    click.echo(json.dumps(read_checkpoint(checkpoint)[1], indent=1))


@cli.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--bits", type=int, help="Fail unless the checkpoint has these weight bits.")
@click.option("--abits", type=int, help="Fail unless the checkpoint has these activation bits.")
@click.option("--levels", help="Fail unless the checkpoint has this level set.")
@click.option("--out", type=click.Path(path_type=Path), help="[default: build/golden/<checkpoint's name>]")
@click.option("--force", is_flag=True, help="Export again even if nothing changed.")
def export(checkpoint, bits, abits, levels, out, force):
    """Export golden vectors of a checkpoint: what its layers multiply on held-out images."""
    _, config = read_checkpoint(checkpoint)
    recipe = config.get("recipe", {})
    asked = {"BITS": (bits, "weight_bits"), "ABITS": (abits, "activation_bits"), "LEVELS": (levels, "kind")}
    for name, (wanted, key) in asked.items():
        if wanted is not None and wanted != recipe.get(key):
            raise InputError(f"{name} is {wanted}, but checkpoint {checkpoint} was trained with {recipe.get(key)}")
    out = out or Path("build/golden") / checkpoint.stem
    from asq_model.recipe import export_fingerprint

    if (out / MANIFEST).exists() and not force:
        manifest = read_manifest(out)
        check_files(out, manifest)
        if manifest["fingerprint"] == export_fingerprint(config["digest"]):
            click.echo(f"{out} is up to date")
            return
    from asq_model.export import export

    manifest = export(checkpoint, out)
    click.echo(f"{out}: {manifest['products']} products of {len(manifest['layers'])} layers")
