import random

import pytest
from amaranth.sim import Simulator

from hw.cycle_counter import CycleCounter

NAMES = ("cycles", "input_stalls", "output_stalls", "operands", "results")


class Model:
    """The counter's definitions, kept as lists of cycles."""

    def __init__(self):
        self.accepted, self.taken, self.idle, self.held, self.now = [], [], [], [], 0

    def step(self, i_valid, i_ready, o_valid, o_ready):
        if i_valid and i_ready:
            self.accepted.append(self.now)
        elif i_ready and self.accepted:
            self.idle.append(self.now)
        if o_valid:
            (self.taken if o_ready else self.held).append(self.now)
        self.now += 1

    def counts(self):
        return {
            "cycles": self.taken[-1] - self.accepted[0] + 1 if self.taken else 0,
            "input_stalls": sum(cycle < self.accepted[-1] for cycle in self.idle),
            "output_stalls": len(self.held),
            "operands": len(self.accepted),
            "results": len(self.taken),
        }


@pytest.mark.parametrize("seed", range(20))
def test_counts_by_their_definitions(seed):
    rng = random.Random(seed)
    counter, model = CycleCounter(), Model()
    chances = [rng.choice((0.1, 0.5, 0.9, 1.0)) for _ in range(4)]

    async def bench(ctx):
        for _ in range(300):
            bits = [rng.random() < chance for chance in chances]
            if not model.accepted and not (bits[0] and bits[1]):
                bits[2] = False  # no unit offers a result before it has an operand
            for name, bit in zip(("i_valid", "i_ready", "o_valid", "o_ready"), bits, strict=True):
                ctx.set(getattr(counter, name), bit)
            model.step(*bits)
            await ctx.tick()
            if model.taken:
                assert {name: ctx.get(getattr(counter, name)) for name in NAMES} == model.counts()

    simulator = Simulator(counter)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert model.taken
