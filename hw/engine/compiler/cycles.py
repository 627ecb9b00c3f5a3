"""How many cycles each instruction takes: exactly, since nothing in the engine waits but for images and results."""

from collections.abc import Mapping

from amaranth.lib import data

from asq_model.spec.asq_blocks import BlockSpec
from hw.engine.collector import PIPELINE
from hw.engine.engine_spec import EngineSpec
from hw.engine.finisher import FINISHER_LATENCY
from hw.engine.lane import lane_latency
from hw.engine.program import ARRAY_KINDS, Kind, array_layout, program_words, value_layout
from hw.engine.quantiser import QUANTISER_LATENCY
from hw.engine.scaler import SCALER_LATENCY

READ_WORD = 2  # cycles to read a word of results
BEGUN_DELAY = 2  # cycles from a LOAD until the program sees that its image has begun to come in
LOAD_DELAY = 2  # cycles from the last value of an image until the program sees it
CONTROL = 4  # cycles to compare the checksum, start, see that all is idle, and end


def writing(pieces: int, codes: bool, finishes: bool = True) -> int:
    """Cycles from an item to the last write of what it becomes."""
    return FINISHER_LATENCY * finishes + (QUANTISER_LATENCY + pieces if codes else 1)


def tile_words(spec: EngineSpec, pieces: int) -> int:
    """Cycles in which a tile's sums leave: a word of values each, or as many as their codes have pieces."""
    return spec.pixels * max(spec.beats, pieces)


def convolve_flush(spec: EngineSpec, behind: int, pieces: int, codes: bool) -> int:
    """Cycles from the end of a layer's last tile until all is written.

    behind: cycles from that end to the tile's last step; below 0 where the tile ends later.
    """
    drained = 2 + lane_latency(spec) + 1 + tile_words(spec, pieces)
    return max(0, drained + writing(pieces, codes) + behind)


def collect_flush(pieces: int, codes: bool, finishes: bool) -> int:
    """Cycles from the last step until all is written."""
    return PIPELINE + writing(pieces, codes, finishes)


def send_cycles(spec: EngineSpec, channels: int, pixels: int) -> int:
    """Cycles from FINISH until results may be written again: those of a word leave one by one, after it was read."""
    return 1 + pixels * (channels + READ_WORD * -(-channels // spec.lanes))


def busy_cycles(spec: EngineSpec, kind: Kind, size: Mapping[str, int]) -> int:
    """Cycles for which an instruction keeps its part of the engine at work.

    size: what there is to do. CONVOLVE: tiles, and the period of one. COLLECT: words, and steps of each. SCALE:
    channels. ADAPT: words of channel sums, and hidden neurons.
    """
    if kind == Kind.CONVOLVE:
        return spec.pixels + 1 + size["tiles"] * size["period"]
    if kind == Kind.COLLECT:
        return size["words"] * size["steps"]
    if kind == Kind.SCALE:
        return size["channels"] + SCALER_LATENCY
    if kind == Kind.ADAPT:
        block: BlockSpec = spec.adapter_block
        return size["words"] + block.adapter_latency(size["words"], size["hidden"])
    return 0


def instruction_cycles(spec: EngineSpec, kind: Kind, busy: int, flush: int) -> int:
    """Cycles from an instruction's fetch to the next one's."""
    layout = array_layout(spec) if kind in ARRAY_KINDS else value_layout(spec)
    return idle_cycles(spec, layout) + busy + flush


def idle_cycles(spec: EngineSpec, layout: data.StructLayout) -> int:
    """Cycles of an instruction of a program that does nothing."""
    return program_words(spec, layout) + 1 + CONTROL


def pipelines(spec: EngineSpec) -> tuple[int, ...]:
    """The delays that programs are made for."""
    fixed = (PIPELINE, FINISHER_LATENCY, QUANTISER_LATENCY, SCALER_LATENCY, READ_WORD, BEGUN_DELAY, LOAD_DELAY, CONTROL)
    return (*fixed, lane_latency(spec))
