"""The commands of `python -m asq_model` on a trained network: look into it, write it in other forms, bring one."""

import json
from pathlib import Path

import click

from asq_model.artifacts import GOLDEN, write_network_if_needed
from asq_model.common.option_types import CHECKPOINT, OUTPUT_FILE, OUTPUT_FOLDER, PATH, Integer, switch
from asq_model.common.terminal import convert_markdown
from asq_model.studies.network_options import DATA, INTEGER_BITS, read_or_train
from asq_model.training.checkpoint_file import read_checkpoint


@click.command(epilog="Example: asq-post inspect build/checkpoint/digits_post3_a3_seed0.safetensors")
@click.argument("checkpoint", type=CHECKPOINT, metavar="CKPT")
def inspect(checkpoint: Path) -> None:
    """Check a checkpoint and print its settings.

    Compares the file with its digest; prints the configuration as JSON.
    """
    click.echo(json.dumps(read_checkpoint(checkpoint)[1], indent=1))


@click.command(epilog="Example: asq-post onnx build/checkpoint/digits_post3_a3_seed0.safetensors")
@click.argument("checkpoint", type=CHECKPOINT, metavar="CKPT")
@DATA
@switch("--qonnx", "1: as QONNX, for FINN and hls4ml; networks without adapters.")
@click.option("--out", type=OUTPUT_FILE, help="File to write.  [default: build/onnx/<checkpoint's name>.onnx]")
def onnx(checkpoint: Path, data_folder: Path | None, qonnx: bool, out: Path | None) -> None:
    """Write a trained network as ONNX.

    Runs the file in onnxruntime on test images, or reads the QONNX back if its weights are uniform, compares it with
    torch, and prints its path.
    """
    out = out or Path("build/onnx") / f"{checkpoint.stem}{'.qonnx' if qonnx else ''}.onnx"
    if qonnx:
        from asq_model.exchange.export_qonnx import export_and_read_back

        compared = export_and_read_back(checkpoint, out, data_folder)
    else:
        from asq_model.export.onnx import export_and_compare

        compared = export_and_compare(checkpoint, out, data_folder)
    if compared is None:
        click.echo("not read back: it has weights of levels for which QONNX has no node, as constants", err=True)
    else:
        images, agreeing = compared
        reader = "the file, read back," if qonnx else "onnxruntime"
        click.echo(f"{reader} gives torch's logits for {agreeing} of {images} test images", err=True)
    click.echo(out)


@click.command(epilog="Example: asq-post graph --ckpt build/checkpoint/digits_post3_a3_seed0.safetensors")
@click.option(
    "--ckpt",
    type=CHECKPOINT,
    help="Checkpoint of the network.  [default: the digits network's, trained now]",
)
@DATA
@click.option("--images", type=Integer(1), help="How many test images.  [default: all of the digits', else 20]")
@click.option("--precision", type=INTEGER_BITS, default=16, show_default=True, help="Bits of the integers, 12-20.")
@click.option("--out", type=OUTPUT_FOLDER, help="Folder to write.  [default: build/graph/<checkpoint's name>]")
@switch("--force", "1: do it again even if nothing changed.")
def graph(
    ckpt: Path | None, data_folder: Path | None, images: int | None, precision: int, out: Path | None, force: bool
) -> None:
    """Write a network in integers.

    Writes the graph of integers that a trained network becomes, and test images, for `asq-post network`. Prints the
    folder.
    """
    (ckpt,) = read_or_train((ckpt,) if ckpt else (), data_folder)
    click.echo(write_network_if_needed(ckpt, out, data_folder, images, precision, force))


@click.command("import", epilog="Example: asq-post import network.onnx --inputs images.npy")
@click.argument("file", type=PATH, metavar="FILE")
@click.option("--inputs", type=PATH, help="Inputs as .npy, [N, ...], N >= 2.  [default: random numbers]")
@click.option("--out", type=OUTPUT_FOLDER, help="Folder to write.  [default: build/golden/<file's name>]")
def import_network(file: Path, inputs: Path | None, out: Path | None) -> None:
    """Bring a quantised network from QONNX.

    Reads QONNX, or ONNX with QuantizeLinear, as Brevitas writes them. Compares the network in integers with torch,
    writes golden vectors and the graph to a folder, and prints its path.
    """
    from asq_model.exchange.compare_import import import_and_compare
    from asq_model.export.golden_layers import file_stem

    out = out or GOLDEN / file_stem(file.stem)
    click.echo(convert_markdown(import_and_compare(file, inputs, out)), err=True)
    click.echo(out)


network_commands = [inspect, onnx, graph, import_network]
