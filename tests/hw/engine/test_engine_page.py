"""The layer that docs/engine.md works through has the numbers that the compiler gives it."""

from conftest import ROOT
from made_up_graphs import Maker

from asq_model.spec.mac import MacSpec
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


def test_the_table_of_presets() -> None:
    """Each preset's row has its arrays and lanes."""
    for name, preset in presets().items():
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
        size, lanes = preset.channels, preset.lanes or preset.channels
        assert f"| {preset.pixels} of {size} × {size} | {lanes} |" in row
