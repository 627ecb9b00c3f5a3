"""The commands of `asq-post zoo`: which trained networks come with the package, and a copy of one."""

import shutil
from pathlib import Path

import click

from asq_model.common.errors import InputError
from asq_model.common.files import hash_file, write_atomically
from asq_model.common.option_types import OUTPUT, Commands
from asq_model.common.terminal import convert_markdown
from asq_model.common.zoo import SUFFIX, find_zoo_checkpoint, read_zoo
from asq_model.studies.zoo_table import render_zoo_table


@click.group(cls=Commands, epilog="Example: asq-post zoo list")
def zoo() -> None:
    """Trained networks that come with the package.

    Every command that takes a CKPT takes the name of one, too.
    """


@zoo.command("list", epilog="Example: asq-post zoo list")
def list_networks() -> None:
    """List the networks.

    Prints of each how it was trained, and how many test images it has right.
    """
    click.echo(convert_markdown("\n".join(render_zoo_table(read_zoo()))))


@zoo.command(epilog="Example: asq-post zoo get resnet8_post4_a4")
@click.argument("name")
@click.option("--to", type=OUTPUT, help="File or folder to write.  [default: NAME.safetensors here]")
def get(name: str, to: Path | None) -> None:
    """Copy a network's checkpoint.

    Compares it with its SHA-256 first; prints the path of the copy.
    """
    source, target = find_zoo_checkpoint(name, "NAME"), to or Path()
    if hash_file(source) != read_zoo()[name]["sha256"]:
        raise InputError(f"{source} is damaged: its SHA-256 is not that of the record; install asq-post again")
    target = target / f"{name}{SUFFIX}" if target.is_dir() else target
    write_atomically(target, lambda temporary: shutil.copyfile(source, temporary))
    click.echo(target)
