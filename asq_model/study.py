"""The paper's ablation (Table 5) and bit-widths (Table 4) on CIFAR-10: which runs there are, doing them, the page.

Each run is a `train` command of its own, so a study that is killed goes on where it was, a run that fails does not take
others along, and several go side by side. Free of torch.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from asq_model.checkpoint import read_checkpoint
from asq_model.files import InputError, write_json
from asq_model.recipe import Recipe, recipe_of, versions

TABLE_5 = {"LSQ": 92.4, "LSQ + POT": 92.5, "LSQ + POST": 92.7, "ASQ": 92.8, "ASQ + POST": 93.0}
TABLE_4 = {  # bits: row: top-1 on CIFAR-10 with ResNet-20, 300 epochs
    4: {"LSQ": 92.4, "ASQ": 92.8, "ASQ + POST": 93.0},
    3: {"LSQ": 92.0, "ASQ": 91.7, "ASQ + POST": 92.3},
    2: {"LSQ": 91.0, "ASQ": 91.2},
}
KINDS = ("symmetric", "asymmetric", "extended")


@dataclass(frozen=True)
class Row:
    """One line of the table: W`bits`A`bits` with these weights and activations."""

    bits: int
    family: str
    kind: str
    activations: str

    @property
    def label(self) -> str:
        """In the paper's words: what replaces LSQ's uniform weights, what replaces its activations."""
        weights = {"uniform": "", "apot": "APoT", "e2m1": "E2M1"}.get(self.family, self.family.upper())
        return f"{self.activations.upper()} + {weights}" if weights else self.activations.upper()

    def recipe(self, network: str, epochs: int, seed: int) -> Recipe:
        return recipe_of(
            network,
            weight_bits=self.bits,
            activation_bits=self.bits,
            family=self.family,
            kind=self.kind,
            activations=self.activations,
            full_precision_epochs=0,
            quantised_epochs=epochs,
            seed=seed,
        )


def rows() -> list[Row]:
    """Table 5 at 4 bits, with all level sets and E2M1, then Table 4's other widths (the paper has no 2-bit POST)."""
    table = [Row(4, "uniform", "", "lsq"), Row(4, "uniform", "", "asq")]
    table += [Row(4, family, kind, "lsq") for family in ("post", "pot") for kind in KINDS]
    table += [Row(4, "e2m1", "", "lsq")]
    for bits in (4, 3):
        table += [Row(bits, "post", kind, "asq") for kind in KINDS]
    table += [Row(bits, "uniform", "", activations) for bits in (3, 2) for activations in ("lsq", "asq")]
    return table


def commit() -> str:
    """Of the tree that this runs from, with a + where files of it were changed since; "unknown" outside git."""
    here = Path(__file__).parent
    words = ["git", "-C", str(here), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
    done = subprocess.run(words, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def run_one(row: Row, network: str, epochs: int, seed: int, start: Path, data: Path, folder: Path) -> Path:
    """Train one row and return its checkpoint. Raises InputError with the run's own last line."""
    recipe = row.recipe(network, epochs, seed)
    out = folder / f"{recipe.name}.safetensors"
    words = ["--network", network, "--bits", row.bits, "--weights", row.family, "--activations", row.activations]
    words += ["--levels", row.kind] if row.kind else []
    words += ["--full-epochs", 0, "--epochs", epochs, "--seed", seed, "--start", start]
    command = [sys.executable, "-m", "asq_model", "train", *map(str, words), "--data-folder", str(data), "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    if done.returncode:
        raise InputError((done.stderr.strip().splitlines() or ["no message"])[-1].removeprefix("error: "))
    return out


def run_study(network: str, start: Path, epochs: int, seeds: list[int], data: Path, folder: Path, jobs: int) -> dict:
    """All rows with all seeds, each seed's rows before the next seed's; the results so far are in `results.json`."""
    _, full = read_checkpoint(start)
    if full.get("network") != network or full.get("layers"):
        raise InputError(f"checkpoint {start} is not of a full-precision {network}")
    study = {
        "network": network,
        "epochs": epochs,
        "commit": commit(),
        "versions": versions("torch", "numpy"),
        "start_digest": full["digest"],
        "start_recipe": full["recipe"],
        "full_precision_correct": full["full_precision_correct"],
        "test_images": full["test_images"],
        "runs": [],
        "failed": [],
    }
    folder, start, data = folder.resolve(), start.resolve(), data.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [(row, seed) for seed in seeds for row in rows()]

    def done(row: Row, seed: int) -> None:
        entry = asdict(row) | {"label": row.label, "seed": seed}
        try:
            _, config = read_checkpoint(run_one(row, network, epochs, seed, start, data, folder))
        except InputError as error:
            study["failed"].append(entry | {"error": str(error)})
        else:
            stored = row.recipe(network, epochs, seed).layer.stored_bits
            found = {"correct": config["quantised_correct"], "stored_bits": stored, "digest": config["digest"]}
            study["runs"].append(entry | found)
        finished = len(study["runs"]) + len(study["failed"])
        click.echo(f"{finished} of {len(tasks)}: {row.label} {row.bits} bits {row.kind} seed {seed}", err=True)
        write_json(folder / "results.json", study)

    with ThreadPoolExecutor(jobs) as pool:
        for future in [pool.submit(done, *task) for task in tasks]:
            future.result()
    return study


def accuracies(study: dict) -> dict[tuple, list[float]]:
    """(bits, label, kind) to the top-1 accuracies of its seeds, in percent, in the order of `rows`."""
    found: dict[tuple, list[float]] = {(row.bits, row.label, row.kind): [] for row in rows()}
    for run in sorted(study["runs"], key=lambda run: run["seed"]):
        found[run["bits"], run["label"], run["kind"]].append(100 * run["correct"] / study["test_images"])
    return {key: values for key, values in found.items() if values}
