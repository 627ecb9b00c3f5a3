"""Options of the command line that are words of a choice, or comma-separated lists."""

from asq_model.common.errors import InputError, shown


def parse_choices(option: str, text: str, allowed: tuple[str, ...]) -> list[str]:
    """Parse a comma-separated list of words, each once, all of those allowed. Raises InputError."""
    return [parse_choice(option, word, allowed) for word in dict.fromkeys(text.split(","))]


def parse_choice(option: str, word: str, allowed: tuple[str, ...]) -> str:
    """Parse one word of those allowed. Raises InputError."""
    if word not in allowed:
        raise InputError(f"{option} has {word!r}; allowed: {', '.join(allowed)}")
    return word


def parse_integers(option: str, text: str, low: int, high: int) -> list[int]:
    """Parse a comma-separated list of integers from `low` to `high`; empty for none. Raises InputError."""
    words = [word for word in text.split(",") if word]
    if not all(word.removeprefix("-").isdecimal() and len(word) < 9 and low <= int(word) <= high for word in words):
        raise InputError(f"{option} is {shown(text)}; allowed: integers from {low} to {high}, as {low},{low + 1}")
    return [int(word) for word in words]
