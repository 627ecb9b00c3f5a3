import copy

import numpy as np
import onnx
import pytest
import torch

from asq_model import onnx as room
from asq_model.config import LayerConfig, QuantConfig
from asq_model.convert import convert
from asq_model.files import InputError
from asq_model.networks import build
from asq_model.onnx import checked_export, differences, export_onnx
from asq_model.train import load_quantised


def test_a_checkpoint_runs_in_onnxruntime_as_in_torch(small_checkpoint, tmp_path):
    """All 360 test digits but for a few with a code on the edge; and the same bytes twice."""
    path = tmp_path / "x.onnx"
    images, agreeing = checked_export(small_checkpoint, path, None)
    assert images == 360 and agreeing >= 350
    first = path.read_bytes()
    checked_export(small_checkpoint, path, None)
    assert path.read_bytes() == first and str(tmp_path).encode() not in first and b"asq_model" not in first


def test_only_standard_operators_and_a_free_batch(small_checkpoint, tmp_path):
    path = tmp_path / "x.onnx"
    checked_export(small_checkpoint, path, None)
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert {node.domain for node in model.graph.node} == {""} and not model.functions
    operators = {node.op_type for node in model.graph.node}
    assert {"Round", "Clip", "ReduceMean", "Gemm", "Relu"} <= operators  # the step of each image is computed
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"


def test_a_wrong_file_is_seen(small_checkpoint, tmp_path, monkeypatch):
    """Weights other than the quantised ones give other logits."""
    monkeypatch.setattr(room, "with_stored_weights", lambda model: copy.deepcopy(model).apply(spoil))

    def spoil(module):
        if hasattr(module, "weight_quantiser"):
            module.weight.data.neg_()
            module.weight_quantiser = torch.nn.Identity()

    with pytest.raises(InputError, match=r"logits differ from torch's for \d+ of 360 images"):
        checked_export(small_checkpoint, tmp_path / "x.onnx", None)


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
