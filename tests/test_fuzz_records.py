"""Whatever happens to a file that the program wrote for itself, it is read as it was written, made again or refused."""

import ast
import json
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import example, given
from hypothesis import strategies as st
from mutants import DEEP, FUZZED, FUZZED_EACH, damaged, mutants, read_or_refused

from asq_model.common.errors import InputError, OtherFormat
from asq_model.common.files import write_json
from asq_model.common.records import checked_content, kept, read_record, sealed, write_record
from asq_model.common.result_schemas import ARITHMETIC, BENCH, FIGURES_PAGE, STUDY
from asq_model.common.zoo import NETWORKS, zoo_names, zoo_networks
from asq_model.spec.mac import MacSpec
from asq_model.studies.integer_parity_page import PARITY
from asq_model.studies.step_sizes_page import STEPS
from asq_model.studies.trained_out import TRAINED_OUT
from hw.emit import emit, is_up_to_date
from hw.engine.load_words import LOAD_FILE
from hw.engine.schedule_record import SCHEDULE
from sim.engine.bitstream import BITSTREAM, SYNTHESISED
from sim.engine.build_engine import SIMULATOR, VERILOG
from sim.engine.engine_area import ENGINE_AREA
from sim.engine.engines_report import ENGINES
from sim.engine.simulate_network import NETWORK_RUN
from sim.explore.design_rows import REPORT, ROW, TABLE, Description
from sim.measure.fpga_families import PLACED
from sim.measure.gate_equivalents import GATES
from sim.measure.nextpnr_clock import RATES
from sim.measure.switching import SWITCHING
from sim.measure.yosys_area import AREA
from sim.reports.adaptation_page import ASQ
from sim.runner.outcomes import JOB_FILE, OUTCOME, read_findings, read_results
from sim.runner.verilator import STAMPS
from sim.unrolled.layer import GRAPH
from sim.unrolled.page import UNROLLED

pytestmark = pytest.mark.fuzz

HASH = "0123456789abcdef" * 4
AREA_OF_FEW = {"luts": 20, "carries": 3, "ffs": 9, "memories": 0, "dsps": 0}
COUNTERS = {"cycles": 9, "input_stalls": 0, "output_stalls": 0, "operands": 8, "results": 2}
SWITCHED = {"per_product": 5.5, "toggles_per_product": 2.5, "nets": 30, "flip_flops": 9, "products": 100}
NETWORK_FOUND = {
    "images": 3,
    "compared": 2,
    "numbers": 6,
    "engine_right": 2,
    "graph_right": 2,
    "period": 300,
    "under_way": 2,
    "latency": 400,
    "engine_products": 16,
    "layers": [{"name": "conv", "products": 500, "multiply": 90, "prepare": 20}],
    "memories": [{"name": "codes", "used": 8, "rows": 16}],
}
FOUND = {
    "golden": {
        "vectors": 2,
        "failed": 0,
        "failures": [],
        "counters": COUNTERS,
        "layers": [{"layer": "conv1", "vectors": 2, "failed": 0, "betas": [1, 2], "steps": [3, 4], **COUNTERS}],
    },
    "timing": {"latency": 2, "interval": 1},
}


def published(name: str, whole: str = "") -> dict:
    """A committed results file, its lists cut down to two entries but for one that others point into."""
    content = json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text(encoding="utf-8"))["content"]
    return {key: value[:2] if isinstance(value, list) and key != whole else value for key, value in content.items()}


def rows() -> list[dict]:
    """A committed row of each target, and of one that is placed."""
    content = json.loads((ROOT / "docs" / "results" / "hardware.json").read_text(encoding="utf-8"))["content"]
    return list({row["target"]: row for row in content["rows"] if "mhz" in row or row["target"] not in PLACED}.values())


ROWS = {row["target"]: row for row in rows()}
FAILURE = {key: ROWS["xc7"][key] for key in Description.__struct_fields__ if key in ROWS["xc7"]} | {"error": "no tool"}
RUN = {"start": 5, "cycles": 9, "program": "values", "kind": "COLLECT", "name": "input", "bank": 0}
ENGINE_ROW = {
    "network": "made up",
    "preset": "zynq7020",
    "unit": "post",
    "product_bits": 4,
    "weight_bits": 4,
    "activation_bits": 4,
    "kind": "",
    "cells": "xc7",
    "products": 128,
    "lanes": 2,
    "period": 2000,
    "under_way": 2,
    "latency": 1500,
    "busy": 0.5,
    "area": {"lane": AREA_OF_FEW, "rest": AREA_OF_FEW},
    "blocks": 20,
    "simulated": 2,
    "right": 8,
    "tested": 10,
    "other_blocks": 12,
    "programs": [
        {
            "programs": 8,
            "pixels": 32,
            "terms": 3,
            "weight_terms": 0.9,
            "cycles": 9000,
            "lane": AREA_OF_FEW,
            "blocks": 96,
        }
    ],
}
VALUES = {
    JOB_FILE: {
        "kind": "mac",
        "spec": {"unit": "post", "weight_bits": 3},
        "seed": 1,
        "tests": ["golden"],
        "golden": "g",
        "layer": None,
        "verilog": None,
        "result": "r.json",
    },
    AREA: {"area": AREA_OF_FEW, "mapped": HASH},
    RATES: {"1": 200.25, "2": None},
    GATES: 310.5,
    SWITCHING: SWITCHED,
    GRAPH: {"cost": 30.0, "depth": 3, "widths": [7, 8], "sha256": HASH, "vectors": 5, "rounded_apart": 0.25},
    STAMPS: {"content": HASH, "sources": HASH},
    SYNTHESISED: {"area": AREA_OF_FEW, "netlist": HASH},
    ENGINE_AREA: {"lane": AREA_OF_FEW, "rest": AREA_OF_FEW},
    ENGINES: {"preset": "zynq7020", "family": "xc7", "rows": [ENGINE_ROW], "note": "n"},
    BITSTREAM: {"megahertz": 31.5, "sha256": HASH},
    SCHEDULE: {"network": "digits", "images": 2, "period": 90, "runs": [RUN, RUN | {"start": 0, "bank": 1}]},
    LOAD_FILE: {"network": "x", "engine": 7, "control": 0, "begin": 1, "register": 32, "words": "AAAA"},
    VERILOG: {"sha256": HASH},
    SIMULATOR: {"sha256": HASH},
    NETWORK_RUN: NETWORK_FOUND,
    OUTCOME: FOUND,
    ROW: ROWS["ice40"],
    TABLE: {"rows": [*ROWS.values()], "failures": [FAILURE]},
    REPORT: published("hardware"),
    ARITHMETIC: published("arithmetic"),
    STUDY: published("cifar10"),
    FIGURES_PAGE: published("figures"),
    BENCH: published("training-speed"),
    PARITY: published("parity"),
    TRAINED_OUT: published("trained-out", whole="sessions"),
    STEPS: published("steps"),
    NETWORKS: {name: zoo_networks()[name] for name in zoo_names()[:2]},
    UNROLLED: published("unrolled"),
    ASQ: published("asq"),
}
KINDS = {kind.title: kind for kind in VALUES}
every_kind = pytest.mark.parametrize("kind", VALUES, ids=KINDS)


def unchecked(path: Path, value: object) -> None:
    """JSON as Python writes it, NaN and all."""
    path.write_text(json.dumps(value))


def test_every_kind_is_among_them():
    """One that is added is fuzzed, too."""
    packages = ("asq_model", "hw", "sim")
    modules = [path.relative_to(ROOT) for package in packages for path in (ROOT / package).rglob("*.py")]
    named = {
        target.id
        for path in modules
        for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call)
        if getattr(node.value.func, "id", "") == "Schema"
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }
    assert len(named) == len(VALUES) and all(globals()[name] in VALUES for name in named)


@every_kind
def test_what_is_written_is_read(kind, tmp_path):
    path = tmp_path / "x.json"
    value = checked_content(kind, VALUES[kind])
    write_record(path, kind, value, HASH)
    assert read_record(path, kind) == value == kept(path, kind, HASH)
    assert kept(path, kind, "other inputs") is None and kept(tmp_path / "none", kind, HASH) is None
    unchecked(path, json.loads(path.read_text()) | {"format": kind.format + 1})
    with pytest.raises(OtherFormat, match=f"x.json has format {kind.format + 1}; this program reads {kind.format}"):
        read_record(path, kind)


@every_kind
@FUZZED_EACH
@given(data=st.data())
def test_damaged_bytes_are_seen(kind, data, tmp_path):
    path = tmp_path / "x.json"
    write_json(path, sealed(kind, VALUES[kind], HASH))
    whole = read_record(path, kind)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    assert read_or_refused(lambda: read_record(path, kind), path) in (None, whole)
    assert kept(path, kind, HASH) in (None, whole)


@every_kind
@FUZZED_EACH
@given(data=st.data())
def test_a_changed_value_is_seen_even_where_its_digest_was_made_again(kind, data, tmp_path):
    """What is taken is exactly what stands there, and passes the schema."""
    path = tmp_path / "x.json"
    value = data.draw(mutants(VALUES[kind]))
    unchecked(path, sealed(kind, VALUES[kind], HASH) | {"content": value})
    assert read_or_refused(lambda: read_record(path, kind), path) is None or value == VALUES[kind]
    try:
        unchecked(path, sealed(kind, value, HASH))
    except (ValueError, RecursionError):  # no number, or too deep: no digest can be made of it
        return
    found = read_or_refused(lambda: read_record(path, kind), path)
    if found is not None:
        assert checked_content(kind, value) == found == kept(path, kind, HASH)


@every_kind
@FUZZED_EACH
@given(data=st.data())
def test_a_changed_envelope_is_refused(kind, data, tmp_path):
    path = tmp_path / "x.json"
    whole = sealed(kind, VALUES[kind], HASH)
    changed = data.draw(mutants({key: value for key, value in whole.items() if key != "content"}))
    unchecked(path, changed | {"content": VALUES[kind]} if isinstance(changed, dict) else changed)
    assert read_or_refused(lambda: read_record(path, kind), path) is None or json.loads(path.read_text()) == whole


WRONG = [
    (AREA, {"area": AREA_OF_FEW | {"luts": 0}, "mapped": None}),
    (AREA, {"area": {key + "z" * (key == "luts"): value for key, value in AREA_OF_FEW.items()}, "mapped": None}),
    (RATES, {"1": 0.0}),
    (RATES, {"first": 1.0}),
    (ROW, ROWS["xc7"] | {"unit": "uniformz"}),
    (ROW, ROWS["xc7"] | {"mhz": 3.0}),
    (ROW, ROWS["xc7"] | {"target": "asic"}),
    (ROW, {key: value for key, value in ROWS["ice40"].items() if key != "mhz_median"}),
    (OUTCOME, FOUND | {"golden": FOUND["golden"] | {"failed": 1}}),
    (OUTCOME, FOUND | {"golden": FOUND["golden"] | {"vectors": 3}}),
    (STUDY, VALUES[STUDY] | {"runs": VALUES[STUDY]["runs"] * 2}),
    (STUDY, VALUES[STUDY] | {"runs": [VALUES[STUDY]["runs"][0] | {"correct": 1 << 40}]}),
    (ARITHMETIC, VALUES[ARITHMETIC] | {"rows": [VALUES[ARITHMETIC]["rows"][0] | {"gained": 1 << 40}]}),
    (ARITHMETIC, VALUES[ARITHMETIC] | {"rows": VALUES[ARITHMETIC]["rows"] * 2}),
]


@pytest.mark.parametrize("kind, value", WRONG)
def test_values_that_cannot_be_are_neither_written_nor_read(kind, value, tmp_path):
    path = tmp_path / "x.json"
    with pytest.raises(InputError, match=r"x\.json cannot be written: "):
        write_record(path, kind, value)
    assert not path.exists()
    write_json(path, sealed(kind, value, HASH))
    with pytest.raises(InputError, match=rf"x\.json cannot be used: .*; {kind.remedy[:10]}"):
        read_record(path, kind)
    assert kept(path, kind, HASH) is None


@every_kind
def test_what_is_too_large_or_has_no_end_is_not_opened(kind, tmp_path):
    path = tmp_path / "x.json"
    with path.open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(InputError, match=rf"x\.json has 17,179,869,184 bytes; allowed: {kind.megabytes} MiB"):
        read_record(path, kind)
    with pytest.raises(InputError, match="/dev/zero: it is a device"):
        read_record(Path("/dev/zero"), kind)
    path.unlink()
    path.mkdir()
    assert kept(path, kind, HASH) is None and kept(Path("/dev/zero"), kind, HASH) is None


@FUZZED
@given(contents=damaged(json.dumps(FOUND).encode()) | mutants(FOUND).map(lambda value: json.dumps(value).encode()))
@example(contents=json.dumps(DEEP).encode())
def test_what_a_bench_recorded(contents, tmp_path):
    path = tmp_path / "result.json"
    path.write_bytes(contents)
    read_or_refused(lambda: read_findings(path), path)


XML = """<testsuites name="results"><testsuite name="all"><property name="seed" value="1"/>
<testcase classname="sim.benches.mac_bench" name="sim.benches.mac_bench.golden" time="1.5"/>
<testcase classname="sim.benches.mac_bench" name="timing">
<failure error_msg="latency 3&#10;more" message="m"/></testcase>
</testsuite></testsuites>"""
TESTS = ["golden", "timing", "products"]


def results(path: Path, text: str | bytes) -> list[str]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = read_results(path, Path("sim.log"), TESTS)
    assert [*found] == TESTS and all(state and len(state.splitlines()) == 1 for state in found.values())
    return [*found.values()]


def test_a_results_file_says_who_passed(tmp_path):
    path = tmp_path / "results.xml"
    unknown = "did not run, see sim.log"
    assert results(path, XML) == ["passed", "latency 3", unknown]
    assert results(path, XML[:200]) == [unknown] * 3
    case = XML.splitlines()[1]
    assert results(path, XML.replace(case, case * 2))[0] == "ran 2 times, see sim.log"
    for inside in ("failure", "error", "skipped", "unheard-of"):
        assert results(path, XML.replace('time="1.5"/>', f'time="1.5"><{inside}/></testcase>'))[0] == inside
    assert read_results(Path("/dev/zero"), Path("sim.log"), TESTS) == dict.fromkeys(TESTS, unknown)


@FUZZED
@given(contents=damaged(XML.encode()))
@example(contents=b"<a>" * 100_000)
@example(contents=b'<?xml version="1.0" encoding="foo"?><a/>')
@example(
    contents=b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 1000 + b'"><!ENTITY c "' + b"&b;" * 5000 + b'">]><a>' + b"&c;" * 500
)
def test_a_damaged_results_file_passes_nobody_who_failed(contents, tmp_path):
    assert results(tmp_path / "results.xml", contents)[1:] != ["passed", "passed"]


@pytest.fixture(scope="module")
def emitted(tmp_path_factory):
    spec = MacSpec("uniform", 2, 1, depth=4)
    verilog, sidecar = emit(spec, tmp_path_factory.mktemp("emitted"))
    parameters = json.loads(sidecar.read_text())["parameters"]
    assert is_up_to_date(verilog, sidecar, parameters)
    return verilog, sidecar, parameters, sidecar.read_text()


@FUZZED
@given(data=st.data())
def test_a_changed_sidecar_is_not_up_to_date(data, emitted):
    verilog, sidecar, parameters, whole = emitted
    try:
        if data.draw(st.booleans()):
            unchecked(sidecar, data.draw(mutants(json.loads(whole))))
        else:
            sidecar.write_bytes(data.draw(damaged(whole.encode())))
        text = sidecar.read_bytes()
        assert not is_up_to_date(verilog, sidecar, parameters) or json.loads(text) == json.loads(whole)
    finally:
        sidecar.write_text(whole)
