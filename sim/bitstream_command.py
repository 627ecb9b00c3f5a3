"""The command that puts a network on a device: use, clock and bitstream of its engine."""

from pathlib import Path

import click
from msgspec.structs import asdict

from asq_model.common.files import write_atomically, write_text
from asq_model.common.progress import progress_bar
from asq_model.spec.mapping import has_cells
from hw.engine.choose_products import ProductOptions
from hw.engine.compiler.compiled import Compiled
from hw.engine.emit_engine import make_engine_verilog
from hw.engine.flash_reader import PLACE
from hw.engine.load_words import compute_engine_number, make_load_words
from hw.engine.presets import Preset, find_device_preset
from hw.engine.row_writer import Section, find_sizes
from hw.engine.spram import WORD_BITS
from hw.engine_options import CHECK, check_engine, network_options, read_network
from sim.engine.bitstream import FLOWS, make_device_engine, synthesise_engine, write_bitstream
from sim.engine.engine_area import measure_engine
from sim.hardware_options import ROOT
from sim.measure.yosys_area import Area
from sim.workspace import Workspace


@click.command(epilog="Example: asq-post bitstream build/graph/digits_post3_a3_seed0 --preset ecp5-25")
@network_options(preset="ecp5-25")
@ROOT
@CHECK
def bitstream(folder: Path, preset: str, root: Path, check: bool, products: ProductOptions) -> None:
    """Synthesise and place a network's engine.

    GRAPH is a folder that `asq-post graph` wrote. Synthesises the engine of a --preset that is for a device, and prints
    what it takes; its arrays are made of the device's own cells where the products have some, or as --family says.
    Places, routes and packs it to a bitstream where open tools can (iCE40 and ECP5), and prints
    its clock.
    """
    check_engine(preset, products)
    find_device_preset(preset)
    if check:
        return
    graph, choice = read_network(folder, preset, products)
    chosen, family = choice.preset, choice.preset.family
    if products.fpga_family is None and has_cells(family, choice.mac):
        choice = choice.with_cells(family)
    _, compiled = choice.compile(graph)
    network = folder.resolve().name
    place = Workspace(root).engine(network, preset) / "device"
    engine = make_device_engine(compiled, chosen)
    verilog = make_engine_verilog(engine, "engine", f"engine {preset} with the network {network}")
    with progress_bar("bitstream") as bar:
        bar.expect(2)
        use = count_cells(verilog, family, compiled.spec.pixels, place)
        bar.advance()
        cells = cells_by_name(use) | spram_of(compiled, chosen)
        click.echo(f"{preset}: " + ", ".join(f"{number:,} {name}" for name, number in cells.items()))
        if family not in FLOWS:
            click.echo(f"no bitstream: open tools here place {' and '.join(FLOWS)} only")
            return
        click.echo(f"placing and routing; progress is in {place / FLOWS[family].placer}.log", err=True)
        path, made = write_bitstream(family, list(chosen.device), place)
        bar.advance()
    rate = made.megahertz * 1e6 / compiled.cycles
    click.echo(
        f"{made.megahertz:.1f} MHz placed and routed, {compiled.cycles:,.1f} cycles an image: {rate:,.0f} images/s"
    )
    if chosen.spram:
        path = write_flash(path, compiled)
    click.echo(path)


def count_cells(verilog: str, family: str, lanes: int, place: Path) -> Area:
    """Synthesise an engine in a folder, as a whole where it is then placed, else by its parts. Raises InputError."""
    written = place / "written.v"
    write_text(written, verilog)
    if family in FLOWS:
        return synthesise_engine(written, family, place)
    return measure_engine(written, family, place).total(lanes)


def spram_of(compiled: Compiled, preset: Preset) -> dict[str, int]:
    """The blocks of SPRAM that an engine's weights take, where they lie in them."""
    size = find_sizes(compiled.spec, 0)[Section.WEIGHTS]
    return {"SPRAM": -(-size.bits // WORD_BITS)} if preset.spram else {}


def write_flash(bitstream: Path, compiled: Compiled) -> Path:
    """Write what a board's flash holds, from its first byte: the bitstream, and at `PLACE` the words of the weights."""
    number = compute_engine_number(compiled.spec, compiled.radix_bits, compiled.piece_bits)
    words = make_load_words(compiled.spec, compiled.image, number, [Section.WEIGHTS])
    path = bitstream.with_name("flash.bin")
    whole = bitstream.read_bytes().ljust(PLACE, b"\xff") + words.tobytes()
    write_atomically(path, lambda temporary: temporary.write_bytes(whole))
    return path


def cells_by_name(use: Area) -> dict[str, int]:
    """The cells of a device by what they are called here."""
    names = {"luts": "LUTs", "carries": "carry cells", "ffs": "flip-flops", "memories": "memory blocks", "dsps": "DSPs"}
    return {names[name]: number for name, number in asdict(use).items()}
