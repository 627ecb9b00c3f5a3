"""Train networks side by side on one device: a small network fills a GPU's time only with others beside it."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor

from asq_model.common.progress import SILENT, Bar
from asq_model.config.recipe import Recipe
from asq_model.gpu.captured_training import CapturedTraining
from asq_model.gpu.device_images import DeviceImages
from asq_model.gpu.device_queue import DeviceQueue
from asq_model.gpu.evaluation import enqueue_test

T = TypeVar("T")
CHUNK = 100  # updates that are enqueued at once
WAITING = 2  # chunks of a run that may wait on the device
NAP = 0.0005  # seconds between looks where nothing is to be done


@dataclass(frozen=True)
class Job(Generic[T]):
    """A training to be done. what: the caller's own name for it."""

    what: T
    recipe: Recipe
    start: Path | None = None


@dataclass(frozen=True)
class Finished(Generic[T]):
    """A training that is done. counts: of the test, see `enqueue_test`. seconds: with others beside it."""

    job: Job[T]
    training: CapturedTraining
    counts: list[int]
    train_correct: int
    seconds: float


class Slot(Generic[T]):
    """A place for one run after another, with a queue of its own."""

    def __init__(self, device: torch.device, bar: Bar = SILENT):
        self.queue = DeviceQueue(device)
        self.bar, self.epochs = bar, 0  # of the run, those that the bar knows of
        self.job: Job[T] | None = None
        # Kept until the next run has its graph: the queue's memory pool lives as long as a graph of it.
        self.training: CapturedTraining | None = None
        self.counts: Tensor | None = None
        self.begun = 0.0

    def start(self, job: Job[T], images: DeviceImages) -> None:
        """Begin a run: its first updates, and the graph of those that follow."""
        self.job, self.counts, self.begun, self.epochs = job, None, time.monotonic(), 0
        with self.queue.in_use():
            training = CapturedTraining(job.recipe, images, job.start)
            training.capture(self.queue.pool)
        self.training = training

    def push(self) -> bool:
        """Enqueue some updates if few are waiting, after the last of them the test; return whether it did."""
        training = self.training
        if training is None or self.counts is not None or self.queue.count_pending() >= WAITING:
            return False
        with self.queue.in_use():
            if training.step == training.state.steps and not training.ended:
                training.start_next_epoch()
            training.advance(CHUNK)
            if training.ended:
                self.counts = enqueue_test(training.model, training.images)
            self.queue.mark()
        self.count_epochs(training)
        return True

    def count_epochs(self, training: CapturedTraining) -> None:
        """Tell the bar of the epochs whose updates are all enqueued."""
        epochs = training.epoch + (training.step == training.state.steps)
        if epochs > self.epochs:
            self.bar.advance(epochs - self.epochs)
            self.epochs = epochs

    def finish(self) -> Finished[T] | None:
        """Return the run if its test is done; the slot is free then."""
        if self.job is None or self.training is None or self.counts is None or self.queue.count_pending():
            return None
        job, self.job = self.job, None
        seconds = time.monotonic() - self.begun
        return Finished(job, self.training, self.counts.tolist(), int(self.training.hits), seconds)


def train_side_by_side(
    jobs: Iterable[Job[T]],
    images: DeviceImages,
    side_by_side: int,
    seconds: float = float("inf"),
    bar: Bar = SILENT,
) -> Iterator[Finished[T]]:
    """Train jobs in their order, so many side by side; yield each when it is done. bar: counts their epochs.

    seconds: after them nothing is yielded any more, and no job is begun that would not end before, judged by the one
    that ended last: the first ones take longer, since kernels are compiled for them.
    """
    deadline, queue = time.monotonic() + seconds, list(jobs)
    slots: list[Slot[T]] = [Slot(images.device, bar) for _ in range(side_by_side)]
    bar.expect(sum(job.recipe.epochs for job in queue))
    epoch_seconds = 0.0
    while True:
        busy = False
        for slot in slots:
            finished = slot.finish()
            if finished is not None:
                epoch_seconds = finished.seconds / finished.job.recipe.epochs
                yield finished
            if slot.job is None:
                job = take_job(queue, deadline - time.monotonic(), epoch_seconds)
                if job is not None:
                    slot.start(job, images)
            busy |= finished is not None or slot.push()
        if time.monotonic() > deadline or all(slot.job is None for slot in slots):
            return
        if not busy:
            time.sleep(NAP)


def take_job(queue: list[Job[T]], seconds: float, epoch_seconds: float) -> Job[T] | None:
    """Take the first job out of a queue that ends within so many seconds; None where none does."""
    for place, job in enumerate(queue):
        if job.recipe.epochs * epoch_seconds <= seconds:
            return queue.pop(place)
    return None
