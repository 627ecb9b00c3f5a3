"""Errors that a user can mend: one line that names the thing, its value and what is allowed."""


class InputError(Exception):
    """Something the user gave cannot be used: one line naming the thing, its value and what is allowed."""


class OtherFormat(InputError):
    """A file of another version of this program: whole, but to be made again."""


def shown(value: object) -> str:
    """A value for an error message: quoted unless it is one plain word, cut if it is long."""
    text = str(int(value) if isinstance(value, bool) else value)
    text = text if text.isprintable() and len(text.split()) == 1 else repr(text)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"


def check_range(name: str, value: int, low: int, high: int) -> None:
    """Raises InputError unless `value` is an integer from `low` to `high`."""
    if type(value) is not int or not low <= value <= high:
        raise InputError(f"{name} is {value}; allowed: {low} to {high}")


def check_flag(name: str, value: bool) -> None:
    """Raises InputError unless `value` is True or False."""
    if type(value) is not bool:
        raise InputError(f"{name} is {value!r}; allowed: True, False")
