"""`asq-post network` simulates a network once, prints what it found, and says in one line what it cannot use."""

import fcntl
import json

import numpy as np
import pytest
from networks import TINY, tiny_network

from asq_model.spec.graph.file import write_graph
from asq_model.spec.graph.samples import read_samples, write_samples
from hw.engine.presets import presets

pytestmark = pytest.mark.xdist_group("engines")
ABOUT = {"family": "uniform", "weight_bits": 3, "activation_bits": 3, "precision": 12}
IMAGES = 3


@pytest.fixture(scope="module")
def network(build_root):
    """A folder with a small network and images, and the classes that its graph gives them, one of them wrong."""
    made, folder = tiny_network(), build_root / "tiny_network"
    images = made.some_images(IMAGES)
    labels = made.graph(images).reshape(IMAGES, -1).argmax(1)
    labels[0] = 1 - labels[0]
    write_graph(folder / "graph.safetensors", made.graph, ABOUT)
    write_samples(folder / "images.safetensors", images, labels)
    return folder


@pytest.fixture(autouse=True)
def tiny_preset(monkeypatch):
    """A preset of a small engine."""
    monkeypatch.setitem(presets(), "tiny", TINY)


def test_a_network_is_simulated_once(network, build_root, command):
    words = ["network", network, "--preset", "tiny", "--root", build_root]
    first, second = command("sim", *words), command("sim", *words)
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout and second.stderr == ""
    said = " ".join(first.stdout.split())
    assert f"{IMAGES} images: 2 of 3 right in RTL, 2 in the graph; all 6 results equal" in said
    place = build_root / "engine" / "tiny_network-tiny"
    content = json.loads((place / "run.json").read_text())["content"]
    assert (content["images"], content["engine_right"], content["graph_right"]) == (IMAGES, 2, 2)
    assert f"{content['period']:,}" in said and f"{content['latency']:,}" in said


def test_a_difference_ends_with_1_and_says_where(network, build_root, command, monkeypatch):
    """Where the graph that is compared is not the engine's."""
    from sim.engine import simulate_network

    right = simulate_network.compare_run

    def against_another(compiled, graph, images, log, sample):
        return right(compiled, graph, images ^ 1 if images.dtype == np.uint8 else -images, log, sample)

    monkeypatch.setattr(simulate_network, "compare_run", against_another)
    monkeypatch.setattr(simulate_network, "find_kept", lambda *words: None)
    done = command("sim", "network", network, "--preset", "tiny", "--root", build_root)
    assert done.returncode == 1 and done.stdout == ""
    assert "image 0, COLLECT input: code channel 0, row 0, column 0 is " in done.stderr
    assert "differences between engine and graph; log: " in done.stderr
    assert not (build_root / "engine" / "tiny_network-tiny" / "run.json").exists()


@pytest.mark.parametrize(
    "words, said",
    [
        (["--preset", "big"], "--preset is 'big'; allowed: sized, ice40up5k, ecp5-25"),
        (["--unit", "post-exact"], "--unit is 'post-exact'; allowed: post, "),
        (["--frac", "3", "--unit", "pot"], "--frac is 3, but unit pot has no choice"),
    ],
)
def test_what_no_engine_has_is_refused_before_a_file_is_read(words, said, refused, tmp_path):
    assert said in refused("sim", "network", *words, "--root", tmp_path, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words, said",
    [
        (
            ["--preset", "zynq7020", "--placings", "1"],
            "--placings is 1, but open tools do not place --preset zynq7020; allowed:",
        ),
        (["--preset", "sized"], "--preset is sized, which is for no device; allowed: ice40up5k"),
    ],
)
def test_engines_that_cannot_be_compared_are_refused_before_a_file_is_read(words, said, refused, tmp_path):
    assert said in refused("sim", "engines", "none", *words, "--root", tmp_path, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "graphs, words, said",
    [
        (["tiny_network", "none"], [], "none/graph.safetensors does not exist; `asq-post graph` writes one"),
        (["tiny_network"], ["--images", "4"], "--images is 4; allowed: 0 to 3, those of "),
        (["tiny_network"] * 2, [], "tiny_network are one row of the page; allowed: one of them"),
    ],
)
def test_engines_of_networks_that_cannot_be_compared_are_refused_before_one_is_measured(
    graphs, words, said, refused, tmp_path, network
):
    folders = [network.with_name(name) for name in graphs]
    assert said in refused("sim", "engines", *folders, *words, "--root", tmp_path / "build", cwd=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_engine_s_folder_is_of_one_process_at_a_time(network, build_root, command, monkeypatch):
    from sim.engine import simulate_network

    def finds_it_locked(network, folder, root):
        with (folder.parent / f"{folder.name}.lock").open("w") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return simulate_network.NetworkOutcome(None, ["locked"])

    monkeypatch.setattr(simulate_network, "simulate_now", finds_it_locked)
    monkeypatch.setattr(simulate_network, "find_kept", lambda *words: None)
    done = command("sim", "network", network, "--preset", "tiny", "--root", build_root)
    assert done.returncode == 1 and done.stderr.startswith("locked\n")


def test_a_folder_without_a_network_is_refused(refused, tmp_path, network):
    assert "graph.safetensors does not exist; `asq-post graph` writes one" in refused("sim", "network", tmp_path)
    (tmp_path / "graph.safetensors").write_bytes((network / "graph.safetensors").read_bytes())
    assert "images.safetensors does not exist" in refused("sim", "network", tmp_path)


def test_images_that_are_not_the_network_s_are_refused(refused, tmp_path, network):
    (tmp_path / "graph.safetensors").write_bytes((network / "graph.safetensors").read_bytes())
    write_samples(tmp_path / "images.safetensors", np.zeros((2, 3, 4, 4), np.uint8), np.zeros(2, np.int64))
    assert "are uint8 [3, 4, 4]; allowed: int64 [2, 2, 2]" in refused("sim", "network", tmp_path)
    images, labels = read_samples(network / "images.safetensors", tiny_network().graph.input)
    assert images.shape == (IMAGES, 2, 2, 2) and labels.shape == (IMAGES,)


def test_a_network_that_does_not_fit_is_refused_with_its_layer(refused, tmp_path, network):
    made = tiny_network()
    made.conv("more", "last", 40, hidden=1)
    write_graph(tmp_path / "graph.safetensors", made.graph, ABOUT)
    (tmp_path / "images.safetensors").write_bytes((network / "images.safetensors").read_bytes())
    said = refused("sim", "network", tmp_path, "--preset", "ice40up5k", "--root", tmp_path)
    assert "layer more has an adapter; this engine has none" in said
