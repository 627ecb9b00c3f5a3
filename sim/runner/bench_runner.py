"""Running a bench: one job is one unit, a set of tests and a result file; jobs run side by side."""

import os
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from subprocess import CalledProcessError

from asq_model.common.errors import InputError
from asq_model.common.files import PACKAGES, fingerprint, locked, reported_os_errors, sha256_file, source_paths
from asq_model.common.progress import SILENT, Bar
from asq_model.common.records import kept, read_record, write_record
from asq_model.spec.array import ArraySpec
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.golden_vectors import MANIFEST
from asq_model.spec.mac import MacSpec
from hw.emit import Spec
from hw.harness.bench_top import bench_name
from sim.runner.outcomes import JOB_FILE, OUTCOME, JobFile, TestFindings, read_findings, read_results
from sim.runner.verilator import STAMPS, build, verilator, waveform
from sim.workspace import Workspace

MAC_TESTS = ("golden", "timing", "products", "extremes", "stalls", "reset_midway")
BLOCK_TESTS = ("golden", "timing", "extremes", "stalls", "reset_midway")
# What a bench's outcome depends on beside the unit.
BENCH_SOURCES = source_paths("sim/benches", "sim/runner", "sim/vectors", "asq_model/spec")
BENCHES = {MacSpec: "mac_bench", ArraySpec: "array_bench", BlockSpec: "asq_bench"}
SEED = 1
# Failed assertions of the benches are explained by their values. To do so for all that they import takes seconds a run.
EXPLAINED = {"COCOTB_REWRITE_ASSERTION_FILES": "*_bench.py"}
JOB = "job.json"  # in a run's folder, for its bench to read


@dataclass(frozen=True)
class Job:
    """A run of a unit's test bench: which tests (none: all), on which golden vectors (None: no `golden` test).

    layer: only this one of the golden vectors, and without `tests` only the golden one. waves: whether a waveform is
    written.
    """

    spec: Spec
    golden: Path | None = None
    tests: tuple[str, ...] = ()
    verilog: Path | None = None  # another file for the unit than the emitted one: to see a broken unit fail
    layer: str | None = None
    waves: bool = False

    @property
    def chosen(self) -> list[str]:
        """The tests that run."""
        every = BLOCK_TESTS if isinstance(self.spec, BlockSpec) else MAC_TESTS
        tests = self.tests or (every if self.layer is None else ("golden",))
        return [test for test in tests if test != "golden" or self.golden is not None]

    @property
    def bench(self) -> str:
        """The module of its tests."""
        return f"sim.benches.{BENCHES[type(self.spec)]}"


@dataclass(frozen=True)
class Outcome:
    """How a job ended: per test "passed" or the message of its failure, and the figures the bench recorded."""

    job: Job
    tests: dict[str, str]
    findings: TestFindings
    cached: bool
    folder: Path = Path()  # where it ran
    root: Path = Path("build")  # the build folder that this is in

    @property
    def log(self) -> Path:
        """What the simulator printed."""
        return self.folder / "sim.log"

    @property
    def waves(self) -> Path | None:
        """The waveform that was written, if one was."""
        return next((path for path in sorted(self.folder.glob("waves.*")) if self.job.waves), None)

    @property
    def passed(self) -> bool:
        return all(state == "passed" for state in self.tests.values())

    @property
    def vectors(self) -> int:
        """Results compared by the tests that passed, and by the golden one in any case."""
        return sum(findings.get("vectors", 0) for findings in self.findings.values())

    def failures(self) -> list[str]:
        """A line for each test that failed: what its message says, and where its log is."""
        name = self.job.spec.name
        return [f"{name} {test}: {state}; log {self.log}" for test, state in self.tests.items() if state != "passed"]

    def alone(self) -> Job:
        """The job that runs the first failed test again with a waveform, a golden one on the layer where it failed."""
        test = next(test for test, state in self.tests.items() if state != "passed")
        failures = self.findings.get("golden", {}).get("failures", []) if test == "golden" else []
        layer = failures[0]["layer"] if failures else self.job.layer
        return replace(self.job, tests=(test,), layer=layer, waves=True)

    def again(self) -> str:
        """The command line that runs the first failed test again."""
        (test,), layer = self.alone().tests, self.alone().layer
        words = ["python", "-m", "sim", "again", str(self.folder / JOB), "--root", str(self.root), "--test", test]
        return shlex.join([*words, *(["--layer", layer] if layer else [])])


def run_job(job: Job, root: Path, force: bool = False) -> Outcome:
    """Emit, build and simulate one unit below `root`; a job whose inputs did not change is not run again."""
    verilator()
    workspace = Workspace(root)
    with locked(workspace.bench_lock(job.spec)):
        verilog = job.verilog or workspace.verilog(job.spec)
        outcome = simulate(job, build(job.spec, verilog, root, job.waves), force or job.waves)
    return replace(outcome, root=root)


def simulate(job: Job, place: Path, force: bool) -> Outcome:
    """Run a job in the folder of its build, or take the outcome that is there if nothing changed since."""
    golden_hash = sha256_file(job.golden / MANIFEST) if job.golden else ""
    inputs = fingerprint(
        [
            read_record(place / "stamps.json", STAMPS).content,
            job.chosen,
            golden_hash,
            SEED,
            asdict(job.spec),
            job.layer,
        ],
        BENCH_SOURCES,
    )
    # Jobs with other tests or on other golden vectors share the build, and do not disturb this one's outcome.
    run = place / f"run-{fingerprint([job.chosen, golden_hash, job.layer])[:8]}"
    outcome_file = run / "outcome.json"
    findings = None if force else kept(outcome_file, OUTCOME, inputs)
    if findings is not None and findings.keys() == set(job.chosen):
        return Outcome(job, {test: "passed" for test in job.chosen}, findings, cached=True, folder=run)
    result, xml = run / "result.json", run / "results.xml"
    with reported_os_errors("simulate in", run):
        run.mkdir(exist_ok=True)
        for old in (result, xml, outcome_file, *run.glob("waves.*")):
            old.unlink(missing_ok=True)
        write_record(run / JOB, JOB_FILE, job_file_of(job, result))
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
            test_args=["--trace-file", f"waves.{waveform()}"] if job.waves else [],
            extra_env={"ASQ_JOB": str((run / JOB).resolve()), "PYTHONPATH": path} | EXPLAINED,
        )


def job_file_of(job: Job, result: Path) -> JobFile:
    """The file that a job's bench reads."""
    return {
        "kind": BENCHES[type(job.spec)],
        "spec": asdict(job.spec),
        "seed": SEED,
        "tests": job.chosen,
        "golden": str(job.golden.resolve()) if job.golden else None,
        "layer": job.layer,
        "verilog": str(job.verilog.resolve()) if job.verilog else None,
        "result": str(result.resolve()),
    }


def read_job(path: Path) -> Job:
    """Read the job that a bench was given. Raises InputError."""
    stored = read_record(path, JOB_FILE)
    kinds = {kind: spec for spec, kind in BENCHES.items()}
    try:
        kind = kinds[stored["kind"]]
        spec = ArraySpec.of(stored["spec"]) if kind is ArraySpec else kind(**stored["spec"])
    except (KeyError, TypeError) as error:
        raise InputError(f"{JOB_FILE.title} {path} names no unit of this program: {error}") from error
    golden = Path(stored["golden"]) if stored["golden"] else None
    verilog = Path(stored["verilog"]) if stored["verilog"] else None
    return Job(spec, golden, tuple(stored["tests"]), verilog, stored["layer"])


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
