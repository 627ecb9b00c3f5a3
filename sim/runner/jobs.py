"""What a run of a test bench is, before and after: its job, the file that hands it to the bench, its outcome."""

import shlex
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from asq_model.common.errors import InputError
from asq_model.common.records import read_record
from asq_model.spec.array import ArraySpec
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.mac import MacSpec
from hw.emit import Spec
from sim.runner.outcomes import JOB_FILE, JobFile, TestFindings

MAC_TESTS = ("golden", "timing", "products", "extremes", "stalls", "reset_midway")
BLOCK_TESTS = ("golden", "timing", "extremes", "stalls", "reset_midway")
BENCHES = {MacSpec: "mac_bench", ArraySpec: "array_bench", BlockSpec: "asq_bench"}
SEED = 1
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
        """Whether all tests passed."""
        return all(state == "passed" for state in self.tests.values())

    @property
    def vectors(self) -> int:
        """Results compared by the tests that passed, and by the golden one in any case."""
        return sum(findings.get("vectors", 0) for findings in self.findings.values())

    def list_failures(self) -> list[str]:
        """List a line for each test that failed: what its message says, and where its log is."""
        name = self.job.spec.name
        return [f"{name} {test}: {state}; log {self.log}" for test, state in self.tests.items() if state != "passed"]

    def isolate_failure(self) -> Job:
        """Make the job that runs the first failed test again with a waveform, a golden one on its layer."""
        test = next(test for test, state in self.tests.items() if state != "passed")
        failures = self.findings.get("golden", {}).get("failures", []) if test == "golden" else []
        layer = failures[0]["layer"] if failures else self.job.layer
        return replace(self.job, tests=(test,), layer=layer, waves=True)

    def describe_rerun(self) -> str:
        """Describe the command line that runs the first failed test again."""
        (test,), layer = self.isolate_failure().tests, self.isolate_failure().layer
        words = ["python", "-m", "sim", "again", str(self.folder / JOB), "--root", str(self.root), "--test", test]
        return shlex.join([*words, *(["--layer", layer] if layer else [])])


def make_job_file(job: Job, result: Path) -> JobFile:
    """Make the file that a job's bench reads."""
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
