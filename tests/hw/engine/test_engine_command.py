"""The command that writes an engine: the same bytes each time, a JSON that describes them, errors in one line."""

import json
import re

import pytest
from networks import tiny_network

from asq_model.common.errors import InputError
from asq_model.spec.graph.file import write_graph
from hw.cli import cli


@pytest.fixture
def network(tmp_path):
    """A folder with a small network."""
    about = {"family": "uniform", "weight_bits": 3, "activation_bits": 3, "precision": 12}
    write_graph(tmp_path / "graph" / "graph.safetensors", tiny_network().graph, about)
    return tmp_path / "graph"


def test_an_engine_is_written_with_a_description(network, tmp_path, process):
    words = ["engine", network, "--preset", "ice40up5k", "--out"]
    first, second = (process("hw", *words, tmp_path / name) for name in ("first", "second"))
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    verilog, description = first.stdout.split()
    for path in (verilog, description):
        with open(path, "rb") as one, open(path.replace("first", "second"), "rb") as other:
            assert one.read() == other.read()
    with open(verilog) as text, open(description) as file:
        ports = re.findall(r"^module engine\((.*)\);", text.read(), re.MULTILINE)
        said = json.load(file)
    assert said["module"] == "engine" and said["images_under_way"] == 1
    assert [{port["name"] for port in said["ports"]}] == [set(names.split(", ")) for names in ports]
    assert sum(each["products"] for each in said["instructions"]) == 2 * 2 * 4 + 2 * 2 * 4
    assert said["period"] > max(each["start"] for each in said["instructions"])


def test_a_graph_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        cli.main(["engine", str(tmp_path)], standalone_mode=False)
