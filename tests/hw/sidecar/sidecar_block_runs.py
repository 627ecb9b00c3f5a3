"""Runs of ASQ's blocks by their sidecar: what is sent, in which mode, and what must come out."""

import random
from dataclasses import replace
from pathlib import Path

from formulas import cycles_of_case
from icarus_bench import Run
from sidecar_blocks import (
    Adapter,
    Block,
    channel_sums,
    code,
    drawn_map,
    drawn_size,
    memory_field,
    memory_words,
    size_word,
)
from sidecar_model import Plan, clamp, field_of, limits, packed, placed, round_shift

MAPS = 3
BEATS = 30  # at least, in all maps of a run that is cheap


def how_many(per_map: int) -> int:
    """Maps of a run: enough beats to fill a pipeline and make it wait."""
    return max(MAPS, -(-BEATS // per_map))


def gaps(block: Block, words: list[int], per_map: int, mode: str, idle: int) -> list[tuple[int, int]]:
    """Words and the cycles before each: `apart` leaves `idle` between maps, `stalls` a few anywhere."""
    return [
        (
            word,
            {
                "apart": idle if index % per_map == 0 and index else 0,
                "stalls": block.rng.choice((0, 0, 2, 5)),
                "together": 0,
            }[mode],
        )
        for index, word in enumerate(words)
    ]


def sums_run(block: Block, verilog: Path, mode: str) -> Plan:
    words, pixels = drawn_size(block)
    maps = [drawn_map(block, words, pixels) for _ in range(how_many(words * pixels))]
    sent = [word for pixel_rows in maps for row in pixel_rows for word in block.lane_words("i", row)]
    found = [word for pixel_rows in maps for word in block.lane_words("o", channel_sums(pixel_rows))]
    per_map = words * pixels
    last = [index for index in range(len(sent)) if index % per_map >= per_map - words]
    run = Run(
        block.sidecar,
        verilog,
        {"size": size_word(block, words, pixels)},
        {"i": gaps(block, sent, per_map, mode, 9)},
        len(found),
        mode == "stalls",
        block.rng.randint(3, 90),
    )
    free = mode != "stalls"
    return Plan(run, {"o": found}, {("i", "of the last pixel"): last}, free, {}, gapless=mode == "together")


def adapter_run(block: Block, verilog: Path, mode: str) -> Plan:
    words, _ = drawn_size(block)
    place = block.field("i", "lane0")
    units = next(row["depth"] for row in block.sidecar["memories"] if row["name"] == "units")
    adapter = Adapter.drawn(block, words, place[1], block.rng.choice((0, 1, units)))
    maps = [[block.drawn(place) for _ in range(words * block.lanes)] for _ in range(2 * MAPS)]
    sent = [word for sums in maps for word in block.lane_words("i", sums)]
    found = [block.word("o", {("beta",): beta, ("step",): step}) for beta, step in map(adapter, maps)]
    variables = {"hidden": adapter.hidden, "words": words}
    held = {"words": words, "constants": adapter.word()}
    idle = cycles_of_case(block.sidecar["timing"]["period"], variables)
    streams = {"i": gaps(block, sent, words, mode, idle), "load": [(word, 0) for word in adapter.load()]}
    run = Run(block.sidecar, verilog, held, streams, len(found), mode == "stalls", block.rng.randint(3, 200))
    ends = {("i", "last of a map"): list(range(words - 1, len(sent), words))}
    return Plan(run, {"o": found}, ends, mode != "stalls", variables, mode == "together")


def quantiser_run(block: Block, verilog: Path, mode: str) -> Plan:
    place, step_place = block.field("i", "values", "lane0"), block.field("i", "step")
    sent, found = [], []
    for _ in range(150):
        values = [block.drawn(place, block.rng.randint(2, place[1])) for _ in range(block.lanes)]
        step = max(block.drawn(step_place, block.rng.randint(2, step_place[1])), 1)
        if block.rng.random() < 0.3:  # exactly between two codes, or next to it
            step = max(step - step % 2, 2)
            edge = step * (2 * block.rng.randint(-3, 9) - 1) >> block.constants["value_shift"]
            values[0] = clamp(edge + block.rng.randint(-1, 1), *limits(place[1], True))
        lanes = {("values", f"lane{lane}"): value for lane, value in enumerate(values)}
        sent.append(block.word("i", lanes | {("step",): step}))
        found += block.lane_words("o", [code(block, value, step) for value in values])
    streams = {"i": gaps(block, sent, 1, "stalls" if mode == "stalls" else "together", 0)}
    run = Run(block.sidecar, verilog, {}, streams, len(found), mode == "stalls", block.rng.randint(3, 90))
    return Plan(run, {"o": found}, {}, mode != "stalls", {}, gapless=mode != "stalls")


def rescale_run(block: Block, verilog: Path, mode: str) -> Plan:
    """Constants are drawn so that K, B and the side fit, as the sidecar asks."""
    rng, said = block.rng, block.constants
    words, pixels = drawn_size(block)
    multiplier, bias = memory_field(block, "channels", "multiplier"), memory_field(block, "channels", "bias")
    total, side, step = block.field("i", "total"), block.field("i", "side"), block.field("s", "step")
    step_bits = rng.randint(2, step[1])
    scale_shift = clamp(multiplier[1] + step_bits - said["scale_bits"] + rng.randint(0, 3), 0, 63)
    align = rng.randint(0, min(said["bias_bits"] - side[1] - 2, 63))
    shift = clamp(said["bias_bits"] - side[1] - rng.randint(0, 6), 0, 63)
    relu = rng.randint(0, 1)
    channels = [{"multiplier": block.drawn(multiplier), "bias": block.drawn(bias, bias[1] - 2)} for _ in range(words)]
    low = 0 if relu else said["y_min"]
    sent, steps, found = [], [], []
    for _ in range(how_many(words * pixels)):
        s = max(block.drawn(step, step_bits), 1)
        steps.append(block.word("s", {("beta",): block.drawn(block.field("s", "beta")), ("step",): s}))
        for _ in range(pixels):
            for row in channels:
                t, beside = block.drawn(total), block.drawn(side)
                scale = round_shift(row["multiplier"] * s, scale_shift)
                y = round_shift(t * scale + row["bias"] + (beside << align), shift)
                found.append(placed(field_of(block.sidecar, "o__payload"), clamp(y, low, said["y_max"])))
                sent.append(block.word("i", {("total",): t, ("side",): beside}))
    constants = {"scale_shift": scale_shift, "shift": shift, "align": align, "relu": relu}
    held = {"size": size_word(block, words, pixels)}
    held["constants"] = packed(block.sidecar, "constants", {(name,): value for name, value in constants.items()})
    streams = {
        "i": gaps(block, sent, words * pixels, mode, 5),
        "s": gaps(block, steps, 1, mode, 5),
        "load": [(word, 0) for word in memory_words(block, "channels", channels)],
    }
    run = Run(block.sidecar, verilog, held, streams, len(found), mode == "stalls", rng.randint(3, 200))
    return Plan(run, {"o": found}, {}, mode != "stalls", {})


def step_run(block: Block, verilog: Path, mode: str) -> Plan:
    words, pixels = drawn_size(block)
    place = block.field("i", "lane0")
    units = next(row["depth"] for row in block.sidecar["memories"] if row["name"] == "units")
    bits = place[1] + (pixels - 1).bit_length()
    adapter = Adapter.drawn(block, words, bits, block.rng.choice((0, 1, units)))
    maps = [drawn_map(block, words, pixels) for _ in range(2 * MAPS)]
    sent = [word for pixel_rows in maps for row in pixel_rows for word in block.lane_words("i", row)]
    steps, codes = [], []
    for pixel_rows in maps:
        beta, step = adapter(channel_sums(pixel_rows))
        steps.append(block.word("s", {("beta",): beta, ("step",): step}))
        for row in pixel_rows:
            codes += block.lane_words("o", [code(block, value, step) for value in row])
    variables = {"hidden": adapter.hidden, "words": words, "pixels": pixels}
    per_map = words * pixels
    idle = 2 * cycles_of_case(block.sidecar["timing"]["period"], variables) + 2 * per_map + 50
    streams = {"i": gaps(block, sent, per_map, mode, idle), "load": [(word, 0) for word in adapter.load()]}
    held = {"size": size_word(block, words, pixels), "constants": adapter.word()}
    awaited = len(codes) + len(steps)
    run = Run(block.sidecar, verilog, held, streams, awaited, mode == "stalls", block.rng.randint(3, 300))
    selected = {
        ("i", "last of a map"): list(range(per_map - 1, len(sent), per_map)),
        ("o", "first of a map"): list(range(0, len(codes), per_map)),
    }
    together = mode == "together" and 2 * per_map <= block.constants["buffer"]
    return Plan(run, {"o": codes, "s": steps}, selected, mode == "apart", variables, together)


RUNS = {
    "channel-sums": sums_run,
    "adapter": adapter_run,
    "quantiser": quantiser_run,
    "rescale": rescale_run,
    "adapter-step": step_run,
}


def changed_plan(block: Block, verilog: Path) -> Plan:
    """One layer after another in the same block, without a reset: sizes, constants and memories change in between."""
    first, second = (RUNS[block.sidecar["unit"]](block, verilog, "together") for _ in range(2))
    expected = {stream: words + second.expected[stream] for stream, words in first.expected.items()}
    return Plan(replace(first.run, then=second.run), expected, {}, False, {})


def block_plans(sidecar: dict, verilog: Path, rng: random.Random) -> list[Plan]:
    block = Block(sidecar, rng)
    made = [RUNS[sidecar["unit"]](block, verilog, mode) for mode in ("apart", "together", "stalls")]
    return [*made, changed_plan(block, verilog)] if sidecar["held"] else made
