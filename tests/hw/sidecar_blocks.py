"""ASQ's blocks by their sidecar: channel sums, β and step, codes, rescaled outputs."""

import random
from dataclasses import dataclass
from pathlib import Path

from icarus_bench import Run
from sidecar_model import Plan, clamp, evaluated, field_of, limits, packed, payload_of, placed, round_shift

MAPS = 3


@dataclass(frozen=True)
class Block:
    """A block's sidecar, and what is drawn for it."""

    sidecar: dict
    rng: random.Random

    @property
    def constants(self) -> dict[str, int]:
        return self.sidecar["constants"]

    @property
    def lanes(self) -> int:
        return self.sidecar["lanes"]

    def field(self, stream: str, *path: str) -> tuple[int, int, bool]:
        return field_of(self.sidecar, payload_of(self.sidecar, stream), *path)

    def word(self, stream: str, values: dict[tuple[str, ...], int]) -> int:
        return packed(self.sidecar, payload_of(self.sidecar, stream), values)

    def lane_words(self, stream: str, values: list[int], path: tuple[str, ...] = ()) -> list[int]:
        """Words of `lanes` values each."""
        parts = [values[start : start + self.lanes] for start in range(0, len(values), self.lanes)]
        return [self.word(stream, {(*path, f"lane{lane}"): value for lane, value in enumerate(part)}) for part in parts]

    def drawn(self, place: tuple[int, int, bool], bits: int | None = None) -> int:
        """A number for a field; `bits`: of it, if not all."""
        low, high = limits(min(bits or place[1], place[1]), place[2])
        return self.rng.choice((low, high, 0, *[self.rng.randint(low, high)] * 5))


def memory_words(block: Block, name: str, rows: list[dict[str, int]]) -> list[int]:
    """Words of `load` for a memory, from address 0 on."""
    memory = next(memory for memory in block.sidecar["memories"] if memory["name"] == name)
    assert len(rows) <= memory["depth"]
    places = {field["name"]: (field["offset"], field["width"], field["signed"]) for field in memory["fields"]}
    select = {(name,): value for name, value in memory.get("select", {}).items()}
    return [
        block.word(
            "load",
            {("data",): sum(placed(places[field], value) for field, value in row.items()), ("address",): address}
            | select,
        )
        for address, row in enumerate(rows)
    ]


def memory_field(block: Block, memory: str, name: str) -> tuple[int, int, bool]:
    rows = next(row["fields"] for row in block.sidecar["memories"] if row["name"] == memory)
    field = next(field for field in rows if field["name"] == name)
    return field["offset"], field["width"], field["signed"]


def drawn_size(block: Block, most: int = 120) -> tuple[int, int]:
    """(words, pixels) within the block's, and its buffer's."""
    constants = block.constants
    words = block.rng.randint(1, constants["words_max"])
    if "pixels_max" not in constants:
        return words, 1
    room = min(most, constants.get("buffer", most)) // words
    if room < 1:
        words, room = 1, min(most, constants.get("buffer", most))
    return words, block.rng.randint(1, min(constants["pixels_max"], room))


@dataclass(frozen=True)
class Adapter:
    """An adapter's constants, by their names in the sidecar."""

    block: Block
    words: int
    hidden: int
    weights: list[list[int]]
    biases: list[int]
    outputs: list[int]
    constants: dict[str, int]

    @classmethod
    def drawn(cls, block: Block, words: int, sum_bits: int, hidden: int) -> "Adapter":
        """Shifts bring hidden units and β near the top of their ranges, sometimes beyond."""
        rng, most = block.rng, block.constants
        channels = words * block.lanes
        weight, bias = memory_field(block, "weights", "lane0"), memory_field(block, "units", "bias")
        rows = max(hidden, 1)
        reach = sum_bits + weight[1] - 2 + (channels - 1).bit_length() // 2
        middle = rng.choice((-1, 1, 1)) * (1 << clamp(reach + rng.randint(-2, 1), 1, bias[1] - 3))
        first_bits = most["hidden_max"].bit_length() if hidden else most["beta_max"].bit_length()
        shift = clamp(reach - first_bits + rng.randint(-2, 2), 0, 63)
        output = most["hidden_max"].bit_length() + weight[1] - 1 + (rows - 1).bit_length() // 2
        output_shift = clamp(output - most["beta_max"].bit_length() + rng.randint(-3, 3), 0, 63)
        constants = {
            "hidden": hidden,
            "hidden_shift": shift if hidden else 0,
            "output_shift": output_shift if hidden else shift,
            "output_bias": rng.choice((-1, 1, 1)) * (1 << clamp(output - 2, 1, bias[1] - 3)) if hidden else 0,
            "floor": rng.choice((1, most["beta_max"] >> 6, most["beta_max"] >> 9)),
            "mantissa": block.drawn(field_of(block.sidecar, "constants", "mantissa")) or 1,
        }
        return cls(
            block,
            words,
            hidden,
            [[block.drawn(weight) for _ in range(channels)] for _ in range(rows)],
            [middle + rng.randint(-9, 9) for _ in range(rows)],
            [block.drawn(weight) for _ in range(rows)],
            constants,
        )

    def load(self) -> list[int]:
        lanes = self.block.lanes
        weights = [
            {f"lane{lane}": row[start + lane] for lane in range(lanes)}
            for row in self.weights
            for start in range(0, len(row), lanes)
        ]
        units = [{"bias": bias, "weight": w} for bias, w in zip(self.biases, self.outputs, strict=True)]
        return memory_words(self.block, "weights", weights) + memory_words(self.block, "units", units)

    def __call__(self, sums: list[int]) -> tuple[int, int]:
        """(β, step) of a map's sums."""
        said, own = self.block.constants, self.constants
        first = [
            sum(w * x for w, x in zip(row, sums, strict=True)) + bias
            for row, bias in zip(self.weights, self.biases, strict=True)
        ]
        if self.hidden:
            h = [clamp(round_shift(x, own["hidden_shift"]), 0, said["hidden_max"]) for x in first]
            total = sum(w * x for w, x in zip(self.outputs, h, strict=True)) + own["output_bias"]
        else:
            total = first[0]
        beta = clamp(round_shift(total, own["output_shift"]), own["floor"], said["beta_max"])
        return beta, max(round_shift(own["mantissa"] * beta, said["beta_frac"]), 1)

    def word(self) -> int:
        values = {(name,): value for name, value in self.constants.items()}
        return packed(self.block.sidecar, "constants", values)


def code(block: Block, value: int, step: int) -> int:
    said = block.constants
    return clamp(((value << said["value_shift"]) + step) // (2 * step), said["code_min"], said["code_max"])


def size_word(block: Block, words: int, pixels: int) -> int:
    return packed(block.sidecar, "size", {("words",): words, ("pixels",): pixels})


def drawn_map(block: Block, words: int, pixels: int) -> list[list[int]]:
    """Values by pixel and channel."""
    place = block.field("i", "lane0")
    mostly = block.rng.choice((place[1], place[1] - 3))
    return [[block.drawn(place, mostly) for _ in range(words * block.lanes)] for _ in range(pixels)]


def channel_sums(pixels: list[list[int]]) -> list[int]:
    return [sum(column) for column in zip(*pixels, strict=True)]


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
    maps = [drawn_map(block, words, pixels) for _ in range(MAPS)]
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
    idle = evaluated(block.sidecar["timing"]["period"], variables)
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
            step += step % 2
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
    for _ in range(MAPS):
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
    idle = 2 * evaluated(block.sidecar["timing"]["period"], variables) + 2 * per_map + 50
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


def block_plans(sidecar: dict, verilog: Path, rng: random.Random) -> list[Plan]:
    block = Block(sidecar, rng)
    return [RUNS[sidecar["unit"]](block, verilog, mode) for mode in ("apart", "together", "stalls")]
