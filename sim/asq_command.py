"""The command `asq`, which measures what adapting the step size costs in hardware."""

from collections.abc import Sequence
from pathlib import Path

import click

from asq_model.common.errors import InputError
from asq_model.common.files import write_text
from asq_model.common.option_types import PAGE, PATH, switch
from asq_model.common.progress import progress_bar
from asq_model.common.records import write_record
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.golden_vectors import check_files, read_manifest
from hw.engine_options import CHECK
from sim.hardware_options import ROOT
from sim.reports.adaptation import compare_steps
from sim.runner.jobs import Job, Outcome
from sim.runner.network_units import make_block_specs
from sim.simulate_commands import simulate_all
from sim.workspace import Workspace

DEFAULT_GOLDEN = Path("build/golden/digits_post3_a3_seed0")  # what `asq-post export` writes without a checkpoint


@click.command(epilog="Example: asq-post asq build/golden/digits_post3_a3_seed0 --area 0")
@click.argument("golden", type=PATH, default=DEFAULT_GOLDEN, metavar="[GOLDEN]")
@ROOT
@CHECK
@click.option("--out", type=PAGE, help="Page to write.  [default: ROOT/report/<GOLDEN's name>/asq.md]")
@switch("--area", "1: synthesise too; large maps take Yosys long.", default=True)
@click.option("--note", default="", help="A sentence about the network for the page.")
def asq(golden: Path, root: Path, check: bool, out: Path | None, area: bool, note: str) -> None:
    """Measure what adapting the step size costs.

    Simulates and synthesises ASQ's blocks for the network of the GOLDEN vectors, and writes a page.
    """
    if check:
        return
    from sim.reports.adaptation_areas import find_macs, measure_adaptation
    from sim.reports.adaptation_page import ASQ, make_asq_report, render_page
    from sim.reports.beta_plot import draw_betas

    manifest = read_manifest(golden)
    check_files(golden, manifest)
    specs = make_block_specs(manifest)
    if not any(spec.unit == "adapter-step" for spec in specs):
        raise InputError(f"golden vectors {golden} are of a network without adapters; allowed: asq activations")
    if area:
        find_macs(manifest)  # refuses now what it would refuse after the simulation
    outcomes = simulate_blocks(golden, specs, root)
    out = out or Workspace(root).report(golden) / "asq.md"
    rows = compare_steps(golden, outcomes)
    areas = []
    if area:
        with progress_bar("synthesising") as bar:
            areas = measure_adaptation(manifest, specs, root, bar)
    report = make_asq_report(manifest, outcomes, areas, note)
    picture = out.with_name(f"{out.stem}-beta.png")
    draw_betas(rows, picture, f"{manifest['network']}: β of {len(rows[0]['rtl_betas'])} images")
    write_record(out.with_suffix(".json"), ASQ, report)
    write_text(out, render_page(report, picture.name))
    click.echo(out)


def simulate_blocks(golden: Path, specs: Sequence[BlockSpec], root: Path) -> list[Outcome]:
    """Run the benches of blocks on golden vectors. Raises InputError, with the first failure, if one fails."""
    outcomes = simulate_all([Job(spec, golden) for spec in specs], root, False)
    failures = [failure for outcome in outcomes for failure in outcome.list_failures()]
    if failures:
        raise InputError(f"{len(failures)} benches failed: {failures[0]}")
    return outcomes
