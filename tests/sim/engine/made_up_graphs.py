"""Made-up networks of integers: random weights, with scales such that values and codes use their whole range."""

from dataclasses import dataclass, field, replace

import msgspec
import numpy as np

from asq_model.spec.adaptive_step import IntegerAdapter, IntegerDense, IntegerQuantiser, sum_channels
from asq_model.spec.fixed_point import bounds, largest
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.elementwise import SEGMENT_BITS, Add, Clip, Function, Input, LeakyRelu, Scale
from asq_model.spec.graph.graph import Graph, Operation
from asq_model.spec.graph.movement import Concatenate, MaxPool, Pad, Reshape, Slice, SumPool
from asq_model.spec.graph.tensor import Trace
from asq_model.spec.levels import LevelSet
from asq_model.spec.mac import MacSpec
from asq_model.spec.precision import GUARD
from asq_model.spec.products import Products
from asq_model.spec.rescale import Rescale

SAMPLES = 4  # by which scales are chosen
NONE = (0, 0, 0, 0)


def shift_to(numbers: np.ndarray, bits: int) -> int:
    """The right shift after which the largest of these numbers has so many bits, its sign among them."""
    return max(0, largest(numbers).bit_length() - (bits - 1))


@dataclass
class Maker:
    """A network that grows node by node. Every method returns the new node's name.

    mac: what level set weights are of, and how wide codes are. precision: bits of values. shape: of an image.
    """

    mac: MacSpec
    shape: tuple[int, int, int]
    precision: int = 12
    seed: int = 0
    with_table: bool = True
    nodes: list[Operation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        half = 1 << self.precision - 1
        table = self.rng.integers(-half, half, (self.shape[0], 256)) if self.with_table else None
        self.nodes.append(Input(name="input", inputs=(), shape=self.shape, bits=self.precision, point=0, table=table))
        self.images = self.some_images(SAMPLES)

    def some_images(self, count: int) -> np.ndarray:
        """Random images."""
        half = 1 << self.precision - 1
        if self.with_table:
            return self.rng.integers(0, 256, (count, *self.shape)).astype(np.uint8)
        return self.rng.integers(-half, half, (count, *self.shape))

    @property
    def graph(self) -> Graph:
        """The network so far."""
        return Graph(tuple(self.nodes))

    def values(self, name: str) -> np.ndarray:
        """A node's values for some images."""
        trace = Trace(keep=True)
        self.graph(self.images, trace)
        return trace.outputs[name]

    def add(self, node: Operation) -> str:
        self.nodes.append(node)
        return node.name

    def adapter(self, x: np.ndarray, hidden: int) -> IntegerAdapter:
        """An adapter whose β is about 1. hidden: neurons, 0 for none."""
        bits, sums = self.precision, sum_channels(x)
        dense = None
        if hidden:
            weights = self.rng.integers(-(1 << bits - 1), 1 << bits - 1, (hidden, sums.shape[1]))
            dense = IntegerDense(weights, np.zeros(hidden, np.int64), 0)
            dense = replace(dense, shift=shift_to(dense(sums), bits + 4))
            sums = np.maximum(dense(sums), 0)
        weights = self.rng.integers(-(1 << bits - 1), 1 << bits - 1, (1, sums.shape[1]))
        shift = shift_to(sums @ weights.T, bits)
        output = IntegerDense(weights, np.array([1 << bits + shift]), shift)
        return IntegerAdapter(dense, output, 1 << bits - 3, bits, bits + 4)

    def quantiser(self, x: np.ndarray, bits: int, signed: bool, adapter: IntegerAdapter | None) -> IntegerQuantiser:
        """A quantiser whose codes reach a little beyond their range."""
        top = (1 << bits - signed) - 1
        return IntegerQuantiser(bits, signed, max(1, (largest(x) << GUARD) * 3 // (4 * top)), 0, adapter)

    def weights(self, outputs: int, terms: int, bits: int | None) -> tuple[np.ndarray, np.ndarray | None]:
        """Weights of the products' level set, or if bits are given two's complement integers of so many bits."""
        if bits is not None:
            half = 1 << bits - 1
            return self.rng.integers(-half, half, (outputs, terms)).astype(np.int32), None
        levels: LevelSet = self.mac.level_set
        codes = self.rng.integers(0, len(levels.even), (outputs, terms))
        odd = levels.odd[codes].astype(np.int32)
        return levels.even[codes].astype(np.int32), odd if odd.any() else None

    def conv(
        self,
        name: str,
        source: str,
        outputs: int,
        kernel: tuple[int, int] = (1, 1),
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int, int, int] = NONE,
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
        bits: int | None = None,
        signed: bool = False,
        weight_bits: int | None = None,
        hidden: int | None = None,
        side: str | None = None,
        relu: bool = True,
        result_bits: int | None = None,
    ) -> str:
        """Add a layer. bits: of its codes; weight_bits: of integer weights. hidden: neurons of its adapter, if any."""
        x = self.values(source)
        adapter = None if hidden is None else self.adapter(x, hidden)
        quantiser = self.quantiser(x, bits or self.mac.activation_bits, signed, adapter)
        even, odd = self.weights(outputs, x.shape[1] // groups * kernel[0] * kernel[1], weight_bits)
        most = 1 << quantiser.bits - 1 if signed else (1 << quantiser.bits) - 1
        products = Products(even, odd, most, 4 if odd is not None else 0)
        node = Convolution(
            name=name,
            inputs=(source,) if side is None else (source, side),
            kernel=kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            quantiser=quantiser,
            products=products,
            rescale=self.rescale(quantiser, outputs),
            relu=relu,
            align=0,
            point=0,
        )
        return self.add(self.fitted(node, side, result_bits or self.precision))

    def rescale(self, quantiser: IntegerQuantiser, outputs: int) -> Rescale:
        """Multipliers of both signs whose scales K have as many bits as multipliers, at the largest step."""
        half = 1 << self.precision - 1
        multiplier = self.rng.integers(half // 2, half, outputs) * self.rng.choice([-1, 1, 1], outputs)
        steps = quantiser.mantissa * (16 if quantiser.adapter else 1)
        return Rescale(multiplier, np.zeros(outputs, np.int64), shift_to(multiplier * steps, self.precision + 4), 0, 60)

    def fitted(self, node: Convolution, side: str | None, bits: int) -> Convolution:
        """A layer with biases, a shift and an alignment such that its outputs have so many bits, and a few more."""
        alone = msgspec.structs.replace(node, inputs=node.inputs[:1], relu=False)
        sums = self.rest(alone)
        bias = self.rng.integers(-largest(sums) // 2 - 1, largest(sums) // 2 + 1, len(node.products.even))
        shift = max(0, shift_to(sums, bits) - 1)
        align = 0 if side is None else max(0, shift_to(sums, bits) - 1)
        rescale = replace(node.rescale, bias=bias, shift=shift, bits=bits)
        return msgspec.structs.replace(node, rescale=rescale, align=align)

    def rest(self, node: Operation) -> np.ndarray:
        """What a node would give that is not part of the network yet."""
        return Graph((*self.nodes, node))(self.images)

    def concatenate(self, name: str, sources: tuple[str, ...], shifts: tuple[int, ...]) -> str:
        """Add the tensors one behind the other, each shifted right."""
        bits = self.precision
        return self.add(Concatenate(name=name, inputs=sources, shifts=shifts, bits=bits, point=0))

    def slice(self, name: str, source: str, steps: tuple[int, int]) -> str:
        """Add every so-manieth row and column."""
        _, *shape = self.values(source).shape
        stops = (shape[0], shape[1], shape[2])
        return self.add(Slice(name=name, inputs=(source,), starts=(0, 0, 0), stops=stops, steps=(1, *steps)))

    def pad(self, name: str, source: str, channels: tuple[int, int], margins: tuple[int, int, int, int] = NONE) -> str:
        """Add a tensor with zeros around it."""
        return self.add(Pad(name=name, inputs=(source,), channels=channels, margins=margins))

    def silu(self, name: str, source: str) -> str:
        """Add x · sigmoid(x) in straight pieces, over the whole range of values."""
        bits = self.precision
        edges = np.linspace(-8, 8, (1 << SEGMENT_BITS) + 1)
        heights = np.rint(edges / (1 + np.exp(-edges)) / 8 * (1 << bits - 1)).astype(np.int64).clip(*bounds(bits, True))
        return self.add(
            Function(
                name=name,
                inputs=(source,),
                in_bits=bits,
                base=heights[:-1],
                slope=np.diff(heights),
                bits=bits,
                point=0,
            )
        )

    def leaky_relu(self, name: str, source: str) -> str:
        """Add values of which those below 0 are multiplied by a slope, another for each channel."""
        slopes = self.rng.integers(-100, 300, self.values(source).shape[1])
        return self.add(LeakyRelu(name=name, inputs=(source,), multiplier=slopes, shift=8, bits=self.precision))

    def reshape(self, name: str, source: str, shape: tuple[int, int, int], order: tuple[int, int, int]) -> str:
        """Add a tensor's values in another shape."""
        return self.add(Reshape(name=name, inputs=(source,), order=order, shape=shape))

    def linear(self, name: str, source: str, outputs: int, **options: object) -> str:
        """Add a linear layer on a flattened map."""
        _, channels, rows, columns = self.values(source).shape
        self.add(
            Reshape(name=f"{name}.flat", inputs=(source,), order=(1, 0, 2), shape=(channels * rows * columns, 1, 1))
        )
        return self.conv(name, f"{name}.flat", outputs, relu=False, **options)  # type: ignore[arg-type]

    def max_pool(self, name: str, source: str, kernel: tuple[int, int], stride: tuple[int, int], padding=NONE) -> str:
        return self.add(
            MaxPool(name=name, inputs=(source,), kernel=kernel, stride=stride, padding=padding, dilation=(1, 1))
        )

    def sum_pool(self, name: str, source: str, kernel: tuple[int, int]) -> str:
        return self.add(SumPool(name=name, inputs=(source,), kernel=kernel, stride=kernel, padding=NONE))

    def sum(self, name: str, left: str, right: str, signs: tuple[int, int] = (1, 1), relu: bool = False) -> str:
        """Add the sum or the difference of two tensors."""
        node = Add(
            name=name,
            inputs=(left, right),
            signs=signs,
            aligns=(1, 0),
            shift=2,
            relu=relu,
            bits=self.precision,
            point=0,
        )
        return self.add(node)

    def scale(self, name: str, source: str, relu: bool = False) -> str:
        """Add a factor and an offset of each channel."""
        channels = self.values(source).shape[1]
        half = 1 << self.precision - 1
        factors = self.rng.integers(-half, half, channels)
        node = Scale(
            name=name,
            inputs=(source,),
            multiplier=factors,
            bias=self.rng.integers(-(half**2), half**2, channels),
            shift=self.precision - 1,
            relu=relu,
            bits=self.precision,
            point=0,
        )
        return self.add(node)

    def clip(self, name: str, source: str, low: int, high: int) -> str:
        return self.add(Clip(name=name, inputs=(source,), low=low, high=high))
