"""What every command line of this project shares: how it ends, with an error in one line on stderr and a non-zero exit
status, and how widths are written."""

import sys

import click

from asq_model.files import InputError

USAGE_ERROR = 2
INTERRUPTED = 130


def run(command: click.Command, name: str) -> None:
    """Run a click command as the program `name`, and exit: 0, 2 for bad input, 130 when interrupted."""
    try:
        sys.exit(command.main(prog_name=name, standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(USAGE_ERROR)
    except InputError as error:
        message = str(error)
    except click.ClickException as error:
        message = error.format_message()
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    click.echo(f"error: {' '.join(message.split())}", err=True)
    sys.exit(USAGE_ERROR)


def parsed_widths(text: str) -> list[tuple[int, int]]:
    """`3x3,4x8` as pairs of weight and activation bits. Raises InputError."""
    try:
        widths = [tuple(int(number) for number in part.split("x")) for part in text.split(",")]
        if any(len(width) != 2 for width in widths):
            raise ValueError
    except ValueError as error:
        raise InputError(f"WIDTHS is {text!r}; allowed: weight x activation bits, as 3x3,4x8") from error
    return widths
