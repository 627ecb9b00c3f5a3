"""Engines by name, and the engine that a name stands for with a network: its parameters, and the network compiled."""

import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from msgspec import Struct, convert

from asq_model.common.errors import InputError, check_choice
from asq_model.spec.graph.elementwise import Function
from asq_model.spec.graph.graph import Graph
from asq_model.spec.graph.movement import SumPool
from asq_model.spec.graph.round_products import round_products
from asq_model.spec.mac import MacSpec
from asq_model.spec.mapping import GENERIC
from asq_model.spec.precision import SHIFT_BITS
from hw.engine.compiler.compile_graph import compile_graph
from hw.engine.compiler.compiled import Compiled
from hw.engine.compiler.lower_graph import lower_graph
from hw.engine.compiler.specialise import specialise
from hw.engine.engine_spec import Depths, EngineSpec

PRESETS = Path(__file__).with_name("presets.toml")
ENDLESS = 1 << 20  # rows, in which every memory's contents have room
LEAST_ROWS = 2


class Preset(Struct, frozen=True, forbid_unknown_fields=True):
    """An engine's sizes, as EngineSpec has them. What is None is as large as the network needs.

    lanes: 0: as many as channels. family, blocks: of the device's memory, which the depths were chosen for. device:
    nextpnr's options for it. cells: the family whose own cells the arrays are made of. total_bits: None: three times
    the precision. least_shift, shift_bits: of totals and of side branches. weights: of the products that the depths
    were chosen for; a network brings its own. specialised: instructions store only the bits in which those of the
    network differ, so that the engine is for no other. spram: weights are in a device's memory that a bitstream cannot
    fill; they come from the board's flash. window_channels: of the images whose windows lanes keep. reads_ahead: an
    instruction is read while the one before is at work.
    """

    about: str
    channels: int
    pixels: int
    lanes: int = 0
    family: str = ""
    blocks: int = 0
    device: tuple[str, ...] = ()
    cells: str = GENERIC
    word_bits: int = 64
    accumulator_bits: int = 24
    total_bits: int | None = None
    least_shift: int = 0
    shift_bits: int = SHIFT_BITS
    depths: Depths | None = None
    adapter: bool | None = None
    map_channels: int | None = None
    map_pixels: int | None = None
    hidden: int | None = None
    pool_bits: int | None = None
    size_bits: int | None = None
    count_bits: int | None = None
    specialised: bool = False
    spram: bool = False
    window_channels: int = 0
    reads_ahead: bool = True
    weights: dict[str, Any] = {}


@cache
def presets() -> Mapping[str, Preset]:
    """Every preset by its name."""
    return convert(tomllib.loads(PRESETS.read_text(encoding="utf-8")), dict[str, Preset])


def find_preset(name: str) -> Preset:
    """A preset by its name. Raises InputError for one that does not exist."""
    check_choice("preset", name, tuple(presets()))
    return presets()[name]


def find_device_preset(name: str) -> Preset:
    """A preset that is for a device, by its name. Raises InputError for another."""
    preset = find_preset(name)
    if not preset.family:
        devices = ", ".join(each for each, other in presets().items() if other.family)
        raise InputError(f"--preset is {name}, which is for no device; allowed: {devices}")
    return preset


def find_adapting_layers(graph: Graph) -> list[tuple[tuple[int, int, int], int, int]]:
    """Find the layers whose step adapts: the shape of each one's input, its hidden neurons, β's fraction bits."""
    found = []
    for node in graph.convolutions():
        adapter = node.quantiser.adapter
        if adapter is not None:
            hidden = 0 if adapter.hidden is None else len(adapter.hidden.bias)
            found.append((graph.input_of(node).shape, hidden, adapter.point))
    return found


def pool_bits_of(graph: Graph) -> int:
    """Bits that the sums of a network's largest pooling have more than its values."""
    pools = (node for node in graph.nodes if isinstance(node, SumPool))
    return max(((prod(pool.kernel) - 1).bit_length() for pool in pools), default=0)


def make_engine_spec(preset: Preset, graph: Graph, mac: MacSpec, precision: int) -> EngineSpec:
    """Make the engine of a preset for a network. precision: bits of the network's integers."""
    layers = find_adapting_layers(graph)
    sizes: dict[str, Any] = {
        "map_channels": max((shape[0] for shape, _, _ in layers), default=1),
        "map_pixels": max((shape[1] * shape[2] for shape, _, _ in layers), default=1),
        "hidden": max((hidden for _, hidden, _ in layers), default=1) or 1,
        "pool_bits": pool_bits_of(graph),
    }
    widths = ("size_bits", "count_bits")
    sizes |= {name: own for name in (*sizes, *widths) if (own := getattr(preset, name)) is not None}
    endless = Depths(**dict.fromkeys((field.name for field in fields(Depths)), ENDLESS))
    return EngineSpec(
        mac,
        preset.channels,
        preset.pixels,
        preset.lanes or preset.channels,
        preset.depths or endless,
        least_shift=preset.least_shift,
        shift_bits=preset.shift_bits,
        least_align=preset.least_shift,
        align_bits=preset.shift_bits,
        precision=precision,
        value_bits=precision,
        total_bits=preset.total_bits or 3 * precision,
        scale_bits=precision + 8,
        functions=any(isinstance(node, Function) for node in graph.nodes),
        adapter=bool(layers) if preset.adapter is None else preset.adapter,
        byte_input=graph.input.table is not None,
        word_bits=preset.word_bits,
        accumulator_bits=preset.accumulator_bits,
        fpga_family=preset.cells,
        window_channels=preset.window_channels,
        reads_ahead=preset.reads_ahead,
        **sizes,
    )


def compile_network(preset: Preset, graph: Graph, mac: MacSpec, precision: int) -> tuple[Graph, Compiled]:
    """Compile a network for a preset. Returns the graph as it runs, with √2 as the engine's products round it and
    flattened maps in the order of memory, and the program.

    Raises InputError, naming the node, for what the engine has not or what does not fit.
    """
    if mac.unit == "post":
        graph = round_products(graph, mac.frac_bits)
    graph = lower_graph(graph, preset.channels, preset.lanes or preset.channels)
    spec = make_engine_spec(preset, graph, mac, precision)
    compile_for = specialise if preset.specialised else compile_graph
    compiled = compile_for(graph, spec)
    for _ in range(0 if preset.depths else 2):  # narrower addresses make a shorter program
        depths = Depths(**{name: max(LEAST_ROWS, rows) for name, rows in compiled.used.items()})
        compiled = compile_for(graph, replace(spec, depths=depths))
    return graph, compiled
