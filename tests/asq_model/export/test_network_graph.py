"""A network's graph and test images are written for the simulation of an engine, once."""

import numpy as np
import pytest

from asq_model.artifacts import write_network_if_needed
from asq_model.common.errors import InputError
from asq_model.spec.graph.file import read_graph
from asq_model.spec.graph.samples import read_samples


@pytest.fixture(scope="module")
def folder(small_checkpoint, tmp_path_factory):
    out = tmp_path_factory.mktemp("network")
    return write_network_if_needed(small_checkpoint, out, None, 5, 14, False)


def test_graph_and_images_fit_each_other(folder, small_recipe):
    graph, about = read_graph(folder / "graph.safetensors")
    images, labels = read_samples(folder / "images.safetensors", graph.input)
    assert images.shape == (5, 1, 8, 8) and images.dtype == np.uint8 and labels.shape == (5,)
    assert graph(images).shape == (5, 10, 1, 1)
    assert {node.quantiser.adapter.point for node in graph.convolutions() if node.quantiser.adapter} == {14}
    assert (about["family"], about["weight_bits"], about["precision"]) == ("post", small_recipe.weight_bits, 14)


def test_it_is_written_once_for_the_same_things(folder, small_checkpoint, capsys):
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    write_network_if_needed(small_checkpoint, folder, None, 5, 14, False)
    assert "is up to date" in capsys.readouterr().err
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    write_network_if_needed(small_checkpoint, folder, None, 4, 14, False)
    assert len(read_samples(folder / "images.safetensors", read_graph(folder / "graph.safetensors")[0].input)[0]) == 4
    write_network_if_needed(small_checkpoint, folder, None, 5, 14, False)


def test_more_images_than_there_are_are_refused(small_checkpoint, tmp_path):
    with pytest.raises(InputError, match="images is 361; allowed: up to 360, the whole test set"):
        write_network_if_needed(small_checkpoint, tmp_path, None, 361, 16, False)


def test_damaged_images_are_said_and_missing_ones_written_again(folder, small_checkpoint, tmp_path):
    for name in ("graph.safetensors", "images.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "images.safetensors").write_bytes((folder / "images.safetensors").read_bytes()[:-3])
    with pytest.raises(InputError, match=r"test images .*damaged.*; delete .* or give --force to write it again"):
        write_network_if_needed(small_checkpoint, tmp_path, None, 5, 14, False)
    (tmp_path / "images.safetensors").unlink()
    write_network_if_needed(small_checkpoint, tmp_path, None, 5, 14, False)
    assert (tmp_path / "images.safetensors").read_bytes() == (folder / "images.safetensors").read_bytes()


def test_a_damaged_graph_is_said_with_what_helps(folder, small_checkpoint, tmp_path):
    (tmp_path / "graph.safetensors").write_bytes((folder / "graph.safetensors").read_bytes()[:-3])
    with pytest.raises(InputError, match=r"damaged.*; delete .* or give --force to write it again"):
        write_network_if_needed(small_checkpoint, tmp_path, None, 5, 14, False)
