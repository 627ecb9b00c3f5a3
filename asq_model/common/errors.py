"""Errors that a user can mend: one line that names the thing, its value and what is allowed.

The thing has the name that whoever gave it knows: a field, such as `activation_bits`. `fields_named` writes another in
its place where the value came under another name, such as the option `--abits` of a command line.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager


class InputError(Exception):
    """Something the user gave cannot be used: one line naming the thing, its value and what is allowed.

    fields: the names in the message that are parameters or fields of what was called.
    """

    def __init__(self, message: str, *fields: str):
        super().__init__(message, *fields)
        self.fields = fields

    def __str__(self) -> str:
        return str(self.args[0])

    def rename_fields(self, names: Mapping[str, str]) -> "InputError":
        """Return this error with other names for its fields, each replaced where it stands first in the message."""
        message = str(self)
        for field in self.fields:
            message = re.sub(rf"(?<![\w-]){re.escape(field)}(?![\w-])", names.get(field, field), message, count=1)
        return type(self)(message, *(names.get(field, field) for field in self.fields))


class OtherFormat(InputError):
    """A file of another version of this program: whole, but to be made again."""


@contextmanager
def fields_named(names: Mapping[str, str]) -> Iterator[None]:
    """Raise the block's InputErrors with these names for fields, as the caller of the block knows them."""
    try:
        yield
    except InputError as error:
        raise error.rename_fields(names) from error


def shown(value: object) -> str:
    """A value for an error message: quoted unless it is one plain word, cut if it is long."""
    text = str(int(value) if isinstance(value, bool) else value)
    text = text if text.isprintable() and len(text.split()) == 1 else repr(text)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"


def check_range(name: str, value: int, low: int, high: int) -> None:
    """Raises InputError unless `value` is an integer from `low` to `high`."""
    if type(value) is not int or not low <= value <= high:
        raise InputError(f"{name} is {value}; allowed: {low} to {high}", name)


def check_flag(name: str, value: bool) -> None:
    """Raises InputError unless `value` is True or False."""
    if type(value) is not bool:
        raise InputError(f"{name} is {value!r}; allowed: True, False", name)


def check_choice(name: str, value: object, allowed: Sequence[object]) -> None:
    """Raises InputError unless `value` is one of those allowed."""
    if value not in allowed:
        raise InputError(f"{name} is {value!r}; allowed: {', '.join(map(str, allowed))}", name)
