"""The commands that simulate units against golden vectors: `run`, and `again` for one test bench with a waveform."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from asq_model.common.errors import InputError
from asq_model.common.option_types import PATH, switch
from asq_model.common.progress import progress_bar
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.golden_manifest import Manifest
from asq_model.spec.golden_vectors import check_files, read_manifest
from hw.emit import Spec
from hw.engine_options import CHECK
from sim.hardware_options import ROOT
from sim.reports.simulation import write_reports
from sim.reports.summary import summarise
from sim.runner.bench_runner import run_jobs
from sim.runner.jobs import Job, Outcome, read_job
from sim.runner.network_units import list_golden_specs, make_block_specs
from sim.runner.verilator import choose_waveform
from sim.vectors.feature_map_cases import fits
from sim.vectors.feature_maps import read_golden_layers
from sim.vectors.shipped import WIDTHS, shipped_folder
from sim.workspace import Workspace


@click.command(epilog="Example: asq-post sim build/golden/digits_post3_a3_seed0 --unit post --waves")
@click.argument("golden", type=PATH, default=shipped_folder(WIDTHS[0]))
@ROOT
@CHECK
@click.option("--unit", help="Only this unit, as `post`, or module, as `post_mac_w3a3`; no report.")
@click.option("--layer", help="Only the golden vectors of this layer; no report.")
@switch("--waves", "1: write waveforms, of --unit and --layer, or without them of every test that fails.")
@switch("--force", "1: simulate again even what did not change.")
def run(golden: Path, root: Path, check: bool, unit: str | None, layer: str | None, waves: bool, force: bool) -> None:
    """Simulate units on golden vectors, and report.

    Emits, builds and simulates every unit that the GOLDEN vectors are for. Without GOLDEN, takes those that come with
    this package. A test that fails says what came out, in which cycle, of which operands, where its log is, and how to
    run it alone.
    """
    if check:
        return
    manifest = read_manifest(golden)
    check_files(golden, manifest)
    units = list_golden_specs(manifest)
    specs: list[Spec] = [*units, *make_block_specs(manifest)]
    if unit is not None or layer is not None:
        jobs = [
            Job(spec, golden, layer=layer, waves=waves) for spec in choose_specs(golden, manifest, specs, unit, layer)
        ]
        finish(simulate_all(jobs, root, force))
        return
    click.echo(f"simulating {len(specs)} units on {manifest['products']} golden products", err=True)
    outcomes = simulate_all([Job(spec, golden) for spec in specs], root, force)
    parts = outcomes[: len(units)], outcomes[len(units) :]
    folder = Workspace(root).report(golden)
    written = write_reports(folder, manifest, golden, *parts)
    click.echo(summarise(manifest, golden, *parts))
    click.echo(f"Written to {folder}: {', '.join(written)}")
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if waves and failed:
        click.echo("again with waveforms, the first test that failed of each:", err=True)
        outcomes = simulate_all([outcome.isolate_failure() for outcome in failed], root, True)
    finish(outcomes)


@click.command(epilog="Example: asq-post again build/sim/bench_post_mac_w3a3/run-1a2b3c4d/job.json")
@click.argument("job", type=PATH)
@ROOT
@click.option("--test", help="Only this test of the bench.")
@click.option("--layer", help="Only the golden vectors of this layer.")
@switch("--waves", "1: write a waveform.", default=True)
def again(job: Path, root: Path, test: str | None, layer: str | None, waves: bool) -> None:
    """Run one test bench again, with a waveform.

    JOB is the file in the folder of the bench that ran before.
    """
    before = read_job(job)
    tests = (test,) if test else before.tests if layer is None else ("golden",)
    if not set(tests) <= set(before.tests):
        if test is None:
            raise InputError(f"--layer is {layer}, but {job} is of a run without golden vectors")
        raise InputError(f"--test is {test!r}; allowed: {', '.join(before.tests)}")
    if layer is not None and tests != ("golden",):
        raise InputError(f"--layer is {layer}, but --test is {test}, which takes no golden vectors")
    if layer is not None and before.golden is not None:
        check_layer(read_manifest(before.golden), layer)
    finish(simulate_all([replace(before, tests=tests, layer=layer or before.layer, waves=waves)], root, True))


def simulate_all(jobs: Sequence[Job], root: Path, force: bool) -> list[Outcome]:
    """Run test benches, with a bar."""
    with progress_bar("simulating") as bar:
        return run_jobs(list(jobs), root, force, bar)


def choose_specs(
    golden: Path, manifest: Manifest, specs: Sequence[Spec], unit: str | None, layer: str | None
) -> list[Spec]:
    """Choose the specs of a unit, or of a module, for which a layer has golden vectors. Raises InputError for none."""
    named = [spec for spec in specs if unit in (None, spec.unit, spec.name)]
    if not named:
        raise InputError(f"--unit is {unit!r}; allowed: {', '.join(dict.fromkeys(spec.unit for spec in specs))}")
    if layer is not None:
        check_layer(manifest, layer)
    served = [spec for spec in named if layer is None or has_vectors(golden, manifest, spec, layer)]
    if not served:
        raise InputError(f"--layer is {layer}, which has nothing for --unit {unit}")
    return served


def check_layer(manifest: Manifest, layer: str) -> None:
    """Raises InputError unless a network has a layer of this name."""
    layers = dict.fromkeys(entry["name"] for entry in [*manifest["layers"], *manifest["maps"]])
    if layer not in layers:
        raise InputError(f"--layer is {layer!r}; allowed: {', '.join(layers)}")


def has_vectors(golden: Path, manifest: Manifest, spec: Spec, layer: str) -> bool:
    """Whether the golden vectors of a layer are for a unit or block."""
    if isinstance(spec, BlockSpec):
        return any(maps.name == layer and fits(spec, maps) for maps in read_golden_layers(golden))
    return any(entry["name"] == layer and spec.name in entry["units"] for entry in manifest["layers"])


def finish(outcomes: list[Outcome]) -> None:
    """Say where the waveforms are, and of each bench that failed how to run it again; exit with 1 if one did."""
    for outcome in outcomes:
        if outcome.waves is not None:
            click.echo(outcome.waves)
        if outcome.waves is not None and choose_waveform() == "vcd":
            click.echo("in VCD: the headers of lz4 and zlib, which FST needs, are not installed", err=True)
        if not outcome.passed:
            for line in [*outcome.list_failures(), f"alone, with a waveform: {outcome.describe_rerun()}"]:
                click.echo(line, err=True)
    if not all(outcome.passed for outcome in outcomes):
        sys.exit(1)
