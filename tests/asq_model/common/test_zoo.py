"""The zoo: its record says what its checkpoints are, its names stand for them, and a copy is the file itself."""

import shutil

import pytest
from conftest import ROOT

from asq_model.common import zoo
from asq_model.common.errors import InputError
from asq_model.common.files import read_text
from asq_model.common.measured_blocks import mark_block
from asq_model.common.option_types import CHECKPOINT
from asq_model.common.records import read_record
from asq_model.common.zoo import SUFFIX, ZOO, find_zoo_checkpoint, list_zoo_names, read_zoo
from asq_model.studies.trained_out.devices import is_cpu
from asq_model.studies.trained_out.record import TRAINED_OUT, epochs, row_of, seed
from asq_model.studies.zoo_table import BLOCK, describe_zoo, render_zoo_table
from asq_model.training.load import load_model

NAMES = list_zoo_names()
LARGEST = 4_000_000  # bytes of all checkpoints


def test_the_record_says_what_the_checkpoints_are():
    assert read_zoo() == describe_zoo()
    assert sum(network["bytes"] for network in read_zoo().values()) < LARGEST


@pytest.fixture(scope="module")
def runs():
    """Every run of the record that a checkpoint can be of: those on a GPU, longer ones of which came later on a CPU."""
    study = read_record(ROOT / "docs" / "results" / "trained-out.json", TRAINED_OUT)
    every = [study["ceiling"], *study["rows"], *study["curve"]]
    return [run for run in every if not is_cpu(study["sessions"][run["session"]])]


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_the_longest_run_of_its_kind_with_seed_0(name, runs):
    network = read_zoo()[name]
    (run,) = [run for run in runs if run["digest"] == network["digest"]]
    assert (run["correct"], run["images"], seed(run)) == (network["correct"], network["images"], 0)
    quantised = bool(run["recipe"]["quantised_epochs"])
    alike = [other for other in runs if (row_of(other), seed(other)) == (row_of(run), 0)]
    alike = [other for other in alike if bool(other["recipe"]["quantised_epochs"]) == quantised]
    assert epochs(run) == max(map(epochs, alike))


@pytest.mark.parametrize("name", NAMES)
def test_a_network_loads(name):
    _, config = load_model(find_zoo_checkpoint(name, "CKPT"))
    assert name.startswith(config["network"])


def test_the_guide_has_the_table():
    table = "\n".join([*render_zoo_table(read_zoo()), ""])
    assert mark_block(BLOCK, table) in read_text(ROOT / "docs" / "training.md", "page")


def test_a_name_stands_for_its_checkpoint_unless_a_file_has_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = NAMES[0]
    assert CHECKPOINT.convert(name, None, None) == ZOO / f"{name}{SUFFIX}"
    (tmp_path / name).touch()
    assert str(CHECKPOINT.convert(name, None, None)) == name
    for path in ("none.safetensors", f"folder/{name}"):
        assert str(CHECKPOINT.convert(path, None, None)) == path
    with pytest.raises(InputError, match=f"value is {name[:-1]}, no file and no network of the zoo; did you mean "):
        CHECKPOINT.convert(name[:-1], None, None)


def test_the_list_has_every_name(command):
    done = command("asq_model", "zoo", "list")
    assert [line.split()[0] for line in done.stdout.splitlines()[3:]] == NAMES


@pytest.mark.parametrize("to, target", [(None, f"{NAMES[0]}{SUFFIX}"), ("mine", "mine"), (".", f"{NAMES[0]}{SUFFIX}")])
def test_a_copy_is_the_file(command, tmp_path, to, target):
    words = () if to is None else ("--to", to)
    done = command("asq_model", "zoo", "get", NAMES[0], *words, cwd=tmp_path)
    assert done.stdout == f"{target}\n"
    assert (tmp_path / target).read_bytes() == find_zoo_checkpoint(NAMES[0], "NAME").read_bytes()


def test_a_damaged_network_is_not_copied(refused, tmp_path, monkeypatch):
    shutil.copytree(ZOO, tmp_path / "zoo")
    monkeypatch.setattr(zoo, "ZOO", tmp_path / "zoo")
    path = find_zoo_checkpoint(NAMES[0], "NAME")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    said = refused("asq_model", "zoo", "get", NAMES[0], cwd=tmp_path)
    assert "is damaged: its SHA-256 is not that of the record" in said and not (tmp_path / path.name).exists()
