"""An input that has no end, or is no file: one line, before anything of it is read."""

import os

import pytest
from conftest import ROOT

VECTORS = ROOT / "sim" / "golden" / "digits_post4_a4_seed0"
COMMANDS = {
    "a checkpoint": ["asq_model", "inspect"],
    "a table": ["sim", "recommend", "--table"],
    "a liberty file": ["sim", "synth", VECTORS, "--targets", "asic", "--liberty"],
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_device_and_a_pipe_are_not_opened(words, refused, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in ("/dev/zero", tmp_path / "pipe"):
        said = f"{place}: it is a device, a pipe or a socket; allowed: a regular file"
        assert said in refused(*words, place)


def test_golden_vectors_behind_a_device_are_refused(refused, tmp_path):
    (tmp_path / "manifest.json").symlink_to("/dev/zero")
    assert "cannot read golden manifest" in refused("sim", "run", tmp_path)
