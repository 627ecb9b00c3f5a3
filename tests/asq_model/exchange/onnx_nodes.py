"""ONNX files made by hand, node by node."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

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
    "all_axes": np.array([-4, 2]),
    "shape": np.array([1, 2, -1]),
    "mixing": np.array([2, -1]),
    "batch_pads": np.array([1, 0, 0, 0, 0, 0, 0, 0]),
    "pads": np.array([0, 0, 1, 0, 0, 0, 2, 3]),
}


def quant(source, target, bits="four", signed=1, scale="one", zero="zero", **attributes):
    attributes = {"signed": signed, "narrow": 0, "rounding_mode": "ROUND"} | attributes
    return helper.make_node(
        "Quant", [source, scale, zero, bits], [target], f"quant_{target}", domain=DOMAIN, **attributes
    )


def node(operator, inputs, target, domain="", **attributes):
    return helper.make_node(operator, inputs, [target], f"the_{operator}", domain=domain, **attributes)


def file_of(folder, nodes, sizes=(1, 3, 6, 6), opset=19):
    """A file with these nodes; the last one gives the output. opset: the version of ONNX's operators."""
    rank = {"Flatten": 2, "ReduceMean": 2, "Reshape": 3}.get(nodes[-1].op_type, 4)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes)]
    output = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, [None] * rank)
    used = {name for each in nodes for name in each.input}
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in CONSTANTS.items() if name in used]
    graph = helper.make_graph(nodes, "network", inputs, [output], constants)
    domains = [helper.make_opsetid("", opset), helper.make_opsetid(DOMAIN, 2)]
    model = helper.make_model(graph, opset_imports=domains, ir_version=10)
    path = folder / "x.onnx"
    onnx.save(model, path)
    return path


WEIGHT = quant("kernel", "w", "three")
LAYER = [quant("x", "q"), WEIGHT, node("Conv", ["q", "w"], "y")]
