"""The commands of `python -m sim`: simulate units against golden vectors, and measure designs."""

import click

from asq_model.common.option_types import Commands
from sim.asq_command import asq
from sim.bitstream_command import bitstream
from sim.engines_command import engines
from sim.measure_commands import recommend, sweep_command, synth
from sim.network_command import network
from sim.page_commands import pages, report, unrolled
from sim.runner.verilator import find_verilator, prepare_runtime
from sim.simulate_commands import again, run


@click.group(cls=Commands)
def cli() -> None:
    """Simulate the emitted units in Verilator against golden vectors, and measure their area, clock and energy."""


for command in (asq, run, again, network, bitstream, engines, synth, sweep_command, recommend, report, unrolled, pages):
    cli.add_command(command)


@cli.command(epilog="Example: asq-post tools")
def tools() -> None:
    """Check that the simulator is installed, and prepare it.

    Says what is missing: Verilator, or the compiler that it needs. Compiles what all simulations share, once.
    """
    find_verilator()
    prepare_runtime()
