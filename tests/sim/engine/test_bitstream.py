"""The command that puts a network on a device: what it refuses before anything is built, and what it counts."""

from pathlib import Path

import pytest
from made_up_graphs import Maker

from asq_model.spec.mac import MacSpec
from hw.engine.emit_engine import engine_verilog
from hw.engine.engine import Engine
from hw.engine.presets import Preset, compile_network
from sim.engine.bitstream import measure_use


def test_a_preset_for_no_device_is_refused(refused) -> None:
    """The engine that is as large as its network needs is for no device."""
    message = refused("sim", "bitstream", "nowhere", "--preset", "sized")
    assert "--preset is sized, which is for no device; allowed: ice40up5k, ecp5-25" in message


@pytest.mark.exhaustive
def test_use_is_counted_once(tmp_path: Path) -> None:
    """A tiny engine has LUTs and memory blocks, and the second measurement does not run Yosys again."""
    made = Maker(MacSpec("uniform-sign", 3, 3), (2, 2, 2), with_table=False)
    made.conv("last", made.conv("first", "input", 2), 2, (2, 2))
    preset = Preset("", channels=2, pixels=1)
    _, compiled = compile_network(graph=made.graph, mac=made.mac, precision=made.precision, preset=preset)
    verilog = tmp_path / "written.v"
    engine = Engine(compiled.spec, compiled.image, compiled.radix_bits, compiled.piece_bits)
    verilog.write_text(engine_verilog(engine, "engine", "a tiny engine"))
    use = measure_use(verilog, "ice40", tmp_path / "device")
    assert use.luts > 100
    assert use.dsps > 0
    made_at = (tmp_path / "device" / "netlist.json").stat().st_mtime_ns
    assert measure_use(verilog, "ice40", tmp_path / "device") == use
    assert (tmp_path / "device" / "netlist.json").stat().st_mtime_ns == made_at
