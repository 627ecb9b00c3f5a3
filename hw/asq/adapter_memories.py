"""The memories of an adapter: a map's sums, and the weights and neurons of its layer, or of several layers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from amaranth.hdl import Module
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory, ReadPort, WritePort

from asq_model.spec.asq_blocks import BlockSpec
from hw.asq.layouts import index_shape, sums_layout
from hw.asq.memories import MemoryRow, make_memory, neuron_layout, weights_layout


@dataclass(frozen=True)
class Ports:
    """The ports of an adapter's memories that its other parts use."""

    sum_in: WritePort
    sum_out: ReadPort
    weight_out: ReadPort
    unit_out: ReadPort


@dataclass(frozen=True)
class SharedMemories:
    """The memories of an adapter that serves several layers: depths and first rows of `weights` and `units`.

    serve: adds a write port to a memory, given its name.
    """

    depths: Mapping[str, int]
    rows: Mapping[str, Sequence[MemoryRow]]
    serve: Callable[[Module, str, Memory], None] | None = None


def first_layout(network: SharedMemories) -> data.StructLayout:
    """Where a layer's rows begin in each memory."""
    return data.StructLayout({name: index_shape(depth) for name, depth in network.depths.items()})


def add_memories(
    m: Module,
    spec: BlockSpec,
    rows: Mapping[str, Sequence[MemoryRow]],
    network: SharedMemories | None,
    load: stream.Interface | None,
) -> Ports:
    """Add the memories of sums, weights and neurons, the latter two written by `load` or as the network says.

    rows: what these hold at first. load: of an adapter without a network.
    """
    depths = network.depths if network else {"weights": spec.hidden * spec.words, "units": spec.hidden}
    m.submodules.sums = sums = make_memory(sums_layout(spec), spec.words)
    m.submodules.weights = weights = make_memory(weights_layout(spec), depths["weights"], rows.get("weights", ()))
    m.submodules.units = units = make_memory(neuron_layout(spec), depths["units"], rows.get("units", ()))
    sum_in, sum_out = sums.write_port(), sums.read_port()
    weight_out, unit_out = weights.read_port(), units.read_port()
    if load is not None:
        load_rows(m, load, weights, units)
    elif network is not None and network.serve is not None:
        network.serve(m, "weights", weights)
        network.serve(m, "units", units)
    return Ports(sum_in, sum_out, weight_out, unit_out)


def load_rows(m: Module, load: stream.Interface, weights: Memory, units: Memory) -> None:
    """Write what `load` brings into the memories."""
    m.d.comb += load.ready.eq(1)
    for memory, chosen in ((weights, ~load.p.unit), (units, load.p.unit)):
        port = memory.write_port()
        m.d.comb += [port.en.eq(load.valid & chosen), port.addr.eq(load.p.address), port.data.eq(load.p.data)]
