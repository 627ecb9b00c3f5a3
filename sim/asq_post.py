"""The command `asq-post`: every command of the three packages under one name, each loaded when it is called."""

from difflib import get_close_matches
from importlib import import_module

import click

from asq_model import __version__
from asq_model.common.command_line import run
from asq_model.common.errors import InputError, shown
from asq_model.common.option_types import Commands

# In the order of use, as a person meets them: the command's name, the module that has it, its name there.
COMMANDS = {
    "train": ("asq_model.cli", "train"),
    "export": ("asq_model.cli", "export"),
    "import": ("asq_model.cli", "import"),
    "verilog": ("hw.cli", "verilog"),
    "sim": ("sim.cli", "run"),
    "again": ("sim.cli", "again"),
    "tools": ("sim.cli", "tools"),
    "asq": ("sim.cli", "asq"),
    "synth": ("sim.cli", "synth"),
    "sweep": ("sim.cli", "sweep"),
    "recommend": ("sim.cli", "recommend"),
    "report": ("sim.cli", "report"),
    "unrolled": ("sim.cli", "unrolled"),
    "graph": ("asq_model.cli", "graph"),
    "network": ("sim.cli", "network"),
    "bitstream": ("sim.cli", "bitstream"),
    "engines": ("sim.cli", "engines"),
    "engine": ("hw.cli", "engine"),
    "zoo": ("asq_model.cli", "zoo"),
    "inspect": ("asq_model.cli", "inspect"),
    "onnx": ("asq_model.cli", "onnx"),
    "parity": ("asq_model.cli", "parity"),
    "arithmetic": ("asq_model.cli", "arithmetic"),
    "steps": ("asq_model.cli", "steps"),
    "reproduce": ("asq_model.cli", "reproduce"),
    "trained-out": ("asq_model.cli", "trained-out"),
    "figures": ("asq_model.cli", "figures"),
    "bench": ("asq_model.cli", "bench"),
}


class LoadedOnCall(Commands):
    """A group that imports a command's module when the command is called, not before: `verilog` needs no torch."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import a command's module and return the command; None for a name that there is not."""
        if name not in COMMANDS:
            return None
        module, own_name = COMMANDS[name]
        return import_module(module).cli.commands[own_name]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the words begin with. Raises InputError, with the nearest name, for none."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            nearest = get_close_matches(args[0], COMMANDS, 1)
            hint = f"; did you mean {nearest[0]}?" if nearest else ";"
            raise InputError(f"{shown(args[0])} is no command{hint} allowed: {', '.join(COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=LoadedOnCall, epilog="Example: asq-post verilog --bits 3")
@click.version_option(__version__, prog_name="asq-post")
def cli() -> None:
    """Neural networks without multipliers, to Verilog.

    Weights are signed powers of √2 (POST); activations have a step size that adapts to every input (ASQ).
    `asq-post COMMAND --help` says what a command takes, with an example.
    """


def main() -> None:
    """Run `asq-post`, and exit."""
    run("sim.asq_post", "asq-post")
