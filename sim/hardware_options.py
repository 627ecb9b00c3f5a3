"""What the commands that measure hardware share: options, their checks, and measuring itself with a bar."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path

import click

from asq_model.common.errors import InputError
from asq_model.common.option_types import OUTPUT_FOLDER, PATH, Integer, list_given_options, refuse_unused
from asq_model.common.progress import progress_bar
from sim.explore.design_rows import ASIC
from sim.explore.measure_design import Task
from sim.explore.sweep import Swept, sweep
from sim.measure.fpga_families import PLACED
from sim.vectors.shipped import shipped_folders

MOST_PLACINGS = 1000
ROOT = click.option("--root", type=OUTPUT_FOLDER, default=Path("build"), show_default=True, help="Build folder.")


@dataclass(frozen=True)
class Measuring:
    """How designs are measured, as a command's options have it.

    golden: folders of golden vectors, on which each design first passes its test bench; those that come with this
    package where the user names none. root: the build folder.
    """

    golden: tuple[Path, ...]
    placings: int
    liberty: Path | None
    scheduler: str | None
    root: Path


def measuring_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `Measuring`, which it takes as its argument `how`."""

    @click.argument("golden", type=PATH, nargs=-1, metavar="[GOLDEN]...")
    @click.option(
        "--placings", type=Integer(1, MOST_PLACINGS), default=3, show_default=True, help="Placings of a design."
    )
    @click.option("--liberty", type=PATH, help="Cells for gate equivalents.  [default: generic CMOS gates]")
    @click.option("--scheduler", help="Address of a Dask scheduler.  [default: processes of this machine]")
    @ROOT
    @wraps(command)
    def with_options(
        golden: tuple[Path, ...],
        placings: int,
        liberty: Path | None,
        scheduler: str | None,
        root: Path,
        **others: object,
    ) -> None:
        command(how=Measuring(golden or shipped_folders(), placings, liberty, scheduler, root), **others)

    return with_options


def measure_all(tasks: list[Task], how: Measuring, known_only: bool = False) -> Swept:
    """Measure designs, with a bar; say which failed. Raises InputError, with the first failure, if all did."""
    with progress_bar("measuring") as bar:
        swept = sweep(tasks, how.root, bar, how.scheduler, known_only)
    if swept.failures and not swept.rows:
        raise InputError(swept.failures[0].error)
    for failure in swept.failures:
        click.echo(f"  failed: {failure.name} {failure.target}: {failure.error}", err=True)
    if swept.rows:
        click.echo(f"figures of {len(swept.rows)} designs, {len(swept.failures)} failed", err=True)
    return swept


def refuse_options(why: str, *names: str) -> None:
    """Raises InputError if the user gave one of these options, which `why` makes useless."""
    given = list_given_options(click.get_current_context())
    refuse_unused({name: value for name, value in given.items() if name in names}, why)


def check_targets(name: str, targets: list[str]) -> None:
    """Raises InputError for an option that none of these targets uses."""
    listed = f"{name} is {','.join(targets)}"
    if ASIC not in targets:
        refuse_options(f"{listed}, without {ASIC}", "--liberty")
    if not set(targets) & set(PLACED):
        refuse_options(f"{listed}, without {' and '.join(PLACED)}, which are placed", "--placings")
