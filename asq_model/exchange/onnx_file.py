"""Read an ONNX file into plain nodes and arrays, or refuse it in one line: a file may be damaged or made to harm."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from asq_model.common.errors import InputError, shown
from asq_model.common.files import read_bytes

LARGEST_MB = 1024
FLOAT = 1  # ONNX's number of the type float32


@dataclass(frozen=True, eq=False)
class Node:
    """One node of an ONNX graph. domain: "" for the standard operators. inputs: "" for one that is left out."""

    name: str
    operator: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    @property
    def label(self) -> str:
        """The node in a message: its name and operator, on one line whatever they are."""
        return f"node {shown(self.name)} ({shown(self.operator)})"

    def refuse(self, why: str) -> NoReturn:
        """Raises InputError that names the node and its operator."""
        raise InputError(f"{self.label} {why}")


@dataclass(frozen=True, eq=False)
class OnnxGraph:
    """A file's graph: nodes in order of execution, constants, the one input with its sizes, the one output.

    sizes: the first is the batch's, or 1 where the file leaves it open.
    """

    nodes: list[Node]
    constants: dict[str, np.ndarray]
    input: str
    sizes: tuple[int, ...]
    output: str


def read_onnx(path: Path) -> OnnxGraph:
    """Read and check an ONNX file. Raises InputError for one that is damaged, too large or of more than one input."""
    import onnx

    contents = read_bytes(path, "ONNX file", LARGEST_MB)
    try:
        model = onnx.load_model_from_string(contents)
        tensors = list(find_tensors(model.graph))
        outside = [tensor.name for tensor in tensors if tensor.data_location == onnx.TensorProto.EXTERNAL]
        if outside:
            raise InputError(f"it keeps tensor {shown(outside[0])} in another file; allowed: one file")
        if len(model.graph.sparse_initializer):
            raise InputError("it has sparse tensors; allowed: dense ones")
        onnx.checker.check_model(model)
        return as_graph(model)
    except InputError as error:
        raise InputError(f"ONNX file {path}: {error}") from error
    except Exception as error:  # the parser and the checker raise their own kinds, C++ ones among them
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"ONNX file {path} is damaged: {lines[0][:300]}") from error


def find_tensors(graph: Any) -> Iterator[Any]:
    """Find every tensor that a graph holds, those of its nodes' attributes included."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)


def as_graph(model: Any) -> OnnxGraph:
    """Turn a checked model into a graph. Raises InputError."""
    graph = model.graph
    constants = {tensor.name: as_array(tensor) for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise InputError(f"it has {len(inputs)} inputs and {len(graph.output)} outputs; allowed: one of each")
    nodes = []
    for index, node in enumerate(graph.node):
        name = node.name or f"{node.op_type}_{index}"
        attributes = {entry.name: read_attribute(name, entry) for entry in node.attribute}
        nodes.append(Node(name, node.op_type, node.domain, tuple(node.input), tuple(node.output), attributes))
    return OnnxGraph(nodes, constants, inputs[0].name, read_input_sizes(inputs[0]), graph.output[0].name)


def as_array(tensor: Any) -> np.ndarray:
    """Turn a tensor into an array. Raises InputError for values that are not finite."""
    from onnx import numpy_helper

    array = np.asarray(numpy_helper.to_array(tensor))
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"tensor {shown(tensor.name)} has values that are not finite")
    if array.dtype.kind not in "fiub":
        raise InputError(f"tensor {shown(tensor.name)} is of {array.dtype}; allowed: numbers")
    return array


def read_attribute(name: str, attribute: Any) -> Any:
    """Read an attribute in Python's types. Raises InputError for a graph within a graph."""
    from onnx import AttributeProto, helper

    if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
        raise InputError(f"node {shown(name)} holds a graph of its own; allowed: nodes without branches")
    value = helper.get_attribute_value(attribute)
    if attribute.type == AttributeProto.TENSOR:
        return as_array(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value


def read_input_sizes(value: Any) -> tuple[int, ...]:
    """Read the sizes of the network's input. Raises InputError for one that is no float32, or a size left open."""
    kind = value.type.tensor_type
    if kind.elem_type != FLOAT:
        raise InputError(f"input {shown(value.name)} is not float32; allowed: float32")
    first, *others = [dim.dim_value for dim in kind.shape.dim] or [0]
    if not others or not all(0 < size < 1 << 16 for size in others) or not 0 <= first < 1 << 16:
        sizes = ", ".join(shown(dim.dim_param or dim.dim_value) for dim in kind.shape.dim)
        raise InputError(
            f"input {shown(value.name)} has shape [{sizes}]; allowed: sizes behind the batch that are numbers"
        )
    return (first or 1, *others)
