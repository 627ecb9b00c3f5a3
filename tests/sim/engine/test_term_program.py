"""Networks as programs of terms: the terms are the weights, the schedule counts them, and the lane adds them."""

import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In
from amaranth.sim import Simulator, SimulatorContext
from hypothesis import given
from hypothesis import strategies as st
from networks import adapting_network

from asq_model.spec.mac import MacSpec
from hw.engine.presets import Preset, make_engine_spec
from sim.engine import term_program
from sim.engine.term_lane import TermLane
from sim.engine.term_program import (
    count_channel_cycles,
    count_cycles,
    count_map_copies,
    count_network_cycles,
    count_terms,
    count_weight_terms,
    group_levels,
    measure_lane,
    measure_programs,
    split_digits,
)

MAC = MacSpec("post", 4, 4, frac=0)


@given(st.integers(-(1 << 12), 1 << 12))
def test_signed_digits_are_the_level_and_no_two_are_neighbours(level: int) -> None:
    digits = split_digits(level)
    assert sum(sign << place for place, sign in digits) == level
    places = [place for place, _ in digits]
    assert all(above - below > 1 for below, above in pairwise(places))


def test_a_digit_takes_a_cycle_for_every_few_terms_and_one_to_double() -> None:
    assert count_terms(np.array([1, -1, 4, 0])).tolist() == [2, 0, 1]
    assert count_cycles(np.array([2, 0, 1]), 2) == 3
    assert count_cycles(np.array([5, 0, 1]), 2) == 5


def test_odd_factors_are_taken_where_they_are_shorter() -> None:
    levels = np.array([3, 6, -3, 7, 0])
    assert [group.tolist() for group in group_levels(levels)] == [[1, 2, -1], [1]]
    assert count_channel_cycles(levels, None, 1, 8) == min(3 + 1, 2 + 1)
    assert count_channel_cycles(np.zeros(4, dtype=int), None, 1, 8) == 1
    assert count_channel_cycles(np.array([1, 2]), np.array([0, 4]), 2, 1) == 2 * (2 + 3)


def test_a_network_s_cycles_fall_with_programs_and_terms_and_its_copies_grow() -> None:
    made = adapting_network(MAC)
    spec = make_engine_spec(Preset("", 8, 2), made.graph, MAC, 16)
    cycles = [count_network_cycles(made.graph, programs, terms, spec) for programs, terms in ((1, 1), (4, 1), (4, 4))]
    assert cycles[0] > cycles[1] > cycles[2]
    copies = [count_map_copies(made.graph, programs, terms, spec) for programs, terms in ((1, 1), (4, 4))]
    assert copies[1].copies == 16 * copies[0].copies and copies[1].rows == copies[0].rows
    assert 0 < count_weight_terms(made.graph, spec) <= 1  # a POST level is one term, or none


def test_lanes_of_two_sizes_do_not_displace_each_other(tmp_path, monkeypatch) -> None:
    """Areas are kept by the module's name: each size is synthesised once, however often they are asked for in turn."""
    tops = []

    def measure_area(verilog, top, *others):
        assert f"module {top}(" in verilog.read_text()
        tops.append(top)

    monkeypatch.setattr(term_program, "measure_area", measure_area)
    spec = make_engine_spec(Preset("", 8, 2), adapting_network(MAC).graph, MAC, 16)
    for terms in (3, 4, 3):
        measure_lane(terms, spec, tmp_path)
    assert len(set(tops)) == 2 and tops[0] == tops[2]


def test_products_that_take_no_layer_s_codes_whole_have_no_programs_of_terms(tmp_path) -> None:
    made = adapting_network(MAC)
    spec = make_engine_spec(Preset("", 8, 2), made.graph, replace(MAC, activation_bits=2), 16)
    assert count_weight_terms(made.graph, spec) == 0
    assert measure_programs(made.graph, spec, tmp_path) == []


class DecodedLane(wiring.Component):
    """A lane whose terms' signs come as weight codes, decoded as an engine would do it once for all lanes."""

    def __init__(self, terms: int) -> None:
        self.lane = TermLane(terms, 4, 20, "generic")
        super().__init__({"codes": In(data.ArrayLayout(2, terms))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.lane = self.lane
        column = self.lane.column
        assert not any(column.control_times)
        m.d.comb += [
            control.eq(column.decode(code, None)) for control, code in zip(self.lane.control, self.codes, strict=True)
        ]
        return m


@pytest.mark.parametrize("terms", [3, 4])
def test_a_lane_adds_its_terms_and_doubles_in_between(terms: int) -> None:
    chance = random.Random(terms)
    dut = DecodedLane(terms)
    lane, latency = dut.lane, dut.lane.column.latency
    words = [
        [
            (chance.randrange(3), chance.choice((-1, 0, 1)), [chance.randrange(16) for _ in range(3)])
            for _ in range(terms)
        ]
        for _ in range(12)
    ]
    doubled = [chance.randrange(2) for _ in words]
    wanted = 0
    for word, double in zip(words, doubled, strict=True):
        wanted = (2 * wanted if double else wanted) + sum(sign * near[place] for place, sign, near in word)
    seen = []

    async def drive(ctx: SimulatorContext) -> None:
        for cycle in range(len(words) + latency + 1):
            for term, (place, sign, near) in enumerate(words[cycle] if cycle < len(words) else []):
                ctx.set(lane.place[term], place)
                ctx.set(dut.codes[term], {0: 0, 1: 1, -1: 3}[sign])
                for index, activation in enumerate(near):
                    ctx.set(lane.near[term][index], activation)
            ctx.set(lane.first, cycle == latency - 1)
            now = cycle - (latency - 1)
            ctx.set(lane.doubled, doubled[now] if 0 < now < len(words) else 0)
            ctx.set(lane.take, cycle == len(words) - 1 + latency)
            await ctx.tick()
            seen.append(ctx.get(lane.out))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    assert seen[len(words) - 1 + latency] == wanted
