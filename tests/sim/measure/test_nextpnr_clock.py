"""Clock and gate equivalents; and what each refuses."""

import json
from collections import Counter

import pytest
from conftest import some

from asq_model.common.errors import InputError
from asq_model.spec.mac import MacSpec
from hw.emit import emit
from hw.harness.timing_wrapper import FOLD
from sim.measure import gate_equivalents, nextpnr_clock
from sim.measure.fpga_families import DEVICES, FPGA_FAMILIES
from sim.measure.gate_equivalents import count_gate_equivalents, nand2_area
from sim.measure.nextpnr_clock import Clock, measure_clock, place_once, read_clock, write_netlist
from sim.measure.tools import find_tool
from sim.measure.yosys_area import measure_area, sum_cells

# One worker: the first run of each tool compiles it.
pytestmark = pytest.mark.xdist_group("accepted")

AREAS = {"buf": 1.5, "inv": 1.0, "nand2": 2.0, "nand2_big": 5.0, "nor2": 2.5, "dff": 8.0}
FUNCTIONS = {"buf": "A", "inv": "!A", "nand2": "!(A*B)", "nand2_big": "!(A*B)", "nor2": "!(A+B)"}


def gate(name: str) -> str:
    """A combinational cell with constant delays, as ABC wants to see it."""
    delays = " ".join(
        f'{what} (scalar) {{ values ("0.1"); }}'
        for what in ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
    )
    inputs = [pin for pin in "AB" if pin in FUNCTIONS[name]]
    pins = [f"pin ({pin}) {{ direction : input; capacitance : 0.001; }}" for pin in inputs]
    arcs = " ".join(f'timing () {{ related_pin : "{pin}"; timing_sense : non_unate; {delays} }}' for pin in inputs)
    output = f'pin (Y) {{ direction : output; function : "{FUNCTIONS[name]}"; {arcs} }}'
    return f"  cell ({name}) {{ area : {AREAS[name]};\n" + "\n".join([*pins, output]) + " }\n"


FLIP_FLOP = f"""  cell (dff) {{ area : {AREAS["dff"]}; ff ("IQ", "IQN") {{ clocked_on : "CK"; next_state : "D"; }}
    pin (CK) {{ direction : input; clock : true; }} pin (D) {{ direction : input; }}
    pin (Q) {{ direction : output; function : "IQ"; }} }}
"""
LIBERTY = 'library (tiny) {\n  time_unit : "1ns"; capacitive_load_unit (1, pf);\n' + "".join(map(gate, FUNCTIONS))


@pytest.fixture
def liberty(tmp_path):
    path = tmp_path / "tiny.lib"
    path.write_text(LIBERTY + FLIP_FLOP + "}\n")
    return path


@pytest.mark.parametrize("device", [some(name, ("ice40",), name) for name in DEVICES])
def test_a_clock_is_measured_once_and_kept(device, build_root, tmp_path, monkeypatch):
    spec = MacSpec("uniform", 2, 1, depth=4)
    verilog, _ = emit(spec, build_root / "verilog")
    found = measure_clock(spec, verilog, device, 2, tmp_path)
    assert 50 < found.median <= found.best < 1000
    monkeypatch.setattr(nextpnr_clock, "write_netlist", lambda *words: pytest.fail("synthesised again"))
    assert measure_clock(spec, verilog, device, 2, tmp_path) == found
    monkeypatch.setattr(nextpnr_clock, "write_netlist", lambda *words: None)
    monkeypatch.setattr(nextpnr_clock, "place_once", lambda device, seed, folder: {3: 1000.0}[seed])
    assert measure_clock(spec, verilog, device, 3, tmp_path).best == 1000  # one more placing makes only that


def folding(bits: int) -> tuple[int, int]:
    """LUTs and flip-flops that fold an output of so many bits into one."""
    luts = flip_flops = 0
    while bits > 1:
        luts += (bits + FOLD - 2) // FOLD  # a single bit that is left over needs none
        bits = -(-bits // FOLD)
        flip_flops += bits
    return luts, flip_flops


@pytest.mark.parametrize("device", [some(name, ("ecp5",), name) for name in DEVICES])
def test_what_is_placed_is_what_is_counted(device, build_root, tmp_path):
    spec = MacSpec("post", 4, 4, depth=4)
    verilog, sidecar = emit(spec, build_root / "verilog")
    write_netlist(spec, verilog, device, False, tmp_path, tmp_path)
    counted = measure_area(verilog, spec.name, device, False, tmp_path)
    module = json.loads((tmp_path / "unit.json").read_text())["modules"][f"registered_{spec.name}"]
    placed = sum_cells(FPGA_FAMILIES[device], Counter(cell["type"] for cell in module["cells"].values()))
    ports = [port for port in json.loads(sidecar.read_text())["ports"] if port["name"] not in ("clk", "rst")]
    inputs, outputs = (sum(port["width"] for port in ports if port["direction"] == way) for way in ("input", "output"))
    luts, flip_flops = folding(outputs)
    assert {name: getattr(placed, name) - getattr(counted, name) for name in ("luts", "ffs", "carries")} == {
        "luts": luts,
        "ffs": inputs + outputs + flip_flops,
        "carries": 0,
    }


def test_a_placer_that_reports_nothing_has_failed(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="yowasp-nextpnr-none is not installed beside this Python"):
        find_tool("yowasp-nextpnr-none")
    with pytest.raises(InputError, match="nextpnr failed in"):
        place_once(DEVICES["ice40"], 1, tmp_path)  # no netlist there
    (tmp_path / "report-1.json").write_text(json.dumps({"fmax": {"clk": {"achieved": 1.0}}, "utilization": {}}))
    with pytest.raises(InputError, match="nextpnr failed in"):
        place_once(DEVICES["ice40"], 1, tmp_path)  # an old report does not count


def test_a_placer_that_fails_once_its_report_is_there_has_failed(tmp_path, monkeypatch):
    """A placer that fails while it writes, killed or on a full disk, leaves a report that is no result."""
    tool = tmp_path / "nextpnr"
    clock = json.dumps({"fmax": {"clk": {"achieved": 1.0}}})
    tool.write_text(f"#!/bin/sh\necho '{clock}' > report-1.json\necho 'ERROR: no space' >&2\nexit ${{STATUS:-1}}\n")
    tool.chmod(0o755)
    monkeypatch.setattr(nextpnr_clock, "find_tool", lambda name: str(tool))
    with pytest.raises(InputError, match=r"nextpnr failed in .*: ERROR: no space"):
        place_once(DEVICES["ice40"], 1, tmp_path)
    monkeypatch.setenv("STATUS", "0")
    assert place_once(DEVICES["ice40"], 1, tmp_path) == 1.0


@pytest.mark.parametrize("report", ["{}", '{"fmax": {}}', '{"fmax": [1]}', '{"fmax": {"clk": {"achieved": "?"}}}'])
def test_a_report_without_a_clock_is_refused(tmp_path, report):
    path = tmp_path / "report.json"
    path.write_text(report)
    with pytest.raises(InputError, match="has no clock"):
        read_clock(path)
    path.write_text('{"fmax": {"a": {"achieved": 31.5}, "b": {"achieved": 12}}}')
    assert read_clock(path) == 12


def test_a_placing_that_does_not_end_is_left_out(build_root, tmp_path, monkeypatch):
    spec = MacSpec("uniform", 2, 1, depth=4)
    verilog, _ = emit(spec, build_root / "verilog")
    monkeypatch.setattr(nextpnr_clock, "write_netlist", lambda *words: None)
    monkeypatch.setattr(nextpnr_clock, "place_once", lambda device, seed, folder: 100.0 * seed if seed > 1 else None)
    assert measure_clock(spec, verilog, "ice40", 3, tmp_path) == Clock(300.0, 250.0)
    with pytest.raises(InputError, match="nextpnr ended in 600 s for none of 1 seeds"):
        measure_clock(spec, verilog, "ecp5", 1, tmp_path)


def test_gate_equivalents_are_areas_in_the_smallest_nand2(liberty, build_root, tmp_path, monkeypatch):
    assert nand2_area(liberty) == 2.0
    spec = MacSpec("uniform", 2, 1, depth=4)
    verilog, _ = emit(spec, build_root / "verilog")
    found = count_gate_equivalents(verilog, spec.name, liberty, tmp_path)
    stat = json.loads((tmp_path / "synth" / f"{spec.name}-gates" / "stat.json").read_text())
    cells = stat["modules"][f"\\{spec.name}"]["num_cells_by_type"]
    assert found == pytest.approx(sum(AREAS[cell] * number for cell, number in cells.items()) / 2)
    monkeypatch.setattr(gate_equivalents, "run_yosys", lambda script, folder: pytest.fail("synthesised again"))
    assert count_gate_equivalents(verilog, spec.name, liberty, tmp_path) == found


def test_gate_equivalents_without_cells_are_transistors(build_root, tmp_path):
    spec = MacSpec("uniform", 2, 1, depth=4)
    verilog, _ = emit(spec, build_root / "verilog")
    found = count_gate_equivalents(verilog, spec.name, None, tmp_path)
    stat = json.loads((tmp_path / "synth" / f"{spec.name}-generic" / "stat.json").read_text())
    module = stat["modules"][f"\\{spec.name}"]
    assert found == int(module["estimated_num_transistors"]) / 4 > 4 * module["num_cells_by_type"]["$_DFF_P_"]


def test_a_liberty_file_that_cannot_be_used_is_named(liberty, build_root, tmp_path):
    verilog, _ = emit(MacSpec(), build_root / "verilog")
    with pytest.raises(InputError, match="cannot read liberty file"):
        nand2_area(tmp_path / "none.lib")
    (tmp_path / "empty.lib").write_text("library (empty) { }")
    with pytest.raises(InputError, match="has no cell named nand2 with an area"):
        nand2_area(tmp_path / "empty.lib")
    (tmp_path / "cut.lib").write_text(LIBERTY + "}\n")  # no flip-flop
    with pytest.raises(InputError, match=r"cut\.lib has no cell for|could not synthesise"):
        count_gate_equivalents(verilog, "post_mac_w3a3", tmp_path / "cut.lib", tmp_path)


def test_it_is_named_before_a_bench_runs(refused, tmp_path):
    (tmp_path / "empty.lib").write_text("library (empty) { }")
    words = ["--targets", "asic", "--liberty", tmp_path / "empty.lib", "--root", tmp_path / "build"]
    assert "empty.lib has no cell named nand2 with an area" in refused("sim", "synth", *words)
    assert [path.name for path in tmp_path.iterdir()] == ["empty.lib"]
