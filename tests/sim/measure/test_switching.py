"""The switching figure: what is counted, and counted right; a netlist that computes wrongly has none."""

import pytest

from asq_model.common.errors import InputError
from asq_model.spec.array import ArraySpec
from asq_model.spec.mac import MacSpec
from sim.measure import switching
from sim.measure.switching import (
    Switching,
    count_fan_outs,
    count_switching,
    measure_switching,
    read_saif,
    read_toggles,
)
from sim.vectors.netlist_words import make_stimulus

# One worker: the units share a build folder, and the first run of each tool compiles it.
pytestmark = pytest.mark.xdist_group("accepted")
SPEC = MacSpec("uniform", 3, 3)
FEW = 2000

SAIF = """(SAIFILE
 (INSTANCE TOP
  (NET
   (clk (T0 9) (T1 0) (TZ 0) (TX 0) (TB 0) (TC 77))
  )
  (INSTANCE driver
   (NET
    (a\\[0\\] (T0 9) (T1 0) (TZ 0) (TX 0) (TB 0) (TC 88))
   )
   (INSTANCE unit
    (NET
     (clk (T0 9) (T1 0) (TZ 0) (TX 0) (TB 0) (TC 0))
     (a\\[0\\] (T0 5) (T1 4) (TZ 0) (TX 0) (TB 0) (TC 5))
     (a\\[1\\] (T0 5) (T1 4) (TZ 0) (TX 0) (TB 0) (TC 3))
     (n0 (T0 5) (T1 4) (TZ 0) (TX 0) (TB 0) (TC 4))
     (y (T0 5) (T1 4) (TZ 0) (TX 0) (TB 0) (TC 2))
    )
   )
  )
 )
)
"""
COUNTS = {"clk": 0, "a[0]": 5, "a[1]": 3, "n0": 4, "y": 2}


def cell(kind: str, output: str, **pins: list) -> dict:
    directions = {pin: "output" if pin == output else "input" for pin in pins}
    return {"type": kind, "port_directions": directions, "connections": pins}


# y, a register, takes not (a[0] and a[1]), and itself; n1 is another name of n0.
MODULE = {
    "ports": {
        "clk": {"direction": "input", "bits": [2]},
        "a": {"direction": "input", "bits": [3, 4]},
        "y": {"direction": "output", "bits": [6]},
    },
    "cells": {
        "g0": cell("$_NAND_", "Y", A=[3], B=[4], Y=[5]),
        "g1": cell("$_OR_", "Y", A=[5], B=[6], Y=[7]),
        "g2": cell("$_DFF_P_", "Q", C=[2], D=[7], Q=[6]),
    },
    "netnames": {
        "clk": {"bits": [2]},
        "a": {"bits": [3, 4]},
        "n1": {"bits": [5]},
        "n0": {"bits": [5]},
        "n2": {"bits": [7]},
        "y": {"bits": [6]},
        "zero": {"bits": ["0"]},
    },
}


@pytest.fixture
def found(small_golden, build_root):
    return measure_switching(SPEC, small_golden, build_root, FEW)


def test_toggles_are_those_of_the_unit_in_the_trace():
    assert read_saif(SAIF) == COUNTS


def test_a_net_leads_to_gates_flip_flops_and_outputs():
    assert count_fan_outs(MODULE) == {"a[0]": 1, "a[1]": 1, "n0": 1, "n2": 1, "y": 2}


def test_the_figure_by_hand():
    found = count_switching(MODULE, COUNTS | {"n2": 1}, products=5)
    assert found == Switching(
        per_product=(5 * 2 + 3 * 2 + 4 * 2 + 1 * 2 + 2 * 3) / 5,
        toggles_per_product=15 / 5,
        nets=5,
        flip_flops=1,
        products=5,
    )
    with pytest.raises(InputError, match="trace has no net n2"):
        count_switching(MODULE, COUNTS, products=5)


@pytest.mark.exhaustive
def test_the_figure_is_the_same_twice_and_kept(found, small_golden, build_root, monkeypatch):
    for kept in (build_root / "synth" / f"{SPEC.name}-energy").glob("energy-*.json"):
        kept.unlink()
    assert measure_switching(SPEC, small_golden, build_root, FEW) == found
    assert FEW <= found.products < FEW + SPEC.depth
    assert found.toggles_per_product * 2 < found.per_product and found.flip_flops < found.nets
    monkeypatch.setattr(switching, "simulate", lambda *words: pytest.fail("simulated again"))
    assert measure_switching(SPEC, small_golden, build_root, FEW) == found


@pytest.mark.exhaustive
def test_the_inputs_toggle_as_often_as_the_words_do(found, small_golden, build_root):
    counts = read_toggles(build_root / "synth" / f"{SPEC.name}-energy")
    words = make_stimulus(SPEC, small_golden, FEW).words
    changes = [one ^ next_one for one, next_one in zip(words, [*words[1:], 0], strict=True)]
    for bit in range(max(words).bit_length()):
        assert counts[f"i__payload[{bit}]"] == sum(change >> bit & 1 for change in changes)
    assert counts["i__valid"] == 1 and counts["i__ready"] == counts["rst"] == 0


@pytest.mark.exhaustive
def test_a_netlist_that_computes_wrongly_has_no_figure(small_golden, build_root, monkeypatch):
    mapped = switching.map_to_netlist

    def broken(verilog, top, folder):
        module = mapped(verilog, top, folder)
        path = folder / "netlist.v"
        text = path.read_text()
        assert " ^ " in text
        path.write_text(text.replace(" ^ ", " & ", 1))
        return module

    monkeypatch.setattr(switching, "map_to_netlist", broken)
    with pytest.raises(InputError, match=rf"gates of {SPEC.name} compute wrongly: \S+ vector \d+: expected -?\d+, got"):
        measure_switching(SPEC, small_golden, build_root, FEW + 1)


@pytest.mark.exhaustive
def test_an_array_at_work_is_checked_too(small_golden, build_root, monkeypatch):
    spec = ArraySpec(MacSpec("post", 3, 3, frac=-1), 4, 2)
    found = measure_switching(spec, small_golden, build_root, FEW)
    assert FEW <= found.products < FEW + 64 * 8 and found.flip_flops < found.nets
    counts = read_toggles(build_root / "synth" / f"{spec.name}-energy")
    tiles = found.products // (64 * 8)
    assert counts["load__valid"] == 2 * tiles - 1 and counts["s__payload[0]"] == 0
    made = ArraySpec.compute_sums
    monkeypatch.setattr(ArraySpec, "compute_sums", lambda *words: {"sum": made(*words)["sum"] + 1})
    with pytest.raises(InputError, match=rf"gates of {spec.name} compute wrongly: \S+ tile 0 vector 0 sum 0: expected"):
        measure_switching(spec, small_golden, build_root, FEW + 1)
