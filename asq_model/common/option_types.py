"""How options are written on every command line of this project: switches, numbers and paths, each with its bounds.

What is refused is refused before a command does anything, in one line that names the option as it is typed. A variable
of Make is the same name in capitals.
"""

import errno
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from asq_model.common.errors import InputError, shown
from asq_model.common.files import kind_of
from asq_model.common.zoo import find_zoo_checkpoint

MAX_INTEGER = (1 << 31) - 1
MOST_PROCESSES = 256


def name_of(param: click.Parameter | None) -> str:
    """A parameter's name in errors: an option as it is typed, `--signed-act`, an argument as in the help, `CKPT`."""
    if param is None:
        return "value"
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return (param.metavar or param.name or "").strip("[].").upper()


class Commands(click.Group):
    """A group of commands. An error of the library that names a field, `activation_bits`, says the option, `--abits`.

    A command's parameter has the name of the field that it sets.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command; an InputError of it names the option as it is typed, not the field."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            params = command.params if command else []
            raise error.rename_fields({param.name: name_of(param) for param in params if param.name}) from error


class Switch(click.ParamType):
    """A switch on the command line: 1 is on; 0 and nothing are off."""

    name = "0|1"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        """Turn the text into True or False. Raises InputError for other text than 0, 1 and nothing."""
        if value in (True, "1"):
            return True
        if value in (False, "0", ""):
            return False
        raise InputError(f"{name_of(param)} is {shown(value)}; allowed: 0, 1")


class Integer(click.ParamType):
    """An integer on the command line, from `low` to `high`."""

    name = "integer"

    def __init__(self, low: int = -MAX_INTEGER, high: int = MAX_INTEGER):
        self.low, self.high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Turn the text into an integer. Raises InputError for one out of bounds, or other text."""
        try:
            number = int(value)
        except ValueError:
            number = self.low - 1  # no integer at all
        if not self.low <= number <= self.high:
            low = f" from {self.low}" if self.low > -MAX_INTEGER else ""
            high = f" to {self.high}" if self.high < MAX_INTEGER else ""
            raise InputError(f"{name_of(param)} is {shown(value)}; allowed: integers{low}{high}")
        return number


class Real(click.ParamType):
    """A finite number on the command line, from `low` to `high`."""

    name = "number"

    def __init__(self, low: float, high: float):
        self.low, self.high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Turn the text into a number. Raises InputError for one out of bounds or not finite, or other text."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not self.low <= number <= self.high:  # nan is not
            raise InputError(f"{name_of(param)} is {shown(value)}; allowed: numbers from {self.low:g} to {self.high:g}")
        return number


class FilePath(click.ParamType):
    """A path that the file system can have; whether something is there is the command's business."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Turn the text into a path. Raises InputError for an empty one, or one that no file can have."""
        if not str(value):
            raise InputError(f"{name_of(param)} is empty; allowed: a path")
        try:
            os.lstat(value)
        except ValueError as error:
            raise InputError(f"{name_of(param)} is {shown(value)}: {error}") from error
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise InputError(f"{name_of(param)} is {shown(value)}: {error.strerror}") from error
        return Path(value)


class OutputPath(FilePath):
    """A path that can be written to, as a file or a folder: what stands in the way is found before hours of work."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Turn the text into a path. Raises InputError where nothing can be written in its folder."""
        path = super().convert(value, param, ctx)
        absolute = path.absolute()
        folder = next((parent for parent in absolute.parents if os.path.lexists(parent)), absolute)  # `/` has no parent
        if not folder.is_dir():
            raise InputError(f"cannot write {path}: {folder} is not a folder")
        if not os.access(folder, os.W_OK):
            raise InputError(f"cannot write {path}: no permission in {folder}")
        return path


class OutputFile(OutputPath):
    """A path of a file that is written, in place of what it holds. A device is refused: it would become a file."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Turn the text into a path. Raises InputError where a folder or a device is there."""
        path = super().convert(value, param, ctx)
        if path.exists() and not path.is_file():
            raise InputError(f"{name_of(param)} is {shown(path)}, {kind_of(path)}; allowed: a file to write")
        return path


class OutputFolder(OutputPath):
    """A path of a folder that files are written to; it is made where it is not there."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Turn the text into a path. Raises InputError where a file is there, or a folder that refuses writing."""
        path = super().convert(value, param, ctx)
        if os.path.lexists(path) and not path.is_dir():
            raise InputError(f"{name_of(param)} is {shown(path)}, which is no folder; allowed: a folder to write to")
        if path.is_dir() and not os.access(path, os.W_OK):
            raise InputError(f"cannot write to {path}: no permission in it")
        return path


class CheckpointPath(FilePath):
    """A path of a checkpoint, or the name of a network of the zoo; a file of that name comes first."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Turn a path, or a name of the zoo, into a path. Raises InputError for a name that the zoo does not have."""
        path = super().convert(value, param, ctx)
        if path.suffix or len(path.parts) != 1 or path.exists():
            return path
        return find_zoo_checkpoint(path.name, name_of(param), "file and no ")


class PagePath(OutputFile):
    """A page to write, in Markdown. The record beside it has the page's name with another ending."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Turn the text into a path. Raises InputError for one that does not end in .md."""
        path = super().convert(value, param, ctx)
        if path.suffix != ".md":
            raise InputError(f"{name_of(param)} is {shown(value)}; allowed: a page's name, such as page.md")
        return path


PATH, CHECKPOINT = FilePath(), CheckpointPath()
OUTPUT, OUTPUT_FILE, OUTPUT_FOLDER, PAGE = OutputPath(), OutputFile(), OutputFolder(), PagePath()


def switch(name: str, text: str, default: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option `name`, on with 1 or alone, off with 0."""
    shown_help = f"{text}  [default: {int(default)}]"
    return click.option(name, type=Switch(), is_flag=False, flag_value="1", default=default, help=shown_help)


def refuse_unused(given: dict[str, object], why: str, needed: str = "") -> None:
    """Raises InputError for an option that was given (is not None) and would not be used. needed: what it goes with."""
    for name, value in given.items():
        if value is not None:
            reason = f"{why}{f'; it goes with {needed}' if needed else ''}"
            raise InputError(f"{name} is {shown(value)}, but {reason}", name)


def list_given_options(context: click.Context) -> dict[str, object]:
    """List what the user gave of a command's options, by the names that errors use."""
    return {
        name_of(param): context.params[param.name]
        for param in context.command.params
        if isinstance(param, click.Option)
        and param.name in context.params
        and context.get_parameter_source(param.name) is not ParameterSource.DEFAULT
    }
