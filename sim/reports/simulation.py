"""The files of a run's report: findings of every bench as JSON, throughput as JSON and Markdown, a picture of β."""

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from asq_model.common.errors import InputError
from asq_model.common.files import read_json, reported_os_errors, write_json, write_text
from asq_model.common.markdown import format_markdown_table
from asq_model.spec.golden_manifest import LayerEntry, Manifest
from asq_model.spec.mac import MacSpec
from sim.reports.adaptation import AdaptationRow, compare_steps, make_cycle_rows
from sim.runner.jobs import Outcome
from sim.runner.outcomes import Counters

COLUMNS = (
    ("module", "unit"),
    ("products", "products"),
    ("cycles", "cycles"),
    ("cycles_per_product", "cycles/product"),
    ("latency", "latency"),
    ("input_stalls", "input stalls"),
    ("output_stalls", "output stalls"),
    ("speedup_over_serial", "× serial"),
    ("speedup_over_uniform", "× uniform"),
)
CYCLES_NOTE = (
    "Cycles only. `uniform` multiplies in one cycle too, so 1.0 over it is what a shift and a table can reach; the"
    " paper's B-fold is over `serial`, a bit-serial multiplier of B cycles. Area and clock are not in this table."
)


def operands_of(spec: MacSpec) -> tuple[int, int, bool]:
    """(weight bits, activation bits, whether activations are signed): which of a network's layers a unit is for."""
    return spec.weight_bits, spec.activation_bits, spec.signed_activation


def mac_spec(outcome: Outcome) -> MacSpec:
    """The unit of an outcome that is one of a multiply-accumulate unit's."""
    assert isinstance(outcome.job.spec, MacSpec)
    return outcome.job.spec


def widths_title(operands: tuple[int, int, bool]) -> str:
    """`W3A3`, and that its activations are signed."""
    weight_bits, activation_bits, signed = operands
    return f"W{weight_bits}A{activation_bits}{', signed activations' if signed else ''}"


def sort_by_operands(outcomes: list[Outcome]) -> dict[tuple[int, int, bool], list[Outcome]]:
    """Sort the outcomes of multiply-accumulate units that took the same operands, the narrowest weights first."""
    groups: dict[tuple[int, int, bool], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(operands_of(mac_spec(outcome)), []).append(outcome)
    return dict(sorted(groups.items()))


class ThroughputRow(TypedDict):
    """What a unit took for the golden workload, by the hardware's counter; speed-ups where the rival ran the same."""

    unit: str
    module: str
    products: int
    cycles: int
    cycles_per_product: float
    latency: int
    interval: int
    input_stalls: int
    output_stalls: int
    speedup_over_serial: NotRequired[float]
    speedup_over_uniform: NotRequired[float]


class ThroughputTable(TypedDict):
    """The rows of the units that took the same operands."""

    weight_bits: int
    activation_bits: int
    signed_activations: bool
    rows: list[ThroughputRow]


def list_throughput(outcomes: list[Outcome]) -> list[ThroughputRow]:
    """List a row per unit, from the hardware cycle counter's reading of the golden workload, in the outcomes' order.

    outcomes: of units that took the same operands, as `sort_by_operands` has them. The workload is played layer by
    layer, so the cycles are the sum over layers, fill and drain included. A speed-up is a ratio of cycles over the
    rival with the same accumulator; it is left out where that rival is missing, or did not run the same number of
    products.
    """
    if len(sort_by_operands(outcomes)) > 1:
        raise ValueError("units of several widths have no throughput in common")
    rows: list[ThroughputRow] = []
    rivals: dict[tuple[str, int], Counters] = {}
    for outcome in outcomes:
        spec, counters = mac_spec(outcome), outcome.findings["golden"]["counters"]
        rivals[spec.unit, spec.depth] = counters
        rows.append(
            {
                "unit": spec.unit,
                "module": spec.name,
                "products": counters["operands"],
                "cycles": counters["cycles"],
                "cycles_per_product": counters["cycles"] / counters["operands"],
                "latency": outcome.findings["timing"]["latency"],
                "interval": outcome.findings["timing"]["interval"],
                "input_stalls": counters["input_stalls"],
                "output_stalls": counters["output_stalls"],
            }
        )
    for outcome, row in zip(outcomes, rows, strict=True):
        serial, uniform = (rivals.get((rival, mac_spec(outcome).depth)) for rival in ("serial", "uniform"))
        if serial and serial["operands"] == row["products"]:
            row["speedup_over_serial"] = serial["cycles"] / row["cycles"]
        if uniform and uniform["operands"] == row["products"]:
            row["speedup_over_uniform"] = uniform["cycles"] / row["cycles"]
    return rows


def draw_adaptation(path: Path, network: str, rows: list[AdaptationRow], before: Path) -> None:
    """Draw β, unless the picture is there and the last report, `before`, is of the same: matplotlib loads slowly."""
    with suppress(InputError):
        last = read_json(before, "report")
        if path.is_file() and (last.get("network"), last.get("adaptation")) == (network, rows):
            return
    from sim.reports.beta_plot import draw_betas

    draw_betas(rows, path, f"{network}: step-size factor β of {len(rows[0]['rtl_betas'])} images")


WRITTEN = ("sim.json", "throughput.json", "throughput.md", "beta.png")  # all that a report can consist of


def describe_bench(outcome: Outcome) -> dict[str, Any]:
    """Describe a bench for the report."""
    return {
        "module": outcome.job.spec.name,
        "spec": asdict(outcome.job.spec),
        "passed": outcome.passed,
        "tests": outcome.tests,
        "found": outcome.findings,
    }


def describe_layer(layer: LayerEntry) -> dict[str, Any]:
    """Describe a layer of the network for the report."""
    return {
        "name": layer["name"],
        "weight_bits": layer["weight_bits"],
        "activation_bits": layer["activation_bits"],
        "level_set": layer["level_set"],
    }


def write_throughput(folder: Path, network: str, units: list[Outcome]) -> list[ThroughputTable]:
    """Write `throughput.json` and `throughput.md`; return their tables, one for each pair of widths."""
    groups = sort_by_operands(units)
    tables: list[ThroughputTable] = [
        {
            "weight_bits": weights,
            "activation_bits": bits,
            "signed_activations": signed,
            "rows": list_throughput(members),
        }
        for (weights, bits, signed), members in groups.items()
    ]
    write_json(folder / "throughput.json", {"tables": tables, "note": CYCLES_NOTE})
    sections = [
        f"## {widths_title(operands)} layers\n\n{format_markdown_table(list_throughput(members), COLUMNS)}"
        for operands, members in groups.items()
    ]
    text = "\n\n".join([f"# Throughput on the golden vectors of {network}", CYCLES_NOTE, *sections])
    write_text(folder / "throughput.md", f"{text}\n")
    return tables


def write_reports(
    folder: Path, manifest: Manifest, golden: Path, units: list[Outcome], blocks: list[Outcome]
) -> list[str]:
    """Write the files of a run's report, and return their names.

    These are `sim.json`, and if every bench passed `throughput.json`, `throughput.md` and, of networks with adapters,
    `beta.png`. What an earlier run left of the others is taken away.
    """
    written, passed = ["sim.json"], all(outcome.passed for outcome in [*units, *blocks])
    report: dict[str, Any] = {
        "passed": passed,
        "network": manifest["network"],
        "layers": [describe_layer(layer) for layer in manifest["layers"]],
        "checkpoint_digest": manifest["checkpoint_digest"],
        "accuracy": manifest["accuracy"],
        "benches": [describe_bench(outcome) for outcome in [*units, *blocks]],
    }
    if passed:
        report["throughput"] = write_throughput(folder, manifest["network"], units)
        report["adaptation"] = compare_steps(golden, blocks)
        report["adapter_cycles"] = make_cycle_rows(manifest, blocks)
        written += ["throughput.json", "throughput.md"]
        if report["adaptation"]:
            written.append("beta.png")
            draw_adaptation(folder / "beta.png", manifest["network"], report["adaptation"], folder / "sim.json")
    write_json(folder / "sim.json", report)
    with reported_os_errors("replace what is in", folder):
        for name in set(WRITTEN) - set(written):
            (folder / name).unlink(missing_ok=True)
    return written
