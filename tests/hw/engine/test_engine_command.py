"""The command that writes an engine: the same bytes each time, a JSON that describes them, errors in one line."""

import base64
import json
import re
import zlib
from pathlib import Path

import pytest
from msgspec.structs import replace
from networks import TINY, write_tiny_network

from asq_model.common.errors import InputError
from asq_model.common.records import read_record
from hw.cli import cli
from hw.engine.load_words import LOAD_FILE
from hw.engine.presets import presets
from hw.engine.registers import REGISTERS

LOADED = ("--axi", "1", "--load", "1", "--family", "ecp5")  # with words that load a network, and models of cells


@pytest.fixture
def network(tmp_path):
    """A folder with a small network."""
    write_tiny_network(tmp_path / "graph")
    return tmp_path / "graph"


def test_an_engine_is_written_with_a_description(tiny_engine):
    verilog, description, *_ = tiny_engine()
    ports = re.findall(r"^module engine\((.*)\);", verilog.read_text(), re.MULTILINE)
    said = json.loads(description.read_text())
    assert said["module"] == "engine" and said["images_under_way"] == 1
    assert [{port["name"] for port in said["ports"]}] == [set(names.split(", ")) for names in ports]
    assert sum(each["products"] for each in said["instructions"]) == 2 * 2 * 4 + 2 * 2 * 4
    assert said["period"] > max(each["start"] for each in said["instructions"])


def test_an_engine_behind_axi_names_every_port(tiny_engine):
    verilog, description, *_ = tiny_engine("--axi", "1")
    (names,) = re.findall(r"^module axi_engine\((.*?)\);", verilog.read_text(), re.MULTILINE | re.DOTALL)
    said = json.loads(description.read_text())
    assert {port["name"] for port in said["ports"]} == set(re.findall(r"\w+", names))
    assert said["module"] == "axi_engine"


def test_words_that_load_the_network_are_written(tiny_engine, tmp_path):
    """The file names the register and the engine; its words end with their CRC-32."""
    verilog, _, words, *_ = tiny_engine(*LOADED)
    found = read_record(words, LOAD_FILE)
    sent = base64.b64decode(found.words)
    assert zlib.crc32(sent[:-4]) == int.from_bytes(sent[-4:], "little")
    assert int.from_bytes(sent[:4], "little") == found.engine
    number = rf"'d{found.engine}\b|'h{found.engine:x}\b"  # as Yosys writes it: without leading zeros
    assert re.search(number, verilog.read_text()) and found.register == REGISTERS["load"]
    changed = tmp_path / words.name
    changed.write_text(words.read_text().replace(found.words, found.words.swapcase()))
    with pytest.raises(InputError, match="its digest does not match"):
        read_record(changed, LOAD_FILE)


def test_what_cannot_be_loaded_is_one_line(network, command):
    """Words are loaded by AXI4-Lite only, and not into an engine for one network."""
    done = command("hw", "engine", network, "--load", "1")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "--load is 1, which needs --axi 1" in done.stderr
    done = command("hw", "engine", network, "--load", "1", "--axi", "1", "--preset", "ice40up5k")
    assert done.returncode == 2 and "--preset ice40up5k does not take: its engine is for one network" in done.stderr


def test_who_writes_the_engine_of_a_board_s_flash_is_said(network, tmp_path, capsys, monkeypatch):
    """Memories of the engine that is written are filled at first, whatever the preset's device can fill."""
    monkeypatch.setitem(presets(), "tiny", replace(TINY, adapter=False, specialised=True, spram=True))
    cli.main(["engine", str(network), "--preset", "tiny", "--out", str(tmp_path)], standalone_mode=False)
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and "asq-post bitstream --preset tiny writes the engine" in printed.err
    assert "SB_SPRAM256KA" not in Path(printed.out.split()[0]).read_text()


@pytest.mark.exhaustive
def test_the_same_graph_gives_the_same_bytes(network, tmp_path, process):
    for name in ("first", "second"):
        done = process("hw", "engine", network, "--preset", "sized", "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    first, second = ({path.name: path.read_bytes() for path in (tmp_path / n).iterdir()} for n in ("first", "second"))
    assert first == second and len(first) == 4


def test_a_graph_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        cli.main(["engine", str(tmp_path)], standalone_mode=False)


def test_an_engine_of_a_family_s_own_cells_comes_with_their_models(tiny_engine, network, refused):
    verilog, _, _, models, _, core = tiny_engine(*LOADED)
    assert "CCU2C" in verilog.read_text() and "module CCU2C" in models.read_text()
    assert models.name in core.read_text()
    message = refused("hw", "engine", network, "--family", "lut9")
    assert "--family is 'lut9'; allowed: generic, ice40, ecp5, xc7" in message
