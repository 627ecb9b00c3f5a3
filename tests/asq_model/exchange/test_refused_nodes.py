"""Nodes that are not supported are refused by name."""

import pytest
from onnx import TensorProto, helper
from onnx_nodes import DOMAIN, LAYER, WEIGHT, file_of, node, quant

from asq_model.common.errors import InputError
from asq_model.exchange.import_network import import_qonnx

pytestmark = pytest.mark.xdist_group("onnx")  # one worker loads QONNX's executor and torch's exporter


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
    "trunc to half a bit": (
        [node("Trunc", ["x", "one", "zero", "eight", "two", "half"], "y", DOMAIN)],
        r"the_Trunc \(Trunc\) has an output bit width of 0.25; allowed: 2 to 8, whole",
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
    "mean over samples": (
        [*LAYER, node("ReduceMean", ["y", "all_axes"], "z")],
        r"the_ReduceMean \(ReduceMean\) reduces the batch's axis",
    ),
    "squeeze of samples": ([*LAYER, node("Squeeze", ["y"], "z")], r"\(Squeeze\) drops every axis of size 1; allowed"),
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
    "clip of a constant above its type": (
        [node("Clip", ["i8_low", "i16_high", "i16_high"], "y")],
        r"the_Clip \(Clip\) bounds int8 to \[255, 255\]; allowed: bounds that int8 has",
    ),
    "transposed batch": (
        [*LAYER, node("Transpose", ["y"], "z", perm=[1, 0, 2, 3])],
        r"the_Transpose \(Transpose\) moves the batch",
    ),
    "joined batches": ([*LAYER, node("Concat", ["y", "y"], "z", axis=0)], r"the_Concat \(Concat\) joins samples"),
    "padded batch": (
        [*LAYER, node("Pad", ["y", "batch_pads"], "z")],
        r"the_Pad \(Pad\) adds samples to the batch; allowed: 0 for the first axis",
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


def test_a_type_that_a_quantiser_s_attribute_alone_gives_is_refused(tmp_path):
    nodes = [node("QuantizeLinear", ["x", "one"], "q", output_dtype=TensorProto.INT8), *LAYER[1:]]
    with pytest.raises(InputError, match=r"the_QuantizeLinear \(QuantizeLinear\) has an output_dtype other than uint8"):
        import_qonnx(file_of(tmp_path, nodes, opset=21))
