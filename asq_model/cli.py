"""The commands of `python -m asq_model`: train networks, export them, and write the pages on them."""

import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import product, repeat
from multiprocessing import get_context
from pathlib import Path

import click

from asq_model.common.child_processes import end_on_interrupt, interrupts_held
from asq_model.common.command_line import parsed_widths
from asq_model.common.errors import InputError, OtherFormat, check_range
from asq_model.common.files import write_text
from asq_model.common.option_types import (
    MOST_PROCESSES,
    OUTPUT,
    PATH,
    Integer,
    Real,
    given_options,
    refuse_unused,
    switch,
)
from asq_model.config.recipe import (
    MOST_RATE,
    MOST_THREADS,
    NETWORKS,
    Recipe,
    export_fingerprint,
    recipe_fingerprint,
    recipe_of,
)
from asq_model.export.excerpt import write_excerpt
from asq_model.spec.golden_vectors import MANIFEST, check_files, read_manifest
from asq_model.studies.adapter_overhead import table_1
from asq_model.training.checkpoint_file import read_checkpoint, read_tensors


@click.group()
def cli():
    """Train ASQ/POST networks and export golden vectors."""


DEFAULT_BITS = 3
EPOCHS = Integer(0, 1_000_000)
RATE = Real(0, MOST_RATE)
GOLDEN = Path("build/golden")
DIGITS_NEED_NO_DATA = "the digits network has its images from scikit-learn"


def network_options(command):
    """The options of every command that trains where there is no checkpoint yet."""
    for option in reversed(
        [
            click.option("--bits", type=Integer(), help="Weight bits, 2-6.  [default: 3, or the checkpoint's]"),
            click.option("--abits", type=Integer(), help="Activation bits, 2-8.  [default: as --bits]"),
            click.option("--levels", help="symmetric, extended or asymmetric.  [default: symmetric]"),
            click.option("--seed", type=Integer(0), help="[default: 0, or the checkpoint's]"),
            click.option("--data-folder", type=PATH, help="Where CIFAR-10 or ImageNet lies."),
            switch("--force", "1: do it again even if nothing changed."),
        ]
    ):
        command = option(command)
    return command


def bits_and_levels(bits: int | None, abits: int | None, levels: str | None) -> dict:
    """The fields of a recipe that these options mean."""
    bits = DEFAULT_BITS if bits is None else bits
    if abits is not None:
        check_range("ABITS", abits, 2, 8)
    return {"weight_bits": bits, "activation_bits": bits if abits is None else abits, "kind": levels}


def trained(recipe: Recipe, out: Path | None, force: bool, start: Path | None = None, **run) -> Path:
    """The checkpoint of a recipe, trained now if it is not there or its inputs changed."""
    out = out or Path("build/checkpoint") / f"{recipe.name}.safetensors"
    if out.exists() and not force:
        digest = read_tensors(start)[1] if start is not None else ""
        if made_again(out).get("fingerprint") == recipe_fingerprint(recipe, digest):
            click.echo(f"{out} is up to date", err=True)
            return out
    from asq_model.training.train import Run, train

    config = train(recipe, out, Run(start=start, **run))
    right = config.get("quantised_correct", config["full_precision_correct"])
    click.echo(f"{out}: {right} of {config['test_images']} held-out images correct", err=True)
    return out


def made_again(path: Path) -> dict:
    """The configuration in a checkpoint that this program can make again; says how, if it is damaged."""
    try:
        return read_checkpoint(path)[1]
    except OtherFormat:
        return {}
    except InputError as error:
        raise InputError(f"{error}; delete it or give --force (make: FORCE=1) to train again") from error


def exported(checkpoint: Path, out: Path | None, data_folder: Path | None, force: bool) -> Path:
    """The golden vectors of a checkpoint, exported now if they are not there or their inputs changed."""
    _, config = read_checkpoint(checkpoint)
    out = out or GOLDEN / checkpoint.stem
    if (out / MANIFEST).exists() and not force:
        try:
            manifest = read_manifest(out)
            check_files(out, manifest)
        except OtherFormat:
            manifest = {}
        except InputError as error:
            raise InputError(f"{error}; delete {out} or give --force (make: FORCE=1) to export again") from error
        if manifest.get("fingerprint") == export_fingerprint(config["digest"]):
            click.echo(f"{out} is up to date", err=True)
            return out
    click.echo(f"exporting golden vectors of {checkpoint} to {out}", err=True)
    from asq_model.export.golden_layers import export

    export(checkpoint, out, data_folder)
    return out


def digits_golden(recipe: Recipe, force: bool, line: int = 0) -> Path:
    """The golden vectors of the digits network, made now where they are not there. line: of the terminal, below others
    that train at the same time."""
    if sys.stderr.isatty():
        os.environ["TQDM_POSITION"] = str(line)
    return exported(trained(recipe, None, force), None, None, force)


def digits_goldens(recipes: list[Recipe], force: bool) -> list[Path]:
    """`digits_golden` of each; those that are not there yet at the same time, a processor each."""
    missing = [recipe for recipe in recipes if force or not (GOLDEN / recipe.name / MANIFEST).exists()]
    if len(missing) > 1:
        workers = min(len(missing), os.cpu_count() or 1)
        # A fork would copy torch's threads.
        with ProcessPoolExecutor(workers, get_context("spawn"), end_on_interrupt) as pool:
            with interrupts_held():
                started = pool.map(digits_golden, missing, repeat(force), range(len(missing)))
            try:
                list(started)
            except BrokenProcessPool as error:
                raise InputError("a process that trained a network was killed, for want of memory perhaps") from error
        force = False
    return [digits_golden(recipe, force) for recipe in recipes]


def check_fits(checkpoint: Path, asked: dict[str, object]) -> None:
    """Raises InputError unless a checkpoint has the bits and levels asked for (None: not asked)."""
    from asq_model.training.trained_network import read_trained

    recipe = read_trained(checkpoint)[1]["recipe"]
    keys = {"BITS": "weight_bits", "ABITS": "activation_bits", "LEVELS": "kind", "SEED": "seed"}
    for name, wanted in asked.items():
        if wanted is not None and wanted != recipe.get(keys[name]):
            has = recipe.get(keys[name])
            raise InputError(f"{name} is {wanted}, but checkpoint {checkpoint} was trained with {name}={has}")


def readable(checkpoints: tuple[Path, ...], data_folder: Path | None) -> tuple[Path, ...]:
    """Checkpoints, all of them read once so that a damaged one is found before work is done for others; if there are
    none, that of the digits network, trained now where it is missing. Raises InputError."""
    for checkpoint in checkpoints:
        read_checkpoint(checkpoint)
    if checkpoints:
        return checkpoints
    refuse_unused({"DATA": data_folder}, DIGITS_NEED_NO_DATA, "CKPT")
    return (trained(recipe_of("digits"), None, False),)


@cli.command()
@network_options
@click.option("--out", type=OUTPUT, help="[default: build/checkpoint/<name>.safetensors]")
@click.option("--network", default="digits", show_default=True, help=f"{', '.join(NETWORKS)}.")
@click.option("--data", help="digits, cifar10 or imagenet.  [default: the network's own]")
@click.option("--weights", "family", help="post, pot, apot, e2m1, uniform (LSQ) or dorefa.  [default: post]")
@click.option("--activations", help="asq, lsq, lsq+, pact or dorefa.  [default: asq]")
@click.option("--warm-start", "start", type=PATH, help="Start from this full-precision safetensors file.")
@click.option("--full-epochs", "full_precision_epochs", type=EPOCHS, help="Epochs in full precision.")
@click.option("--epochs", "quantised_epochs", type=EPOCHS, help="Epochs quantised.  [default: as the paper has it]")
@click.option("--full-rate", "full_precision_rate", type=RATE, help="First learning rate in full precision.")
@click.option("--rate", "quantised_rate", type=RATE, help="First learning rate quantised.")
@click.option("--product-frac", type=Integer(), help="Bits of √2·a in training, -1 to 12.  [default: exact]")
@click.option("--adapter-start", help="active, or authors: as published, dead at times.  [default: active]")
@click.option("--batch", type=Integer(1), help="Images per update, of all processes together.")
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
@click.option("--tensorboard", "log", type=OUTPUT, help="Write TensorBoard files to this folder.")
def train(bits, abits, levels, data_folder, force, out, network, start, device, log, workers, **fields):
    """Train a network (full precision, then quantised) and print the checkpoint's path.

    Under torchrun, the processes share the work. Killed, it goes on from the last whole epoch when run again.
    """
    recipe = recipe_of(network, **bits_and_levels(bits, abits, levels), **fields)
    click.echo(trained(recipe, out, force, start, data_folder=data_folder, device=device, log=log, workers=workers))


@cli.command()
@network_options
@click.option("--ckpt", type=PATH, help="Take this checkpoint instead of training one.")
@click.option("--widths", help="Networks of several weight x activation bits at once, as 3x3,4x8.")
@click.option("--excerpt", type=OUTPUT, help="Write what hardware comparisons need of them below this folder, too.")
@click.option("--out", type=OUTPUT, help="[default: build/golden/<checkpoint's name>]")
def golden(bits, abits, levels, seed, data_folder, ckpt, widths, excerpt, out, force):
    """Export golden vectors (what a network's layers multiply on held-out images) and print their folder."""
    if ckpt is None:
        refuse_unused({"DATA": data_folder}, DIGITS_NEED_NO_DATA, "CKPT")
    if widths is not None:
        refuse_unused({"BITS": bits, "ABITS": abits, "CKPT": ckpt, "OUT": out}, f"WIDTHS is {widths!r}")
        recipes = [recipe_of("digits", seed=seed, **bits_and_levels(*pair, levels)) for pair in parsed_widths(widths)]
        folders = digits_goldens(recipes, force)
    else:
        if ckpt is None:
            ckpt = trained(recipe_of("digits", seed=seed, **bits_and_levels(bits, abits, levels)), None, force)
        else:
            check_fits(ckpt, {"BITS": bits, "ABITS": abits, "LEVELS": levels, "SEED": seed})
        folders = [exported(ckpt, out, data_folder, force)]
    for folder in folders:
        if excerpt is not None:
            write_excerpt(folder, excerpt / folder.name)
        click.echo(folder)


@cli.command()
@click.argument("checkpoint", type=PATH)
def inspect(checkpoint):
    """Verify a checkpoint and print its configuration as JSON."""
    click.echo(json.dumps(read_checkpoint(checkpoint)[1], indent=1))


@cli.command()
@click.argument("checkpoint", type=PATH)
@click.option("--data-folder", type=PATH, help="Where CIFAR-10 or ImageNet lies.")
@click.option("--out", type=OUTPUT, help="[default: build/onnx/<checkpoint's name>.onnx]")
def onnx(checkpoint, data_folder, out):
    """Write a quantised network as ONNX, run it in onnxruntime on test images, and print the file's path."""
    from asq_model.export.onnx import checked_export

    out = out or Path("build/onnx") / f"{checkpoint.stem}.onnx"
    images, agreeing = checked_export(checkpoint, out, data_folder)
    click.echo(f"onnxruntime gives torch's logits for {agreeing} of {images} test images", err=True)
    click.echo(out)


@cli.command()
@click.argument("number", type=Integer(1, 5), metavar="TABLE")
@click.option("--data-folder", type=PATH, help="Where CIFAR-10 (4, 5) or ImageNet (2, 3) lies.")
@click.option("--warm-start", "start", type=PATH, help="Full-precision weights: a file, or for 2 a folder.")
@click.option("--network", help="Instead of the paper's networks, such as resnet8 for 4 and 5.")
@click.option("--full-epochs", type=EPOCHS, help="In full precision, without --warm-start (4, 5).")
@click.option("--epochs", type=EPOCHS, help="Quantised.  [default: as the paper has it]")
@click.option("--seeds", type=Integer(1, 1000), default=1, show_default=True, help="Runs of each row.")
@click.option("--jobs", type=Integer(1, MOST_PROCESSES), default=1, show_default=True, help="Runs side by side.")
@click.option("--adapter-start", help="active, or authors: as published, dead at times.  [default: active]")
@click.option("--batch", type=Integer(1), help="Images per update.  [default: as the paper has it]")
@click.option("--threads", type=Integer(1, MOST_THREADS), help="CPU threads of each run.")
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
@click.option("--precision", help="float32 or bfloat16 (mixed).  [default: float32]")
@click.option("--out", type=OUTPUT, default=Path("build/study"), show_default=True)
@click.option("--results", type=OUTPUT, default=Path("docs/results"), show_default=True)
@click.option("--note", default="", help="What else the page shall say of the data.")
def reproduce(number, out, results, **options):
    """Make the paper's table NUMBER anew: 1 is printed; 2 to 5 are trained, and the page goes to RESULTS.

    Checkpoints go to OUT. Run again after a kill, it goes on from the runs that are there.
    """
    if number == 1:
        refuse_unused(given_options(click.get_current_context()), "TABLE is 1, which is computed, not trained")
        click.echo(table_1())
        return
    from asq_model.studies.run_tables import prepared, run_study
    from asq_model.studies.tables_page import page, results_name

    study = prepared(number, out, **options)
    target = results / results_name(study.table)
    found = run_study(study, target)
    for failure in found["failed"]:
        what = f"{failure['network']} {failure['label']} {failure['bits']} bits seed {failure['seed']}"
        click.echo(f"failed: {what}: {failure['error']}", err=True)
    if found["runs"]:
        write_text(target.with_suffix(".md"), page(found))
        click.echo(target.with_suffix(".md"))
    if found["failed"]:
        raise InputError(f"{len(found['failed'])} of {len(found['failed']) + len(found['runs'])} runs failed")


@cli.command()
@click.option("--rounds", type=Integer(1), default=20, show_default=True, help="Steps of each network.")
@click.option("--threads", type=Integer(1, MOST_THREADS), default=2, show_default=True, help="CPU threads.")
@click.option("--out", type=OUTPUT, help="Write the table there too.")
def bench(rounds, threads, out):
    """Print what quantisation costs a training step, beside full precision and (where installed) Brevitas."""
    from asq_model.common.records import write_record
    from asq_model.common.result_schemas import BENCH
    from asq_model.studies.training_cost import measure
    from asq_model.studies.training_cost_page import page, table

    report = measure(rounds, threads)
    click.echo(table(report))
    if out is not None:
        write_record(out.with_suffix(".json"), BENCH, report)
        write_text(out.with_suffix(".md"), page(report))


@cli.command()
@click.option("--network", default="resnet20", show_default=True)
@click.option("--seed", type=Integer(0), default=0, show_default=True)
@click.option("--study", type=PATH, default=Path("build/study"), show_default=True)
@click.option("--warm-start", "start", type=PATH, help="What the study started from, if given.")
@click.option("--data-folder", type=PATH, help="Where CIFAR-10 lies.")
@click.option("--out", type=OUTPUT, default=Path("docs/results"), show_default=True)
@click.option("--note", default="", help="What else the page shall say of the data.")
def figures(network, seed, study, start, data_folder, out, note):
    """Draw the paper's figures 1, 3, 4, 5 and 6 from the checkpoints of `reproduce 5`."""
    from asq_model.studies.paper_figures import draw, networks_of

    for path in draw(networks_of(network, seed, study, start, data_folder), out, note):
        click.echo(path)


@cli.command()
@click.argument("checkpoints", type=PATH, nargs=-1, metavar="[CKPT]...")
@click.option("--data-folder", type=PATH, help="Where CIFAR-10 lies.")
@click.option("--images", type=Integer(1), default=1000, show_default=True, help="Of the test set.")
@click.option("--precision", type=Integer(), multiple=True, help="Bits of the integers, 12-20; may be repeated.")
@click.option("--out", type=OUTPUT, help="Write the page there too.")
@click.option("--note", default="", help="What else the page shall say of the data.")
def parity(checkpoints, data_folder, images, precision, out, note):
    """Compare checkpoints' networks in integers with torch, layer by layer; without any, the digits network's."""
    from tqdm import tqdm

    from asq_model.common.records import write_record
    from asq_model.spec.adaptive_step import Precision
    from asq_model.studies.integer_parity import measure
    from asq_model.studies.integer_parity_page import PARITY, page, table

    precisions = [Precision(bits) for bits in precision or [Precision().bits]]
    found = []
    for checkpoint, chosen in product(readable(checkpoints, data_folder), precisions):
        with tqdm(total=images, unit="image", desc="parity", delay=1) as bar:
            found.append(measure(checkpoint, images, data_folder, chosen, bar.update))
        click.echo(table(found[-1]))
    if out is not None:
        report = {"note": note, "networks": found}
        write_record(out.with_suffix(".json"), PARITY, report)
        write_text(out.with_suffix(".md"), page(report))


@cli.command()
@click.argument("checkpoints", type=PATH, nargs=-1, metavar="[CKPT]...")
@click.option("--data-folder", type=PATH, help="Where CIFAR-10 or ImageNet lies.")
@click.option("--images", type=Integer(1), help="Of the test set, the first.  [default: all]")
@click.option("--only", multiple=True, help="An arithmetic by its name, as the table has it; may be given repeatedly.")
@click.option("--out", type=OUTPUT, help="Add the rows to this JSON, and write the page beside it.")
@click.option("--note", default="", help="What else the page shall say of the data.  [default: as before]")
def arithmetic(checkpoints, data_folder, images, only, out, note):
    """Measure what the hardware's rounding of products costs networks in accuracy; without any, the digits network."""
    from tqdm import tqdm

    from asq_model.common.records import read_record, write_record
    from asq_model.common.result_schemas import ARITHMETIC
    from asq_model.studies.product_rounding import NAMES, measure
    from asq_model.studies.product_rounding_page import page, study_of, table

    for name in only:
        if name not in NAMES:
            raise InputError(f"ONLY is {name!r}; allowed: {', '.join(NAMES)}")
    known = read_record(out, ARITHMETIC) if out is not None and out.exists() else None
    checkpoints, rows = readable(checkpoints, data_folder), []
    with tqdm(unit="run", desc="arithmetic", delay=1) as bar:

        def progress(name: str) -> None:
            bar.set_postfix_str(f"{checkpoint.stem}, {name}", refresh=False)
            bar.update()

        for checkpoint in checkpoints:
            rows += measure(checkpoint, images, data_folder, only, progress)
            if out is not None:
                study = study_of(rows, known, note)
                write_record(out, ARITHMETIC, study)
                write_text(out.with_suffix(".md"), page(study, out.name))
    click.echo("\n".join(table(rows)))


@cli.command()
@click.option("--results", type=OUTPUT, default=Path("docs/results"), show_default=True)
def pages(results):
    """Write the pages of RESULTS anew from the JSON beside them."""
    from asq_model.studies.pages import written

    for path in written(results):
        click.echo(path)
