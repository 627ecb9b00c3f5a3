"""Emitted files: ports, names and provenance of the Verilog and its sidecar, and what the command refuses."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.back import verilog
from conftest import ROOT
from few_specs import ONE_OF_EACH
from formulas import cycles_of_case

from asq_model.common.errors import InputError
from asq_model.spec.array import ArraySpec
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.mac import MacSpec
from hw.catalogue import make_component
from hw.emit import emit, to_verilog
from hw.fusesoc import make_engine_core
from hw.sidecar import make_sidecar


def described(spec) -> dict:
    """A unit's sidecar alone: its Verilog takes longer."""
    return make_sidecar(spec, spec.name, make_component(spec))


@pytest.mark.parametrize("spec", ONE_OF_EACH, ids=lambda spec: spec.name)
def test_the_sidecar_has_every_port_of_the_module_and_every_port_is_of_a_stream_or_held(spec, build_root):
    verilog, sidecar = emit(spec, build_root / "verilog")
    side = json.loads(sidecar.read_text())
    assert side["top"] == spec.name and f"module {spec.name}(" in verilog.read_text()
    declared = re.findall(
        r"^  (input|output) (?:\[(\d+):0\] )?(\S+);", top_module(verilog.read_text(), spec.name), re.M
    )
    assert {name: (direction, int(high or 0) + 1) for direction, high, name in declared} == {
        port["name"]: (port["direction"], port["width"]) for port in side["ports"]
    }
    of_streams = [row[part] for row in side["streams"] for part in ("payload", "valid", "ready") if row[part]]
    others = [side["clock"]["port"], side["reset"]["port"], *side.get("held", [])]
    assert sorted(of_streams + others) == sorted(port["name"] for port in side["ports"])


def fields(side, port):
    (row,) = [row for row in side["ports"] if row["name"] == port]
    return [(field["name"], field["offset"], field["width"], field["signed"]) for field in row["fields"]]


def test_fields_of_a_unit_and_of_an_array():
    side = described(MacSpec("uniform", 4, 3, signed_activation=True))
    assert fields(side, "i__payload") == [
        ("weight", 0, 4, False),
        ("activation", 4, 3, True),
        ("last", 7, 1, False),
    ]
    side = described(ArraySpec(MacSpec("post-exact", 3, 2, depth=4), 2, 2))
    assert fields(side, "load__payload") == [("0", 0, 3, False), ("1", 3, 3, False)]
    assert fields(side, "i__payload") == [("0", 0, 2, False), ("1", 2, 2, False)]
    (column, _) = next(row for row in side["ports"] if row["name"] == "s__payload")["fields"]
    assert [field["name"] for field in column["fields"]] == ["even", "odd"]


LEVELS = {  # unit at 3 bits: level_unit, levels of codes 0 to 3
    "post": (2.0, [1, 2**0.5, 2, 0]),
    "post-exact": (2.0, [1, 2**0.5, 2, 0]),
    "post-sorted": (2.0, [1, 2**0.5, 2, 0]),
    "post-three-halves": (2.0, [1, 1.5, 2, 0]),
    "pot": (4.0, [1, 2, 4, 0]),
    "apot": (4.0, [0, 4, 2, 1]),
    "uniform": (3.0, [0, 1, 2, 3]),
}


@pytest.mark.parametrize("unit", LEVELS)
def test_levels_are_the_unit_s_own(unit):
    weights = described(MacSpec(unit, 3, 3))["product"]["weights"]
    assert (weights["level_unit"], [row["level"] for row in weights["codes"][:4]]) == LEVELS[unit]


def test_what_three_halves_does_to_the_largest_level():
    weights = described(MacSpec("post-three-halves", 3, 3, "extended"))["product"]["weights"]
    assert weights["level_unit"] == 3.0 and weights["level_unit_with_sqrt2"] == 2 * 2**0.5
    assert weights["root"] == {"name": "3/2", "value": 1.5}


def test_an_exact_array_answers_pairs_of_integers():
    result = described(ArraySpec(MacSpec("post-exact", 3, 2, depth=4), 2, 2))["result"]
    assert result["frac"] == 0 and result["rounding"] == "none" and "width" not in result
    reach = {row["name"]: (row["min"], row["max"]) for row in result["sums"]}
    assert reach == {"even": (-4 * 2 * 3, 4 * 2 * 3), "odd": (-4 * 3, 4 * 3)}


def test_latencies_that_depend_on_a_layer_are_formulas():
    spec = BlockSpec("adapter-step", 8, 5)
    side = described(spec)
    codes, step = side["timing"]["latency"]
    for words, hidden in ((1, 0), (8, 0), (8, 2)):
        adapter = spec.adapter_latency(words, hidden)
        names = {"words": words, "hidden": hidden}
        for entry, wanted in ((codes, spec.step_latency(adapter)), (step, spec.step_offered(adapter))):
            assert cycles_of_case(entry["cases"], names) == wanted and "cycles" not in entry


def top_module(text, name):
    return text[text.index(f"module {name}(") : text.index("endmodule", text.index(f"module {name}("))]


def test_what_is_up_to_date_is_left_alone_and_what_is_edited_is_written_anew(tmp_path):
    spec = MacSpec()
    paths = emit(spec, tmp_path)
    before = [path.read_bytes() for path in paths]
    stamps = [path.stat().st_mtime_ns for path in paths]
    emit(spec, tmp_path)
    assert [path.stat().st_mtime_ns for path in paths] == stamps
    for path in paths:
        path.write_bytes(path.read_bytes().replace(b"1", b"2"))
        emit(spec, tmp_path)
        assert [path.read_bytes() for path in paths] == before
    paths[1].write_text("{")
    emit(spec, tmp_path)
    assert [path.read_bytes() for path in paths] == before


EMIT = """
import sys
from pathlib import Path
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.mac import MacSpec
from hw.emit import emit, to_verilog

for spec in (MacSpec(), MacSpec("post-exact"), BlockSpec("adapter-step"), None):
    emit(spec, Path(sys.argv[1]))
"""


def test_same_bytes_in_another_process_under_another_hash_seed(tmp_path):
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    subprocess.run([sys.executable, "-c", EMIT, tmp_path / "other"], env=environment, cwd=ROOT, check=True)
    for spec in (MacSpec(), MacSpec("post-exact"), BlockSpec("adapter-step"), None):
        for path in emit(spec, tmp_path / "own"):
            assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


def test_the_command_prints_all_paths_and_needs_no_torch(tmp_path):
    code = (
        "import sys; sys.argv = ['asq-hw', 'verilog', '--bits', '3', '--out', sys.argv[1]]\n"
        "from hw.cli import cli\n"
        "cli.main(standalone_mode=False)\n"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / f"post_mac_w3a3.{ending}") for ending in ("v", "json", "core")]
    assert all(os.path.exists(path) for path in done.stdout.split())


@pytest.mark.parametrize(
    "words, said",
    [
        (["--bits", 9], "--bits is 9 for post weights; allowed: 2 to 6"),
        (["--bits", 7], "use uniform for 7 and 8"),
        (["--bits", 9, "--unit", "serial"], "--bits is 9 for uniform weights; allowed: 2 to 8"),
        (["--bits", "x"], "--bits is x; allowed: integers"),
        (["--unit", "booth"], "--unit is 'booth'; allowed: post,"),
        (["--unit", "adapter", "--channels", 0], "--channels is 0; allowed: 1 to 4096"),
        (
            ["--unit", "adapter-step", "--lanes", 3],
            "--channels is 64 and --lanes is 3; allowed: lanes that",
        ),
        (["--unit", "adapter", "--frac", 2], "--frac is 2, but unit adapter has no such parameter"),
        (["--unit", "quantiser", "--buffer", 8], "--buffer is 8, but unit quantiser has no such parameter"),
        (["--unit", "rescale", "--lanes", 2], "--lanes is 2, but unit rescale has no such parameter"),
        (["--channels", 8], "--channels is 8, but unit post has no such parameter"),
        (["--unit", "quantiser", "--abits", 9], "--abits is 9; allowed: 1 to 8"),
        (["--unit", "quantiser", "--bits", 4], "--bits is 4, but unit quantiser has no such parameter"),
        (["--unit", "channel-sums", "--abits", 4], "--abits is 4, but unit channel-sums has no such parameter"),
        (["--unit", "counter", "--bits", 4], "--bits is 4, but unit counter has no such parameter"),
        (["--unit", "counter", "--signed-act", 1], "--signed-act is 1, but unit counter has no such parameter"),
        (["--stages", 2], "--stages is 2, but unit post alone is no array; it goes with --rows and --columns"),
        (["--golden", "x", "--layer", "y", "--bits", 4], "--bits is 4, but --golden is given, and layer y has its own"),
        (["--golden", "x"], "--golden and --layer go together"),
        (["--gated", "yes"], "--gated is yes; allowed: 0, 1"),
        (["--kind", "wide"], "--kind is 'wide'; allowed: symmetric,"),
        (["--abits", 0], "--abits is 0; allowed: 1 to 8"),
        (["--frac", 13], "--frac is 13; allowed: -1 to 12"),
        (["--depth", 0], "--depth is 0; allowed: 1 to"),
        (["--signed-act", 2], "--signed-act is 2; allowed: 0, 1"),
        (["--bitz", 3], "No such option"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(words, said, refused, tmp_path):
    assert said in refused("hw", "verilog", *words, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*file"):
        emit(MacSpec(), tmp_path / "file")


def test_help(process):
    done = process("hw", "verilog", "--help")
    assert done.returncode == 0 and "--signed-act" in done.stdout
    assert process("hw").returncode == 2


@pytest.mark.parametrize(
    ("words", "models"),
    [
        ((), False),
        (("--unit", "counter"), False),
        (("--unit", "quantiser"), False),
        (("--rows", "2", "--columns", "1", "--family", "ecp5", "--frac", "0"), True),
    ],
)
def test_a_core_names_a_unit_s_files(words, models, tmp_path, command):
    """Its files lie beside it and have its top module; models of cells only where the flag asks for them."""
    done = command("hw", "verilog", *words, "--out", tmp_path)
    *others, core = (Path(line) for line in done.stdout.splitlines())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in (*others, core))
    head, _, body = core.read_text().partition("\n")
    said = json.loads(body)
    (target,) = said["targets"].values()
    assert head == "CAPI=2:" and said["name"].split(":")[:3] == ["asq-post", "unit", core.stem]
    assert target["filesets"] == ["rtl", "models ? (models)"][: 1 + models] and target["toplevel"] == core.stem
    assert f"module {core.stem}(" in (tmp_path / said["filesets"]["rtl"]["files"][0]).read_text()
    for name in said["filesets"].get("models", {}).get("files", []):
        assert "module CCU2C" in (tmp_path / name).read_text()


@pytest.mark.parametrize("name", ["a net: (1).v2", "a-b"])
def test_a_core_s_name_has_no_character_that_divides_names(name):
    """The name of a graph's folder is the user's; that of a core has four parts."""
    text = make_engine_core(name, "about", "engine", Path("x.v"), [])
    assert re.fullmatch(r"asq-post:engine:\w+:[\w.]+", json.loads(text.partition("\n")[2])["name"])


def test_a_yosys_on_path_writes_nothing(tmp_path, monkeypatch):
    """Another version writes other text, which would be kept as that of the version that the sidecar names."""
    (tmp_path / "yosys").write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\necho 'Yosys 0.99 (git sha1 1234567)'\n")
    (tmp_path / "yosys").chmod(0o755)
    spec = MacSpec("uniform", 2, 1, depth=4)
    monkeypatch.delenv("AMARANTH_USE_YOSYS", raising=False)
    before = to_verilog(make_component(spec), spec.name, "a unit")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("AMARANTH_USE_YOSYS", raising=False)
    assert to_verilog(make_component(spec), spec.name, "a unit") == before
    assert not (tmp_path / "asked").exists()


def test_a_tool_that_fails_to_write_is_one_line(refused, tmp_path, monkeypatch):
    """A Yosys that fails, as it does on a full disk, is told in one line: Amaranth's own message is a traceback."""

    def fails(*words, **options):
        raise verilog.YosysError("Traceback (most recent call last):\n  File ...\nOSError: No space left on device\n")

    monkeypatch.setattr(verilog, "convert", fails)
    said = refused("hw", "verilog", "--out", tmp_path)
    assert said.endswith("could not write the Verilog of post_mac_w3a3: OSError: No space left on device")
    assert not list(tmp_path.iterdir())
