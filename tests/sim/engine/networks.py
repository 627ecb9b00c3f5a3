"""Small made-up networks that together have everything an engine runs."""

from pathlib import Path

from made_up_graphs import Maker

from asq_model.spec.graph.file import write_graph
from asq_model.spec.mac import MacSpec
from hw.engine.presets import Preset

TINY = Preset("as large as the network needs", channels=2, pixels=1)  # written and built in seconds
ROUND = (1, 1, 1, 1)  # a margin of one on each side


def adapting_network(mac: MacSpec) -> Maker:
    """Steps that adapt, with and without hidden neurons, a fixed one, a residual block, wider first and last layers."""
    made = Maker(mac, (1, 4, 4))
    first = made.conv("first", "input", 5, (3, 3), padding=ROUND, bits=8, signed=True, weight_bits=8)
    left = made.conv("left", first, 5, (3, 3), padding=ROUND, hidden=3)
    block = made.conv("block", left, 5, (3, 3), padding=ROUND, hidden=0, side=first)
    down = made.conv("down", block, 6, (1, 1), (2, 2), hidden=2)
    wide = made.conv("wide", block, 6, (2, 2), (2, 2), side=down)
    pooled = made.sum_pool("mean", wide, (2, 2))
    made.conv("last", pooled, 4, bits=8, weight_bits=8, relu=False, result_bits=60)
    return made


def steady_network(mac: MacSpec) -> Maker:
    """Fixed steps: kernels of other shapes, strides, dilations, groups, poolings, sums, scalings, a flattened map.

    Its results have many bits, and are not below 0.
    """
    made = Maker(mac, (2, 6, 4), with_table=False)
    first = made.conv("first", "input", 4, (3, 3), padding=ROUND, signed=True)
    depth = made.conv("depthwise", first, 4, (3, 3), padding=ROUND, groups=4)
    wide = made.conv("wide", depth, 6, (1, 3), padding=(0, 0, 2, 2), dilation=(1, 2))
    grouped = made.conv("grouped", wide, 6, (3, 1), (2, 1), groups=3, bits=7, weight_bits=6)
    pooled = made.max_pool("pooled", grouped, (2, 3), (1, 1), (0, 0, 1, 1))
    scaled = made.scale("scaled", pooled)
    kept = made.clip("kept", scaled, 0, 900)
    point = made.conv("point", kept, 6, relu=False)
    total = made.sum("total", kept, point, (1, -1))
    less = made.sum("less", total, point, relu=True)
    last = made.linear("last", less, 5, bits=2, result_bits=60)
    made.clip("positive", last, 0, (1 << 59) - 1)
    return made


def joining_network(mac: MacSpec) -> Maker:
    """Maps in other rows, side by side, flattened in front of layers of both kinds; wide and adapting signed codes.

    Parts that begin inside a word, a block whose shortcut is a slice with zeros around its channels, a leaky ReLU, a
    smooth function.
    """
    made = Maker(mac, (3, 4, 4), with_table=False)
    row = made.reshape("row", "input", (3, 1, 16), (0, 1, 2))
    first = made.conv("first", row, 4, (1, 3), padding=(0, 0, 1, 1), bits=8, signed=True, weight_bits=8)
    right = made.conv("right", row, 3, (1, 3), (1, 1), padding=(0, 0, 1, 1), signed=True, hidden=None)
    both = made.concatenate("both", (right, first), (0, 1))
    inner = made.conv("inner", both, 5, (1, 3), (1, 2), padding=(0, 0, 1, 0), hidden=2)
    shortcut = made.pad("shortcut", made.slice("every second", inner, (1, 2)), (2, 1))
    block = made.conv("block", inner, 8, (1, 1), (1, 2), hidden=1, side=shortcut)
    both_signs = made.conv("both signs", block, 3, relu=False, hidden=1)
    wider = made.pad("wider", made.leaky_relu("leaky", both_signs), (0, 0), (0, 0, 2, 2))
    expanded = made.conv("expanded", wider, 5, (1, 3), padding=(0, 0, 1, 1), signed=True, hidden=2)
    square = made.reshape("square", expanded, (5, 2, 4), (0, 1, 2))
    flat = made.reshape("flat", made.max_pool("pooled", square, (1, 2), (1, 2)), (20, 1, 1), (0, 2, 1))
    smooth = made.silu("smooth", made.conv("hidden", flat, 6, relu=False, hidden=3))
    beside = made.conv("beside", flat, 6, side=made.conv("smoothed", smooth, 6, signed=True, hidden=1))
    made.conv("last", beside, 4, relu=False, hidden=0)
    return made


def picking_network(mac: MacSpec) -> Maker:
    """An image of two channels whose windows lanes keep, in two groups of outputs; a margin, a stride, a dilation.

    A later map has as many channels, of which nothing is gained by picking.
    """
    made = Maker(mac, (2, 5, 7))
    first = made.conv("first", "input", 10, (3, 3), (2, 1), padding=ROUND, bits=8, signed=True, weight_bits=8)
    two = made.conv("two", first, 2, hidden=1)
    wide = made.conv("wide", two, 5, (2, 3), padding=(1, 0, 2, 2), dilation=(1, 2), hidden=0)
    made.conv("last", wide, 3, relu=False, result_bits=60)
    return made


def tiny_network() -> Maker:
    """Two layers."""
    made = Maker(MacSpec("uniform-sign", 3, 3), (2, 2, 2), with_table=False)
    first = made.conv("first", "input", 2)
    made.conv("last", first, 2, (2, 2))
    return made


def write_tiny_network(folder: Path) -> None:
    """Write the network of two layers as commands read one."""
    about = {"family": "uniform", "weight_bits": 3, "activation_bits": 3, "precision": 12}
    write_graph(folder / "graph.safetensors", tiny_network().graph, about)
