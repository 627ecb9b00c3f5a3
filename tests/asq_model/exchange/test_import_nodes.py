"""Files made by hand, node by node: what each node means to QONNX's executor, and what is refused."""

import numpy as np
import onnx
import pytest
import torch
from brevitas_networks import execute
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from asq_model.common.errors import InputError
from asq_model.exchange.import_network import import_qonnx
from asq_model.exchange.onnx_file import read_onnx
from asq_model.quantisation.convert import quantised_layers
from asq_model.quantisation.observe import observe_inputs

pytestmark = pytest.mark.xdist_group("onnx")  # one worker loads QONNX's executor and torch's exporter
DOMAIN = "qonnx.custom_op.general"
RNG = np.random.default_rng(0)
CONSTANTS = {
    "one": np.float32(0.5),
    "zero": np.float32(0),
    "two": np.float32(2),
    "three": np.float32(3),
    "four": np.float32(4),
    "eight": np.float32(8),
    "nine": np.float32(9),
    "half": np.float32(0.25),
    "channels": np.array([0.1, 0.2, 0.3], np.float32).reshape(3, 1, 1),
    "kernel": RNG.normal(size=(4, 3, 3, 3)).astype(np.float32),
    "kernel3d": RNG.normal(size=(4, 3, 3, 3, 3)).astype(np.float32),
    "matrix": RNG.normal(size=(3, 5)).astype(np.float32),
    "mixed": RNG.uniform(0.1, 0.2, size=(4, 3, 1, 1)).astype(np.float32),
    "i8": np.int8(0),
    "u8": np.uint8(0),
    "u8_five": np.uint8(5),
    "i16_high": np.int16(255),
    "i8_low": np.int8(-7),
    "i8_high": np.int8(7),
    "wide": np.full((4, 3, 3, 3), 200, np.float32),
    "even": (np.array([[-2.2], [-1.1], [0.3]]) + np.array([[0.5], [0.25], [0.4]]) * np.arange(7)).astype(np.float32),
    "uneven": np.array([[0, 1, 3]], np.float32),
    "axes": np.array([2, 3]),
    "shape": np.array([1, 2, -1]),
    "mixing": np.array([2, -1]),
    "pads": np.array([0, 0, 1, 0, 0, 0, 2, 3]),
}


def quant(source, target, bits="four", signed=1, scale="one", zero="zero", **attributes):
    attributes = {"signed": signed, "narrow": 0, "rounding_mode": "ROUND"} | attributes
    return helper.make_node(
        "Quant", [source, scale, zero, bits], [target], f"quant_{target}", domain=DOMAIN, **attributes
    )


def node(operator, inputs, target, domain="", **attributes):
    return helper.make_node(operator, inputs, [target], f"the_{operator}", domain=domain, **attributes)


def file_of(folder, nodes, sizes=(1, 3, 6, 6)):
    """A file with these nodes; the last one gives the output."""
    rank = {"Flatten": 2, "ReduceMean": 2, "Reshape": 3}.get(nodes[-1].op_type, 4)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes)]
    output = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, [None] * rank)
    used = {name for each in nodes for name in each.input}
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in CONSTANTS.items() if name in used]
    graph = helper.make_graph(nodes, "network", inputs, [output], constants)
    domains = [helper.make_opsetid("", 19), helper.make_opsetid(DOMAIN, 2)]
    model = helper.make_model(graph, opset_imports=domains, ir_version=10)
    path = folder / "x.onnx"
    onnx.save(model, path)
    return path


WEIGHT = quant("kernel", "w", "three")
LAYER = [quant("x", "q"), WEIGHT, node("Conv", ["q", "w"], "y")]
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
    codes, _ = layer.activation_quantiser.codes(observe_inputs(network, [(name, layer)], images)[name])
    assert len(codes.unique()) == 8


def test_a_layer_behind_joined_tensors_of_one_quantiser_takes_it(tmp_path):
    nodes = [quant("x", "q"), node("Concat", ["q", "q"], "j", axis=3), WEIGHT, node("Conv", ["j", "w"], "y")]
    ((_, layer),) = quantised_layers(import_qonnx(file_of(tmp_path, nodes)))
    assert (layer.config.activation_bits, layer.activation_quantiser.step.item()) == (4, 0.5)


REFUSED = {
    "zero point": ([quant("x", "y", zero="one")], r"quant_y \(Quant\) has a zero point other than 0"),
    "scale per channel": ([quant("x", "y", scale="channels")], r"quant_y \(Quant\) has a scale of shape \[3, 1, 1\]"),
    "scale of 0": ([quant("x", "y", scale="zero")], r"quant_y \(Quant\) has a scale that is not positive"),
    "scale of the input": ([quant("x", "y", scale="x")], r"quant_y \(Quant\) has a scale that the network's input dec"),
    "9 bits": ([quant("x", "y", "nine")], r"quant_y \(Quant\) has an activation of 9 bits; allowed: 2 to 8"),
    "half a bit": ([quant("x", "y", "half")], r"quant_y \(Quant\) has a bit width other than a whole number"),
    "narrow": ([quant("x", "y", narrow=1)], r"quant_y \(Quant\) has an activation with a narrow range"),
    "floor": ([quant("x", "y", rounding_mode="FLOOR")], r"quant_y \(Quant\) rounds by FLOOR; allowed: ROUND"),
    "bipolar": (
        [node("BipolarQuant", ["x", "one"], "y", DOMAIN)],
        r"the_BipolarQuant \(BipolarQuant\) has an activation of −1 and 1",
    ),
    "float": (
        [node("FloatQuant", ["x", "one"], "y", DOMAIN)],
        r"the_FloatQuant \(FloatQuant\) of domain qonnx.custom_op.general is not supported",
    ),
    "uneven": (
        [node("MultiThreshold", ["x", "uneven"], "y", DOMAIN)],
        r"the_MultiThreshold \(MultiThreshold\) has thresholds that are not evenly spaced",
    ),
    "five thresholds": (
        [node("MultiThreshold", ["x", "matrix"], "y", DOMAIN)],
        r"\(MultiThreshold\) has thresholds of shape \[3, 5\]; allowed: \[channels, 2\^bits - 1\]",
    ),
    "count from 1": (
        [node("MultiThreshold", ["x", "even"], "y", DOMAIN, out_bias=1.0)],
        r"\(MultiThreshold\) counts from 1; allowed: 0",
    ),
    "channels last": (
        [node("MultiThreshold", ["x", "even"], "y", DOMAIN, data_layout="NHWC")],
        r"\(MultiThreshold\) has its channels on another axis",
    ),
    "line break": (
        [helper.make_node("Softmax", ["x"], ["y"], "two\nlines")],
        r"node 'two\\nlines' \(Softmax\) of domain ai.onnx",
    ),
    "old trunc": (
        [node("Trunc", ["x", "one", "zero", "eight", "four"], "y", DOMAIN)],
        r"the_Trunc \(Trunc\) is of version 1",
    ),
    "rounding trunc": (
        [node("Trunc", ["x", "one", "zero", "eight", "two", "four"], "y", DOMAIN, rounding_mode="ROUND")],
        r"the_Trunc \(Trunc\) rounds otherwise than down",
    ),
    "input not quantised": ([WEIGHT, node("Conv", ["x", "w"], "y")], r"the_Conv \(Conv\) has an input that is not q"),
    "weights not quantised": (
        [quant("x", "q"), node("Conv", ["q", "kernel"], "y")],
        r"the_Conv \(Conv\) has weights that are not quantised",
    ),
    "weight of the input": ([quant("x", "q"), node("MatMul", ["q", "q"], "y")], r"\(MatMul\) has a weight that the ne"),
    "weight scale per input": (
        [quant("x", "q"), quant("kernel", "w", scale="mixed"), node("Conv", ["q", "w"], "y")],
        r"the_Conv \(Conv\) has weight scales that vary within an output channel",
    ),
    "weights above 8 bits": (
        [quant("x", "q"), quant("wide", "w", "eight", 0), node("Conv", ["q", "w"], "y")],
        r"the_Conv \(Conv\) has weights from 0 to 255",
    ),
    "3-D": (
        [quant("x", "q"), quant("kernel3d", "w"), node("Conv", ["q", "w"], "y")],
        r"the_Conv \(Conv\) has weights of shape \[4, 3, 3, 3, 3\]; allowed: convolutions along 1 or 2 axes",
    ),
    "auto_pad": (
        [*LAYER[:2], node("Conv", ["q", "w"], "y", auto_pad="SAME_UPPER")],
        r"\(Conv\) has auto_pad SAME_UPPE",
    ),
    "wide padding": (
        [*LAYER[:2], node("Conv", ["q", "w"], "y", pads=[1 << 30] * 4)],
        r"\(Conv\) has pads \[1073741824",
    ),
    "too small": ([*LAYER, node("MaxPool", ["y"], "z", kernel_shape=[9, 9])], r"the_MaxPool \(MaxPool\) does not fit"),
    "ceil_mode": (
        [*LAYER, node("MaxPool", ["y"], "z", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)],
        r"the_MaxPool \(MaxPool\) has padding on one side, ceil_mode",
    ),
    "mixed samples": (
        [*LAYER, node("Reshape", ["y", "mixing"], "z")],
        r"the_Reshape \(Reshape\) makes shape \[2, 32\]",
    ),
    "transA": ([quant("x", "q"), node("Gemm", ["q", "w"], "y", transA=1), WEIGHT], "nodes|transA|damaged"),
    "softmax": ([*LAYER, node("Softmax", ["y"], "z")], r"the_Softmax \(Softmax\) of domain ai.onnx is not supported"),
    "integers": (
        [node("QuantizeLinear", ["x", "one", "i8"], "q"), node("Relu", ["q"], "y")],
        r"\(Relu\) takes integers",
    ),
    "other zero": (
        [node("QuantizeLinear", ["x", "one", "u8_five"], "y")],
        r"\(QuantizeLinear\) has a zero point other",
    ),
    "narrow clip": (
        [node("QuantizeLinear", ["x", "one", "i8"], "q"), node("Clip", ["q", "i8_low", "i8_high"], "y")],
        r"the_Clip \(Clip\) bounds integers to \[-7, 7\]",
    ),
    "clip above the type": (
        [node("QuantizeLinear", ["x", "one", "i8"], "q"), node("Clip", ["q", "zero", "i16_high"], "y")],
        r"the_Clip \(Clip\) bounds integers to \[0, 255\]",
    ),
    "integers at the end": (
        [*LAYER, node("QuantizeLinear", ["y", "one", "i8"], "z")],
        r"\(QuantizeLinear\) gives integers or a constant for the network's output",
    ),
    "bounds that cross": ([node("Clip", ["x", "two", "one"], "y")], r"the_Clip \(Clip\) does not fit its inputs"),
    "dilated mean": (
        [*LAYER, node("AveragePool", ["y"], "z", kernel_shape=[2, 2], dilations=[2, 2])],
        r"the_AveragePool \(AveragePool\) has dilations \[2, 2\]",
    ),
    "by zero": ([node("Div", ["one", "zero"], "y")], r"the_Div \(Div\) gives values that are not finite"),
    "growing": (
        [helper.make_node("Concat", ["kernel"] * (1 << 18), ["y"], "the_Concat", axis=0)],
        r"the_Concat \(Concat\) makes a constant of 28311552 values; allowed: 16777216",
    ),
    "other scale": (
        [node("QuantizeLinear", ["x", "one", "i8"], "q"), node("DequantizeLinear", ["q", "two", "i8"], "y")],
        r"the_DequantizeLinear \(DequantizeLinear\) has no QuantizeLinear of the same scale",
    ),
    "nothing quantised": ([node("Relu", ["x"], "y")], "it has no quantised layer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_supported_is_refused_in_one_line_that_names_the_node(case, tmp_path):
    nodes, said = REFUSED[case]
    with pytest.raises(InputError, match=said) as error:
        import_qonnx(file_of(tmp_path, nodes))
    assert str(error.value).startswith(f"ONNX file {tmp_path / 'x.onnx'}") and "\n" not in str(error.value)


def test_files_that_are_none_are_refused_in_one_line(tmp_path):
    path = file_of(tmp_path, LAYER)
    whole = path.read_bytes()
    for contents in (b"", b"\0" * 100, b"not an ONNX file", whole[: len(whole) // 2]):
        path.write_bytes(contents)
        with pytest.raises(InputError, match=r"^ONNX file .* is damaged: .+$"):
            read_onnx(path)
    with pytest.raises(InputError, match=r"cannot read ONNX file .*: it is a folder"):
        read_onnx(tmp_path)


def test_weights_in_another_file_are_refused(tmp_path):
    path = file_of(tmp_path, LAYER)
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="/etc/passwd".replace("/", ""), size_threshold=0)
    with pytest.raises(InputError, match=r"keeps tensor '\w+' in another file; allowed: one file"):
        read_onnx(path)


@pytest.mark.parametrize("sizes, said", [((1, 3, "height", 6), r"shape \[1, 3, height, 6\]"), ((1,), r"shape \[1\]")])
def test_open_sizes_are_refused_but_the_batch_s(sizes, said, tmp_path):
    with pytest.raises(InputError, match=said):
        read_onnx(file_of(tmp_path, LAYER, sizes))
    network = import_qonnx(file_of(tmp_path, LAYER, ("N", 3, 6, 6)))
    assert network(torch.zeros(7, 3, 6, 6)).shape == (7, 4, 4, 4)


def test_numbers_that_are_not_finite_are_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(CONSTANTS, "kernel", np.full((4, 3, 3, 3), np.nan, np.float32))
    with pytest.raises(InputError, match="tensor 'kernel' has values that are not finite"):
        import_qonnx(file_of(tmp_path, LAYER))


@pytest.fixture(scope="module")
def whole_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    return folder / "damaged.onnx", file_of(folder, [*LAYER, node("Relu", ["y"], "z")]).read_bytes()


@pytest.mark.fuzz
@settings(deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=8))
def test_damage_is_survived_or_refused_in_one_line(changes, whole_file):
    path, contents = whole_file
    damaged = bytearray(contents)
    for place, byte in changes:
        damaged[place % len(damaged)] = byte
    path.write_bytes(damaged)
    try:
        import_qonnx(path)
    except InputError as error:
        assert "\n" not in str(error)
