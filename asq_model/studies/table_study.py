"""How a table of the paper is made: its runs, what each is trained with, and what a command line asks for."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

from asq_model.common.errors import InputError
from asq_model.common.progress import SILENT, Bar, progress_bar
from asq_model.config.recipe import Recipe, recipe_of
from asq_model.studies.method_row import MethodRow
from asq_model.studies.paper_tables import TABLES
from asq_model.studies.train_command import run_train, words_of
from asq_model.training.trained_network import Trained, read_trained

Task = tuple[str, MethodRow, int]  # network, row of the table, seed


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

    @property
    def tasks(self) -> list[Task]:
        """Every run of the study, each seed's before the next seed's."""
        return [(network, row, seed) for seed in range(self.seeds) for network, row in self.lines]

    @property
    def lines(self) -> list[tuple[str, MethodRow]]:
        """Every line of the table: a network and a row."""
        return list(product(self.networks, TABLES[self.table].rows))

    def recipe(self, network: str, row: MethodRow, seed: int) -> Recipe:
        """How a run is trained, but for what `options` change."""
        return recipe_of(
            network,
            weight_bits=row.bits,
            activation_bits=row.activation_bits,
            family=row.family,
            kind=row.kind or None,
            activations=row.activations,
            full_precision_epochs=0,
            quantised_epochs=self.epochs,
            seed=seed,
            data="cifar10" if self.table == 4 else "imagenet",
        )

    def train(self, network: str, row: MethodRow, seed: int, bar: Bar) -> Trained:
        """Train a run unless its checkpoint is there; return the checkpoint's configuration. Raises InputError."""
        recipe = self.recipe(network, row, seed)
        out = self.folder.resolve() / f"{recipe.name}.safetensors"
        paths = {"--from": self.start[network].resolve(), "--out": out, "--data": self.data_folder.resolve()}
        run_train([*recipe.command_line(), *self.options, *words_of(paths)], SILENT if self.jobs > 1 else bar)
        return read_trained(out)[1]


def prepare_study(
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
    **train_options: object,
) -> Study:
    """Make a study from the command line's options; train a CIFAR study's full-precision network if `start` is None."""
    table = 4 if number == 5 else number
    networks = (network,) if network else TABLES[table].networks
    if data_folder is None:
        raise InputError(f"table {number} needs data_folder, the folder that its images lie in", "data_folder")
    if start is None and table != 4:
        raise InputError(f"table {number} needs start, a folder with published weights of each network", "start")
    if start is not None and full_epochs is not None:
        why = "the weights to start from are given, which are trained already"
        raise InputError(f"full_epochs is {full_epochs}, but {why}", "full_epochs")
    for name, row in product(networks, TABLES[table].rows):
        Study(table, networks, {}, data_folder, folder, epochs).recipe(name, row, 0)  # refused now, not after hours
    passed_on = {f"--{name.replace('_', '-')}": value for name, value in train_options.items()}
    if start is None:
        recipe = recipe_of(networks[0], full_precision_epochs=full_epochs, quantised_epochs=0)
        start = folder / f"{recipe.name}.safetensors"
        paths = {"--data": data_folder.resolve(), "--out": start.resolve()}
        with progress_bar("networks") as bar:
            bar.expect(1)
            run_train([*recipe.command_line(), *words_of(paths | passed_on)], bar)
    paths_by_network = {name: start / f"{name}.safetensors" if start.is_dir() else start for name in networks}
    given = {"--network": network, "--full-epochs": full_epochs, "--epochs": epochs, "--seeds": seeds} | passed_on
    command = f"python -m asq_model reproduce {number} {' '.join(words_of(given))}"
    options = tuple(words_of(passed_on))
    return Study(table, networks, paths_by_network, data_folder, folder, epochs, seeds, jobs, options, command, note)
