"""What a bench found: the files that the simulator leaves, read with care, and the outcome that is kept."""

from contextlib import suppress
from pathlib import Path
from typing import Any, NotRequired, TypedDict
from xml.etree import ElementTree

import msgspec

from asq_model.common.errors import InputError
from asq_model.common.files import check_file, parse_json, read_bytes
from asq_model.common.records import Count, Line, Schema, Word


class JobFile(TypedDict):
    """The file that a bench reads: which unit it tests, how, and where to write what it finds.

    kind: which bench. spec: the unit's parameters. golden, layer: the golden vectors, and the layer of them if it is
    one only. verilog: the unit's file, if it is not the emitted one.
    """

    kind: Word
    spec: dict[str, Any]
    seed: Count
    tests: list[Word]
    golden: str | None
    layer: str | None
    verilog: str | None
    result: str


JOB_FILE: Schema[JobFile] = Schema("job of a bench", JobFile, remedy="simulate the unit again")
RESULTS_MB = 16  # of what a bench says
LONGEST = 1000  # characters of a failure's message


class Counters(TypedDict):
    """The hardware cycle counter, after a workload."""

    cycles: Count
    input_stalls: Count
    output_stalls: Count
    operands: Count
    results: Count


class LayerFindings(TypedDict):
    """What a test found on the golden vectors or maps of one layer.

    vectors: results compared, of which `failed` were wrong. The hardware's cycle counter follows; of a block its timing
    as well, and of the adapter β and step of each map, as integers.
    """

    layer: Line
    vectors: Count
    failed: Count
    cycles: Count
    input_stalls: Count
    output_stalls: Count
    operands: Count
    results: Count
    words: NotRequired[Count]
    latency: NotRequired[Count]
    interval: NotRequired[Count]
    precision: NotRequired[Count]
    betas: NotRequired[list[Count]]
    steps: NotRequired[list[Count]]


class WrongResult(TypedDict):
    """A wrong result on the golden vectors or maps of a layer.

    Of a multiply-accumulate unit: which vector, when it was taken, and the operands it was made of. Of a block: a line
    that says so.
    """

    layer: str
    vector: NotRequired[int]
    expected: NotRequired[int]
    got: NotRequired[int]
    when: NotRequired[str]
    codes: NotRequired[list[int]]
    activations: NotRequired[list[int]]
    message: NotRequired[str]


class Findings(TypedDict):
    """What one test of a bench recorded: results compared (`vectors`), and what else it is about."""

    vectors: NotRequired[Count]
    failed: NotRequired[Count]
    failures: NotRequired[list[WrongResult]]
    counters: NotRequired[Counters]
    layers: NotRequired[list[LayerFindings]]
    terms: NotRequired[Count]
    words: NotRequired[Count]
    latency: NotRequired[Count]
    interval: NotRequired[Count]


TestFindings = dict[Word, Findings]  # by test


def check_passed(findings_by_test: TestFindings) -> None:
    """Raises ValueError for findings of a bench that did not pass, or that says otherwise of its layers than of all."""
    for test, findings in findings_by_test.items():
        if findings.get("failed") or findings.get("failures"):
            raise ValueError(f"test {test} did not pass")
        layers = findings.get("layers", [])
        if layers and sum(layer["vectors"] for layer in layers) != findings.get("vectors"):
            raise ValueError(f"the layers of test {test} have other vectors than it has")


# Only of benches that passed: others are simulated again.
OUTCOME = Schema("outcome of a bench", TestFindings, megabytes=RESULTS_MB, check=check_passed)


def read_findings(path: Path) -> TestFindings:
    """What the tests of a bench recorded; nothing if the simulator died before. Raises InputError."""
    if not path.exists():
        return {}
    contents = read_bytes(path, "bench result", RESULTS_MB)
    try:
        return msgspec.convert(parse_json(contents, f"bench result {path}"), TestFindings)
    except msgspec.ValidationError as error:
        raise InputError(f"bench result {path} cannot be used: {error}") from error


def read_results(path: Path, log: Path, tests: list[str]) -> dict[str, str]:
    """Read each test's result from cocotb's results file: "passed", or the first line of its failure's message.

    A test that the file does not name, or names twice, has failed. log: where such a message points to.
    """
    results = {test: f"did not run, see {log}" for test in tests}
    cases: dict[str, list[ElementTree.Element]] = {}
    # A simulator that died wrote none, or half of one.
    with suppress(InputError, ElementTree.ParseError, ValueError, LookupError, RecursionError):
        check_file(path, "results", RESULTS_MB)
        for case in ElementTree.fromstring(read_bytes(path, "results", RESULTS_MB)).iter("testcase"):
            cases.setdefault(case.get("name", "").rpartition(".")[2], []).append(case)
    for test, runs in cases.items():
        if test in results:
            results[test] = read_result(runs[0]) if len(runs) == 1 else f"ran {len(runs)} times, see {log}"
    return results


def read_result(case: ElementTree.Element) -> str:
    """Read the result of a test case. Whatever stands in it beside properties and output means that it failed."""
    for part in case:
        if part.tag not in ("properties", "system-out", "system-err"):
            message = part.get("error_msg") or part.get("message") or part.text or part.tag
            return " ".join(message.strip().partition("\n")[0].split())[:LONGEST] or part.tag
    return "passed"
