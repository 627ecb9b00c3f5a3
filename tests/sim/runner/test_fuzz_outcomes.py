"""What a simulator left is read as it was written, or the test has failed."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from mutants import DEEP, FUZZED, damaged, mutants, read_or_refused
from record_values import FOUND

from sim.runner.outcomes import read_findings, read_results

pytestmark = pytest.mark.fuzz


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
