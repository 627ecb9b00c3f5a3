"""Whatever happens to a file that the program wrote for itself, it is read as it was written, made again or refused."""

import ast
import json
from pathlib import Path

import pytest
import record_values
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from mutants import FUZZED_EACH, damaged, mutants, read_or_refused
from record_values import AREA_OF_FEW, FOUND, HASH, ROWS, VALUES

from asq_model.common.errors import InputError, OtherFormat
from asq_model.common.files import write_json
from asq_model.common.records import check_content, find_kept, read_record, seal_record, write_record
from asq_model.common.result_schemas import ARITHMETIC, STUDY
from sim.explore.design_rows import ROW
from sim.measure.nextpnr_clock import RATES
from sim.measure.yosys_area import AREA
from sim.runner.outcomes import OUTCOME

pytestmark = pytest.mark.fuzz
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
    assert len(named) == len(VALUES) and all(vars(record_values)[name] in VALUES for name in named)


@every_kind
def test_what_is_written_is_read(kind, tmp_path):
    path = tmp_path / "x.json"
    value = check_content(kind, VALUES[kind])
    write_record(path, kind, value, HASH)
    assert read_record(path, kind) == value == find_kept(path, kind, HASH)
    assert find_kept(path, kind, "other inputs") is None and find_kept(tmp_path / "none", kind, HASH) is None
    unchecked(path, json.loads(path.read_text()) | {"format": kind.format + 1})
    with pytest.raises(OtherFormat, match=f"x.json has format {kind.format + 1}; this program reads {kind.format}"):
        read_record(path, kind)


@every_kind
@FUZZED_EACH
@given(data=st.data())
def test_damaged_bytes_are_seen(kind, data, tmp_path):
    path = tmp_path / "x.json"
    write_json(path, seal_record(kind, VALUES[kind], HASH))
    whole = read_record(path, kind)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    assert read_or_refused(lambda: read_record(path, kind), path) in (None, whole)
    assert find_kept(path, kind, HASH) in (None, whole)


@every_kind
@FUZZED_EACH
@given(data=st.data())
def test_a_changed_value_is_seen_even_where_its_digest_was_made_again(kind, data, tmp_path):
    """What is taken is exactly what stands there, and passes the schema."""
    path = tmp_path / "x.json"
    value = data.draw(mutants(VALUES[kind]))
    unchecked(path, seal_record(kind, VALUES[kind], HASH) | {"content": value})
    assert read_or_refused(lambda: read_record(path, kind), path) is None or value == VALUES[kind]
    try:
        unchecked(path, seal_record(kind, value, HASH))
    except (ValueError, RecursionError):  # no number, or too deep: no digest can be made of it
        return
    found = read_or_refused(lambda: read_record(path, kind), path)
    if found is not None:
        assert check_content(kind, value) == found == find_kept(path, kind, HASH)


@every_kind
@FUZZED_EACH
@given(data=st.data())
def test_a_changed_envelope_is_refused(kind, data, tmp_path):
    path = tmp_path / "x.json"
    whole = seal_record(kind, VALUES[kind], HASH)
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
    write_json(path, seal_record(kind, value, HASH))
    with pytest.raises(InputError, match=rf"x\.json cannot be used: .*; {kind.remedy[:10]}"):
        read_record(path, kind)
    assert find_kept(path, kind, HASH) is None


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
    assert find_kept(path, kind, HASH) is None and find_kept(Path("/dev/zero"), kind, HASH) is None
