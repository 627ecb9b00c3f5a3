"""Measure many designs: independent tasks on Dask, here or on a cluster. A failure does not take others along.

A killed sweep goes on where it was: each row is written when it comes, under the hash of all that it depends on.
"""

import gc
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from asq_model.common.child_processes import end_on_interrupt, interrupts_held
from asq_model.common.errors import InputError, shown
from asq_model.common.progress import SILENT, Bar
from asq_model.common.records import find_kept, write_record
from sim.explore.design import products_per_cycle
from sim.explore.design_rows import ROW, Description, DesignRow, Failure, failure_of
from sim.explore.measure_design import Task, describe_task, hash_inputs, measure
from sim.workspace import Workspace

if TYPE_CHECKING:
    from distributed import Client

CONNECT_S = 10  # a scheduler has to answer in


@dataclass
class Swept:
    """What became of tasks, in their order: rows, failures, and descriptions of those that were left out."""

    rows: list[DesignRow] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    left_out: list[Description] = field(default_factory=list)


def attempt(task: Task, root: Path) -> DesignRow | Failure:
    """Measure a task; return its row, or its failure in one line."""
    try:
        return measure(task, root)
    except InputError as error:
        return failure_of(describe_task(task), str(error))
    except Exception as error:  # a fault of ours: it must not end a sweep of hours either
        return failure_of(describe_task(task), f"{type(error).__name__}: {error}".splitlines()[0])


@contextmanager
def find_client(scheduler: str | None) -> "Iterator[Client]":
    """Find a Dask client: of the scheduler at an address, or of a process per core here. Raises InputError."""
    import dask

    dask.config.set({"distributed.worker.daemon": False, "distributed.admin.log-format": "%(message)s"})
    with connect_client(scheduler) if scheduler else start_client() as client:
        yield client


def connect_client(scheduler: str) -> "Client":
    """Connect a client with the scheduler at an address. Raises InputError.

    A client that fails is closed by its destructor; while another one starts, that would wait for ever. So it goes
    here, before the error is raised, which holds nothing of it.
    """
    from distributed import Client
    from distributed.comm.addressing import parse_address, parse_host_port

    try:
        protocol, location = parse_address(scheduler)
        if protocol == "tcp":  # whether somebody listens: Client says it with a traceback from a thread
            socket.create_connection(parse_host_port(location), timeout=CONNECT_S).close()
        return Client(scheduler, timeout=CONNECT_S)
    except Exception as error:  # of a dozen kinds, by protocol and what is installed for it
        why = str(error).partition("\n")[0] or type(error).__name__
    gc.collect()
    raise InputError(f"scheduler is {shown(scheduler)}, where no Dask scheduler answers: {why}", "scheduler")


@contextmanager
def start_client() -> "Iterator[Client]":
    """Start a client of one process per core on this machine; they end in silence when the user interrupts."""
    from distributed import Client, LocalCluster, WorkerPlugin

    class EndOnInterrupt(WorkerPlugin):
        """Lets a worker's process end in silence when the user interrupts."""

        def setup(self, worker: object) -> None:
            """Prepare a worker's process."""
            end_on_interrupt()

    # It reports the connection that an interrupt closes, and may do so after the cluster's own silence has ended.
    logging.getLogger("distributed.batched").setLevel(logging.CRITICAL)
    with interrupts_held():
        # A worker that ends is told in its task's row, not in the cluster's log.
        # Any port: another sweep on this machine may have Dask's usual one.
        quiet = {"silence_logs": logging.CRITICAL, "dashboard_address": "127.0.0.1:0"}
        cluster = LocalCluster(n_workers=os.cpu_count(), threads_per_worker=1, **quiet)
        client = Client(cluster)
        client.register_plugin(EndOnInterrupt())
    with cluster, client:
        yield client


def sweep(
    tasks: list[Task],
    root: Path,
    bar: Bar = SILENT,
    scheduler: str | None = None,
    known_only: bool = False,
) -> Swept:
    """Measure all tasks that are not kept below `root`; with `known_only` leave those out instead.

    Raises InputError for a scheduler that does not answer.
    """
    paths = [Workspace(root).row(inputs) for inputs in hash_inputs(tasks)]
    known = {path: find_kept(path, ROW, path.stem) for path in paths}
    rows: dict[Path, DesignRow | Failure] = {path: row for path, row in known.items() if row is not None}
    missing = {path: task for path, task in zip(paths, tasks, strict=True) if path not in rows}
    if missing and not known_only:
        rows |= measure_missing(missing, root, bar, scheduler)
    swept = Swept()
    for path, task in dict(zip(paths, tasks, strict=True)).items():
        row = rows.get(path)
        if row is None:
            swept.left_out.append(describe_task(task))
        elif isinstance(row, Failure):
            swept.failures.append(row)
        else:
            swept.rows.append(row)
    return swept


def state_of(row: DesignRow | Failure) -> str:
    """What a line of progress says: the error, or the size and, where there is one, the clock."""
    if isinstance(row, Failure):
        return row.error
    clock = f", {row.mhz:.0f} MHz" if row.mhz is not None else ""
    return f"{row.luts or row.gates or 0:.0f}{clock}"


def measure_missing(
    missing: dict[Path, Task], root: Path, bar: Bar, scheduler: str | None
) -> dict[Path, DesignRow | Failure]:
    """Measure tasks and keep each row when it comes; return rows and failures by the files that they belong in.

    A failure is not kept: the next time it may succeed.
    """
    from distributed import as_completed

    rows: dict[Path, DesignRow | Failure] = {}
    with find_client(scheduler) as client:
        bar.say(f"measuring {len(missing)} of them, the rest is known")
        bar.expect(len(missing))
        pending = {
            client.submit(
                attempt,
                task,
                root.resolve(),
                key=f"measure-{path.stem}",  # one prefix: Dask then hands out a task when a worker is free, not before
                pure=False,
                priority=products_per_cycle(task.design),  # the largest first, so that no core waits for one at the end
            ): path
            for path, task in missing.items()
        }
        for number, future in enumerate(as_completed(pending), start=1):
            path = pending[future]
            if future.status == "finished":
                row = future.result()
            else:
                row = failure_of(describe_task(missing[path]), f"the worker ended: {future.exception()!r}")
            rows[path] = row
            if isinstance(row, DesignRow):
                write_record(path, ROW, row, path.stem)
            bar.say(f"  {number}/{len(missing)} {missing[path].name:44} {state_of(row)}")
            bar.advance()
    return rows
