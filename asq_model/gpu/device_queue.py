"""A queue of work on a device: a CUDA stream, so that several queues share a GPU; a CPU does its work when asked."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from asq_model.common.errors import InputError, check_choice
from asq_model.common.extras import how_to_install


class DeviceQueue:
    """One run's queue. pool: of the memory that the graphs of the queue share, one after the other."""

    def __init__(self, device: torch.device):
        cuda = device.type == "cuda"
        self.stream = torch.cuda.Stream() if cuda else None
        self.pool = torch.cuda.graph_pool_handle() if cuda else None
        self.marks: list[torch.cuda.Event] = []

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Enqueue here what the block does, after what the default stream has begun."""
        if self.stream is None:
            yield
            return
        with torch.cuda.stream(self.stream):
            self.stream.wait_stream(torch.cuda.default_stream())
            yield

    def mark(self) -> None:
        """Note what is enqueued so far, for `count_pending`."""
        if self.stream is not None:
            event = torch.cuda.Event()
            event.record(self.stream)
            self.marks.append(event)

    def count_pending(self) -> int:
        """Count the marks that are not reached yet."""
        self.marks = [event for event in self.marks if not event.query()]
        return len(self.marks)


def find_training_device(name: str) -> torch.device:
    """Find the device that is asked for. Raises InputError where it, or Triton for its kernels, is not there."""
    check_choice("device", name, ("cpu", "cuda"))
    if name == "cuda":
        if not torch.cuda.is_available():
            raise InputError(
                "device is cuda, but torch finds no CUDA device; allowed here: cpu, which takes days", "device"
            )
        try:
            import triton  # noqa: F401
        except ImportError as error:
            raise InputError(f"device is cuda, but {how_to_install('triton')}", "device") from error
    return torch.device(name)
