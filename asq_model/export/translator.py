"""Translate torch's nodes into operations on maps, one at a time, keeping track of where each tensor's axes lie.

A tensor [N, ...] of torch is kept as maps [N, channels, rows, columns]: permuting its axes, or adding and removing axes
of size 1, changes nothing there. What each of torch's operations becomes is in `translate_layers.py`,
`translate_values.py`, `translate_activations.py`, `translate_shapes.py` and `translate_pools.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor, fx, nn

from asq_model.common.errors import InputError
from asq_model.export.operations import Given, Move, Operation
from asq_model.spec.graph.movement import Reshape

Axes = tuple[int | None, ...]  # for each axis of a tensor but the batch that of the maps; None: one of size 1
Shape = tuple[int, int, int]
IGNORED = ("sym_size", "_assert_scalar", "_assert_tensor_metadata", "sym_constrain_range_for_size", "_guards_fn")


@dataclass(frozen=True)
class Value:
    """A tensor of the network: the operation that makes it, its maps' shape, and where its axes lie in them."""

    operation: str
    maps: Shape
    axes: Axes

    @property
    def sizes(self) -> tuple[int, ...]:
        """The tensor's sizes in torch, without the batch."""
        return tuple(1 if axis is None else self.maps[axis] for axis in self.axes)

    def axis(self, dim: int) -> int | None:
        """The maps' axis of torch's axis `dim`, which counts the batch as 0 or counts from the end."""
        return self.axes[dim % (len(self.axes) + 1) - 1]


class Translator:
    """Builds the list of operations of a program. modules: its opaque modules with their names."""

    def __init__(self, program: fx.GraphModule, modules: list[tuple[str, nn.Module]]):
        self.program, self.modules = program, modules
        self.operations: list[Operation] = []
        self.output = ""
        self.values: dict[fx.Node, Value] = {}
        self.constants: dict[fx.Node, Any] = {}
        self.parts: dict[fx.Node, list[Value]] = {}
        self.axes: dict[str, Axes] = {}
        self.names: set[str] = set()

    def translate(self, node: fx.Node) -> None:
        """Translate one node. Raises InputError for one that has no counterpart."""
        if node.op == "placeholder":
            self.take_input(node)
        elif node.op == "get_attr":
            self.constants[node] = find_attribute(self.program, str(node.target))
        elif node.op == "output":
            self.give_output(node)
        elif node.op == "call_function":
            self.translate_call(node)

    def translate_call(self, node: fx.Node) -> None:
        """Translate a call of one of torch's operations."""
        from asq_model.export.translate_activations import ACTIVATIONS
        from asq_model.export.translate_layers import LAYERS
        from asq_model.export.translate_pools import POOLS
        from asq_model.export.translate_shapes import SHAPES
        from asq_model.export.translate_values import VALUES

        name = operation_name(node)
        if not any(argument in self.values or argument in self.parts for argument in node.all_input_nodes):
            self.compute_constant(node, name)
            return
        if name in IGNORED or not isinstance(node.meta.get("val"), (Tensor, list, tuple)):
            return
        handlers = LAYERS | VALUES | ACTIVATIONS | SHAPES | POOLS
        handler = handlers.get(name) or handlers.get(name.removesuffix("_"))
        if handler is None:
            self.refuse(node, "has no integer form here")
        handler(self, node)
        changed = node.args[0] if node.args else None
        if name.endswith("_") and isinstance(changed, fx.Node) and changed in self.values:
            self.values[changed] = self.values[node]  # it wrote into its first input

    def compute_constant(self, node: fx.Node, name: str) -> None:
        """Compute what depends on no input. Raises InputError for a tensor that depends on the number of samples."""
        if name in IGNORED or not callable(node.target):
            return
        if not all(argument in self.constants for argument in node.all_input_nodes):
            if isinstance(node.meta.get("val"), Tensor):
                self.refuse(node, "depends on the number of samples; allowed: constants")
            return
        arguments = fx.map_arg((node.args, node.kwargs), self.constants.__getitem__)
        with torch.no_grad():
            self.constants[node] = node.target(*arguments[0], **arguments[1])

    def take_input(self, node: fx.Node) -> None:
        """Translate the network's input. Raises InputError for a second one."""
        if self.operations:
            raise InputError(f"the network has a second input, {node.name}; allowed: one")
        sizes = tuple(int(size) for size in node.meta["val"].shape[1:])
        if not 1 <= len(sizes) <= 3:
            shape = "".join(f", {size}" for size in sizes)
            raise InputError(f"the network's input has shape [N{shape}]; allowed: 1 to 3 axes behind the samples'")
        maps = full_shape(sizes)
        self.add(node, Given("input", (), "", node.name, maps), maps, tuple(range(len(sizes))))
        self.names.add("input")

    def give_output(self, node: fx.Node) -> None:
        """Note the network's output. Raises InputError for several outputs, or one that depends on no input."""
        outputs = node.args[0] if isinstance(node.args[0], (tuple, list)) else [node.args[0]]
        output = outputs[0]
        if len(outputs) != 1 or not isinstance(output, fx.Node) or output not in self.values:
            raise InputError(f"the network returns {len(outputs)} values; allowed: one tensor that its input decides")
        self.output = self.values[output].operation

    def add(self, node: fx.Node, operation: Operation, maps: Shape, axes: Axes) -> Value:
        """Append an operation that makes a node's tensor; returns the tensor."""
        self.operations.append(operation)
        value = Value(operation.name, maps, axes)
        self.values[node], self.axes[node.name] = value, axes
        return value

    def alias(self, node: fx.Node, value: Value) -> None:
        """Let a node's tensor be one that is there already, perhaps with other axes."""
        self.values[node], self.axes[node.name] = value, value.axes

    def value(self, node: fx.Node, argument: object) -> Value:
        """The tensor that an argument is. Raises InputError for one that depends on no input."""
        if not isinstance(argument, fx.Node) or argument not in self.values:
            self.refuse(node, "takes a constant where this needs a tensor that the input decides")
        return self.values[argument]

    def arrange(self, node: fx.Node, value: Value, axes: Axes) -> Value:
        """Return a tensor whose axes lie in the maps as `axes` says; its values are moved only if they do not yet."""
        if len(axes) != len(value.axes):
            self.refuse(node, f"takes a tensor with {len(value.axes)} axes behind the samples'; expected {len(axes)}")
        sizes = dict(zip(axes, value.sizes, strict=True))
        shape = (sizes.get(0, 1), sizes.get(1, 1), sizes.get(2, 1))
        pairs = zip(axes, value.axes, strict=True)
        sources = {wanted: there for wanted, there in pairs if wanted is not None and there is not None}
        free = [axis for axis in range(3) if axis not in sources.values()]
        order = [sources[axis] if axis in sources else free.pop(0) for axis in range(3)]
        return self.move(node, value, (order[0], order[1], order[2]), shape, axes)

    def move(self, node: fx.Node, value: Value, order: Shape, shape: Shape, axes: Axes) -> Value:
        """Put the axes of a tensor's maps into an order and read them into a shape; add nothing if nothing moves."""
        moves = [axis for axis in order if value.maps[axis] > 1]
        if moves == sorted(moves) and shape == value.maps:
            return Value(value.operation, shape, axes)
        name = self.claim(f"{value.operation}.reshape")
        operation = Move(
            name, (value.operation,), self.where(node), "", Reshape(name="", inputs=(), order=order, shape=shape)
        )
        self.operations.append(operation)
        return Value(name, shape, axes)

    def claim_name(self, node: fx.Node) -> str:
        """Claim a name for what a node makes: its module's path if it is one of torch's own, else the node's."""
        stack = list((node.meta.get("nn_module_stack") or {}).values())
        path, kind = stack[-1][:2] if stack else ("", "")
        kind = kind if isinstance(kind, str) else getattr(kind, "__module__", "")
        return self.claim(path if path and kind.startswith("torch.nn") else node.name)

    def claim(self, name: str) -> str:
        """Claim a name that is not taken yet: this one, or this one with a number behind it."""
        candidates = (name if count == 1 else f"{name}:{count}" for count in range(1, len(self.names) + 3))
        free = next(candidate for candidate in candidates if candidate not in self.names)
        self.names.add(free)
        return free

    def where(self, node: fx.Node) -> str:
        """Where a node stands in the user's code: module, file and line, as far as torch knows."""
        stack = list((node.meta.get("nn_module_stack") or {}).values())
        path = stack[-1][0] if stack else ""
        lines = [line.strip() for line in str(node.meta.get("stack_trace") or "").splitlines() if "File " in line]
        users = [line for line in lines if "/torch/" not in line and "opaque_layers.py" not in line]
        place = users[-1].split(", in ")[0].removeprefix("File ").replace('"', "") if users else ""
        return ", ".join(part for part in (f"module {path}" if path else "", place) if part)

    def refuse(self, node: fx.Node, why: str) -> NoReturn:
        """Raises InputError that names an operation and where it stands."""
        where = self.where(node)
        raise InputError(f"operation {operation_name(node)}{f' ({where})' if where else ''} {why}")


def operation_name(node: fx.Node) -> str:
    """The name of the operation that a node calls, without its overload."""
    packet = getattr(node.target, "overloadpacket", None)
    return str(packet if packet is not None else getattr(node.target, "__name__", node.target)).split(".")[-1]


def find_attribute(program: nn.Module, path: str) -> object:
    """Find a parameter or buffer of a program by its path."""
    value: Any = program
    for part in path.split("."):
        value = getattr(value, part)
    return value


def full_shape(sizes: tuple[int, ...]) -> Shape:
    """Sizes as the shape of maps: missing rows and columns are 1."""
    padded = (*sizes, 1, 1)
    return padded[0], padded[1], padded[2]


Handler = Callable[[Translator, fx.Node], None]
