"""The parts that all command lines of this project share: how they end, and how widths are written.

They end with an error in one line on stderr and a non-zero exit status.
"""

import os
import sys
from importlib import import_module

import click

from asq_model.common.errors import InputError, shown
from asq_model.common.extras import how_to_install

USAGE_ERROR = 2
INTERRUPTED = 130


def run(module: str, name: str) -> None:
    """Run `cli` of a module as the program `name`, and exit.

    The status is 0, 1 where nobody reads the output any more, 2 for bad input, 130 when interrupted.
    """
    try:
        command = import_module(module).cli  # in here: it takes a moment, in which a user may interrupt
        sys.exit(command.main(prog_name=name, standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(USAGE_ERROR)
    except InputError as error:
        message = str(error)
    except click.ClickException as error:
        message = error.format_message()
    except ModuleNotFoundError as error:
        message = how_to_install(error.name or str(error))
    except BrokenPipeError:  # whoever reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        message = f"cannot use {error.filename}: {error.strerror}" if error.filename else str(error)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    click.echo(f"error: {' '.join(message.split())}", err=True)
    sys.exit(USAGE_ERROR)


def parse_widths(option: str, text: str) -> list[tuple[int, int]]:
    """Parse `3x3,4x8`, given to `option`, into pairs of weight and activation bits. Raises InputError."""
    try:
        widths = [(int(weights), int(activations)) for weights, activations in (p.split("x") for p in text.split(","))]
        if not all(2 <= weights <= 8 and 1 <= activations <= 8 for weights, activations in widths):
            raise ValueError
    except ValueError as error:
        allowed = "weight bits, 2 to 8, x activation bits, 1 to 8, as 3x3,4x8"
        raise InputError(f"{option} is {shown(text)}; allowed: {allowed}") from error
    return widths
