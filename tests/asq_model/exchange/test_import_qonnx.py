import copy

import numpy as np
import pytest
import torch
from brevitas_networks import NETWORKS, SAMPLES, biased, execute, truncated, write
from click.testing import CliRunner
from conftest import some

from asq_model import import_qonnx
from asq_model.cli import cli
from asq_model.common.errors import InputError
from asq_model.exchange.compare_import import draw_random_inputs, read_inputs
from asq_model.export.integer_graph import make_graph
from asq_model.quantisation import LsqActivation
from asq_model.quantisation.convert import quantised_layers
from asq_model.spec.golden_vectors import read_golden, read_manifest
from asq_model.spec.graph.convolution import Quantise
from asq_model.spec.graph.file import read_graph
from asq_model.studies.integer_parity import compare_network

pytestmark = pytest.mark.xdist_group("onnx")  # one worker loads QONNX's executor and torch's exporter
FLOAT_ROUNDING = 1e-6  # sums of some hundred products of numbers about 1, in another order
CASES = [
    *((name, form, False) for name in ("cnv", "depthwise", "residual") for form in ("qonnx", "qcdq")),
    ("bipolar", "qonnx", False),
    ("truncated", "qonnx", False),
    ("cnv", "qonnx", True),
    ("residual", "qcdq", True),
]
# Both forms, both exporters, and what only one network has.
USUAL = [CASES[1], CASES[4], *CASES[6:9]]


@pytest.mark.parametrize("name, form, dynamo", [some(case, USUAL, "-".join(map(str, case))) for case in CASES])
def test_a_network_of_brevitas_computes_what_qonnx_s_executor_does(name, form, dynamo, tmp_path, monkeypatch):
    torch.manual_seed(0)
    model, images = (NETWORKS | {"truncated": truncated})[name]()
    path = write(model, images, tmp_path / "x.onnx", form, dynamo)
    network = import_qonnx(path)
    with torch.no_grad():
        found, wanted = network(images), model(images)
    wanted = wanted if isinstance(wanted, torch.Tensor) else wanted.value
    assert wanted.std() > 0.05
    np.testing.assert_allclose(found[:SAMPLES], execute(path, images, monkeypatch)["output"], atol=FLOAT_ROUNDING)
    np.testing.assert_allclose(found, wanted, atol=FLOAT_ROUNDING)
    parity = compare_network(network, images, wanted.argmax(1))
    assert parity.same_class >= len(images) - 1
    for layer in parity.layers.values():
        assert layer.given_input >= 0.9995 * layer.codes and layer.step_error < 1e-5


@pytest.mark.parametrize("form", ["qonnx", "qcdq"])
def test_biases_of_integers_and_quantisers_within_layers(form, tmp_path, monkeypatch):
    torch.manual_seed(0)
    model, images = biased()
    path = write(model, images, tmp_path / "x.onnx", form, dynamo=False)
    network = import_qonnx(path)
    found = network(images[:SAMPLES]).detach()
    np.testing.assert_allclose(found, execute(path, images, monkeypatch)["output"], atol=FLOAT_ROUNDING)
    (_, first), _ = quantised_layers(network)
    grid = first.bias / (first.activation_quantiser.step * first.weight_quantiser.scale)
    assert grid.abs().max() > 10
    np.testing.assert_allclose(grid.detach(), grid.detach().round(), atol=1e-2)  # the file's scale is rounded too


def brevitas_file(name, folder, form="qonnx"):
    torch.manual_seed(0)
    model, images = NETWORKS[name]()
    return model, images, write(model, images, folder / f"{name}.onnx", form, dynamo=False)


@pytest.mark.parametrize("form", ["qonnx", "qcdq"])
def test_weight_codes_are_the_file_s(form, tmp_path):
    model, _, path = brevitas_file("cnv", tmp_path, form)
    theirs = [layer for layer in model if hasattr(layer, "quant_weight")]
    ours = quantised_layers(import_qonnx(path))
    assert [layer.config.weight_bits for _, layer in ours] == [4, 2, 3]
    assert [layer.config.per_channel for _, layer in ours] == [True, False, False]
    for (_, layer), wanted in zip(ours, theirs, strict=True):
        codes, scale = layer.weight_quantiser.encode(layer.weight)
        integers = layer.weight_quantiser.level_set.even[codes.numpy()]
        np.testing.assert_array_equal(integers, wanted.quant_weight().int().numpy())
        np.testing.assert_array_equal(scale.numpy(), wanted.quant_weight().scale.detach().flatten().numpy())


def test_weights_of_minus_one_and_one(tmp_path):
    _, layer = quantised_layers(import_qonnx(brevitas_file("bipolar", tmp_path)[2]))[0]
    codes, _ = layer.weight_quantiser.encode(layer.weight)
    assert set(layer.weight_quantiser.level_set.even[codes.numpy()].flatten()) == {-1, 1}
    assert layer.config.weight_bits == 2


def test_a_quantiser_before_a_sum_stands_alone(tmp_path):
    _, images, path = brevitas_file("residual", tmp_path)
    network = import_qonnx(path)
    alone = [module for module in network.children() if isinstance(module, LsqActivation)]
    nodes = [node for node in make_graph(network, images).graph.nodes if isinstance(node, Quantise)]
    assert len(alone) == len(nodes) == 2  # both branches; the layers take the others


def test_an_imported_network_trains_and_keeps_its_steps(tmp_path):
    model, images, path = brevitas_file("cnv", tmp_path)
    network = import_qonnx(path)
    wanted = model(images).argmax(1)
    optimiser = torch.optim.SGD(network.train().parameters(), lr=0.01)
    steps = {name: layer.activation_quantiser.step.item() for name, layer in quantised_layers(network)}
    losses = []
    for _ in range(8):
        loss = torch.nn.functional.cross_entropy(network(images), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    for name, layer in quantised_layers(network):
        assert layer.activation_quantiser.step.item() == pytest.approx(steps[name], rel=0.2)
    again = import_qonnx(path)
    again.load_state_dict(copy.deepcopy(network).state_dict())
    torch.testing.assert_close(again(images), network.eval()(images))


def test_the_command_writes_golden_vectors_and_says_how_well_integers_agree(tmp_path):
    _, images, path = brevitas_file("depthwise", tmp_path)
    np.save(tmp_path / "images.npy", images.numpy())
    words = ["import", str(path), "--inputs", str(tmp_path / "images.npy"), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.stdout.strip() == str(tmp_path / "out")
    assert "64 (100.00%)" in done.stderr and "random" not in done.stderr
    manifest = read_manifest(tmp_path / "out")
    layers = [name for name, _ in quantised_layers(import_qonnx(path))]
    assert manifest["network"] == "depthwise" and [layer.name for layer in read_golden(tmp_path / "out")] == layers
    graph, _ = read_graph(tmp_path / "out" / manifest["graph"]["file"])
    assert len(list(graph.convolutions())) == len(layers)


def test_made_up_inputs_are_over_the_range_of_the_first_quantiser_which_is_said(tmp_path):
    _, _, path = brevitas_file("bipolar", tmp_path)
    network = import_qonnx(path)
    step = quantised_layers(network)[0][1].activation_quantiser.step.item()
    inputs = draw_random_inputs(network)
    assert inputs.shape[1:] == (2, 16) and torch.equal(inputs, draw_random_inputs(network))
    assert inputs.min().item() == pytest.approx(-128 * step, rel=0.01)
    assert inputs.max().item() == pytest.approx(127 * step, rel=0.01)
    done = CliRunner().invoke(cli, ["import", str(path), "--out", str(tmp_path / "out")], catch_exceptions=False)
    said = " ".join(done.stderr.split())
    assert f"256 random arrays (seed 7), evenly distributed from {-128 * step:.4g} to {127 * step:.4g}." in said


def test_inputs_of_another_shape_or_kind_are_refused(tmp_path):
    path = tmp_path / "x.npy"
    for array, said in (
        (np.zeros((4, 3, 8)), r"float64 \[4, 3, 8\]; allowed: numbers \[N, 3, 8, 8\]"),
        (np.zeros((1, 3, 8, 8)), r"\[1, 3, 8, 8\]; allowed: numbers \[N, 3, 8, 8\], N from 2"),
        (np.array([{}]), "is no .npy file of numbers"),
        (np.full((2, 3, 8, 8), np.nan), "holds nan; allowed: numbers that float32 holds"),
        (np.full((2, 3, 8, 8), -1e300), r"holds -1e\+300; allowed: numbers that float32 holds"),
    ):
        np.save(path, array)
        with pytest.raises(InputError, match=said):
            read_inputs(path, (3, 8, 8))
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000, 3, 8, 8)}\n"
    claims_much = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    wrong_headers = [
        b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
        for text in (b"(\n", b"{1: 2, 'a': 3}\n", b"{[]: 1}\n")
    ]
    for contents in (b"not an array", b"", b"PK\x03\x04 not an archive", claims_much, *wrong_headers):
        path.write_bytes(contents)
        with pytest.raises(InputError, match=r"is no \.npy file of numbers: ."):
            read_inputs(path, (3, 8, 8))
