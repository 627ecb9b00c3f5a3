# amaranth: UnusedElaboratable=no
# An engine is asked for its sizes, and not built.
"""The layer that docs/engine.md works through has the numbers that the compiler gives it."""

from conftest import ROOT
from made_up_graphs import Maker

from asq_model.spec.mac import MacSpec
from hw.engine.compiler.passes import count_image_steps, find_image_radix
from hw.engine.engine import Engine
from hw.engine.flash_reader import PLACE
from hw.engine.flashed_engine import BIT_CYCLES, FlashedEngine
from hw.engine.presets import compile_network, find_preset, presets
from hw.engine.program import Kind

PAGE = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")


def test_the_layer_of_the_page() -> None:
    made = Maker(MacSpec("post", 3, 3, frac=0), (16, 8, 8), with_table=False)
    made.conv("layer", "input", 16, (3, 3), padding=(1, 1, 1, 1))
    preset = find_preset("sized")
    _, compiled = compile_network(preset, made.graph, made.mac, made.precision)
    layer = next(each for each in compiled.instructions if each.kind == Kind.CONVOLVE)
    period, tiles = layer.fields["period"] + 1, 64 // preset.pixels * (layer.fields["last_group"] + 1)
    assert f"(G = {preset.channels}, P = {preset.pixels})" in PAGE
    assert f"= {tiles} tiles" in PAGE and f"2 words: {period} cycles" in PAGE
    assert f"{tiles} tiles of {period} cycles are {tiles * period:,} cycles" in PAGE
    able = tiles * period * compiled.spec.products
    assert f"{layer.products:,} products are made of {able:,} that" in PAGE
    assert f"= {compiled.used['weights']} rows" in PAGE
    idle = next(each for each in compiled.instructions if each.kind == Kind.FINISH).cycles
    assert layer.cycles == idle + preset.pixels + 1 + tiles * period + layer.fields["flush"]


def test_the_cycles_of_a_layer_whose_words_are_picked_of_windows() -> None:
    """A first layer with any weights of 8 bits, on the engine that the page names: with windows, and without."""
    preset, mac = find_preset("zynq7020"), MacSpec("post", 4, 4, frac=0)
    picks = preset.channels // preset.window_channels
    most, without = count_image_steps(mac, preset.channels, picks)[find_image_radix(mac, preset.channels, picks)]
    assert f"takes {most} cycles a tile on `zynq7020`, not {without}, whatever its weights are" in " ".join(
        PAGE.split()
    )


def test_the_line_and_the_flash_of_an_engine_on_a_board() -> None:
    """Cycles of a bit, the clock that they are for, bytes of a result, and where the weights begin."""
    text = " ".join(PAGE.split())
    rate = 12 * 10**6 // BIT_CYCLES
    assert f"{BIT_CYCLES} cycles a bit, {rate // 10**6} Mbit/s at 12 MHz" in text
    made = Maker(MacSpec("post", 3, 3, frac=0), (1, 2, 2))
    made.conv("last", "input", 2, (2, 2), relu=False, result_bits=60)
    preset = find_preset("ice40up5k")
    _, compiled = compile_network(preset, made.graph, made.mac, 12)
    engine = Engine(compiled.spec, compiled.image, compiled.radix_bits, compiled.piece_bits, spram=preset.spram)
    assert f"({FlashedEngine(engine).result_bytes} for integers of 12 bits)" in text
    assert f"from {PLACE >> 20} MiB on" in text and PLACE == 1 << 20


def test_the_table_of_presets() -> None:
    """Each preset's row has its arrays and lanes."""
    for name, preset in presets().items():
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
        size, lanes = preset.channels, preset.lanes or preset.channels
        assert f"| {preset.pixels} of {size} × {size} | {lanes} |" in row
