"""Units and arrays by their sidecar: products, sums, real values, lanes, shared multiples, an array's weights."""

import random
from math import isqrt, sqrt
from pathlib import Path

from icarus_bench import Run
from sidecar_model import Plan, field_of, limits, packed, payload_of, placed

DOTS, LONGEST, VECTORS = 40, 12, 40


def rooted(x: int, frac: int) -> int:
    """x·√2·2^frac, to the nearest."""
    nearest = (isqrt(8 * x * x << 2 * frac) + 1) >> 1
    return nearest if x >= 0 else -nearest


def pattern(sidecar: dict, a: int) -> int:
    return a & (1 << sidecar["product"]["activation"]["width"]) - 1


def parts(sidecar: dict, code: int, a: int) -> tuple[int, int]:
    """What a product adds to the sum of even terms and to that of odd ones."""
    rule, row = sidecar["product"]["arithmetic"], sidecar["product"]["weights"]["codes"][code]
    odd = rule["odd_table"][pattern(sidecar, a)] if "odd_table" in rule else rule["odd_factor"] * a
    return row["even"] * rule["even_factor"] * a, row["odd"] * odd


def sums(sidecar: dict, terms: list[tuple[int, int]]) -> tuple[int, int]:
    pairs = [parts(sidecar, code, a) for code, a in terms]
    return sum(even for even, _ in pairs), sum(odd for _, odd in pairs)


def wrapped(value: int, width: int) -> int:
    return (value + (1 << width - 1)) % (1 << width) - (1 << width - 1)


def result(sidecar: dict, terms: list[tuple[int, int]]) -> int:
    """A dot product's result, wrapped around if it is longer than the unit is for."""
    even, odd = sums(sidecar, terms)
    said = sidecar["result"]
    if said["rounding"] == "each dot product":
        return (even << said["frac"]) + rooted(odd, said["frac"])
    return wrapped(even + odd, said["width"])


def check_real(sidecar: dict, terms: list[tuple[int, int]], found: float, unit: float = 1.0) -> None:
    """Raises AssertionError unless a result is the sum of levels times activations, as near as its rounding allows."""
    rows, said = sidecar["product"]["weights"]["codes"], sidecar["result"]
    real = sum(rows[code]["level"] * a for code, a in terms)
    error = {"none": 0, "each dot product": 0.5, "each product": sum(abs(rows[code]["odd"]) for code, _ in terms)}
    room = error[said["rounding"]] / 2 ** said["frac"] + 1e-9 * (1 + abs(real))
    assert abs(found * unit / 2 ** said["frac"] - real) <= room, f"{sidecar['top']}: {found} for {real}"


def check_levels(sidecar: dict) -> None:
    """Raises AssertionError unless the level table is one in itself."""
    weights = sidecar["product"]["weights"]
    root = weights.get("root", {"value": 0.0})["value"]
    for code, row in enumerate(weights["codes"]):
        assert row["code"] == code and int(row["bits"], 2) == code and len(row["bits"]) == weights["code_bits"]
        assert row["level"] == row["even"] + row["odd"] * root and row["zero"] == (row["level"] == 0)
    assert weights["level_unit"] == max(row["level"] for row in weights["codes"])
    assert weights["codes"][weights["zero_code"]]["zero"]
    assert len(weights["codes"]) == 1 << weights["code_bits"]


def classes(sidecar: dict) -> list[list[int]]:
    """Codes that may be in one dot product: all of them, or those of one class."""
    rows = sidecar["product"]["weights"]["codes"]
    if not any("class" in row for row in rows):
        return [[row["code"] for row in rows]]
    return [[row["code"] for row in rows if row.get("class", kind) == kind] for kind in ("even", "odd")]


def dot_products(sidecar: dict, rng: random.Random) -> list[list[tuple[int, int]]]:
    """Every code and every activation, random sums, and where `depth` is small the extreme ones and one that wraps."""
    low, high = limits(sidecar["product"]["activation"]["width"], sidecar["product"]["activation"]["signed"])
    said, groups = sidecar["result"], classes(sidecar)
    values = [low, high, *rng.sample(range(low, high + 1), min(high - low + 1, 3))]
    dots = [[(code, a)] for group in groups for code in group for a in values]
    dots += [[(rng.choice(group), a)] for group in groups for a in range(low, high + 1)]
    dots = rng.sample(dots, min(len(dots), 150))
    for index in range(DOTS):
        group = groups[index % len(groups)]
        length = rng.randint(1, min(LONGEST, said["depth"]))
        dots.append([(rng.choice(group), rng.randint(low, high)) for _ in range(length)])
    if said["depth"] <= 64:
        every = [(code, a) for group in groups for code in group for a in (low, high)]
        for end in (min, max):
            term = end(every, key=lambda term: sum(sums(sidecar, [term])[k] * (1, sqrt(2))[k] for k in (0, 1)))
            if said["rounding"] != "each dot product":
                term = end(every, key=lambda term: sum(sums(sidecar, [term])))
            dots.append([term] * said["depth"])
            wanted = said["min" if end is min else "max"]
            assert result(sidecar, dots[-1]) in (wanted, 0), f"{sidecar['top']}: {wanted} is not reached"
        if said["rounding"] != "each dot product":
            dots.append([term] * (said["depth"] + 3))
    return dots


def operand(sidecar: dict, path: tuple[str, ...], code: int, a: int) -> dict[tuple[str, ...], int]:
    multiples = sidecar["product"].get("multiples", {})
    values = {"weight": code, "activation": a}
    values |= {name: table[pattern(sidecar, a)] for name, table in multiples.items()}
    return {(*path, name): value for name, value in values.items()}


def beat(sidecar: dict, terms: list[tuple[int, int]], last: bool, rng: random.Random) -> int:
    """A word of `i`; lanes that are left take the code of zero, and any activation with the multiple of another."""
    port, lanes = payload_of(sidecar, "i"), sidecar["lanes"]
    low, high = limits(sidecar["product"]["activation"]["width"], sidecar["product"]["activation"]["signed"])
    zero = sidecar["product"]["weights"]["zero_code"]
    filled = [*terms, *[(zero, rng.randint(low, high)) for _ in range(lanes - len(terms))]]
    values = {("last",): int(last)}
    for lane, (code, a) in enumerate(filled):
        path = () if lanes == 1 else ("operands", str(lane))
        values |= operand(sidecar, path, code, a)
        if lane >= len(terms):
            values[(*path, "activation")] = rng.randint(low, high)
    return packed(sidecar, port, values)


def mac_plans(sidecar: dict, verilog: Path, rng: random.Random) -> list[Plan]:
    check_levels(sidecar)
    dots = dot_products(sidecar, rng)
    words, ends = [], []
    lanes = sidecar["lanes"]
    for terms in dots:
        beats = [terms[start : start + lanes] for start in range(0, len(terms), lanes)]
        words += [beat(sidecar, part, part is beats[-1], rng) for part in beats]
        ends.append(len(words) - 1)
    results = [result(sidecar, terms) for terms in dots]
    rows = sidecar["product"]["weights"]["codes"]
    for terms, found in zip(dots, results, strict=True):
        if len(terms) <= sidecar["result"]["depth"]:
            odd = any(rows[code].get("class") == "odd" for code, _ in terms)
            check_real(sidecar, terms, found, sqrt(2) if odd else 1.0)
            assert sidecar["result"]["min"] <= found <= sidecar["result"]["max"]
    place = field_of(sidecar, sidecar["result"]["port"])
    expected = {"o": [placed(place, value) for value in results]}
    made = []
    for stalls in (False, True):
        sent = [(word, rng.choice((0, 0, 1, 4)) if stalls else 0) for word in words]
        run = Run(sidecar, verilog, {}, {"i": sent}, len(dots), stalls, rng.randint(3, 30))
        made.append(Plan(run, expected, {("i", "flagged last"): ends}, not stalls, {}, gapless=not stalls))
    return made


def array_plans(sidecar: dict, verilog: Path, rng: random.Random) -> list[Plan]:
    check_levels(sidecar)
    rows, columns, activation = sidecar["rows"], sidecar["columns"], sidecar["product"]["activation"]
    ends = limits(activation["width"], activation["signed"])
    codes, reach = range(1 << sidecar["product"]["weights"]["code_bits"]), sidecar["result"]["sums"]
    made = []
    for gaps in (False, True):
        loads = [[rng.choice(codes) for _ in range(columns)] for _ in range(3 * rows)]
        vectors = [[rng.choice((*ends, rng.randint(*ends))) for _ in range(rows)] for _ in range(VECTORS)]
        partial = [[{row["name"]: partial_sum(row, rows, sidecar, rng) for row in reach}] * columns for _ in vectors]
        # `rows` rows go in before the first vector, the others among the vectors, some in the very cycle of one.
        pace = [0 if index < rows else rng.randint(0, 3) for index in range(len(loads))]
        late = [rows, *(rng.choice((0, 1, 5)) if gaps else 0 for _ in vectors[1:])]
        sent = {
            "load": list(zip((row_word(sidecar, "load", row) for row in loads), pace, strict=True)),
            "i": list(zip((row_word(sidecar, "i", row) for row in vectors), late, strict=True)),
            "s": [(sum_word(sidecar, "s", row), 0) for row in partial],
        }
        run = Run(sidecar, verilog, {}, sent, len(vectors), False, rng.randint(3, 30))
        made.append(ArrayPlan(run, loads, vectors, partial, gapless=not gaps))
    return made


def partial_sum(said: dict, rows: int, sidecar: dict, rng: random.Random) -> int:
    """A partial sum that leaves room for a pass of `rows` terms, sometimes just that."""
    depth = sidecar["result"]["depth"]
    low, high = (bound * (depth - rows) // depth for bound in (said["min"], said["max"]))
    return rng.choice((low, high, rng.randint(low, high)))


def row_word(sidecar: dict, stream: str, row: list[int]) -> int:
    return packed(sidecar, payload_of(sidecar, stream), {(str(index),): value for index, value in enumerate(row)})


def sum_word(sidecar: dict, stream: str, row: list[dict[str, int]]) -> int:
    values = {(str(column), name): value for column, sums in enumerate(row) for name, value in sums.items()}
    return packed(sidecar, payload_of(sidecar, stream), values)


class ArrayPlan(Plan):
    """What an array answers depends on when weights and activations came, so it is worked out from the log."""

    def __init__(self, run: Run, loads: list, vectors: list, partial: list, gapless: bool):
        super().__init__(run, {}, {}, timed=True, variables={}, gapless=gapless)
        self.loads, self.vectors, self.partial = loads, vectors, partial

    def expect(self) -> None:
        sidecar = self.run.sidecar
        loaded = [cycle for cycle, _ in self.run.beats("load")]
        words = []
        for (cycle, _), vector, partial in zip(self.run.beats("i"), self.vectors, self.partial, strict=True):
            count = sum(when <= cycle for when in loaded)
            weights = self.loads[:count][::-1][: sidecar["rows"]]  # the latest is row 0's
            made = [column_sums(sidecar, weights, vector, column) for column in range(sidecar["columns"])]
            total = [
                {name: before[name] + value for name, value in column.items()}
                for before, column in zip(partial, made, strict=True)
            ]
            words.append(sum_word(sidecar, "o", total))
        self.expected = {"o": words}


def column_sums(sidecar: dict, weights: list[list[int]], vector: list[int], column: int) -> dict[str, int]:
    """A column's sums of one pass, by name."""
    terms = [(codes[column], a) for codes, a in zip(weights, vector, strict=True)]
    even, odd = sums(sidecar, terms)
    if [row["name"] for row in sidecar["result"]["sums"]] == ["sum"]:
        check_real(sidecar, terms, even + odd)
        return {"sum": even + odd}
    check_real(sidecar, terms, even + odd * sqrt(2))
    return {"even": even, "odd": odd}
