import shutil

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from asq_model.common.errors import InputError
from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.export import onnx as onnx_export
from asq_model.export.onnx import export_and_compare, export_onnx, largest_differences, run_onnx, run_torch
from asq_model.networks import build_network
from asq_model.quantisation.convert import convert
from asq_model.training.load import load_quantised

# One worker: torch's exporter takes seconds to load, and the small network is exported once.
pytestmark = pytest.mark.xdist_group("onnx")


@pytest.fixture(scope="module")
def exported(small_checkpoint, tmp_path_factory):
    """The small network's file, the images it was compared on, and how many of them agree."""
    path = tmp_path_factory.mktemp("onnx") / "x.onnx"
    return path, *export_and_compare(small_checkpoint, path, None)


@pytest.fixture
def instead(monkeypatch):
    """Call with a path: `export_and_compare` finds a copy of that file instead of exporting."""

    def use(path):
        monkeypatch.setattr(onnx_export, "export_onnx", lambda model, example, to: shutil.copy(path, to))

    return use


def test_a_checkpoint_runs_in_onnxruntime_as_in_torch(exported):
    """All 360 test digits but for a few with a code on the edge."""
    path, images, agreeing = exported
    assert images == 360 and agreeing >= 350
    assert b"asq_model" not in path.read_bytes() and str(path.parent).encode() not in path.read_bytes()


@pytest.mark.exhaustive
def test_a_checkpoint_is_the_same_bytes_twice(exported, small_checkpoint, tmp_path):
    export_and_compare(small_checkpoint, tmp_path / "x.onnx", None)
    assert (tmp_path / "x.onnx").read_bytes() == exported[0].read_bytes()


def test_only_standard_operators_and_a_free_batch(exported):
    model = onnx.load(exported[0])
    onnx.checker.check_model(model)
    assert {node.domain for node in model.graph.node} == {""} and not model.functions
    operators = {node.op_type for node in model.graph.node}
    assert {"Round", "Clip", "ReduceMean", "Gemm", "Relu"} <= operators  # the step of each image is computed
    assert "BatchNormalization" in operators  # not folded into weights, which are levels
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"


def test_a_wrong_file_is_seen(exported, instead, small_checkpoint, tmp_path):
    """The largest weights have the other sign."""
    model = onnx.load(exported[0])
    weights = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weights.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weights), weights.name))
    onnx.save(model, tmp_path / "wrong.onnx")
    instead(tmp_path / "wrong.onnx")
    with pytest.raises(InputError, match=r"logits differ from torch's for \d+ of 360 images, by .* \(torch's own"):
        export_and_compare(small_checkpoint, tmp_path / "x.onnx", None)


def test_differences_as_large_as_torch_s_own_are_accepted(exported, instead, small_checkpoint, tmp_path, monkeypatch):
    """Every image of a large network has a code on an edge; torch's logits in another layout show how much that is."""

    def noisy(size, logits):
        return lambda *given: logits(*given) + size * torch.randn(360, 1)

    instead(exported[0])
    monkeypatch.setattr(onnx_export, "run_onnx", noisy(0.1, onnx_export.run_onnx))
    monkeypatch.setattr(onnx_export, "run_other_layout", noisy(0.1, onnx_export.run_torch))
    images, agreeing = export_and_compare(small_checkpoint, tmp_path / "x.onnx", None)
    assert agreeing < 0.2 * images
    monkeypatch.setattr(onnx_export, "run_other_layout", noisy(0.001, onnx_export.run_torch))
    with pytest.raises(InputError, match="differ from torch's for"):
        export_and_compare(small_checkpoint, tmp_path / "x.onnx", None)


def two_convolutions() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 4)),
    )


@pytest.mark.parametrize(
    "activations, network",
    [
        pytest.param("lsq+", two_convolutions, marks=pytest.mark.exhaustive),
        pytest.param("lsq", lambda: build_network("resnet8", 5), marks=pytest.mark.exhaustive),
        *(
            pytest.param(activations, two_convolutions, marks=pytest.mark.exhaustive)
            for activations in ("pact", "dorefa", "pot")
        ),
    ],
)
def test_other_quantisers_and_signed_inputs(activations, network, tmp_path):
    torch.manual_seed(0)
    model = network()
    images = torch.randn(4, 3, 32, 32)
    convert(model, QuantConfig(LayerConfig("e2m1", activations=activations)), images)
    with torch.no_grad():
        model.train()(images)
    export_onnx(model.eval(), images[:2], tmp_path / "x.onnx")
    assert largest_differences(run_onnx(tmp_path / "x.onnx", images), run_torch(model, images)).median() < 1e-3


def test_export_leaves_the_network_as_it_was(small_checkpoint):
    """Its weights are replaced in a copy."""
    model, _ = load_quantised(small_checkpoint)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    stored = onnx_export.store_quantised_weights(model)
    assert any((weights != before[name]).any() for name, weights in stored.state_dict().items() if name in before)
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), before[name].numpy())


def test_rounded_products_are_exported(tmp_path):
    """What `train --product-frac` makes: the look-up of the roundings becomes part of the file."""
    torch.manual_seed(0)
    images = torch.rand(6, 3, 8, 8)
    net = two_convolutions()
    convert(net, QuantConfig(LayerConfig("post", 4, product_frac=-1)), images)
    wanted = net.eval()(images).detach()
    stored = onnx_export.store_quantised_weights(net)
    torch.testing.assert_close(stored(images), wanted)
    export_onnx(net, images[:2], tmp_path / "x.onnx")
    assert largest_differences(run_onnx(tmp_path / "x.onnx", images), run_torch(net, images)).median() < 1e-3


class FixedBatch(nn.Module):
    """A network that asks for the number of samples as Python's integer."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x).reshape(len(x), 2, 2).sum(2)


def test_a_network_that_fixes_its_batch_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"ONNX for batches of 2 samples only.*x.shape\[0\]"):
        export_onnx(FixedBatch(), torch.rand(2, 4), tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_a_network_that_cannot_be_exported_is_said_in_one_line(tmp_path):
    class ByValue(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(InputError, match=r"ByValue cannot be written as ONNX: .+") as caught:
        export_onnx(ByValue(), torch.rand(2, 4), tmp_path / "x.onnx")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("training", [False, True])
def test_torch_export_takes_a_converted_network_with_gradients_on(training):
    torch.manual_seed(0)
    images = torch.rand(4, 3, 8, 8)
    net = two_convolutions()
    convert(net, example=images)
    net.train(training)
    program = torch.export.export(net, (images,), dynamic_shapes=({0: torch.export.Dim("N")},))
    torch.testing.assert_close(program.module()(images[:3]), net.eval()(images[:3]))
