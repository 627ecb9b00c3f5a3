"""What a run prints in the end: the network's accuracy, how every bench went, and what it took in cycles."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asq_model.common.terminal import format_text_table, wrap_paragraph
from asq_model.spec.golden_manifest import Accuracy, Manifest
from sim.reports.adaptation import CYCLE_COLUMNS, compare_steps, make_cycle_rows, make_cycle_shares, make_step_rows
from sim.reports.adaptation import CYCLES_NOTE as ASQ_CYCLES_NOTE
from sim.reports.simulation import CYCLES_NOTE, list_throughput, sort_by_operands, widths_title
from sim.runner.jobs import Outcome

BENCH_TITLES = ("bench", "result", "golden checked", "failed", "others checked", "golden products")
THROUGHPUT_TITLES = ("unit", "cycles", "cycles a product", "latency", "stalls in, out", "over serial", "over uniform")
STEP_TITLES = ("layer", "β, RTL", "β, torch", "step, RTL", "step, torch")


def describe_network(manifest: Manifest) -> str:
    """Describe the network: its name, how many of its layers have which widths and weights, how many adapt a step."""
    kinds = Counter(
        (layer["weight_bits"], layer["activation_bits"], layer["level_set"]) for layer in manifest["layers"]
    )
    layers = [f"{count} × W{weights}A{bits} {levels}" for (weights, bits, levels), count in sorted(kinds.items())]
    adapters = sum(entry["adapter"] is not None for entry in manifest["maps"])
    return f"Network: {manifest['network']}; layers: {', '.join(layers)}; {adapters} with ASQ's adapter"


def make_accuracy_table(accuracy: Accuracy) -> str:
    """Make the table of the network's accuracy on the held-out images, by the arithmetic used."""
    names = {
        "full_precision_correct": "full precision",
        "quantised_correct": "quantised (fake-quantised in torch)",
        "post_correct": f"quantised, products as unit post makes them (F = {accuracy.get('post_frac')})",
    }
    total = accuracy["test_images"]
    correct: dict[str, Any] = {**accuracy}
    rows = [[name, correct[key], f"{correct[key] / total:.2%}"] for key, name in names.items() if key in correct]
    return format_text_table((f"right of {total} held-out images", "right", "share"), rows, "lrr")


def make_difference_table(manifest: Manifest) -> str:
    """Make the table of how far each unit's results are from torch's; empty where no weights are the trained ones."""
    worst: dict[str, float] = {}
    for layer in manifest["layers"]:
        for name, unit in layer["units"].items():
            if unit["weights"] == "trained":
                worst[name] = max(worst.get(name, 0.0), unit["difference_rms"])
    if not worst:
        return ""
    table = format_text_table(("unit", "difference"), [[name, f"{value:.2e}"] for name, value in worst.items()], "lr")
    return f"Results in integers against torch's, rms difference over rms, worst layer:\n\n{table}"


def make_bench_table(outcomes: list[Outcome]) -> str:
    """Make the table of each bench's outcome, and below it why the failed ones failed."""
    rows, failures = [], []
    for outcome in outcomes:
        golden = outcome.findings.get("golden", {"vectors": 0, "failed": 0})
        counts = golden["vectors"], golden["failed"], outcome.vectors - golden["vectors"]
        products = [golden["counters"]["operands"]] if "counters" in golden else []
        rows.append([outcome.job.spec.name, "passed" if outcome.passed else "FAILED", *counts, *products])
        failures += outcome.list_failures()
    columns = max(map(len, rows))  # blocks have no products
    rows = [[*row, *[""] * (columns - len(row))] for row in rows]
    return "\n".join([format_text_table(BENCH_TITLES[:columns], rows, "llrrrr"[:columns]), *failures])


def make_throughput_table(outcomes: list[Outcome]) -> str:
    """Make the table of cycles, by the hardware's own counter, of units that took the same operands."""
    rows = []
    for row in list_throughput(outcomes):
        stalls = f"{row['input_stalls']}, {row['output_stalls']}"
        speedups = [row.get("speedup_over_serial", "–"), row.get("speedup_over_uniform", "–")]
        counted = [row["module"], row["cycles"], row["cycles_per_product"], row["latency"]]
        rows.append([*counted, stalls, *speedups])
    return format_text_table(THROUGHPUT_TITLES, rows, "lrrrrrr")


def describe_asq(manifest: Manifest, golden: Path, blocks: list[Outcome]) -> Iterator[str]:
    """Describe β, steps and cycles of ASQ's blocks; nothing for a network without adapters."""
    rows = make_step_rows(compare_steps(golden, blocks))
    if not rows:
        return
    yield f"β and step of the first image:\n\n{format_text_table(STEP_TITLES, rows, 'lrrrr')}"
    cells = [
        [row.get(key, "") for key, _ in CYCLE_COLUMNS] for row in make_cycle_shares(make_cycle_rows(manifest, blocks))
    ]
    table = format_text_table([title for _, title in CYCLE_COLUMNS], cells, "l" + "r" * (len(CYCLE_COLUMNS) - 1))
    yield f"What the adapter costs in cycles, measured:\n\n{table}"
    yield wrap_paragraph(ASQ_CYCLES_NOTE)


def summarise(manifest: Manifest, golden: Path, units: list[Outcome], blocks: list[Outcome]) -> str:
    """Summarise a run for its user, at the end of `make sim`. units: the multiply-accumulate ones."""
    parts = [wrap_paragraph(describe_network(manifest))]
    if manifest["accuracy"]:
        parts.append(make_accuracy_table(manifest["accuracy"]))
    parts += [make_difference_table(manifest), f"Dot products:\n\n{make_bench_table(units)}"]
    if blocks:
        parts.append(f"ASQ's blocks (words out, steps):\n\n{make_bench_table(blocks)}")
    if all(outcome.passed for outcome in [*units, *blocks]):
        for operands, outcomes in sort_by_operands(units).items():
            heading = f"Cycles of the {widths_title(operands)} layers' golden products, by the hardware's counter:"
            parts.append(f"{heading}\n\n{make_throughput_table(outcomes)}")
        parts.append(wrap_paragraph(CYCLES_NOTE.replace("`", "")))
        parts += describe_asq(manifest, golden, blocks)
    return "\n\n".join(filter(None, parts))
