"""ASQ's blocks by their sidecar: channel sums, β and step, codes, rescaled outputs."""

import random
from dataclasses import dataclass

from sidecar_model import clamp, field_of, limits, packed, payload_of, placed, round_shift


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
    used = sum(field["width"] for field in memory["fields"])
    unused = block.field("load", "data")[1] - used
    places = {field["name"]: (field["offset"], field["width"], field["signed"]) for field in memory["fields"]}
    select = {(name,): value for name, value in memory.get("select", {}).items()}
    return [
        block.word(
            "load",
            {
                ("data",): sum(placed(places[field], value) for field, value in row.items())
                + (block.rng.getrandbits(unused) << used if unused else 0),
                ("address",): address,
            }
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
        middle = rng.choice((-1, 1, 1, 1)) * (1 << clamp(reach + rng.randint(-6, -1), 1, bias[1] - 3))
        first_bits = most["hidden_max"].bit_length() if hidden else most["beta_max"].bit_length()
        shift = clamp(reach - first_bits + rng.randint(-1, 3), 0, 63)
        output = most["hidden_max"].bit_length() + weight[1] - 1 + (rows - 1).bit_length() // 2
        output_shift = clamp(output - most["beta_max"].bit_length() + rng.randint(-3, 3), 0, 63)
        constants = {
            "hidden": hidden,
            "hidden_shift": shift if hidden else 0,
            "output_shift": output_shift if hidden else shift,
            "output_bias": rng.choice((-1, 1, 1, 1)) * (1 << clamp(output - rng.randint(2, 5), 1, bias[1] - 3)),
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
