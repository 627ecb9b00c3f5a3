"""The rival is a fair one: it computes the same codes."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from asq_model.spec.adaptive_step import IntegerQuantiser
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.precision import GUARD
from hw.asq.reciprocal_quantiser import ReciprocalQuantiser, reciprocal_shift


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_it_computes_the_same_codes(bits):
    spec = BlockSpec("quantiser", activation_bits=bits, precision=10)
    rng = np.random.default_rng(bits)
    limit, cut = 1 << spec.precision - 1, 1 << spec.precision + GUARD
    steps = np.concatenate([[1, 2, cut], rng.integers(1, cut >> rng.integers(0, 12, 300))])
    values = np.concatenate([[0, limit - 1, -limit], rng.integers(-limit, limit, 300)])
    halves = rng.integers(1, limit >> bits, 100)  # and values exactly between two codes
    steps = np.concatenate([steps, halves * 2 << GUARD])
    values = np.concatenate([values, np.minimum(halves * (2 * rng.integers(0, 1 << bits, 100) + 1), limit - 1)])
    wanted = IntegerQuantiser(bits, False, 1, 0, None).encode(values[:, None], steps)[:, 0]
    dut, found = ReciprocalQuantiser(spec), []

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.valid, 1)
        for value, step in zip([*values.tolist(), 0, 0, 0], [*steps.tolist(), 1, 1, 1], strict=True):
            reciprocal = (1 << reciprocal_shift(spec)) // (2 * step)
            ctx.set(dut.i.payload, {"values": {"lane0": value}, "step": step, "reciprocal": reciprocal})
            await ctx.tick()
            if ctx.get(dut.o.valid):
                found.append(ctx.get(dut.o.p.lane0))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    np.testing.assert_array_equal(found[: len(wanted)], wanted)
