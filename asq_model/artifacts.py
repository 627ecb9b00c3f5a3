"""Checkpoints and golden vectors, made when they are missing or when what they depend on has changed."""

import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stderr
from io import StringIO
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click

from asq_model.common.child_processes import end_on_interrupt, interrupts_held
from asq_model.common.errors import InputError, OtherFormat, shown
from asq_model.common.progress import progress_bar
from asq_model.config.fingerprints import fingerprint_export, fingerprint_network, fingerprint_recipe
from asq_model.config.recipe import Recipe
from asq_model.config.run_options import DEFAULT_RUN, RunOptions
from asq_model.spec.golden_vectors import GRAPH_FILE, MANIFEST, check_files, read_manifest
from asq_model.spec.graph.file import read_graph
from asq_model.spec.graph.samples import SAMPLES_FILE, read_samples
from asq_model.training.checkpoint_file import read_checkpoint, read_tensors
from asq_model.training.trained_network import read_quantised

GOLDEN, GRAPHS = Path("build/golden"), Path("build/graph")


def train_if_needed(recipe: Recipe, out: Path | None, force: bool, run: RunOptions = DEFAULT_RUN) -> Path:
    """Train a recipe's network unless its checkpoint is up to date; return the checkpoint's path.

    Raises InputError if the checkpoint is up to date but was trained on other images than those of the data folder.
    """
    out = out or Path("build/checkpoint") / f"{recipe.name}.safetensors"
    if out.exists() and not force:
        digest = read_tensors(run.start)[1] if run.start is not None else ""
        known = read_for_retraining(out)
        if known.get("fingerprint") == fingerprint_recipe(recipe, digest):
            if run.data_folder is not None:
                from asq_model.training.train import check_same_images

                check_same_images(out, known.get("images", ""), recipe, run)
            click.echo(f"{out} is up to date", err=True)
            return out
    from asq_model.training.train import train

    config = train(recipe, out, run)
    right = config.get("quantised_correct", config["full_precision_correct"])
    click.echo(f"{out}: {right} of {config['test_images']} held-out images correct", err=True)
    return out


def read_for_retraining(path: Path) -> dict[str, Any]:
    """Read the configuration of a checkpoint that a recipe can make again.

    Raises InputError that says how, if the file is damaged.
    """
    try:
        return read_checkpoint(path)[1]
    except OtherFormat:
        return {}
    except InputError as error:
        raise InputError(f"{error}; delete it or give --force to train again") from error


def export_if_needed(checkpoint: Path, out: Path | None, data_folder: Path | None, force: bool) -> Path:
    """Export a checkpoint's golden vectors unless they are up to date; return their folder."""
    _, config = read_quantised(checkpoint)
    out = out or GOLDEN / checkpoint.stem
    if (out / MANIFEST).exists() and not force:
        known = ""
        try:
            manifest = read_manifest(out)
            check_files(out, manifest)
            known = manifest.get("fingerprint", "")
        except OtherFormat:
            pass  # of another version: made again
        except InputError as error:
            raise InputError(f"{error}; delete {out} or give --force to export again") from error
        if known == fingerprint_export(config["digest"]):
            click.echo(f"{out} is up to date", err=True)
            return out
    click.echo(f"exporting golden vectors of {checkpoint} to {out}", err=True)
    from asq_model.export.golden_checkpoint import export

    export(checkpoint, out, data_folder)
    return out


def write_network_if_needed(
    checkpoint: Path, out: Path | None, data_folder: Path | None, images: int | None, bits: int, force: bool
) -> Path:
    """Write a checkpoint's graph and test images unless they are up to date; return their folder."""
    _, config = read_quantised(checkpoint)
    out = out or GRAPHS / checkpoint.stem
    wanted = fingerprint_network(config["digest"], images, bits)
    if (out / GRAPH_FILE).exists() and not force:
        try:
            if network_is_there(out, wanted):
                click.echo(f"{out} is up to date", err=True)
                return out
        except InputError as error:
            raise InputError(f"{error}; delete {out} or give --force to write it again") from error
    from asq_model.export.network_graph import write_network

    click.echo(f"writing the network of {checkpoint} in integers to {out}", err=True)
    write_network(checkpoint, out, data_folder, images, bits)
    return out


def network_is_there(folder: Path, fingerprint: str) -> bool:
    """Whether a folder has the graph of that fingerprint, and its test images. Raises InputError for damaged ones."""
    try:
        graph, about = read_graph(folder / GRAPH_FILE)
        if about.get("fingerprint") != fingerprint or not (folder / SAMPLES_FILE).exists():
            return False
        read_samples(folder / SAMPLES_FILE, graph.input)
    except OtherFormat:
        return False
    return True


def export_digits_network(recipe: Recipe, force: bool) -> Path:
    """Make the golden vectors of the digits network where they are not there yet."""
    return export_if_needed(train_if_needed(recipe, None, force), None, None, force)


def export_in_silence(recipe: Recipe, force: bool) -> Path:
    """Make the golden vectors of a digits network and print nothing: for a child, whose parent shows the progress."""
    with redirect_stderr(StringIO()):
        return export_digits_network(recipe, force)


def export_digits_networks(recipes: list[Recipe], force: bool) -> list[Path]:
    """Make the golden vectors of several digits networks, the missing ones at the same time, a processor each."""
    missing = [recipe for recipe in recipes if force or not (GOLDEN / recipe.name / MANIFEST).exists()]
    if len(missing) > 1:
        workers = min(len(missing), os.cpu_count() or 1)
        # A fork would copy torch's threads.
        with ProcessPoolExecutor(workers, get_context("spawn"), end_on_interrupt) as pool:
            with interrupts_held():
                started = pool.map(export_in_silence, missing, repeat(force))
            try:
                with progress_bar("networks") as bar:
                    bar.expect(len(missing))
                    for folder in started:
                        bar.say(f"{folder} is exported")
                        bar.advance()
            except BrokenProcessPool as error:
                raise InputError("a process that trained a network was killed, for want of memory perhaps") from error
        force = False
    return [export_digits_network(recipe, force) for recipe in recipes]


def check_fits(checkpoint: Path, asked: dict[str, object]) -> None:
    """Raises InputError unless a checkpoint's recipe has the values that are asked for, by field (None: not asked)."""
    from asq_model.training.trained_network import read_trained

    recipe = read_trained(checkpoint)[1]["recipe"]
    for name, wanted in asked.items():
        if wanted is not None and wanted != recipe.get(name):
            found = "none" if recipe.get(name) in ("", None) else recipe[name]
            trained = f"checkpoint {checkpoint} was trained with {found}"
            raise InputError(f"{name} is {shown(wanted)}, but {trained}", name)
