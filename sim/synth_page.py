"""Multiply-accumulate units side by side: cells, clock and gate equivalents, and products per second and LUT."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from asq_model.codes import KINDS
from asq_model.files import InputError
from asq_model.integer.mac import MacSpec
from hw.emit import emit
from sim.gates import gate_equivalents
from sim.place import DEVICES, clock
from sim.report import markdown_table
from sim.synth import FABRICS, area

WIDTHS = ((3, 3), (4, 4), (4, 8), (8, 8))
COLUMNS = (
    ("unit", "unit"),
    ("ice40", "iCE40 LUT4"),
    ("ice40_clock", "MHz, best / median"),
    ("ice40_ratio", "× uniform"),
    ("ecp5", "ECP5 LUT4"),
    ("ecp5_clock", "MHz, best / median "),
    ("ecp5_ratio", "× uniform "),
    ("xc7", "LUT6"),
    ("xc7_ratio", "LUT6, uniform / this"),
    ("gates", "gate equivalents"),
)


def specs(weight_bits: int, activation_bits: int) -> Iterator[MacSpec]:
    """The units that have weights of that width, `uniform` first; POST with 2 fraction bits and with none."""
    yield MacSpec("uniform", weight_bits, activation_bits)
    if weight_bits <= 6:
        for frac in (2, 0):
            for kind in KINDS:
                yield MacSpec("post", weight_bits, activation_bits, kind, frac)
        yield MacSpec("post-exact", weight_bits, activation_bits)
        for kind in KINDS:
            yield MacSpec("pot", weight_bits, activation_bits, kind)
        yield MacSpec("apot", weight_bits, activation_bits)
    yield MacSpec("serial", weight_bits, activation_bits)


def measured(spec: MacSpec, seeds: int, liberty: Path | None, root: Path) -> dict:
    """Everything of one unit."""
    verilog = emit(spec, root / "verilog")[0]
    row = {fabric: area(verilog, spec.name, fabric, False, root)["luts"] for fabric in FABRICS}
    row["clocks"] = {device: clock(spec, verilog, device, seeds, root) for device in DEVICES}
    if liberty is not None:
        row["gates"] = gate_equivalents(verilog, spec.name, liberty, root)
    return row


def title(spec: MacSpec) -> str:
    parts = [f"`{spec.unit}`", spec.levels, f"F = {spec.frac}" if spec.level_set.family == "post" else ""]
    return " ".join(filter(None, parts))


def table(found: dict[MacSpec, dict]) -> str:
    """Of one width; the first is the rival that ratios are to. Ratios: products per second and LUT."""
    rival_spec = next(iter(found))
    rival = found[rival_spec]
    rows = []
    for spec, row in found.items():
        shown = {"unit": title(spec)} | {fabric: row[fabric] for fabric in FABRICS}
        for device in DEVICES:
            here, there = row["clocks"][device], rival["clocks"][device]
            speed = here["best"] / spec.interval / row[device]
            shown[f"{device}_clock"] = f"{here['best']:.0f} / {here['median']:.0f}"
            shown[f"{device}_ratio"] = f"{speed / (there['best'] / rival_spec.interval / rival[device]):.2f}"
        shown["xc7_ratio"] = f"{rival['xc7'] * rival_spec.interval / row['xc7'] / spec.interval:.2f}"
        shown["gates"] = f"{row['gates']:.0f}" if "gates" in row else "–"
        rows.append(shown)
    return markdown_table(rows, COLUMNS)


def page(
    widths: list[tuple[int, int]], seeds: int, liberty: Path | None, root: Path, progress: Callable[[str], None]
) -> str:
    """In Markdown. Measures what is not kept already; a unit that fails stops all with its own message."""
    units = {width: list(specs(*width)) for width in widths}
    every = [spec for group in units.values() for spec in group]

    def run(spec: MacSpec) -> dict:
        row = measured(spec, seeds, liberty, root)
        progress(f"  {spec.name:32} {row['ice40']} LUT4, {row['clocks']['ice40']['best']:.0f} MHz")
        return row

    first = [run(spec) for spec in every[:1]]  # the first calls of the tools compile them
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        found = dict(zip(every, first + list(pool.map(run, every[1:])), strict=True))
    gates = f"by ABC on `{liberty.name}`, in its smallest NAND2" if liberty else "need `LIBERTY=path`"
    lines = [
        "# Multiply-accumulate units: area and clock",
        "",
        "One product a cycle and unit (`serial`: one in as many cycles as the weight has bits), accumulators for"
        f" {MacSpec().depth} terms, no multiplier blocks. LUTs by Yosys of the unit alone (a carry cell of ECP5 counts"
        f" for two). Clock by nextpnr, {seeds} seeds, the unit between registers. Gate equivalents {gates}, flip-flops"
        " included. × uniform: products per second (best clock) and LUT, over those of `uniform`, Yosys' own product in"
        " two's complement; below 1 POST loses. `post-exact` includes its correctly rounded √2. Made by `make synth`.",
        "",
    ]
    for (weight_bits, activation_bits), group in units.items():
        lines += [f"## {weight_bits} × {activation_bits} bits", ""]
        lines += [table({spec: found[spec] for spec in group}), ""]
    return "\n".join(lines).rstrip() + "\n"


def parsed_widths(text: str) -> list[tuple[int, int]]:
    """`3x3,4x8` as pairs of weight and activation bits. Raises InputError."""
    try:
        widths = [tuple(int(number) for number in part.split("x")) for part in text.split(",")]
        if any(len(width) != 2 for width in widths):
            raise ValueError
    except ValueError as error:
        raise InputError(f"WIDTHS is {text!r}; allowed: weight x activation bits, as 3x3,4x8") from error
    return widths
