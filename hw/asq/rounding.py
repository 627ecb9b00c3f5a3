"""Rounding as the integer specification rounds."""

from amaranth.hdl import Cat, Const, Value


def round_shift(x: Value, shift: Value | int) -> Value:
    """floor(x / 2^shift + ½) of a signed x, for a shift that may be zero: the shift keeps one more bit to round by."""
    halves = Cat(Const(0, 1), x).as_signed() >> shift
    return (halves + 1) >> 1
