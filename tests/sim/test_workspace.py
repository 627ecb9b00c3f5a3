"""The build folder: no two things share a place, and what is made once is remembered."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import sleep

import pytest

from asq_model.common.records import Count, Schema, remembered
from asq_model.spec.mac import MacSpec
from sim.workspace import Workspace, shared_runtimes

SPEC = MacSpec("post", 3, 3)
KIND = Schema("number", Count)


@pytest.fixture
def without_environment(monkeypatch):
    """Make this Python look like one that is no virtual environment."""
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)


def test_runtimes_are_shared_in_a_virtual_environment(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert Workspace(tmp_path / "build").runtime("tools").parent == shared_runtimes() == tmp_path / "verilator-runtime"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert shared_runtimes() is None and Workspace(tmp_path / "build").runtime("tools").parent.parent.name == "build"


def test_no_two_things_share_a_place(tmp_path, without_environment):
    workspace = Workspace(tmp_path)
    places = [
        workspace.bench(SPEC),
        workspace.bench(SPEC, waves=True),
        workspace.bench_lock(SPEC),
        workspace.runtime(["tools"]),
        workspace.runtime(["other tools"]),
        workspace.synthesis("m", "ecp5"),
        workspace.synthesis("m", "ecp5", dsp=True),
        workspace.placing("m", "ecp5"),
        workspace.placing("m", "ecp5", dsp=True),
        workspace.gate_count("m", True),
        workspace.gate_count("m", False),
        workspace.switching("m"),
        workspace.unrolled("m"),
        workspace.row("0"),
        workspace.report(tmp_path / "golden"),
        workspace.verilog_file("m"),
        workspace.emit_verilog(SPEC),
    ]
    assert len(set(places)) == len(places) and all(tmp_path in place.parents for place in places)


def test_what_is_made_from_the_same_inputs_is_made_once(tmp_path):
    made = []

    def make() -> int:
        made.append(1)
        return len(made)

    path = tmp_path / "number.json"
    assert [remembered(path, KIND, "a", make) for _ in range(2)] == [1, 1]
    assert remembered(path, KIND, "b", make) == 2
    assert remembered(path, KIND, "b", make, lambda value: value != 2) == 3
    assert remembered(path, KIND, "b", make, lambda value: value != 2) == 3
    path.write_text("")
    assert remembered(path, KIND, "b", make) == 4


def test_of_two_that_need_the_same_at_once_one_makes_it(tmp_path):
    begun, made = Barrier(2, timeout=60), []

    def make() -> int:
        made.append(1)
        sleep(0.05)  # time for the other one to ask
        return 7

    def need(_: int) -> int:
        begun.wait()
        return remembered(tmp_path / "number.json", KIND, "a", make)

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(need, range(2))) == [7, 7]
    assert made == [1]
