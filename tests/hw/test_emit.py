import json
import os
import re
import subprocess
import sys

import pytest

from asq_model.files import InputError
from asq_model.integer.blocks import BLOCKS, BlockSpec
from asq_model.integer.mac import UNITS, MacSpec
from hw.emit import emit


@pytest.mark.parametrize("unit", UNITS)
def test_the_sidecar_is_enough_to_drive_the_module(unit, tmp_path):
    spec = MacSpec(unit, 4, 3, signed_activation=True)
    verilog, sidecar = emit(spec, tmp_path)
    side = json.loads(sidecar.read_text())
    assert side["top"] == spec.name and f"module {spec.name}(" in verilog.read_text()
    ports = {port["name"]: port for port in side["ports"]}
    declared = re.findall(
        r"^  (input|output) (?:\[(\d+):0\] )?(\S+);", top_module(verilog.read_text(), spec.name), re.M
    )
    assert {name: (direction, int(high or 0) + 1) for direction, high, name in declared} == {
        name: (port["direction"], port["width"]) for name, port in ports.items()
    }
    assert ports["i__payload"]["fields"] == [
        {"name": "weight", "offset": 0, "width": 4, "signed": False},
        {"name": "activation", "offset": 4, "width": 3, "signed": True},
        {"name": "last", "offset": 7, "width": 1, "signed": False},
    ]
    assert ports["o__payload"]["signed"] and ports["o__payload"]["width"] == spec.result_width
    assert (side["latency"], side["interval"]) == (spec.latency, spec.interval)
    for row in side["levels"]["codes"]:
        even, odd = spec.level_set.level(row["code"])
        if "value" in row:
            assert row["value"] == even
        elif row["zero"]:
            assert (even, odd) == (0, 0)
        elif "half_exponent" in row:
            n = row["half_exponent"]
            assert (even, odd) == ((0, row["sign"] << n // 2) if n % 2 else (row["sign"] << n // 2, 0))


@pytest.mark.parametrize("unit", BLOCKS)
def test_a_block_s_sidecar_has_every_port_with_its_fields(unit, tmp_path):
    spec = BlockSpec(unit, channels=8, pixels=5, activation_bits=4, lanes=1 if unit == "rescale" else 2)
    verilog, sidecar = emit(spec, tmp_path)
    side = json.loads(sidecar.read_text())
    ports = {port["name"]: port for port in side["ports"]}
    declared = re.findall(
        r"^  (input|output) (?:\[(\d+):0\] )?(\S+);", top_module(verilog.read_text(), spec.name), re.M
    )
    assert {name: (direction, int(high or 0) + 1) for direction, high, name in declared} == {
        name: (port["direction"], port["width"]) for name, port in ports.items()
    }
    fields = {name: [field["name"] for field in port["fields"]] for name, port in ports.items() if "fields" in port}
    constants = ["hidden", "hidden_shift", "output_shift", "output_bias", "floor", "mantissa"]
    load, size, step = ["unit", "address", "data"], ["words", "pixels"], ["beta", "step"]
    lanes = ["lane0", "lane1"]
    assert (
        fields
        == {
            "channel-sums": {"i__payload": lanes, "o__payload": lanes, "size": size},
            "adapter": {"i__payload": lanes, "o__payload": step, "constants": constants, "load__payload": load},
            "quantiser": {"i__payload": ["values", "step"], "o__payload": lanes},
            "rescale": {
                "i__payload": ["total", "side"],
                "s__payload": step,
                "size": size,
                "constants": ["scale_shift", "shift", "align", "relu"],
                "load__payload": ["address", "data"],
            },
            "adapter-step": {
                "i__payload": lanes,
                "o__payload": lanes,
                "s__payload": step,
                "size": size,
                "constants": constants,
                "load__payload": load,
            },
        }[unit]
    )
    assert (side["latency"], side["interval"]) == (spec.latency, spec.interval)


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


@pytest.mark.parametrize("unit", ["post", "post-exact", "adapter-step", "counter"])
def test_same_bytes_under_another_hash_seed(unit, command, tmp_path):
    folders = [tmp_path / seed for seed in ("1", "2")]
    for folder in folders:
        done = command("hw", "verilog", "--unit", unit, "--out", folder, PYTHONHASHSEED=folder.name)
        assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in folders[0].iterdir())
    assert len(names) == 2 and names == sorted(path.name for path in folders[1].iterdir())
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_the_command_prints_both_paths_and_needs_no_torch(tmp_path):
    code = (
        "import sys; sys.argv = ['asq-hw', 'verilog', '--bits', '3', '--out', sys.argv[1]]\n"
        "from hw.cli import cli\n"
        "cli.main(standalone_mode=False)\n"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "post_mac_w3a3.v"), str(tmp_path / "post_mac_w3a3.json")]
    assert all(os.path.exists(path) for path in done.stdout.split())


@pytest.mark.parametrize(
    "words, said",
    [
        (["--bits", 9], "BITS is 9 for post weights; allowed: 2 to 6"),
        (["--bits", 7], "use uniform for 7 and 8"),
        (["--bits", 9, "--unit", "serial"], "BITS is 9 for uniform weights; allowed: 2 to 8"),
        (["--bits", "x"], "BITS is x; allowed: integers"),
        (["--unit", "booth"], "UNIT is 'booth'; allowed: post,"),
        (["--unit", "adapter", "--channels", 0], "CHANNELS is 0; allowed: 1 to 4096"),
        (["--unit", "adapter-step", "--lanes", 3], "CHANNELS is 64 and LANES 3; allowed: lanes that divide them"),
        (["--unit", "adapter", "--frac", 2], "FRAC is 2, but unit adapter has no such parameter"),
        (["--unit", "quantiser", "--buffer", 8], "BUFFER is 8, but unit quantiser has no such parameter"),
        (["--unit", "rescale", "--lanes", 2], "LANES is 2, but unit rescale has no such parameter"),
        (["--channels", 8], "CHANNELS is 8, but unit post has no such parameter"),
        (["--unit", "quantiser", "--abits", 9], "ABITS is 9; allowed: 1 to 8"),
        (["--unit", "quantiser", "--bits", 4], "BITS is 4, but unit quantiser has no such parameter"),
        (["--unit", "channel-sums", "--abits", 4], "ABITS is 4, but unit channel-sums has no such parameter"),
        (["--unit", "counter", "--bits", 4], "BITS is 4, but unit counter has no such parameter"),
        (["--unit", "counter", "--signed-act", 1], "SIGNED_ACT is 1, but unit counter has no such parameter"),
        (["--stages", 2], "STAGES is 2, but unit post alone is no array; it goes with ROWS and COLUMNS"),
        (["--golden", "x", "--layer", "y", "--bits", 4], "BITS is 4, but GOLDEN is given, and layer y has its own"),
        (["--golden", "x"], "GOLDEN and LAYER go together"),
        (["--gated", "yes"], "GATED is yes; allowed: 0, 1"),
        (["--levels", "wide"], "LEVELS is 'wide'; allowed: symmetric,"),
        (["--abits", 0], "ABITS is 0; allowed: 1 to 8"),
        (["--frac", 13], "FRAC is 13; allowed: -1 to 12"),
        (["--depth", 0], "DEPTH is 0; allowed: 1 to"),
        (["--signed-act", 2], "SIGNED_ACT is 2; allowed: 0, 1"),
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


def test_help(command):
    done = command("hw", "verilog", "--help")
    assert done.returncode == 0 and "--signed-act" in done.stdout
    assert command("hw").returncode == 2
