"""Slow, obvious references: the written formulas with straight-through rounding, differentiated by autograd."""

import torch


def straight_through(exact, rounded):
    """`rounded` forward, the gradient of `exact` backward."""
    return exact + (rounded - exact).detach()


def scaled_gradient(x, scale):
    """x, with a gradient multiplied by `scale`."""
    return x * scale + (x * (1 - scale)).detach()


def uniform(x, step, low, high):
    """Eq. 1, 2; the clamp passes a gradient at its bounds too, as LSQ has it."""
    v = x / step
    clamped = torch.where(v < low, torch.full_like(v, low), torch.where(v > high, torch.full_like(v, high), v))
    return straight_through(clamped, clamped.detach().round()) * step


def gradients(output, weights, *inputs):
    return torch.autograd.grad((output * weights).sum(), inputs)


def check(module, expected, x, *parameters):
    """`module(x)` equals `expected`, and so do the gradients of x and of the parameters."""
    out = module(x)
    weights = torch.randn_like(x)
    torch.testing.assert_close(out, expected)
    inputs = (x, *parameters)
    for got, wanted in zip(gradients(out, weights, *inputs), gradients(expected, weights, *inputs), strict=True):
        torch.testing.assert_close(got, wanted)
