"""Engines side by side: their cells are counted by parts, their rows join_rows, and what is missing is said."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from networks import tiny_network

from asq_model.common.errors import InputError
from asq_model.common.records import read_record, write_record
from hw.engine.emit_engine import make_engine_verilog
from hw.engine.engine import Engine
from hw.engine.presets import Preset, compile_network
from sim.engine.bitstream import synthesise_engine
from sim.engine.engine_area import EngineArea, measure_engine
from sim.engine.engines_findings import render_findings
from sim.engine.engines_page import render_page
from sim.engine.engines_report import ENGINES, EngineRow, EnginesReport, PlacedEngine, join_rows
from sim.engine.term_program import TermProgram
from sim.measure.yosys_area import Area

LANE, REST = Area(100, 0, 50, 0, 0), Area(1000, 10, 500, 20, 4)
ROW = EngineRow(
    network="made up",
    preset="zynq7020",
    unit="post",
    product_bits=4,
    weight_bits=4,
    activation_bits=4,
    kind="",
    cells="xc7",
    products=128,
    lanes=2,
    period=2000,
    under_way=2,
    latency=1500,
    busy=0.5,
    area=EngineArea(LANE, REST),
    blocks=20,
    simulated=2,
    right=8,
    tested=10,
    first_layer=16,
    any_first_layer=16,
    other_blocks=12,
    programs=[],
)
RIVAL = msgspec.structs.replace(ROW, unit="uniform-sign", period=1800)


def test_a_row_s_figures_follow_from_its_counts() -> None:
    assert ROW.cycles == 1000 and ROW.luts == 1200
    assert ROW.density == pytest.approx(1e6 / 1000 / 1.2)


def test_rows_are_joined_by_products_the_rival_first() -> None:
    earlier = EnginesReport([msgspec.structs.replace(ROW, period=1), RIVAL], "of two networks")
    report = join_rows(earlier, [ROW])
    assert report.rows == [RIVAL, ROW]
    assert "- of two networks" in render_page(report)
    small = msgspec.structs.replace(ROW, preset="ice40up5k")
    assert join_rows(earlier, [small, ROW]).rows == [RIVAL, ROW, small]  # another preset's stand beside it


def test_the_page_compares_with_the_rival_or_says_that_it_cannot() -> None:
    text = render_page(EnginesReport([RIVAL, msgspec.structs.replace(ROW, switching=98.1)]))
    assert "at one clock, `post` reaches 0.90 times `uniform-sign`." in text
    assert "         0.90 |" in text and "         1.00 |" in text and "  80.00 |" in text and " 98 |" in text
    alone = render_page(EnginesReport([ROW]))
    assert "POST beside others: not measured." in alone and "not measured |" in alone


def test_readme_s_sentence_has_a_ratio_for_each_width_or_says_that_it_is_missing() -> None:
    narrow = msgspec.structs.replace(ROW, weight_bits=3)
    said = render_findings(EnginesReport([RIVAL, ROW, narrow]))
    assert said.endswith("0.90 at 4 bits, not measured at 3 bits (made up on `zynq7020`, no clock).\n")


def test_bit_by_bit_products_are_a_row_of_their_own_and_not_the_rival() -> None:
    serial = msgspec.structs.replace(RIVAL, product_bits=2, period=6000, preset="zynq7020-serial")
    text = render_page(join_rows(EnginesReport([RIVAL]), [serial, ROW]))
    assert "## W4A4 on `zynq7020` (7-series, LUT6)\n" in text and "uniform-sign bit by bit on zynq7020-serial" in text
    assert "0.90 times `uniform-sign`, 3.00 times `uniform-sign bit by bit on zynq7020-serial`." in text
    assert not msgspec.structs.replace(RIVAL, product_bits=2, weight_bits=2).serial  # ternary weights are whole


def test_a_record_with_the_same_products_twice_is_refused(tmp_path: Path) -> None:
    write_record(tmp_path / "engines.json", ENGINES, EnginesReport([ROW]))
    assert read_record(tmp_path / "engines.json", ENGINES).rows == [ROW]
    with pytest.raises(InputError, match="is there twice"):
        write_record(tmp_path / "engines.json", ENGINES, EnginesReport([ROW, ROW]))


@pytest.mark.exhaustive
def test_the_parts_of_an_engine_are_all_of_it(tmp_path: Path) -> None:
    """Counted apart they are about what the whole engine is: Yosys shares a little between them."""
    made = tiny_network()
    preset = Preset("", channels=4, pixels=2, cells="xc7")
    _, compiled = compile_network(preset, made.graph, replace(made.mac, unit="uniform-sign"), made.precision)
    engine = Engine(compiled.spec, compiled.image, compiled.radix_bits, compiled.piece_bits)
    verilog = tmp_path / "written.v"
    verilog.write_text(make_engine_verilog(engine, "engine", "a tiny engine"))
    area = measure_engine(verilog, "xc7", tmp_path / "parts")
    whole = synthesise_engine(verilog, "xc7", tmp_path / "whole")
    assert area.lane.luts > 100
    assert area.total(2).luts == pytest.approx(whole.luts, rel=0.03)
    assert area.total(2).dsps == whole.dsps


def test_programs_of_terms_stand_below_the_arrays_they_are_compared_with() -> None:
    program = TermProgram(
        programs=8, pixels=32, terms=3, weight_terms=0.88, cycles=500, lane=Area(50, 0, 1, 0, 0), blocks=7
    )
    text = render_page(EnginesReport([msgspec.structs.replace(ROW, programs=[program])]))
    luts = 1000 + 8 * 32 * 50
    density = 1e9 / 500 / luts
    assert "| 8 × 3, 32 pixels |" in text and f"{luts:,} |" in text and " 19 |" in text
    assert f"{density:.2f} |" in text and f"{density / ROW.density:.2f} |" in text
    assert "fit the device's 280 memory blocks, the best would reach these times" in text
    assert f"of the engine of arrays: {density / ROW.density:.2f} (`post`)." in text
    larger = msgspec.structs.replace(program, blocks=300)
    text = render_page(EnginesReport([msgspec.structs.replace(ROW, programs=[larger])]))
    assert "No program's maps fit the device's 280 memory blocks." in text


def test_engines_that_were_placed_are_compared_at_their_clocks() -> None:
    post = msgspec.structs.replace(
        ROW, preset="ice40up5k", placed=PlacedEngine(Area(3000, 0, 900, 24, 3), [30, 20, 24])
    )
    rival = msgspec.structs.replace(RIVAL, preset="ice40up5k", placed=PlacedEngine(Area(2700, 0, 900, 24, 3), [32.0]))
    assert post.luts == 3000 and post.placed_rate == 24e3 and post.placed_density == 8e3
    text = render_page(EnginesReport([ROW, rival, post]))
    ratio = 8e3 / (32e6 / 900 / 2.7)
    said = f"at the clock that each reaches, `post` reaches {ratio:.2f} times `uniform-sign`."
    assert said in text and " 24.0 (3) | " in text
    assert render_findings(EnginesReport([rival, post])).endswith(
        f"{ratio:.2f} at 4 bits (made up on `ice40up5k`, placed).\n"
    )
    mixed = render_page(EnginesReport([msgspec.structs.replace(rival, placed=None), post]))
    assert "at one clock, `post` reaches" in mixed  # where one has no clock none is compared by it


def test_a_placed_engine_without_a_clock_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is placed without a clock"):
        row = msgspec.structs.replace(ROW, placed=PlacedEngine(LANE, []))
        write_record(tmp_path / "engines.json", ENGINES, EnginesReport([row]))
