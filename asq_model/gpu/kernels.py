"""The quantisers' functions as Triton kernels: one kernel each, where torch has one for each operation.

A row is what has one step or scale: a sample, an output channel, or the whole tensor. Tensors lie in memory row by row.
"""

import triton
import triton.language as tl

# Adding and taking away 1.5·2^23 rounds a float32 below 2^22 to the nearest integer, ties to even.
ROUNDING = tl.constexpr(12582912.0)


@triton.jit
def quantise(x, step, out, row_size, low, high, BLOCK: tl.constexpr):
    """x̂ = round(clamp(x/step, low, high))·step; a NaN stays one, as in torch."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < row_size
    s = tl.load(step + row)
    v = tl.div_rn(tl.load(x + row * row_size + at, mask=inside, other=0.0), s)
    clamped = tl.minimum(tl.maximum(v, low), high)
    rounded = tl.where(v != v, v, (clamped + ROUNDING) - ROUNDING)
    tl.store(out + row * row_size + at, rounded * s, mask=inside)


@triton.jit
def quantise_backward(
    x, step, gradient, x_gradient, partial, row_size, chunks, low, high, ROUNDS: tl.constexpr, BLOCK: tl.constexpr
):
    """The gradient of x, and of the step a sum for each chunk of ROUNDS·BLOCK values."""
    row = tl.program_id(0).to(tl.int64)
    chunk = tl.program_id(1)
    s = tl.load(step + row)
    total = tl.zeros([BLOCK], dtype=tl.float32)
    for turn in range(ROUNDS):
        at = (chunk * ROUNDS + turn) * BLOCK + tl.arange(0, BLOCK)
        inside = at < row_size
        v = tl.div_rn(tl.load(x + row * row_size + at, mask=inside, other=0.0), s)
        g = tl.load(gradient + row * row_size + at, mask=inside, other=0.0)
        clamped = tl.minimum(tl.maximum(v, low), high)
        passes = v == clamped
        total += (((clamped + ROUNDING) - ROUNDING) - tl.where(passes, clamped, 0.0)) * g
        tl.store(x_gradient + row * row_size + at, tl.where(passes, g, 0.0), mask=inside)
    tl.store(partial + row * chunks + chunk, tl.sum(total))


@triton.jit
def nearest(u, levels, midpoints, MIDPOINTS: tl.constexpr):
    """The level nearest to u, ties to the larger magnitude."""
    index = tl.zeros(u.shape, dtype=tl.int32)
    for place in range(MIDPOINTS):
        midpoint = tl.load(midpoints + place)
        index += tl.where(u < 0, (midpoint < u).to(tl.int32), (midpoint <= u).to(tl.int32))
    return tl.load(levels + index)


@triton.jit
def level(w, scale, levels, midpoints, out, row_size, MIDPOINTS: tl.constexpr, BLOCK: tl.constexpr):
    """ŵ = α·Π(w/α), one row a program; a weight that is not finite gives NaN, as in torch."""
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < row_size
    alpha = tl.load(scale + row)
    values = tl.load(w + row * row_size + at, mask=inside, other=0.0)
    quantised = nearest(tl.div_rn(values, alpha), levels, midpoints, MIDPOINTS) * alpha
    finite = tl.abs(values) < float("inf")  # of others, NaN among them, `nearest` makes a level
    tl.store(out + row * row_size + at, tl.where(finite, quantised, float("nan")), mask=inside)


@triton.jit
def level_backward(
    w,
    scale,
    levels,
    midpoints,
    gradient,
    w_gradient,
    scale_gradient,
    row_size,
    MIDPOINTS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The gradients of w and of the row's scale."""
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < row_size
    alpha = tl.load(scale + row)
    u = tl.div_rn(tl.load(w + row * row_size + at, mask=inside, other=0.0), alpha)
    g = tl.load(gradient + row * row_size + at, mask=inside, other=0.0)
    passes = tl.abs(u) <= 1
    sign = tl.where(u > 0, 1.0, tl.where(u < 0, -1.0, 0.0))
    slope = tl.where(passes, nearest(u, levels, midpoints, MIDPOINTS) - u, sign)
    tl.store(w_gradient + row * row_size + at, tl.where(passes, g, 0.0), mask=inside)
    tl.store(scale_gradient + row, tl.sum(tl.where(inside, g * slope, 0.0)))


@triton.jit
def magnitude(x, out, size, least, BLOCK: tl.constexpr):
    """max(|x|, least)."""
    at = tl.arange(0, BLOCK)
    inside = at < size
    tl.store(out + at, tl.maximum(tl.abs(tl.load(x + at, mask=inside, other=1.0)), least), mask=inside)


@triton.jit
def magnitude_backward(x, gradient, out, size, BLOCK: tl.constexpr):
    """The gradient with the sign of x, + at zero."""
    at = tl.arange(0, BLOCK)
    inside = at < size
    g = tl.load(gradient + at, mask=inside, other=0.0)
    tl.store(out + at, tl.where(tl.load(x + at, mask=inside, other=1.0) < 0, -g, g), mask=inside)
