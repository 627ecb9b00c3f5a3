"""Unrolled layers: the netlists are the matrices, a wrong one is refused, and what the page says of them."""

import numpy as np
import pytest
from conftest import ROOT, some

from asq_model.common.errors import InputError
from asq_model.common.records import read_record, write_record
from asq_model.spec.golden_manifest import make_stored_spec
from asq_model.spec.golden_vectors import FORMAT, write_layer, write_manifest
from asq_model.spec.mac import MacSpec
from sim.measure import nextpnr_clock
from sim.measure.nextpnr_clock import Clock
from sim.unrolled import layer
from sim.unrolled.adder_graph import GRAPH_FORMS, Form, Problem
from sim.unrolled.adder_verilog import make_netlist
from sim.unrolled.cases import list_problems, parse_case
from sim.unrolled.layer import AdderGraph, LayerFigures, place_layer, solve_layer, unit_file
from sim.unrolled.layer_bench import simulate
from sim.unrolled.page import render_findings, render_page
from sim.unrolled.report import UNROLLED, measure_cases

# One worker: the first simulation compiles Verilator's runtime.
pytestmark = pytest.mark.xdist_group("unrolled")

# A row of even levels, one of odd ones, one of both, one of zeros and a sign: (POST) 1, −4, 2, 8; √2, −2√2 …
POST_CODES = np.array([[0, 12, 2, 6], [1, 11, 5, 9], [3, 8, 7, 13], [7, 15, 7, 10]], np.uint8)


def toy(key: str) -> tuple[Problem, np.ndarray]:
    """A 4 × 4 matrix in a form, and activations: random and extreme ones."""
    form = GRAPH_FORMS[key]
    spec = MacSpec(form.unit, 4, 4, frac=form.frac)
    activations = np.random.default_rng(1).integers(0, 16, (60, 4))
    return Problem(f"toy_{key}", form, spec, POST_CODES), np.vstack(
        [activations, np.zeros((1, 4)), np.full((1, 4), 15)]
    ).astype(int)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("unrolled")


@pytest.fixture(scope="module")
def golden(root):
    """Golden vectors of one layer `small` of 4 terms and 4 channels, the same codes in every level set."""
    vectors, terms, channels = 8, 4, 4
    units = {}
    activations = np.arange(vectors * terms, dtype=np.uint8).reshape(vectors, terms) % 16
    picked = np.arange(vectors) % channels
    arrays = {"activations": activations, "channels": picked, "images": picked, "positions": picked}
    arrays |= {"steps": np.ones(vectors), "torch": np.zeros(vectors)}
    for unit in ("post", "post-exact", "pot", "apot", "uniform"):
        spec = MacSpec(unit, 4, 4)
        about = {"spec": make_stored_spec(spec), "level_set": spec.level_set.name, "weights": "trained"}
        units[spec.name] = about | {"difference_rms": 0.0, "difference_max": 0.0}
        arrays[f"codes_{spec.level_set.name}"] = POST_CODES
        arrays[f"scales_{spec.level_set.name}"] = np.ones(channels)
        arrays[f"expected_{spec.name}"] = spec.dot(POST_CODES[picked], activations)
    folder = root / "golden"
    folder.mkdir()
    entry = {"name": "small", "terms": terms, "channels": channels, "vectors": vectors, "products": vectors * terms}
    entry |= {"weight_bits": 4, "activation_bits": 4, "level_set": "post4", "step": 1.0, "scales": [1.0] * channels}
    entry |= {"torch_rms": 1.0, "units": units} | write_layer(folder, "small", arrays)
    about = {"format": FORMAT, "network": "toy", "weight_bits": 4, "activation_bits": 4, "activations": "lsq"}
    about |= {
        "level_set": "post4",
        "kind": "symmetric",
        "family": "post",
        "accuracy": {},
        "products": entry["products"],
    }
    write_manifest(folder, about | {"checkpoint_digest": "0" * 64, "layers": [entry], "maps": []})
    return folder


def test_the_split_of_post_is_exact_and_its_root_faithful():
    problem, activations = toy("pair")
    exact = activations @ problem.spec.level_set.values[problem.codes].T
    assert np.allclose(activations @ problem.even.T + activations @ problem.odd.T * np.sqrt(2), exact, atol=1e-9)
    assert np.abs(problem.compute_expected(activations) - exact).max() < 1
    parts = Problem("toy", GRAPH_FORMS["parts"], problem.spec, problem.codes).compute_expected(activations)
    assert (parts == np.hstack([activations @ problem.even.T, activations @ problem.odd.T])).all()


@pytest.mark.parametrize(
    "key", [some(key, ("uniform", "tabled2"), key) for key in ("uniform", "pair", "parts", "tabled2")]
)
def test_a_netlist_is_its_matrix_and_is_kept(key, root, monkeypatch):
    problem, activations = toy(key)
    found = solve_layer(problem, activations, root)
    assert found.cost > 10 and 2 <= found.depth <= 9
    assert len(found.widths) == (8 if key == "parts" else 4)
    monkeypatch.setattr(layer, "simulate", lambda *words: pytest.fail("simulated again"))
    assert solve_layer(problem, activations, root) == found
    unit_file(problem, root).write_text("module nothing; endmodule\n")  # another netlist than the one that was checked
    with pytest.raises(pytest.fail.Exception, match="simulated again"):
        solve_layer(problem, activations, root)


def test_a_graph_that_is_not_its_matrix_is_refused(root):
    problem, activations = toy("uniform")
    netlist = make_netlist(problem)
    expected = problem.compute_expected(activations)
    source = root / "unrolled" / "wrong" / "unit.v"
    source.parent.mkdir(parents=True)
    first, _, rest = netlist.text.partition(") op_")
    assert first[-1] in "01"
    source.write_text(
        f"{first[:-1]}{1 - int(first[-1])}) op_{rest}"
    )  # the first adder subtracts, or the other way round
    with pytest.raises(InputError, match=r"toy_uniform is not the layer: \d+ of 62 results differ"):
        simulate(problem.name, source, activations, 4, expected, netlist.widths, root)
    with pytest.raises(InputError, match=r"toy_uniform gives \d+ bits for results from"):
        simulate(problem.name, source, activations, 4, expected * 100, netlist.widths, root)
    source.write_text("module nothing; endmodule\n")
    with pytest.raises(InputError, match="Verilator could not build toy_uniform in"):
        simulate(problem.name, source, activations, 4, expected, netlist.widths, root)


def test_a_simulation_that_died_says_nothing_of_the_layer(root, monkeypatch):
    problem, activations = toy("uniform")
    source = root / "unrolled" / "died" / "unit.v"

    def build(name, source, folder, runtime):
        (folder / "Vbench").write_text("#!/bin/sh\nexit 3\n")
        (folder / "Vbench").chmod(0o755)

    monkeypatch.setattr("sim.unrolled.layer_bench.build_layer_bench", build)
    with pytest.raises(InputError, match=r"simulation of toy_uniform in .* ended with 3 before it had its results"):
        simulate(problem.name, source, activations, 4, problem.compute_expected(activations), [20] * 4, root)


def test_sums_too_large_for_the_short_root_are_refused():
    spec = MacSpec("post-exact", 4, 4, frac=0)
    problem = Problem("large", GRAPH_FORMS["pair"], spec, np.full((1, 100), 5, np.uint8))
    with pytest.raises(InputError, match=r"sums of large reach 6000·√2; 181/128 rounds faithfully up to 33\d\d"):
        make_netlist(problem)


def test_a_clock_is_measured_once_and_kept(root, monkeypatch):
    problem, activations = toy("uniform")
    found = solve_layer(problem, activations, root)
    rates = place_layer(problem, found, 1, root)
    assert 20 < rates.median <= rates.best < 1000
    monkeypatch.setattr(layer, "run_yosys", lambda *words: pytest.fail("synthesised again"))
    assert place_layer(problem, found, 1, root) == rates
    monkeypatch.setattr(layer, "run_yosys", lambda *words: None)
    monkeypatch.setattr(nextpnr_clock, "place_once", lambda device, seed, folder: 2000.0 if seed == 3 else None)
    assert place_layer(problem, found, 3, root) == Clock(2000.0, (2000.0 + rates.best) / 2)
    source = unit_file(problem, root)
    source.write_text(source.read_text() + "// other\n")
    assert place_layer(problem, found, 2, root) is None  # no placing ended


def test_cases(golden, monkeypatch):
    case = parse_case("CASES", f"{golden}:small:4x2")
    found = list(list_problems(case))
    assert [key for key, *_ in found] == list(GRAPH_FORMS)
    assert all(
        problem.codes.shape == (2, 4) and checks.shape == (8 + 256 + 2 + 2 + 1, 4) for _, problem, checks in found
    )
    for wrong in ("small:4x2", f"{golden}:small:4", f"{golden}:small:0x2", f"{golden}:small:axb"):
        with pytest.raises(InputError, match="CASES has"):
            parse_case("CASES", wrong)
    with pytest.raises(InputError, match=r"layer is 'none'; .* has with POST weights: small"):
        list(list_problems(parse_case("CASES", f"{golden}:none:4x4")))
    with pytest.raises(InputError, match="small of golden, 5 × 4 cannot be; allowed: up to 4 × 4"):
        list(list_problems(parse_case("CASES", f"{golden}:small:5x4")))
    monkeypatch.setitem(GRAPH_FORMS, "serial", Form("bit by bit", "serial"))
    with pytest.raises(InputError, match="4 × 4 cannot be compared: its golden vectors have no serial"):
        list(list_problems(parse_case("CASES", f"{golden}:small:4x4")))


def test_a_layer_that_takes_no_adder_is_refused(golden, tmp_path, monkeypatch):
    """Where nothing is added there is nothing that others could be set over."""
    monkeypatch.setattr(layer, "solve_layer", lambda *words: AdderGraph(0.0, 0, [4], "0" * 64, 7))
    with pytest.raises(InputError, match="small of golden, 1 × 1 takes no adder as uniform; allowed: a larger part"):
        measure_cases([], [parse_case("CASES", f"{golden}:small:1x1")], 1, tmp_path)


def test_the_page(monkeypatch, golden, tmp_path):
    def row(luts, rate):
        graph = AdderGraph(9.0, 3, [5], "0" * 64, 7, 0.012)
        return LayerFigures(
            graph,
            {"ice40": luts, "ecp5": 2 * luts, "xc7": luts},
            Clock(rate, rate - 1) if rate else None,
        )

    rows = {key: row(100 + 10 * place, place * 50) for place, key in enumerate(GRAPH_FORMS)}

    def measured(case, placed, *others):
        return rows if placed else {key: LayerFigures(row.graph) for key, row in rows.items()}

    monkeypatch.setattr("sim.unrolled.report.measure_layer", measured)
    cases = [parse_case("CASES", f"{golden}:small:{size}") for size in ("4x4", "2x2")]
    found = measure_cases(cases[:1], cases[1:], 2, tmp_path)
    write_record(tmp_path / "unrolled.json", UNROLLED, found)
    text = render_page(read_record(tmp_path / "unrolled.json", UNROLLED))
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert ["POST: E, O, √2 per output", "9", "3", "110 (1.10)", "220 (1.10)", "110 (1.10)", "50 / 49"] in lines
    assert ["uniform", "9", "3", "100 (1.00)", "200 (1.00)", "100 (1.00)", "–"] in lines
    assert ["uniform", "1.00", "1.00"] in lines and ["uniform", "1.00 / 1.00 / 1.00"] in lines
    assert "two graphs and √2 take 1.10 to 1.10 times what uniform takes, without the √2 1.20 to 1.20;" in text
    assert "these times uniform's: 1.00 to 1.00 at 2 inputs, 1.00 to 1.00 at 4 inputs;" in text
    assert "at most 1.2% of a layer's results in simulation are not" in text


def test_what_is_told_of_layers_that_were_not_placed():
    found = read_record(ROOT / "docs" / "results" / "unrolled.json", UNROLLED)
    larger = [case for case in found["cases"] if not case["placed"]]
    said = render_findings(larger)
    assert said.startswith("LUTs were not measured.") and "1.00 to 1.07 at 144 inputs" in said
    assert "## " not in render_page(found | {"cases": larger})
