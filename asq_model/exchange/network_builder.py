"""Build a torch network from the nodes of an ONNX file: what each tensor is, and how nodes become modules.

A quantiser stays *pending* until something needs its values: a layer takes it for its own, a max pooling or a reshaping
passes it on, and whatever else sees the values gets a quantiser that stands alone.
"""

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from asq_model.exchange.onnx_file import Node
from asq_model.quantisation import LsqActivation
from asq_model.quantisation.activations import FROM_BATCH

LARGEST = 1 << 28  # values of a tensor
LARGEST_COMPUTED = 1 << 24  # values of a constant that is larger than those that it is made of


@dataclass(frozen=True)
class UniformQuantiser:
    """A quantiser of activations: integers of `bits` bits times a step, ties to even."""

    step: float
    bits: int
    signed: bool

    def start(self, module: LsqActivation) -> LsqActivation:
        """Give a quantiser this step, which no batch changes any more; return the quantiser."""
        module.step.data.fill_(self.step)
        module.started.fill_(FROM_BATCH)
        module.settle()
        return module


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor that does not depend on the network's input.

    integers, scales: shaped as the values, where these are integers · scales. bits: of those integers, 0 without them.
    """

    values: np.ndarray
    integers: np.ndarray | None = None
    scales: np.ndarray | None = None
    bits: int = 0

    def rearrange(self, change: Callable[[np.ndarray], np.ndarray]) -> "Constant":
        """Return this constant with its values in another order or shape."""
        integers, scales = (None if part is None else change(part) for part in (self.integers, self.scales))
        return Constant(change(self.values), integers, scales, self.bits)


@dataclass(eq=False)
class Activation:
    """A tensor that depends on the network's input.

    source: the node of torch's graph that makes it. example: a tensor of its shape without values. pending: the
    quantiser that its values went through in the file, which `source` leaves out. name: that quantiser's. rounded:
    `source` behind that quantiser, once there is one. integer: whether the file holds the quantiser's integers here,
    not yet the values that they stand for.
    """

    source: fx.Node
    example: Tensor
    pending: UniformQuantiser | None = None
    name: str = ""
    rounded: fx.Node | None = None
    integer: bool = False


Value = Constant | Activation


class NetworkBuilder:
    """The torch network that is built. tensors: those of the file, by name. node: the one that is being translated."""

    def __init__(self) -> None:
        self.root, self.graph = nn.Module(), fx.Graph()
        self.tensors: dict[str, Value] = {}
        self.node = Node("input", "input", "", (), (), {})

    def take_input(self, name: str, sizes: tuple[int, ...]) -> None:
        """Begin with the network's input. Raises InputError for one that is too large."""
        if prod(sizes) > LARGEST:
            self.node.refuse(f"has {prod(sizes)} values; allowed: {LARGEST}")
        self.tensors[name] = Activation(self.graph.placeholder("x"), torch.empty(sizes, device="meta"))

    def finish(self, name: str) -> fx.GraphModule:
        """Make the network, whose output is that tensor."""
        value = self.tensors[name]
        if isinstance(value, Constant) or value.integer:
            self.node.refuse("gives integers or a constant for the network's output; allowed: real numbers")
        self.graph.output(self.make_real(value))
        self.graph.lint()
        return fx.GraphModule(self.root, self.graph, "ImportedNetwork").eval()

    def value(self, index: int) -> Value:
        """An input of the node that is being translated."""
        name = self.node.inputs[index]
        if name not in self.tensors:
            self.node.refuse(f"takes {name!r}, which nothing gives")
        return self.tensors[name]

    def has(self, index: int) -> bool:
        """Whether the node has that input."""
        return len(self.node.inputs) > index and bool(self.node.inputs[index])

    def constant(self, index: int, what: str) -> Constant:
        """An input that has to be a constant. Raises InputError."""
        value = self.value(index)
        if not isinstance(value, Constant):
            self.node.refuse(f"has a {what} that the network's input decides; allowed: a constant")
        return value

    def activation(self, index: int = 0) -> Activation:
        """An input that has to be decided by the network's input. Raises InputError."""
        value = self.value(index)
        if not isinstance(value, Activation):
            self.node.refuse("takes a constant where this needs a tensor that the input decides")
        if value.integer:
            self.node.refuse("takes integers; allowed: a DequantizeLinear before it")
        return value

    def give(self, value: Value) -> None:
        """Set the node's output. Raises InputError for constants that are not finite."""
        if isinstance(value, Constant) and not np.isfinite(value.values).all():
            self.node.refuse("gives values that are not finite")
        self.tensors[self.node.outputs[0]] = value

    def make_real(self, value: Activation) -> fx.Node:
        """Return the node that makes a tensor's values; a pending quantiser becomes a module of its own, once."""
        if value.pending is None:
            return value.source
        if value.rounded is None:
            quantiser = LsqActivation(value.pending.bits, value.pending.signed)
            with self.graph.inserting_after(value.source):
                value.rounded = self.call(value.name, value.pending.start(quantiser), value.source)
        return value.rounded

    def call(self, name: str, module: nn.Module, *arguments: fx.Node) -> fx.Node:
        """Add a module under a name like this one, and a call of it."""
        return self.graph.call_module(self.add(name, module), tuple(arguments))

    def add(self, name: str, part: nn.Module | Tensor) -> str:
        """Add a module or a constant tensor under a name that Python allows; returns the name."""
        word = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")[:80] or "node"
        word = word if word[0].isalpha() else f"node_{word}"
        free = next(found for count in range(1, 1 << 20) if not hasattr(self.root, found := add_number(word, count)))
        if isinstance(part, Tensor):
            self.root.register_buffer(free, part)
        else:
            self.root.add_module(free, part)
        return free

    def apply(self, module: nn.Module, value: Activation, keeps_quantiser: bool = False) -> None:
        """Let the node be a module of torch. keeps_quantiser: whether it only moves or chooses values."""
        example = copy.deepcopy(module).to("meta").eval()(value.example)
        source = self.call(self.node.name, module, value.source if keeps_quantiser else self.make_real(value))
        self.give_shaped(source, example, value if keeps_quantiser else None)

    def compute(
        self,
        function: Callable[..., Any],
        values: Sequence[Value],
        rest: Sequence[Any] = (),
        keeper: Activation | None = None,
    ) -> None:
        """Let the node be a function of tensors and further arguments. keeper: whose quantiser the result keeps."""
        arguments: list[fx.Node] = []
        examples: list[Tensor] = []
        for value in values:
            if isinstance(value, Activation):
                examples.append(value.example)
                arguments.append(self.make_real(value) if keeper is None else value.source)
            else:
                number = torch.from_numpy(np.array(value.values, dtype=np.float32))
                examples.append(number.to("meta"))
                arguments.append(self.graph.get_attr(self.add(f"{self.node.name}_constant", number)))
        joined = function is torch.cat
        example = function(examples, *rest) if joined else function(*examples, *rest)
        given = (arguments, *rest) if joined else (*arguments, *rest)
        self.give_shaped(self.graph.call_function(function, given), example, keeper)

    def check_size(self, count: int) -> None:
        """Raises InputError for a constant that is computed and larger than any real one."""
        if count > LARGEST_COMPUTED:
            self.node.refuse(f"makes a constant of {count} values; allowed: {LARGEST_COMPUTED}")

    def give_shaped(self, source: fx.Node, example: Tensor, keeper: Activation | None) -> None:
        """Set the node's output. Raises InputError where it would be too large."""
        if prod(example.shape) > LARGEST:
            self.node.refuse(f"gives {prod(example.shape)} values; allowed: {LARGEST}")
        if keeper is None:
            self.give(Activation(source, example))
        else:
            self.give(replace(keeper, source=source, example=example, rounded=None))


def add_number(word: str, count: int) -> str:
    """Add a number to a word, from the second on."""
    return word if count == 1 else f"{word}_{count}"
