"""Progress of long work on stderr: one bar with a label and a total in a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import click

TRAINING = "training"  # the label of a training's bar, by which a program that runs one knows its lines
LOG_EVERY_S = 20.0  # a log file does not need more


class Bar:
    """A bar that shows nothing: the base of the others, for work that nobody watches."""

    def expect(self, count: int, done: int = 0) -> None:
        """Add `count` to the total; `done` of it was done before."""

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count what is done; `note` says what it is that goes on."""

    def say(self, line: str) -> None:
        """Print a line that stays, above the bar."""


SILENT = Bar()


class LogBar(Bar):
    """Progress in a log file: the lines, and where the work stands when none came for `LOG_EVERY_S` seconds."""

    def __init__(self, label: str):
        self.label = label
        self.total = self.done = self.before = 0
        self.start = self.last = time.monotonic()

    def expect(self, count: int, done: int = 0) -> None:
        """Add to the total; nothing is printed."""
        self.total += count
        self.done += done
        self.before += done

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count what is done, and print where the work stands if no line came for `LOG_EVERY_S` seconds."""
        self.done += count
        now = time.monotonic()
        if now - self.last < LOG_EVERY_S:
            return
        state = [f"{self.done} of {self.total}", *([note] if note else [])]
        if self.done > self.before:
            seconds = (now - self.start) / (self.done - self.before) * (self.total - self.done)
            state.append(f"{timedelta(seconds=round(seconds))} left")
        self.say(f"{self.label}: {', '.join(state)}")

    def say(self, line: str) -> None:
        """Print a line on stderr."""
        self.last = time.monotonic()
        click.echo(line, err=True)


class TerminalBar(Bar):
    """A bar of rich, shown from the first `expect` on and gone in the end; the lines stay."""

    def __init__(self, label: str):
        from rich import progress
        from rich.console import Console

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=None),
            progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[note]}", markup=False),
        )
        console = Console(stderr=True, highlight=False, markup=False)
        self.progress = progress.Progress(*columns, console=console, transient=True, expand=True)
        self.task = self.progress.add_task(label, total=0, note="", visible=False)

    def expect(self, count: int, done: int = 0) -> None:
        """Add to the total, and show the bar."""
        self.progress.start()
        total = (self.progress.tasks[0].total or 0) + count
        self.progress.update(self.task, total=total, visible=True)
        if done:
            self.progress.reset(self.task, total=total, completed=int(self.progress.tasks[0].completed) + done)

    def advance(self, count: int = 1, note: str = "") -> None:
        """Move the bar on; `note` stands behind it."""
        self.progress.update(self.task, advance=count, note=note)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self.progress.console.print(line, soft_wrap=True)


@contextmanager
def progress_bar(label: str, quiet: bool = False) -> Iterator[Bar]:
    """The bar of one piece of work, for a terminal or for a log as stderr is; `quiet`: one that shows nothing."""
    if quiet:
        yield SILENT
    elif not sys.stderr.isatty():
        yield LogBar(label)
    else:
        bar = TerminalBar(label)
        try:
            yield bar
        finally:
            bar.progress.stop()
