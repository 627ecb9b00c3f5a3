"""Builds of benches: kept while the Verilog is the same, whatever happens to the sources that wrote it."""

import pytest

from asq_model.spec.mac import MacSpec
from hw.emit import emit
from sim.runner import verilator

SPEC = MacSpec("uniform", 2, 1, depth=4)


def test_a_build_is_kept_while_the_verilog_is_the_same(tmp_path, monkeypatch):
    verilog, _ = emit(SPEC, tmp_path)
    place = verilator.build(SPEC, verilog, tmp_path)

    def built_again(*words):
        raise AssertionError("built again")

    monkeypatch.setattr(verilator, "build_for_cocotb", built_again)
    assert verilator.build(SPEC, verilog, tmp_path) == place
    monkeypatch.setattr(verilator, "generator_fingerprint", lambda: "a comment in hw/ was changed")
    assert verilator.build(SPEC, verilog, tmp_path) == place
    monkeypatch.setattr(verilator, "make_bench_verilog", lambda spec: pytest.fail("looked at the same sources twice"))
    assert verilator.build(SPEC, verilog, tmp_path) == place
    verilog.write_text(verilog.read_text() + "// changed\n")
    monkeypatch.undo()
    monkeypatch.setattr(verilator, "build_for_cocotb", built_again)
    with pytest.raises(AssertionError, match="built again"):
        verilator.build(SPEC, verilog, tmp_path)
    assert not (place / "stamps.json").exists()  # a build that was broken off does not count
