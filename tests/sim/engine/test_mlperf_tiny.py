"""MLPerf Tiny's other networks compile and take the cycles that docs/engine.md says; one runs as its graph says."""

from pathlib import Path

import pytest
from conftest import ROOT
from mlperf_tiny import NETWORKS, PRECISION, tiny_graph

from asq_model.spec.mac import MacSpec
from hw.engine.presets import compile_network, find_preset
from sim.engine.build_engine import build_simulator, write_verilog
from sim.engine.compare_run import compare_run
from sim.engine.run_engine import Conditions, run_engine

MAC = MacSpec("post", 4, 4, frac=0)
IMAGES = 2

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.filterwarnings("ignore:layer .* is .* for all"),  # three steps do not teach every adapter to vary
]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_takes_the_cycles_that_the_page_says(name: str) -> None:
    graph, _ = tiny_graph(name)
    _, compiled = compile_network(find_preset("sized"), graph, MAC, PRECISION.bits)
    page = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")
    shown = " × ".join(map(str, graph.input.shape))
    assert f"| {name} | {shown} | {compiled.cycles:,.1f} | {compiled.latency:,} | {compiled.utilisation:.0%} |" in page


def test_a_network_runs_as_its_graph_says(tmp_path: Path, build_root: Path) -> None:
    """The one with the fewest weights: a simulator with as many as the others have takes minutes to build."""
    graph, images = tiny_graph("keyword spotting")
    lowered, compiled = compile_network(find_preset("sized"), graph, MAC, PRECISION.bits)
    executable = build_simulator(compiled, write_verilog(compiled, tmp_path), tmp_path, build_root)
    conditions = Conditions(1, 3 * IMAGES * compiled.period + 4 * compiled.latency)
    log = run_engine(executable, compiled.spec, lowered, images[:IMAGES], conditions, tmp_path)
    assert compare_run(compiled, lowered, images[:IMAGES], log, 1) == []
