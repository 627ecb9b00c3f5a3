# amaranth: UnusedElaboratable=no
# What is refused is not built.
"""An engine that stands alone on a board runs its network with weights from a flash, over a serial line."""

from pathlib import Path

import pytest
from engine_bench import build_bench
from made_up_graphs import Maker

from asq_model.common.errors import InputError
from asq_model.spec.mac import MacSpec
from hw.engine.engine import Engine
from hw.engine.engine_spec import Depths
from hw.engine.flashed_engine import FlashedEngine
from hw.engine.load_words import compute_engine_number, make_load_words
from hw.engine.presets import Preset, compile_network
from hw.engine.row_writer import RowWriter, Section, Size
from hw.engine.spram import MODEL, SpramWeights

IMAGES, BIT_CYCLES = 4, 5
DEPTHS = Depths(128, 64, 512, 64, 2, 2, 2, 64, 16, 8)
PRESET = Preset("a small engine", 2, 1, depths=DEPTHS, adapter=False, word_bits=32, specialised=True, spram=True)


def small_network() -> Maker:
    """Three layers, one of them with a side branch."""
    made = Maker(MacSpec("post", 3, 3, frac=0), (1, 4, 4))
    first = made.conv("first", "input", 3, (3, 3), padding=(1, 1, 1, 1), bits=8, weight_bits=8)
    second = made.conv("second", first, 3, (3, 3), padding=(1, 1, 1, 1), side=first)
    made.conv("last", second, 3, (4, 4), relu=False, result_bits=60)
    return made


def engine_of(preset: Preset, made: Maker) -> tuple[FlashedEngine, dict]:
    """A network's engine, its images and results, and the bytes of its flash."""
    graph, compiled = compile_network(graph=made.graph, mac=made.mac, precision=made.precision, preset=preset)
    plain = Engine(compiled.spec, compiled.image, compiled.radix_bits, compiled.piece_bits, spram=True)
    engine = FlashedEngine(plain, BIT_CYCLES)
    images = made.some_images(IMAGES)
    number = compute_engine_number(compiled.spec, compiled.radix_bits, compiled.piece_bits)
    return engine, {
        "images": images.reshape(IMAGES, -1).tolist(),
        "results": graph(images).reshape(IMAGES, -1).tolist(),
        "flash": list(make_load_words(compiled.spec, compiled.image, number, [Section.WEIGHTS]).tobytes()),
        "bit_cycles": BIT_CYCLES,
        "result_bytes": engine.result_bytes,
        "latency": compiled.latency,
    }


@pytest.mark.exhaustive
def test_every_bench(tmp_path: Path, build_root: Path) -> None:
    """Images over the line; a damaged flash; more bytes than there is room for."""
    engine, case = engine_of(PRESET, small_network())
    passed = build_bench(engine, "flash", "engine", tmp_path, build_root, [MODEL]).run(case, tmp_path)
    assert len(passed) == 3 and all(passed.values()), (passed, (tmp_path / "sim.log").read_text()[-3000:])


def test_weights_that_the_ram_does_not_hold_are_refused() -> None:
    """Rows of more than 64 bits, and more rows than there are."""
    for size, has in ((Size(192, 99), "99 rows of 192 bits"), (Size(48, 16385), "16385 rows of 48 bits")):
        with pytest.raises(InputError, match=f"weights are {has}; allowed in SPRAM: 16384 rows of 64 bits"):
            SpramWeights(RowWriter({Section.WEIGHTS: size}))


def test_a_network_that_takes_no_bytes_is_refused() -> None:
    """Over a serial line only bytes come."""
    made = Maker(MacSpec("post", 3, 3, frac=0), (1, 4, 4), with_table=False)
    made.conv("last", "input", 3, (4, 4), relu=False, result_bits=60)
    with pytest.raises(InputError, match="byte_input is False; allowed over a serial line"):
        engine_of(PRESET, made)
