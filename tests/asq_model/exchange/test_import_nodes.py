"""Files made by hand, node by node: what each node means to QONNX's executor."""

import numpy as np
import pytest
import torch
from brevitas_networks import execute
from onnx_nodes import CONSTANTS, DOMAIN, LAYER, RNG, WEIGHT, file_of, node, quant

from asq_model.exchange.import_network import import_qonnx
from asq_model.quantisation.convert import quantised_layers
from asq_model.quantisation.observe import observe_inputs

pytestmark = pytest.mark.xdist_group("onnx")  # one worker loads QONNX's executor and torch's exporter
AFTER = [
    [node("Conv", ["q", "w"], "y", pads=[1, 0, 2, 3], strides=[2, 1])],
    [node("Pad", ["q", "pads"], "p"), node("Conv", ["p", "w"], "y")],
    [node("Conv", ["q", "w"], "c"), node("Clip", ["c", "zero", "two"], "y")],
    [node("Conv", ["q", "w"], "c"), node("LeakyRelu", ["c"], "y", alpha=0.25)],
    [node("Conv", ["q", "w"], "c"), node("GlobalMaxPool", ["c"], "g"), node("Flatten", ["g"], "y")],
    [node("Conv", ["q", "w"], "c"), node("ReduceMean", ["c", "axes"], "y", keepdims=0)],
    [node("Conv", ["q", "w"], "c"), node("Sub", ["c", "half"], "s"), node("Div", ["s", "two"], "y")],
    [node("Conv", ["q", "w"], "c"), node("Mul", ["c", "two"], "m"), node("Add", ["c", "m"], "y")],
    [node("Conv", ["q", "w"], "c"), node("AveragePool", ["c"], "y", kernel_shape=[2, 2], strides=[2, 2])],
    [node("Conv", ["q", "w"], "c"), node("Relu", ["c"], "r"), node("Concat", ["c", "r"], "y", axis=1)],
    [node("Conv", ["q", "w"], "c"), node("Reshape", ["c", "shape"], "y")],
    [
        *(node("Transpose", ["q"], "t", perm=[0, 2, 3, 1]), quant("matrix", "m", "three")),
        *(node("MatMul", ["t", "m"], "l"), node("Identity", ["l"], "y")),
    ],
    [
        *(quant("x", "p"), node("GlobalMaxPool", ["q"], "g"), node("GlobalMaxPool", ["p"], "h")),
        *(node("Concat", ["g", "h"], "j", axis=2), node("Conv", ["j", "v"], "y")),
    ],
]


@pytest.mark.parametrize("after", AFTER, ids=lambda nodes: "_".join(each.op_type for each in nodes))
def test_nodes_compute_what_qonnx_s_executor_does(after, tmp_path, monkeypatch):
    """Steps of ½ and inputs that are no multiples of ¼: no value lies between two codes."""
    first = [quant("x", "q"), WEIGHT]
    if "v" in after[-1].input:
        monkeypatch.setitem(CONSTANTS, "column", RNG.normal(size=(4, 3, 2, 1)).astype(np.float32))
        first[1] = quant("column", "v", "three")
    path = file_of(tmp_path, [*first, *after])
    images = torch.from_numpy(RNG.integers(-20, 20, (5, 3, 6, 6)).astype(np.float32) / 4 + 0.1)
    network = import_qonnx(path)
    found = network(images).detach()
    assert found.std() > 0
    for index, sample in enumerate(images.split(1)):
        wanted = execute(path, sample, monkeypatch)["output"]
        np.testing.assert_allclose(found[index : index + 1], wanted, atol=1e-5)


@pytest.mark.parametrize("attributes", [{}, {"out_scale": 0.5, "out_bias": -2.0}])
def test_evenly_spaced_thresholds_are_a_quantiser(attributes, tmp_path, monkeypatch):
    nodes = [node("MultiThreshold", ["x", "even"], "q", DOMAIN, out_dtype="UINT3", **attributes), *LAYER[1:]]
    path = file_of(tmp_path, nodes)
    images = torch.randn(1, 3, 6, 6)
    network = import_qonnx(path)
    found = execute(path, images, monkeypatch)
    np.testing.assert_allclose(network(images).detach(), found["output"], atol=1e-5)
    ((name, layer),) = quantised_layers(network)
    assert (layer.config.activation_bits, layer.config.signed) == (3, bool(attributes))
    codes, _ = layer.activation_quantiser.encode(observe_inputs(network, [(name, layer)], images)[name])
    assert len(codes.unique()) == 8


def test_a_layer_behind_joined_tensors_of_one_quantiser_takes_it(tmp_path):
    nodes = [quant("x", "q"), node("Concat", ["q", "q"], "j", axis=3), WEIGHT, node("Conv", ["j", "w"], "y")]
    ((_, layer),) = quantised_layers(import_qonnx(file_of(tmp_path, nodes)))
    assert (layer.config.activation_bits, layer.activation_quantiser.step.item()) == (4, 0.5)


def test_bounds_of_a_clip_that_are_attributes(tmp_path):
    """Files of operator sets before 11 have the bounds of Clip as attributes."""
    nodes = [*LAYER[:2], node("Conv", ["q", "w"], "c"), node("Clip", ["c"], "y", min=0.0, max=2.0)]
    network = import_qonnx(file_of(tmp_path, nodes, opset=10))
    found = network(4 * torch.randn(4, 3, 6, 6)).detach()
    assert (found.min().item(), found.max().item()) == (0.0, 2.0)
