"""Rounding as the integer specification rounds."""

from amaranth.hdl import Cat, Const, Value


def round_shift(x: Value, shift: Value | int) -> Value:
    """Round x / 2^shift to the nearest integer, ties up: floor(x / 2^shift + ½).

    The shift may be zero: one more bit is kept to round by.
    """
    halves = Cat(Const(0, 1), x).as_signed() >> shift
    return (halves + 1) >> 1
