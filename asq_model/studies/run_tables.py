"""The paper's Tables 2 to 5: which runs they are made of, doing the runs, and the page that shows them.

Each run is a `train` command of its own, so a study that is killed goes on where it was, a run that fails does not take
others along, and several go side by side. Free of torch.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from threading import Lock

import click

from asq_model.common.cifar10_copy import labels_digest
from asq_model.common.errors import InputError
from asq_model.common.files import PACKAGES
from asq_model.common.records import write_record
from asq_model.common.result_schemas import STUDY, RunTask, Start, StudyResults
from asq_model.config.fingerprints import versions
from asq_model.config.recipe import Recipe, recipe_of
from asq_model.spec.levels import EXPONENTIAL, KINDS
from asq_model.training.checkpoint_file import read_file, read_tensors
from asq_model.training.trained_network import read_trained


@dataclass(frozen=True)
class Row:
    """One line of a table: W`bits`A`bits` with these weights and activations."""

    bits: int
    family: str
    kind: str
    activations: str

    @property
    def label(self) -> str:
        """In the paper's words: what replaces LSQ's uniform weights, what replaces its activations."""
        weights = "" if self.family == "uniform" else f" + {self.family.upper()}"
        return self.activations.upper() + weights


def lines(bits: tuple[int, ...], family: str, activations: str) -> list[Row]:
    """A method at several widths, with every level set where it has some."""
    kinds = KINDS if family in EXPONENTIAL else ("",)
    return [Row(width, family, kind, activations) for width in bits for kind in kinds]


# Table 5 (its rows at 4 bits) and Table 4 (the other widths; the paper has no 2-bit POST) are one study, number 4.
CIFAR = (
    *lines((4,), "uniform", "lsq"),
    *lines((4,), "uniform", "asq"),
    *lines((4,), "post", "lsq"),
    *lines((4,), "pot", "lsq"),
    *lines((4,), "e2m1", "lsq"),
    *lines((4, 3), "post", "asq"),
    *[row for bits in (3, 2) for activations in ("lsq", "asq") for row in lines((bits,), "uniform", activations)],
)


@dataclass(frozen=True)
class Table:
    """A table of the paper: its networks and rows, and what it reports: network, bits, label to top-1 percent."""

    title: str
    networks: tuple[str, ...]
    rows: tuple[Row, ...]
    printed: dict[tuple[str, int, str], float] = field(default_factory=dict)


def _printed(network: str, **methods: dict[int, float]) -> dict[tuple[str, int, str], float]:
    return {
        (network, bits, label.replace("_", " + ")): top_1
        for label, row in methods.items()
        for bits, top_1 in row.items()
    }


TABLES = {
    2: Table(
        "Table 2: ResNet-18 and -34 on ImageNet",
        ("resnet18", "resnet34"),
        (*lines((2, 3, 4, 8), "uniform", "asq"), *lines((3, 4), "post", "asq")),
        _printed("resnet18", ASQ={2: 67.1, 3: 69.8, 4: 70.8, 8: 71.0}, ASQ_POST={3: 70.0, 4: 71.0})
        | _printed("resnet34", ASQ={2: 71.3, 3: 73.3, 4: 73.9, 8: 74.3}, ASQ_POST={3: 73.4, 4: 74.1}),
    ),
    3: Table(
        "Table 3: MobileNetV2 on ImageNet",
        ("mobilenetv2",),
        (*lines((3, 4), "uniform", "asq"), *lines((3, 4), "post", "asq")),
        _printed("mobilenetv2", ASQ={3: 65.6, 4: 69.8}, ASQ_POST={3: 66.6, 4: 70.1}),
    ),
    4: Table(
        "Tables 4 and 5: CIFAR-10",
        ("resnet20",),
        CIFAR,
        _printed(
            "resnet20",
            LSQ={2: 91.0, 3: 92.0, 4: 92.4},
            ASQ={2: 91.2, 3: 91.7, 4: 92.8},
            ASQ_POST={3: 92.3, 4: 93.0},
            LSQ_POT={4: 92.5},
            LSQ_POST={4: 92.7},
        ),
    ),
}


@dataclass(frozen=True)
class Study:
    """How a table is made. `start`: by network, the full-precision weights that all its runs start from."""

    table: int
    networks: tuple[str, ...]
    start: dict[str, Path]
    data_folder: Path
    folder: Path  # of the runs' checkpoints
    epochs: int | None = None
    seeds: int = 1
    jobs: int = 1
    options: tuple[str, ...] = ()  # of every `train` command, such as --device
    command: str = ""  # as the user gave it, for the page
    note: str = ""  # what else the page shall say of the data

    def recipe(self, network: str, row: Row, seed: int) -> Recipe:
        return recipe_of(
            network,
            weight_bits=row.bits,
            activation_bits=row.bits,
            family=row.family,
            kind=row.kind or None,
            activations=row.activations,
            full_precision_epochs=0,
            quantised_epochs=self.epochs,
            seed=seed,
            data="cifar10" if self.table == 4 else "imagenet",
        )

    def train(self, network: str, row: Row, seed: int) -> dict:
        """The configuration of a run's checkpoint, trained now unless it is there. Raises InputError."""
        recipe = self.recipe(network, row, seed)
        out = self.folder.resolve() / f"{recipe.name}.safetensors"
        words = ["--network", network, "--bits", row.bits, "--family", row.family, "--activations", row.activations]
        words += ["--levels", row.kind] if row.kind else []
        words += ["--full-epochs", 0, "--epochs", recipe.quantised_epochs, "--seed", seed, "--dataset", recipe.data]
        words += self.options
        words += ["--start", self.start[network].resolve(), "--out", out]
        run_train([*words, "--data", self.data_folder.resolve()], quiet=self.jobs > 1)
        return read_trained(out)[1]


def prepared(
    number: int,
    folder: Path,
    data_folder: Path | None,
    start: Path | None,
    network: str | None,
    full_epochs: int | None,
    epochs: int | None,
    seeds: int,
    jobs: int,
    note: str,
    **options: object,
) -> Study:
    """A study from the command line's options; trains the full-precision network of a CIFAR study without a `start`."""
    table = 4 if number == 5 else number
    given = {"network": network, "full-epochs": full_epochs, "epochs": epochs, "seeds": seeds} | options
    said = " ".join(f"--{name} {value}" for name, value in given.items() if value is not None)
    networks = (network,) if network else TABLES[table].networks
    if data_folder is None:
        raise InputError(f"table {number} needs the folder that its images lie in: --data (make: DATA)")
    train_options = tuple(word for name, value in options.items() if value for word in (f"--{name}", str(value)))
    if start is None and table != 4:
        raise InputError(f"table {number} starts from published weights: --start, a safetensors file per network")
    if start is not None and full_epochs is not None:
        raise InputError(f"FULL_EPOCHS is {full_epochs}, but START is given, which is trained already")
    for name, row in product(networks, TABLES[table].rows):
        Study(table, networks, {}, data_folder, folder, epochs).recipe(name, row, 0)  # refused now, not after hours
    if start is None:
        recipe = recipe_of(networks[0], full_precision_epochs=full_epochs, quantised_epochs=0)
        start = folder / f"{recipe.name}.safetensors"
        words = ["--network", recipe.network, "--full-epochs", recipe.full_precision_epochs, "--epochs", 0]
        words += ["--data", data_folder.resolve(), "--out", start.resolve(), *train_options]
        run_train(words)
    paths = {name: start / f"{name}.safetensors" if start.is_dir() else start for name in networks}
    command = f"python -m asq_model reproduce {number} {said}"
    return Study(table, networks, paths, data_folder, folder, epochs, seeds, jobs, train_options, command, note)


def run_train(words: list, quiet: bool = False) -> None:
    """The `train` command in a process of its own, its progress passed on unless `quiet`.

    Raises InputError with the last line that it said.
    """
    command = [sys.executable, "-m", "asq_model", "train", *map(str, words)]
    said = b""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=PACKAGES) as process:
        while chunk := process.stderr.read1(4096):
            said = (said + chunk)[-4096:]
            if not quiet:
                sys.stderr.buffer.write(chunk)
                sys.stderr.flush()
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines() or [f"train ended with {process.returncode}"]
        raise InputError(lines[-1].removeprefix("error: "))


def commit() -> str:
    """Of the tree that this runs from, with a + where files of it were changed since; "unknown" outside git."""
    words = [
        "git",
        "-C",
        str(PACKAGES / "asq_model"),
        "describe",
        "--always",
        "--abbrev=12",
        "--dirty=+",
        "--exclude=*",
    ]
    done = subprocess.run(words, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def starting_point(network: str, path: Path) -> Start:
    """What is known of the full-precision weights in a file: digest, and of our own checkpoints recipe and result."""
    _, digest = read_tensors(path)
    if read_file(path)[1] is None:
        return {"network": network, "digest": digest}  # a file from elsewhere
    config = read_trained(path)[1]
    if config["network"] != network or config["layers"]:
        raise InputError(f"checkpoint {path} is not of a full-precision {network}")
    return {
        "network": network,
        "digest": digest,
        "recipe": config["recipe"],
        "correct": config["full_precision_correct"],
    }


def data_of(study: Study) -> str:
    """What tells the test set from others: its labels by `labels_digest`. Raises InputError where there is none."""
    from asq_model.datasets import load_dataset

    recipe = study.recipe(study.networks[0], TABLES[study.table].rows[0], 0)
    return labels_digest(load_dataset(recipe.data, study.data_folder).test.labels.numpy())


def run_study(study: Study, results: Path) -> StudyResults:
    """Do all runs of a table, each seed's before the next seed's; return what is in `results` after each of them."""
    tasks = [
        (network, row, seed)
        for seed in range(study.seeds)
        for network in study.networks
        for row in TABLES[study.table].rows
    ]
    found: StudyResults = {
        "table": study.table,
        "epochs": study.recipe(study.networks[0], TABLES[study.table].rows[0], 0).quantised_epochs,
        "command": study.command,
        "note": study.note,
        "commit": commit(),
        "versions": versions("torch", "numpy"),
        "start": [starting_point(network, path) for network, path in study.start.items()],
        "data": data_of(study),
        "runs": [],
        "failed": [],
    }

    one_at_a_time = Lock()

    def run(network: str, row: Row, seed: int) -> None:
        entry = {"network": network} | asdict(row) | {"label": row.label, "seed": seed}
        part = "runs"
        try:
            entry |= outcome(study.train(network, row, seed), study.recipe(network, row, seed))
        except InputError as error:
            part, entry = "failed", entry | {"error": str(error)}
        with one_at_a_time:
            found[part].append(entry)
            found[part].sort(key=lambda run: tasks.index(task(run)))
            done = len(found["runs"]) + len(found["failed"])
            what = f"{network} {row.label} {row.bits} bits {row.kind} seed {seed}"
            click.echo(f"{done} of {len(tasks)}: {what}{' FAILED' if part == 'failed' else ''}", err=True)
            write_record(results, STUDY, found)

    with ThreadPoolExecutor(study.jobs) as pool:
        try:
            for future in [pool.submit(run, *task) for task in tasks]:
                future.result()
        except BaseException:  # the user's interruption: what has not begun does not begin
            pool.shutdown(cancel_futures=True)
            raise
    return found


def task(run: RunTask) -> tuple[str, Row, int]:
    """Which of the tasks a finished run was."""
    return run["network"], Row(run["bits"], run["family"], run["kind"], run["activations"]), run["seed"]


def outcome(config: dict, recipe: Recipe) -> dict:
    """What the page needs of a run's checkpoint."""
    return {
        "correct": config["quantised_correct"],
        "top_5": config.get("quantised_top_5"),
        "images": config["test_images"],
        "stored_bits": recipe.layer.stored_bits,
        "digest": config["digest"],
        "fingerprint": config["fingerprint"],
    }
