"""The nodes of a graph against plain loops or torch, and what a graph refuses."""

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch.nn import functional

from asq_model.common.errors import InputError
from asq_model.spec.adaptive_step import IntegerQuantiser
from asq_model.spec.fixed_point import round_shift
from asq_model.spec.graph.convolution import Convolution, Quantise
from asq_model.spec.graph.elementwise import SEGMENT_BITS, Add, Clip, Function, Input, LeakyRelu, Scale
from asq_model.spec.graph.graph import BATCH, Graph
from asq_model.spec.graph.movement import Concatenate, MaxPool, Pad, Reshape, Slice, SumPool
from asq_model.spec.graph.tensor import Tensor, Trace
from asq_model.spec.precision import GUARD
from asq_model.spec.products import Products
from asq_model.spec.rescale import Rescale
from asq_model.spec.sqrt2 import make_sqrt2_table

UNIT_STEP = 1 << GUARD  # a step of one unit of the input


def draw(rng, *shape, bits=8):
    return rng.integers(-(1 << bits - 1), 1 << bits - 1, shape)


def source(shape, bits=8, point=0):
    return Input(name="input", inputs=(), shape=shape, bits=bits, point=point, table=None)


def run_node(node, *arrays, point=0, bits=8):
    """A node's output, whose shape and width must be those that it announces."""
    forms = [Tensor(x.shape[1:], bits, point) for x in arrays]
    form, y = node.output_format(forms), node.run(arrays, Trace())
    assert y.dtype == np.int64 and y.shape == (len(arrays[0]), *form.shape)
    assert -(1 << form.bits - 1) <= y.min() and y.max() < 1 << form.bits - 1
    return y


def convolution(rng, channels, outputs, kernel, groups=1, odd=True, **changes):
    """A convolution whose quantiser changes nothing: 8-bit codes with a step of 1."""
    terms = channels // groups * kernel[0] * kernel[1]
    even = rng.integers(-8, 9, (outputs, terms)).astype(np.int32)
    odds = rng.integers(-4, 5, (outputs, terms)).astype(np.int32) if odd else None
    ones = np.ones(outputs, np.int64)
    plain = {
        "inputs": ("input",),
        "stride": (1, 1),
        "padding": (0, 0, 0, 0),
        "dilation": (1, 1),
        "groups": groups,
        "relu": False,
        "align": 0,
    }
    return Convolution(
        name="conv",
        kernel=kernel,
        quantiser=IntegerQuantiser(8, True, UNIT_STEP, 0, None),
        products=Products(even, odds, 128, 12 if odd else 0),
        rescale=Rescale(ones, 0 * ones, GUARD, 0, 64),
        point=0,
        **plain | changes,
    )


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([(1, 1), (3, 3), (2, 5), (4, 1)]),
    st.sampled_from([(1, 1), (2, 1), (2, 3)]),
    st.sampled_from([(1, 1), (2, 1), (1, 2)]),
    st.sampled_from([(1, 4), (2, 4), (4, 4), (4, 8)]),
    st.booleans(),
)
def test_convolutions_are_those_of_torch(seed, kernel, stride, dilation, grouping, odd):
    """Sums in every geometry, padding different on every side, against torch's convolution of float64."""
    rng, (groups, outputs) = np.random.default_rng(seed), grouping
    padding = tuple(int(margin) for margin in rng.integers(0, 3, 4))
    node = convolution(rng, 4, outputs, kernel, groups, odd, stride=stride, padding=padding, dilation=dilation)
    x = draw(rng, 2, 4, 9, 10)

    def by_torch(levels):
        weights = torch.from_numpy(levels.astype(float)).reshape(outputs, 4 // groups, *kernel)
        padded = functional.pad(torch.from_numpy(x.astype(float)), (*padding[2:], *padding[:2]))
        return functional.conv2d(padded, weights, None, stride, 0, dilation, groups).numpy().astype(np.int64)

    wanted = by_torch(node.products.even) << node.products.frac
    if odd:
        wanted = wanted + make_sqrt2_table(by_torch(node.products.odd), node.products.frac)
    np.testing.assert_array_equal(run_node(node, x), wanted)


def test_a_side_branch_is_added_before_the_rounding():
    rng = np.random.default_rng(0)
    x, side = draw(rng, 3, 4, 5, 5), draw(rng, 3, 4, 3, 3, bits=20)
    node = convolution(rng, 4, 4, (3, 3), odd=False, inputs=("input", "side"), align=2, relu=True)
    rounded = Rescale(node.rescale.multiplier, node.rescale.bias + 7, GUARD, 5, 10)
    changed = Convolution(**{name: getattr(node, name) for name in node.__struct_fields__} | {"rescale": rounded})
    forms = [Tensor((4, 5, 5), 8, 0), Tensor((4, 3, 3), 20, 0)]
    assert changed.output_format(forms) == Tensor((4, 3, 3), 10, 0)
    trace = Trace()
    wanted = round_shift(node.compute_sums(x) + 7 + side * 4, 5)
    np.testing.assert_array_equal(changed.run([x, side], trace), np.clip(wanted, 0, 511))
    assert trace.saturated["conv"] == np.count_nonzero(np.maximum(wanted, 0) > 511)


def test_numbers_beyond_64_bits_are_refused_not_wrapped():
    """A sum that only its side branch makes too large, and a function whose pieces rise beyond 64 bits."""
    rng = np.random.default_rng(0)
    x, side = draw(rng, 1, 1, 1, 1), np.full((1, 1, 1, 1), 1 << 61)
    node = convolution(rng, 1, 1, (1, 1), odd=False, inputs=("input", "side"), align=1)
    large = Rescale(node.rescale.multiplier, node.rescale.bias + (3 << 61), GUARD, 5, 64)
    changed = Convolution(**{name: getattr(node, name) for name in node.__struct_fields__} | {"rescale": large})
    with pytest.raises(InputError, match="a sum with its side branch may reach"):
        changed.run([x, side], Trace())
    steep = np.full(1 << SEGMENT_BITS, 1 << 62)
    function = Function(name="f", inputs=("x",), in_bits=SEGMENT_BITS, base=steep, slope=steep, bits=12, point=0)
    with pytest.raises(InputError, match="a piece of the function may reach"):
        function.run([x], Trace())
    with pytest.raises(InputError, match="its input has 64 bits; allowed: 10 to 63"):
        Function(name="f", inputs=("x",), in_bits=64, base=steep, slope=steep, bits=12, point=0).output_format(
            [Tensor((1, 1, 1), 64, 0)]
        )


def test_quantise_gives_values_that_quantise_to_themselves():
    x = np.arange(-1000, 1000).reshape(1, 1, 1, -1)
    quantiser = IntegerQuantiser(4, True, 37 * UNIT_STEP + 11, 0, None)
    node = Quantise(name="q", inputs=("input",), quantiser=quantiser, bits=12)
    y = run_node(node, x, bits=12)
    step = quantiser.compute_step(x)
    np.testing.assert_array_equal(quantiser.encode(y, step), quantiser.encode(x, step))
    assert len(np.unique(y)) == 16


def test_elementwise_nodes():
    rng = np.random.default_rng(0)
    x, other = draw(rng, 2, 3, 4, 5), draw(rng, 2, 3, 4, 5)
    factors, offsets = np.array([3, -5, 0]), np.array([1, 0, 40])
    scale = Scale(name="s", inputs=("x",), multiplier=factors, bias=offsets, shift=1, relu=False, bits=8, point=0)
    exact = x * factors[:, None, None] + offsets[:, None, None]
    np.testing.assert_array_equal(run_node(scale, x), np.clip((exact + 1) // 2, -128, 127))
    add = Add(name="a", inputs=("x", "y"), signs=(1, -1), aligns=(2, 0), shift=1, relu=True, bits=8, point=0)
    np.testing.assert_array_equal(run_node(add, x, other), np.clip((4 * x - other + 1) // 2, 0, 127))
    np.testing.assert_array_equal(run_node(Clip(name="c", inputs=("x",), low=-3, high=60), x), np.clip(x, -3, 60))
    leaky = LeakyRelu(name="l", inputs=("x",), multiplier=np.array([1, 3, 64]), shift=2, bits=8)
    below = np.clip((x * np.array([1, 3, 64])[:, None, None] + 2) // 4, -128, 127)
    np.testing.assert_array_equal(run_node(leaky, x), np.where(x >= 0, x, below))


def test_a_function_is_right_where_pieces_begin_and_straight_between():
    bits = 14
    edges = np.arange((1 << SEGMENT_BITS) + 1) - (1 << SEGMENT_BITS - 1)
    heights = np.rint(1000 * np.tanh(edges / 200)).astype(np.int64)
    node = Function(name="f", inputs=("x",), in_bits=bits, base=heights[:-1], slope=np.diff(heights), bits=12, point=0)
    x = np.arange(-(1 << bits - 1), 1 << bits - 1).reshape(1, 1, 1, -1)
    y = run_node(node, x, bits=bits)[0, 0, 0]
    np.testing.assert_array_equal(y[:: 1 << bits - SEGMENT_BITS], heights[:-1])
    assert np.abs(y - np.interp(x[0, 0, 0], edges << bits - SEGMENT_BITS, heights)).max() <= 0.5


def test_pooling_against_torch():
    x = draw(np.random.default_rng(0), 2, 3, 9, 8)
    kernel, stride, margins = (3, 2), (2, 1), (1, 1, 1, 1)
    pool = MaxPool(name="m", inputs=("x",), kernel=kernel, stride=stride, padding=margins, dilation=(2, 1))
    wanted = functional.max_pool2d(torch.from_numpy(x.astype(float)), kernel, stride, 1, (2, 1))
    np.testing.assert_array_equal(run_node(pool, x), wanted.numpy())
    node = SumPool(name="s", inputs=("x",), kernel=kernel, stride=stride, padding=margins)
    mean = functional.avg_pool2d(torch.from_numpy(x.astype(float)), kernel, stride, 1)
    np.testing.assert_array_equal(run_node(node, x), np.rint(mean.numpy() * 6))
    form = node.output_format([Tensor((3, 9, 8), 8, 5, 4)])
    assert (form.bits, form.point, form.gain) == (11, 5, 24)


@example(1, 2, 1, 3, 2, 2)  # two windows of values 3 apart, each with one of them before or behind the only value
@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 3), st.integers(1, 4), st.integers(0, 6), st.integers(0, 6))
def test_a_maximum_is_of_a_value(size, kernel, stride, dilation, before, after):
    """A window that is wholly in the margins has none, and is refused."""
    form, reach = Tensor((1, 1, size), 8, 0), dilation * (kernel - 1)
    pool = MaxPool(
        name="m", inputs=("x",), kernel=(1, kernel), stride=(1, stride), padding=(0, 0, before, after),
        dilation=(1, dilation),
    )  # fmt: skip
    starts = range(-before, size + after - reach, stride)
    empty = any(not any(0 <= start + dilation * tap < size for tap in range(kernel)) for start in starts)
    if not starts or empty or max(before, after) > reach:
        with pytest.raises(InputError):
            pool.output_format([form])
    else:
        assert pool.output_format([form]).shape == (1, 1, len(starts))


def test_nodes_that_move_values():
    x = draw(np.random.default_rng(0), 2, 4, 6, 5)
    join = Concatenate(name="j", inputs=("x", "y"), shifts=(0, 2), bits=8, point=0)
    np.testing.assert_array_equal(run_node(join, x, x), np.concatenate([x, (x + 2) // 4], 1))
    reshape = Reshape(name="r", inputs=("x",), order=(1, 2, 0), shape=(5, 4, 6))
    np.testing.assert_array_equal(run_node(reshape, x), x.transpose(0, 2, 3, 1).reshape(2, 5, 4, 6))
    node = Pad(name="p", inputs=("x",), channels=(1, 2), margins=(0, 1, 2, 3))
    np.testing.assert_array_equal(run_node(node, x), np.pad(x, ((0, 0), (1, 2), (0, 1), (2, 3))))
    cut = Slice(name="s", inputs=("x",), starts=(1, 0, 2), stops=(4, 6, 5), steps=(1, 2, 3))
    np.testing.assert_array_equal(run_node(cut, x), x[:, 1:4, 0:6:2, 2:5:3])


def test_an_input_takes_bytes_by_its_table_and_rounds_real_numbers():
    table = np.arange(256)[None] - 100
    node = Input(name="input", inputs=(), shape=(1, 1, 2), bits=9, point=3, table=table)
    np.testing.assert_array_equal(Graph((node,))(np.array([[[[0, 255]]]], np.uint8)), [[[[-100, 155]]]])
    np.testing.assert_array_equal(node.to_integers(np.array([0.0625, -99.0])), [0, -256])


def test_batches_do_not_change_results():
    rng = np.random.default_rng(0)
    graph = Graph((source((4, 6, 6)), convolution(rng, 4, 3, (3, 3))))
    x = draw(rng, BATCH + 3, 4, 6, 6)
    trace = Trace(keep=True)
    np.testing.assert_array_equal(graph(x), graph(x, trace))
    assert trace.outputs.keys() == {"input", "conv"} and len(trace.codes["conv"]) == BATCH + 3
    assert graph(x[:0]).shape == (0, 3, 4, 4)


def refused(*nodes):
    with pytest.raises(InputError) as error:
        Graph(nodes)
    return str(error.value)


def test_graphs_that_cannot_be_are_refused():
    """Each in one line that names the node."""
    rng = np.random.default_rng(0)
    first, conv = source((4, 6, 6)), convolution(rng, 4, 3, (3, 3))
    assert "a graph begins with its input" in refused(conv)
    assert "node conv is there twice" in refused(first, conv, conv)
    assert "node conv: it has weights [3, 36] in 1 groups" in refused(source((5, 6, 6)), conv)
    assert "node conv: its window of 3 does not fit into 2 values" in refused(source((4, 2, 6)), conv)
    assert "its quantiser is for binary point 0; its input has 3" in refused(source((4, 6, 6), point=3), conv)
    pool = SumPool(name="mean", inputs=("input",), kernel=(2, 2), stride=(2, 2), padding=(0, 0, 0, 0))
    add = Add(name="add", inputs=("mean", "mean"), signs=(1, 1), aligns=(0, 0), shift=0, relu=False, bits=8, point=0)
    assert "node add: its input mean is a sum of 4 values" in refused(first, pool, add)
    scale = Scale(
        name="s",
        inputs=("input",),
        multiplier=np.ones(3, np.int64),
        bias=np.zeros(4, np.int64),
        shift=0,
        relu=False,
        bits=8,
        point=0,
    )
    assert "node s: its multipliers are int64 [3]; allowed: int64 [4]" in refused(first, scale)
    clip = Clip(name="c", inputs=("nowhere",), low=0, high=1)
    assert "node c has the input nowhere" in refused(first, clip)
    for low, high in ((128, 200), (-200, -129)):
        assert f"node c: its bounds are {low} and {high}; allowed: some of its input's -128 to 127" in refused(
            first, Clip(name="c", inputs=("input",), low=low, high=high)
        )
    reshape = Reshape(name="r", inputs=("input",), order=(0, 1, 2), shape=(4, 6, 7))
    assert "node r: it reads (4, 6, 6)" in refused(first, reshape)
    with pytest.raises(InputError, match=r"node input: input has shape \[1, 4, 6, 7\]"):
        Graph((first,))(np.zeros((1, 4, 6, 7), np.int64))
