"""Compile `kernels.c` with the machine's own C compiler, once for each process, and call what is in it."""

import ctypes
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

SOURCE = Path(__file__).with_suffix(".c")
# Without contraction: torch rounds after a product and after a sum. Nobody reads errno or the flags of exceptions.
FLAGS = ("-O3", "-shared", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
POINTER, WHOLE, REAL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
ROWS = (WHOLE, WHOLE)  # the first one and the one after the last
ARGUMENTS = {
    "quantise": (POINTER, POINTER, WHOLE, POINTER, WHOLE, REAL, REAL, *ROWS),
    "quantise_backward": (POINTER, POINTER, WHOLE, POINTER, POINTER, POINTER, WHOLE, REAL, REAL, *ROWS),
    "level": (POINTER, POINTER, WHOLE, POINTER, POINTER, WHOLE, POINTER, WHOLE, *ROWS),
    "level_backward": (POINTER, POINTER, WHOLE, POINTER, POINTER, WHOLE, POINTER, POINTER, POINTER, WHOLE, *ROWS),
}
WORTH_A_THREAD = 1 << 16  # values: fewer are done before a second thread has woken up
Kernel = Callable[..., None]


@cache
def load_kernels() -> dict[str, Kernel] | None:
    """Load the kernels by name; None where there is no C compiler (`CC`, or `cc`), or what it makes does not load.

    They are compiled anew for each process, which takes a third of a second: what lies in a folder that others write to
    is not to be loaded.
    """
    try:
        words = shlex.split(os.environ.get("CC") or "cc")
        if not words or shutil.which(words[0]) is None:
            return None
        with TemporaryDirectory(prefix="asq-post-") as folder:
            library = Path(folder) / "kernels.so"
            done = subprocess.run([*words, *FLAGS, "-o", str(library), str(SOURCE), "-lm"], capture_output=True)
            loaded = ctypes.CDLL(str(library)) if done.returncode == 0 else None
    except (OSError, ValueError):  # no room for the library, say, or a quote in `CC` that none closes
        return None
    return None if loaded is None else {name: wrap_kernel(loaded, name) for name in ARGUMENTS}


def wrap_kernel(library: ctypes.CDLL, name: str) -> Kernel:
    """Wrap a function of the library so that it takes a tensor where it wants a pointer."""
    function = getattr(library, name)
    function.argtypes, function.restype = ARGUMENTS[name], None

    def kernel(*arguments: Tensor | float) -> None:
        function(*(value.data_ptr() if isinstance(value, Tensor) else value for value in arguments))

    return kernel


@cache
def start_helpers() -> ThreadPoolExecutor:
    """Start the threads beside the one that calls; a kernel runs without Python's lock."""
    return ThreadPoolExecutor(thread_name_prefix="kernels")


def run_on_rows(kernel: Kernel, rows: int, values: int, *arguments: Tensor | float) -> None:
    """Run a kernel on all rows, shared among as many threads as torch has where there is enough to do."""
    parts = max(1, min(torch.get_num_threads(), rows, values // WORTH_A_THREAD))
    cuts = [rows * part // parts for part in range(parts + 1)]
    mine, *theirs = pairwise(cuts)
    others = [start_helpers().submit(kernel, *arguments, *part) for part in theirs]
    kernel(*arguments, *mine)
    for other in others:
        other.result()
