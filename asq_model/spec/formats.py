"""The ranges of integers that files hold: widths, shifts and binary points. Free of torch."""

from typing import Annotated

from msgspec import Meta

WIDEST = 64  # bits of a number; the specification computes in int64
Bits = Annotated[int, Meta(ge=1, le=WIDEST)]
Shift = Annotated[int, Meta(ge=-WIDEST, le=WIDEST)]  # to the right; a negative one multiplies
Point = Annotated[int, Meta(ge=-256, le=256)]  # a binary point
Int64 = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Positive64 = Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]
