"""Frozen dataclasses with fields that may be left open: once made, they hold the value in effect.

Two of them that mean the same are then equal, have one hash, and are one record in a file.
"""


def settle(spec: object, **values: object) -> None:
    """Set fields of a frozen dataclass to their values in effect, in its `__post_init__`.

    `dataclasses` has no converters, and a frozen class takes no assignment even there.
    """
    for name, value in values.items():
        object.__setattr__(spec, name, value)
