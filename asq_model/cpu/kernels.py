"""Compile `kernels.c` with the machine's own C compiler, once for each process, and call what is in it."""

import ctypes
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

SOURCE = Path(__file__).with_suffix(".c")
# Without contraction: torch rounds after a product and after a sum. Nobody reads errno or the flags of exceptions.
FLAGS = ("-O3", "-shared", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
# The kernels run on the threads of torch's own loops, which wait for work without sleeping and would keep others from
# the processors. GCC's OpenMP library has the name of the one that torch brings and has loaded, and is that one here.
THREADED = "-fopenmp"
POINTER, WHOLE, REAL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
ROWS = (WHOLE, WHOLE)  # how many there are, and how many threads share them
ARGUMENTS = {
    "quantise": (POINTER, POINTER, WHOLE, POINTER, WHOLE, REAL, REAL, *ROWS),
    "quantise_backward": (POINTER, POINTER, WHOLE, POINTER, POINTER, POINTER, WHOLE, REAL, REAL, *ROWS),
    "level": (POINTER, POINTER, WHOLE, POINTER, POINTER, WHOLE, POINTER, WHOLE, *ROWS),
    "level_backward": (POINTER, POINTER, WHOLE, POINTER, POINTER, WHOLE, POINTER, POINTER, POINTER, WHOLE, *ROWS),
}
WORTH_SHARING = 1 << 15  # values: threads share as many in torch's own operations, too
Kernel = Callable[..., None]


@cache
def load_kernels() -> dict[str, Kernel] | None:
    """Load the kernels by name; None where there is no C compiler (`CC`, or `cc`), or what it makes does not load.

    They are compiled anew for each process, which takes a third of a second: what lies in a folder that others write to
    is not to be loaded. A compiler that is not GCC makes kernels of one thread.
    """
    try:
        words = shlex.split(os.environ.get("CC") or "cc")
        if not words or shutil.which(words[0]) is None:
            return None
        with TemporaryDirectory(prefix="asq-post-") as folder:
            threaded = compile_library(words, [THREADED], Path(folder) / "threaded.so")
            loaded = threaded or compile_library(words, [], Path(folder) / "kernels.so")
    except (OSError, ValueError):  # no room for the library, say, or a quote in `CC` that none closes
        return None
    return None if loaded is None else {name: wrap_kernel(loaded, name) for name in ARGUMENTS}


def compile_library(compiler: list[str], flags: list[str], path: Path) -> ctypes.CDLL | None:
    """Compile the kernels to a library and load it; None where either fails."""
    done = subprocess.run([*compiler, *FLAGS, *flags, "-o", str(path), str(SOURCE), "-lm"], capture_output=True)
    try:
        return ctypes.CDLL(str(path)) if done.returncode == 0 else None
    except OSError:
        return None


def wrap_kernel(library: ctypes.CDLL, name: str) -> Kernel:
    """Wrap a function of the library so that it takes a tensor where it wants a pointer."""
    function = getattr(library, name)
    function.argtypes, function.restype = ARGUMENTS[name], None

    def kernel(*arguments: Tensor | float) -> None:
        function(*(value.data_ptr() if isinstance(value, Tensor) else value for value in arguments))

    return kernel


def run_on_rows(kernel: Kernel, rows: int, values: int, *arguments: Tensor | float) -> None:
    """Run a kernel on all rows, which torch's threads share where there is enough to do."""
    # All of torch's threads or one: OpenMP would end those that are left out, and start them anew for torch.
    threads = torch.get_num_threads() if rows > 1 and values >= WORTH_SHARING else 1
    kernel(*arguments, rows, threads)
