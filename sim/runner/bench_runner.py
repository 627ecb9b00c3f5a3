"""Run test benches: each job in a folder of its own, several side by side, none again whose inputs did not change."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from subprocess import CalledProcessError

from asq_model.common.files import PACKAGES, fingerprint, hash_file, hold_lock, list_sources, reported_os_errors
from asq_model.common.progress import SILENT, Bar
from asq_model.common.records import find_kept, read_record, write_record
from asq_model.spec.golden_vectors import MANIFEST
from hw.harness.bench_top import bench_name
from sim.runner.jobs import JOB, SEED, Job, Outcome, make_job_file
from sim.runner.outcomes import JOB_FILE, OUTCOME, read_findings, read_results
from sim.runner.verilator import STAMPS, build, choose_waveform, find_verilator
from sim.workspace import Workspace

# What a bench's outcome depends on beside the unit.
BENCH_SOURCES = list_sources("sim/benches", "sim/runner", "sim/vectors", "asq_model/spec")
# Failed assertions of the benches are explained by their values. To do so for all that they import takes seconds a run.
EXPLAINED = {"COCOTB_REWRITE_ASSERTION_FILES": "*_bench.py"}


def run_job(job: Job, root: Path, force: bool = False) -> Outcome:
    """Emit, build and simulate one unit below `root`; a job whose inputs did not change is not run again."""
    find_verilator()
    workspace = Workspace(root)
    with hold_lock(workspace.bench_lock(job.spec)):
        verilog = job.verilog or workspace.emit_verilog(job.spec)
        outcome = simulate(job, build(job.spec, verilog, root, job.waves), force or job.waves)
    return replace(outcome, root=root)


def simulate(job: Job, place: Path, force: bool) -> Outcome:
    """Run a job in the folder of its build, or take the outcome that is there if nothing changed since."""
    golden_hash = hash_file(job.golden / MANIFEST) if job.golden else ""
    inputs = fingerprint(
        [
            read_record(place / "stamps.json", STAMPS).content,
            job.chosen,
            golden_hash,
            SEED,
            asdict(job.spec),
            job.layer,
            version("cocotb"),
        ],
        BENCH_SOURCES,
    )
    # Jobs with other tests or on other golden vectors share the build, and do not disturb this one's outcome.
    run = place / f"run-{fingerprint([job.chosen, golden_hash, job.layer])[:8]}"
    outcome_file = run / "outcome.json"
    findings = None if force else find_kept(outcome_file, OUTCOME, inputs)
    if findings is not None and findings.keys() == set(job.chosen):
        return Outcome(job, {test: "passed" for test in job.chosen}, findings, cached=True, folder=run)
    result, xml = run / "result.json", run / "results.xml"
    with reported_os_errors("simulate in", run):
        run.mkdir(exist_ok=True)
        for old in (result, xml, outcome_file, *run.glob("waves.*")):
            old.unlink(missing_ok=True)
        write_record(run / JOB, JOB_FILE, make_job_file(job, result))
        run_cocotb(job, place, run, xml)
        findings = read_findings(result)
        outcome = Outcome(job, read_results(xml, run / "sim.log", job.chosen), findings, cached=False, folder=run)
        if outcome.passed:
            write_record(outcome_file, OUTCOME, findings, inputs)
    return outcome


def run_cocotb(job: Job, build: Path, run: Path, results: Path) -> None:
    """Run a job's tests in the folder `run`, by the simulator in `build`; cocotb writes what came of each to `results`.

    A failed test or a simulator that dies raises an error under pytest, and nothing elsewhere: what counts is the
    results file, where a test that did not run is missing.
    """
    from cocotb_tools.runner import get_runner

    path = os.pathsep.join([str(PACKAGES), *sys.path])
    with suppress(RuntimeError, SystemExit, CalledProcessError):
        get_runner("verilator").test(
            hdl_toplevel=bench_name(job.spec),
            hdl_toplevel_lang="verilog",
            test_module=job.bench,
            test_filter=rf"\.({'|'.join(job.chosen)})$",
            build_dir=build,
            test_dir=run,
            results_xml=str(results.resolve()),
            log_file=run / "sim.log",
            waves=job.waves,
            test_args=["--trace-file", f"waves.{choose_waveform()}"] if job.waves else [],
            extra_env={"ASQ_JOB": str((run / JOB).resolve()), "PYTHONPATH": path} | EXPLAINED,
        )


def run_jobs(jobs: list[Job], root: Path, force: bool, bar: Bar = SILENT) -> list[Outcome]:
    """Run jobs on all cores, the first one alone: its build makes the objects that the others share.

    force: simulate even what did not change. Returns the outcomes in the jobs' order. Raises InputError.
    """
    outcomes: dict[Job, Outcome] = {}

    def finish(job: Job, outcome: Outcome) -> None:
        outcomes[job] = outcome
        state = "unchanged" if outcome.cached else "passed" if outcome.passed else "FAILED"
        bar.say(f"  {job.spec.name:28} {state:10} {outcome.vectors} vectors ({len(outcomes)} of {len(jobs)} units)")
        bar.advance()

    if jobs:
        bar.expect(len(jobs))
        finish(jobs[0], run_job(jobs[0], root, force))
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        pending = {pool.submit(run_job, job, root, force): job for job in jobs[1:]}
        try:
            for future in as_completed(pending):
                finish(pending[future], future.result())
        except BaseException:  # an error or the user's interruption: what has not begun does not begin
            pool.shutdown(cancel_futures=True)
            raise
    return [outcomes[job] for job in jobs]
