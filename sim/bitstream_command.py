"""The command that puts a network on a device: use, clock and bitstream of its engine."""

import click
from msgspec.structs import asdict, replace

from asq_model.common.errors import InputError
from asq_model.common.files import write_text
from asq_model.common.progress import progress_bar
from asq_model.spec.mapping import has_cells
from hw.engine.emit_engine import engine_verilog
from hw.engine.engine import Engine
from hw.engine.presets import compile_network, find_preset, presets
from hw.engine_command import check_given, network_options, read_network
from sim.engine.bitstream import FLOWS, measure_use, write_bitstream
from sim.engine.engine_area import measure_engine
from sim.hardware_options import ROOT
from sim.measure.yosys_area import Area
from sim.workspace import Workspace


@click.command(epilog="Example: asq-post bitstream build/graph/digits_post3_a3_seed0 --preset ecp5-25")
@network_options
@ROOT
def bitstream(folder, preset, root, **products):
    """Put a network's engine on a device.

    GRAPH is a folder that `asq-post graph` wrote. Synthesises the engine of a --preset that is for a device, and prints
    what it takes; its arrays are made of the device's own cells where the products have some, or as --family says.
    Places, routes and packs it to a bitstream where open tools can (iCE40 and ECP5), and prints its
    clock.
    """
    check_given(products)
    if not find_preset(preset).family:
        devices = [name for name, each in presets().items() if each.family]
        raise InputError(f"--preset is {preset}, which is for no device; allowed: {', '.join(devices)}")
    graph, how = read_network(folder, preset, products)
    family = how["preset"].family
    if products["family"] is None and has_cells(family, how["mac"]):
        how["preset"] = replace(how["preset"], cells=family)
    _, compiled = compile_network(graph=graph, **how)
    place = Workspace(root).engine(folder.resolve().name, preset) / "device"
    verilog = place / "written.v"
    engine = Engine(compiled.spec, compiled.image, compiled.radix_bits, compiled.piece_bits)
    write_text(verilog, engine_verilog(engine, "engine", f"engine {preset} with the network {folder.resolve().name}"))
    with progress_bar("bitstream") as bar:
        bar.expect(2)
        if family in FLOWS:
            use = measure_use(verilog, family, place)
        else:
            use = measure_engine(verilog, family, place).total(compiled.spec.pixels)
        bar.advance()
        click.echo(f"{preset}: " + ", ".join(f"{number:,} {name}" for name, number in asdict_of(use).items()))
        if family not in FLOWS:
            click.echo(f"no bitstream: open tools here place {' and '.join(FLOWS)} only")
            return
        path, made = write_bitstream(family, list(how["preset"].device), place)
        bar.advance()
    rate = made.megahertz * 1e6 / compiled.cycles
    click.echo(
        f"{made.megahertz:.1f} MHz placed and routed, {compiled.cycles:,.1f} cycles an image: {rate:,.0f} images/s"
    )
    click.echo(path)


def asdict_of(use: Area) -> dict[str, int]:
    """The cells of a device by what they are called here."""
    names = {"luts": "LUTs", "carries": "carry cells", "ffs": "flip-flops", "memories": "memory blocks", "dsps": "DSPs"}
    return {names[name]: number for name, number in asdict(use).items()}
