"""How many cycles each instruction takes: exactly, since nothing in the engine waits but for images and results."""

from collections.abc import Mapping

from amaranth.lib import data

from asq_model.spec.asq_blocks import BlockSpec
from hw.engine.collector import PIPELINE
from hw.engine.engine_spec import EngineSpec
from hw.engine.finisher import FINISHER_LATENCY
from hw.engine.lane import lane_latency
from hw.engine.program import Kind, program_words
from hw.engine.quantiser import QUANTISER_LATENCY
from hw.engine.scaler import SCALER_LATENCY

READ_WORD = 2  # cycles to read a word of results
BEGUN_DELAY = 2  # cycles from a LOAD until the program sees that its image has begun to come in
LOAD_DELAY = 2  # cycles from the last value of an image until the program sees it
CHECK = 3  # cycles to compare an instruction's checksum, take it, and get to its start
SEEN = 1  # cycles until it is seen that a part of the engine is idle
ENDED = 1  # cycles from the last write to the end
LOADED = 2  # cycles from where a part is seen to be idle to where the next instruction can start


def count_write_cycles(pieces: int, codes: bool, finishes: bool = True) -> int:
    """Cycles from an item to the last write of what it becomes."""
    return FINISHER_LATENCY * finishes + (QUANTISER_LATENCY + pieces if codes else 1)


def count_tile_words(spec: EngineSpec, pieces: int) -> int:
    """Count the cycles in which a tile's sums leave: a word of values each, or as many as their codes have pieces."""
    return spec.pixels * max(spec.beats, pieces)


def count_convolve_start(spec: EngineSpec) -> int:
    """Count the cycles from a layer's start to its first step, in which the places of a tile's pixels are walked to."""
    return spec.pixels + 1


def count_convolve_lead(spec: EngineSpec, steps: int) -> int:
    """Count the cycles of the flush of the layer before that a layer may start early: until its first sums leave.

    steps: from its first tile's first step to the sums that are whole then.
    """
    return count_convolve_start(spec) + steps + lane_latency(spec)


def count_convolve_flush(spec: EngineSpec, behind: int, pieces: int, codes: bool) -> int:
    """Count the cycles from the end of a layer's last tile until all is written.

    behind: cycles from that end to the tile's last step; below 0 where the tile ends later.
    """
    drained = 2 + lane_latency(spec) + 1 + count_tile_words(spec, pieces)
    return max(0, drained + count_write_cycles(pieces, codes) + behind)


def count_collect_flush(pieces: int, codes: bool, finishes: bool) -> int:
    """Count the cycles from the last step until all is written."""
    return PIPELINE + count_write_cycles(pieces, codes, finishes)


def count_send_cycles(spec: EngineSpec, channels: int, pixels: int) -> int:
    """Count the cycles from FINISH until results may be written: a word's leave one by one, after it was read."""
    return 1 + pixels * (channels + READ_WORD * -(-channels // spec.lanes))


def count_busy_cycles(spec: EngineSpec, kind: Kind, size: Mapping[str, int]) -> int:
    """Count the cycles for which an instruction keeps its part of the engine at work.

    size: what there is to do. CONVOLVE: tiles, one more if windows are filled before, and the period of one. COLLECT:
    words, and steps of each. SCALE: channels. ADAPT: words of channel sums, and hidden neurons.
    """
    if kind == Kind.CONVOLVE:
        return count_convolve_start(spec) + size["tiles"] * size["period"]
    if kind == Kind.COLLECT:
        return size["words"] * size["steps"]
    if kind == Kind.SCALE:
        return size["channels"] + SCALER_LATENCY
    if kind == Kind.ADAPT:
        block: BlockSpec = spec.adapter_block
        return size["words"] + block.adapter_latency(size["words"], size["hidden"])
    return 0


def count_instruction_cycles(busy: int, flush: int) -> int:
    """Count the cycles from an instruction's start to where it is done."""
    return busy + SEEN + flush + ENDED


def count_fetch_cycles(spec: EngineSpec, layout: data.StructLayout) -> int:
    """Count the cycles from where an instruction can start to where the next one can, if it takes no longer."""
    return program_words(spec, layout) + CHECK


def list_delays(spec: EngineSpec) -> tuple[int, ...]:
    """List the delays that programs are made for."""
    fixed = (PIPELINE, FINISHER_LATENCY, QUANTISER_LATENCY, SCALER_LATENCY, READ_WORD, BEGUN_DELAY, LOAD_DELAY)
    return (*fixed, CHECK, SEEN, ENDED, LOADED, lane_latency(spec))
