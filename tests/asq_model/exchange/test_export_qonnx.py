import numpy as np
import onnx
import pytest
import torch
from brevitas_networks import SAMPLES, execute
from click.testing import CliRunner
from torch import nn

from asq_model import export_qonnx
from asq_model.cli import cli
from asq_model.common.errors import InputError
from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.exchange import export_qonnx as module
from asq_model.exchange.import_network import import_qonnx
from asq_model.networks import build_network
from asq_model.quantisation import LsqActivation
from asq_model.quantisation.activation_base import InputStatistics
from asq_model.quantisation.activations import FROM_BATCH
from asq_model.quantisation.convert import convert, quantised_layers

pytestmark = pytest.mark.xdist_group("onnx")  # one worker loads QONNX's executor and torch's exporter
UNIFORM = LayerConfig("uniform", 4, activations="lsq", activation_bits=4)
SIGN_MAGNITUDE = LayerConfig("uniform", 3, "sign-magnitude", activations="lsq", activation_bits=5, per_channel=False)
PACT = LayerConfig("uniform", 8, activations="pact", activation_bits=8)


def small():
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()),
        *(nn.Conv2d(4, 8, 3, stride=2), nn.ReLU(), nn.MaxPool2d(3), nn.Flatten(), nn.Linear(8, 5)),
    )


def converted(layer, make=small):
    """A network after a step of training in which the steps started, and images."""
    torch.manual_seed(0)
    model = make()
    images = torch.rand(32, 1, 8, 8)
    convert(model, QuantConfig(inner=layer), images)
    with torch.no_grad():
        model.train()(images)
    return model.eval(), images


def outputs(model, images):
    with torch.no_grad():
        return model(images).numpy()


@pytest.mark.parametrize(
    "layer, make",
    [
        pytest.param(UNIFORM, lambda: build_network("digits", 10), id="residual"),
        pytest.param(SIGN_MAGNITUDE, small, id="sign-magnitude", marks=pytest.mark.exhaustive),
        pytest.param(PACT, small, id="pact", marks=pytest.mark.exhaustive),
        pytest.param(LayerConfig("post", 4, activations="lsq"), small, id="post"),
    ],
)
def test_qonnx_s_executor_computes_what_torch_does(layer, make, tmp_path, monkeypatch):
    model, images = converted(layer, make)
    path = tmp_path / "x.onnx"
    export_qonnx(model, images[:SAMPLES], path)
    found = execute(path, images, monkeypatch)["output"]
    np.testing.assert_allclose(found, outputs(model, images[:SAMPLES]), atol=1e-5)


@pytest.mark.exhaustive
def test_the_same_network_gives_the_same_bytes(tmp_path):
    model, images = converted(UNIFORM)
    for name in ("one", "again"):
        export_qonnx(model, images[:SAMPLES], tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "again").read_bytes()


def test_uniform_weights_are_quantised_in_the_file_and_others_constants_with_a_note(tmp_path):
    for layer, quants, note in ((UNIFORM, 2, []), (LayerConfig("post", 4, activations="lsq"), 1, ["asq-post"])):
        model, images = converted(layer)
        export_qonnx(model, images[:2], tmp_path / "x.onnx")
        file = onnx.load(tmp_path / "x.onnx")
        assert sum(node.op_type == "Quant" for node in file.graph.node) == 4 + quants  # the first and the last: uniform
        assert [entry.key for entry in file.metadata_props] == note
        if note:
            assert file.metadata_props[0].value.endswith("no such levels: 3: post of 4 bits")


def test_what_is_written_can_be_read_again(tmp_path):
    model, images = converted(UNIFORM)
    export_qonnx(model, images[:1], tmp_path / "x.onnx")
    again = import_qonnx(tmp_path / "x.onnx")
    np.testing.assert_allclose(outputs(again, images), outputs(model, images), atol=1e-5)
    ours, theirs = quantised_layers(again), quantised_layers(model)
    assert len(ours) == len(theirs)
    for (_, one), (_, other) in zip(ours, theirs, strict=True):
        assert torch.equal(one.weight_quantiser.encode(one.weight)[0], other.weight_quantiser.encode(other.weight)[0])
        assert one.config == other.config


def test_a_quantiser_that_stands_alone_is_a_node(tmp_path, monkeypatch):
    quantiser = LsqActivation(4, signed=True)
    quantiser.start(InputStatistics.of(torch.rand(8, 1, 8, 8)), FROM_BATCH)
    model, images = converted(UNIFORM, lambda: nn.Sequential(quantiser, nn.Conv2d(1, 2, 3)))
    export_qonnx(model, images[:SAMPLES], tmp_path / "x.onnx")
    assert [node.op_type for node in onnx.load(tmp_path / "x.onnx").graph.node].count("Quant") == 3
    found = execute(tmp_path / "x.onnx", images, monkeypatch)["output"]
    np.testing.assert_allclose(found, outputs(model, images[:SAMPLES]), atol=1e-5)


def test_the_command_reads_back_what_it_wrote(tmp_path, monkeypatch):
    model, _ = converted(UNIFORM)
    monkeypatch.setattr(module, "load_quantised", lambda checkpoint: (model, {"recipe": {"data": "digits"}}))
    words = ["onnx", "x.safetensors", "--qonnx", "1", "--out", str(tmp_path / "x.onnx")]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.stdout.strip() == str(tmp_path / "x.onnx")
    assert "the file, read back, gives torch's logits for 360 of 360 test images" in done.stderr
    monkeypatch.setattr(module, "import_qonnx", lambda path: lambda images: model(images) + 1)
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert "for 0 of 360 test images" in done.stderr


def test_the_command_says_that_it_cannot_read_back_other_weights(tmp_path, monkeypatch):
    model, _ = converted(LayerConfig("post", 4, activations="lsq"))
    monkeypatch.setattr(module, "load_quantised", lambda checkpoint: (model, {"recipe": {"data": "digits"}}))
    words = ["onnx", "x.safetensors", "--qonnx", "1", "--out", str(tmp_path / "x.onnx")]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0 and done.stdout.strip() == str(tmp_path / "x.onnx")
    assert done.stderr.startswith("not read back: it has weights of levels for which QONNX has no node")


@pytest.mark.parametrize(
    "layer, said",
    [
        (LayerConfig("uniform", 4), r"layer [\w.]+ has an adapter; allowed in QONNX: activations of one constant step"),
        (LayerConfig("uniform", 4, activations="lsq+"), r"layer [\w.]+ has an offset; allowed in QONNX"),
        (LayerConfig("uniform", 4, activations="pot"), r"layer [\w.]+ has powers of two as levels; allowed in QONNX"),
        (LayerConfig("post", 4, activations="lsq", product_frac=2), r"layer [\w.]+ rounds its products"),
    ],
)
def test_what_qonnx_cannot_say_is_refused_by_the_layer_s_name(layer, said, tmp_path):
    model, images = converted(layer)
    with pytest.raises(InputError, match=said):
        export_qonnx(model, images[:2], tmp_path / "x.onnx")
    with pytest.raises(InputError, match="the network has no quantised layer"):
        export_qonnx(small(), images[:2], tmp_path / "x.onnx")
