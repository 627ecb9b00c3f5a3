import copy
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from asq_model.common.errors import InputError
from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.export import onnx as onnx_export
from asq_model.export.onnx import differences, export_and_compare, export_onnx
from asq_model.networks import build
from asq_model.quantisation.convert import convert
from asq_model.training.load import load_quantised


def test_a_checkpoint_runs_in_onnxruntime_as_in_torch(small_checkpoint, tmp_path):
    """All 360 test digits but for a few with a code on the edge; and the same bytes twice."""
    path = tmp_path / "x.onnx"
    images, agreeing = export_and_compare(small_checkpoint, path, None)
    assert images == 360 and agreeing >= 350
    first = path.read_bytes()
    export_and_compare(small_checkpoint, path, None)
    assert path.read_bytes() == first and str(tmp_path).encode() not in first and b"asq_model" not in first


def test_only_standard_operators_and_a_free_batch(small_checkpoint, tmp_path):
    path = tmp_path / "x.onnx"
    export_and_compare(small_checkpoint, path, None)
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert {node.domain for node in model.graph.node} == {""} and not model.functions
    operators = {node.op_type for node in model.graph.node}
    assert {"Round", "Clip", "ReduceMean", "Gemm", "Relu"} <= operators  # the step of each image is computed
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"


def test_a_wrong_file_is_seen(small_checkpoint, tmp_path, monkeypatch):
    """Weights other than the quantised ones give other logits."""
    monkeypatch.setattr(onnx_export, "store_quantised_weights", lambda model: copy.deepcopy(model).apply(spoil))

    def spoil(module):
        if hasattr(module, "weight_quantiser"):
            module.weight.data.neg_()
            module.weight_quantiser = torch.nn.Identity()

    with pytest.raises(InputError, match=r"logits differ from torch's for \d+ of 360 images, by .* \(torch's own"):
        export_and_compare(small_checkpoint, tmp_path / "x.onnx", None)


@pytest.mark.parametrize("activations, signed", [("lsq", False), ("lsq+", True), ("pact", False), ("dorefa", False)])
def test_other_quantisers_and_signed_inputs(activations, signed, tmp_path):
    torch.manual_seed(0)
    model = build("mobilenetv2" if signed else "resnet8", 5)
    images = torch.randn(4, 3, 32, 32)
    convert(model, QuantConfig(LayerConfig("e2m1", activations=activations)), images)
    with torch.no_grad():
        model.train()(images)
    export_onnx(model.eval(), images[:2], tmp_path / "x.onnx")
    assert differences(tmp_path / "x.onnx", model, images).median() < 1e-3


def test_export_leaves_the_network_as_it_was(small_checkpoint, tmp_path):
    model, _ = load_quantised(small_checkpoint)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    export_onnx(model, torch.rand(2, 1, 8, 8), tmp_path / "x.onnx")
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), before[name].numpy())


def test_differences_as_large_as_torch_s_own_are_accepted(small_checkpoint, tmp_path, monkeypatch):
    """Every image of a large network has a code on an edge; torch's logits in another layout show how much that is."""

    def noisy(size, logits):
        return lambda *given: logits(*given) + size * torch.randn(360, 1)

    monkeypatch.setattr(onnx_export, "run_onnx", noisy(0.1, onnx_export.run_onnx))
    monkeypatch.setattr(onnx_export, "run_other_layout", noisy(0.1, onnx_export.run_torch))
    images, agreeing = export_and_compare(small_checkpoint, tmp_path / "x.onnx", None)
    assert agreeing < 0.2 * images
    monkeypatch.setattr(onnx_export, "run_other_layout", noisy(0.001, onnx_export.run_torch))
    with pytest.raises(InputError, match="differ from torch's for"):
        export_and_compare(small_checkpoint, tmp_path / "x.onnx", None)


def test_rounded_products_are_exported():
    """What `train --product-frac` makes: the look-up of the roundings becomes part of the file."""
    torch.manual_seed(0)
    images = torch.rand(6, 3, 8, 8)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4))
    convert(net, QuantConfig(LayerConfig("post", 4, product_frac=-1)), images)
    wanted = net.eval()(images).detach()
    stored = onnx_export.store_quantised_weights(net)
    torch.testing.assert_close(stored(images), wanted)
    with tempfile.TemporaryDirectory() as folder:
        export_onnx(net, images[:2], Path(folder) / "x.onnx")
        assert differences(Path(folder) / "x.onnx", net, images).median() < 1e-3


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
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4))
    convert(net, example=images)
    net.train(training)
    program = torch.export.export(net, (images,), dynamic_shapes=({0: torch.export.Dim("N")},))
    torch.testing.assert_close(program.module()(images[:3]), net.eval()(images[:3]))
