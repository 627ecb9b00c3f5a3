"""The command that puts a network on a device: what it refuses before anything is built, and what it counts."""

import zlib
from pathlib import Path

import pytest
from made_up_graphs import Maker

from asq_model.spec.mac import MacSpec
from hw.engine.emit_engine import make_engine_verilog
from hw.engine.engine import Engine
from hw.engine.flash_reader import PLACE
from hw.engine.presets import Preset, compile_network
from sim.bitstream_command import write_flash
from sim.engine import bitstream
from sim.engine.bitstream import make_device_engine, synthesise_engine, write_bitstream


def test_a_preset_for_no_device_is_refused(refused) -> None:
    """The engine that is as large as its network needs is for no device."""
    message = refused("sim", "bitstream", "nowhere", "--preset", "sized")
    assert "--preset is sized, which is for no device; allowed: ice40up5k, ecp5-25" in message


@pytest.mark.parametrize("name", ["network", "bitstream"])
def test_options_are_checked_before_a_network_is_there(name, command, refused) -> None:
    """What make asks first: whether the options can be, of a network that is not trained yet."""
    done = command("sim", name, "nowhere", "--check", "1", "--preset", "ecp5-25")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "--preset is 'zynk'; allowed: sized, " in refused("sim", name, "nowhere", "--check", "1", "--preset", "zynk")
    assert "nowhere" in refused("sim", name, "nowhere", "--preset", "ecp5-25")


def test_a_flash_has_the_bitstream_and_behind_it_the_weights(tmp_path: Path) -> None:
    """The words of the weights, and nothing else, begin where the engine reads them, and end with their checksum."""
    made = Maker(MacSpec("post", 3, 3, frac=0), (1, 2, 2))
    made.conv("last", "input", 2, (2, 2), relu=False, result_bits=60)
    preset = Preset("", 2, 1, adapter=False, specialised=True, spram=True)
    _, compiled = compile_network(graph=made.graph, mac=made.mac, precision=made.precision, preset=preset)
    bitstream = tmp_path / "engine.bin"
    bitstream.write_bytes(bytes(range(100)))
    whole = write_flash(bitstream, compiled).read_bytes()
    assert whole[:100] == bytes(range(100)) and set(whole[100:PLACE]) == {0xFF}
    words = whole[PLACE:]
    assert len(words) == 4 * (4 + len(compiled.image.weights))
    assert zlib.crc32(words[:-4]) == int.from_bytes(words[-4:], "little")
    assert "SB_SPRAM256KA" in make_engine_verilog(
        make_device_engine(compiled, preset), "engine", "an engine that stands alone"
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_tools_are_given_names_that_they_see_wherever_the_folder_is(seed, tmp_path, monkeypatch) -> None:
    """YoWASP's tools see the folder where they run, and below /tmp nothing else."""
    (tmp_path / "netlist.json").write_text("{}")

    def run_tool(words, folder):
        assert folder == tmp_path and not [word for word in words[1:] if word.startswith("/") or ".." in word]
        if "--report" in words:
            assert (folder / words[words.index("--json") + 1]).is_file()
            clock = '{"fmax": {"clk": {"achieved": 31.5}}}'
            (folder / words[words.index("--report") + 1]).write_text(clock)
            (folder / words[words.index("--asc") + 1]).write_text("placed")
        else:
            (folder / words[2]).write_bytes((folder / words[1]).read_bytes())

    monkeypatch.setattr(bitstream, "run_tool", run_tool)
    monkeypatch.setattr(bitstream, "find_tool", lambda name: f"/bin/{name}")
    path, made = write_bitstream("ice40", ["--up5k"], tmp_path, seed)
    assert path.read_text() == "placed" and made.megahertz == 31.5


@pytest.mark.exhaustive
def test_use_is_counted_once(tmp_path: Path) -> None:
    """A tiny engine has LUTs and memory blocks, and the second measurement does not run Yosys again."""
    made = Maker(MacSpec("uniform-sign", 3, 3), (2, 2, 2), with_table=False)
    made.conv("last", made.conv("first", "input", 2), 2, (2, 2))
    preset = Preset("", channels=2, pixels=1)
    _, compiled = compile_network(graph=made.graph, mac=made.mac, precision=made.precision, preset=preset)
    verilog = tmp_path / "written.v"
    engine = Engine(compiled.spec, compiled.image, compiled.radix_bits, compiled.piece_bits)
    verilog.write_text(make_engine_verilog(engine, "engine", "a tiny engine"))
    use = synthesise_engine(verilog, "ice40", tmp_path / "device")
    assert use.luts > 100
    assert use.dsps > 0
    made_at = (tmp_path / "device" / "netlist.json").stat().st_mtime_ns
    assert synthesise_engine(verilog, "ice40", tmp_path / "device") == use
    assert (tmp_path / "device" / "netlist.json").stat().st_mtime_ns == made_at
