"""Emitted Verilog and its sidecars are those of `emitted_digests.json`, byte for byte.

A change that is to leave the hardware as it is fails here if it does not. One that is to change it writes the digests
anew: `python -m pytest --exhaustive --write-digests tests/hw/test_emitted_digests.py`; its difference then shows which
files are others.
"""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from few_specs import FEW, ONE_OF_EACH, every_spec

from hw.emit import emit

DIGESTS = Path(__file__).with_name("emitted_digests.json")
FIGURES = 16  # hexadecimal ones of a SHA-256: enough to see a change

# The units are those of tests/hw/test_accepted.py, so that one worker writes them for both.
pytestmark = pytest.mark.xdist_group("accepted")


def digest(path: Path) -> str:
    """The digest of an emitted file, in JSON without `generated`: that has a hash of the program's sources."""
    contents = path.read_bytes()
    if path.suffix == ".json":
        content = {key: value for key, value in json.loads(contents).items() if key != "generated"}
        contents = json.dumps(content).encode()
    return hashlib.sha256(contents).hexdigest()[:FIGURES]


def digests(paths: list[Path]) -> dict[str, str]:
    """The digests of Verilog and JSON files, by name."""
    return {path.name: digest(path) for path in sorted(paths) if path.suffix in (".v", ".json")}


@pytest.mark.parametrize("which", ["few", pytest.param("every", marks=pytest.mark.exhaustive)])
def test_emitted_files_are_those_of_the_digests(which, build_root, tiny_engine, pytestconfig):
    specs = [*every_spec(), *(spec for few in FEW.values() for spec in few)] if which == "every" else ONE_OF_EACH
    paths = {path for spec in [*specs, None] for path in emit(spec, build_root / "verilog")}
    found = digests([*paths, *tiny_engine(), *tiny_engine("--axi", "1")])
    if pytestconfig.getoption("write_digests") and which == "every":
        DIGESTS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    known = json.loads(DIGESTS.read_text())
    assert {name: (value, known.get(name)) for name, value in found.items() if known.get(name) != value} == {}
    assert which == "few" or sorted(known) == sorted(found)


def test_a_changed_bit_of_an_emitted_file_is_seen(build_root, tmp_path):
    verilog, sidecar = (Path(shutil.copy(path, tmp_path)) for path in emit(ONE_OF_EACH[0], build_root / "verilog"))
    before = digests([verilog, sidecar])
    verilog.write_text(verilog.read_text().replace("assign", "assign ", 1))
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"generated": {}}))
    after = digests([verilog, sidecar])
    assert after[verilog.name] != before[verilog.name] and after[sidecar.name] == before[sidecar.name]
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"top": "other"}))
    assert digests([sidecar])[sidecar.name] != before[sidecar.name]
