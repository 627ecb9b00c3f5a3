"""What a run says in the end: the summary, the throughput table, and both as files."""

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from asq_model.files import InputError, read_json, write_json, write_text
from sim.asq_report import CYCLE_COLUMNS, STEP_COLUMNS, adaptation, cycle_rows, step_rows
from sim.asq_report import CYCLES_NOTE as ASQ_CYCLES_NOTE
from sim.run import Outcome

COLUMNS = (
    ("unit", "unit"),
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


def throughput(outcomes: list[Outcome]) -> list[dict]:
    """A row per unit, from the hardware cycle counter's reading of the golden workload, in the outcomes' order.

    The workload is played layer by layer, so the cycles are the sum over layers, fill and drain included. Speed-ups
    are ratios of cycles and appear where that rival ran the same number of products.
    """
    rows = []
    for outcome in outcomes:
        spec, counters = outcome.job.spec, outcome.found["golden"]["counters"]
        rows.append(
            {
                "unit": spec.unit,
                "module": spec.name,
                "products": counters["operands"],
                "cycles": counters["cycles"],
                "cycles_per_product": counters["cycles"] / counters["operands"],
                "latency": outcome.found["timing"]["latency"],
                "interval": outcome.found["timing"]["interval"],
                "input_stalls": counters["input_stalls"],
                "output_stalls": counters["output_stalls"],
            }
        )
    for rival in ("serial", "uniform"):
        cycles = {row["products"]: row["cycles"] for row in rows if row["unit"] == rival}
        for row in rows:
            if row["products"] in cycles:
                row[f"speedup_over_{rival}"] = cycles[row["products"]] / row["cycles"]
    return rows


def cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def markdown_table(rows: list[dict], columns: tuple[tuple[str, str], ...] = COLUMNS) -> str:
    """The rows as a Markdown table whose columns line up in a terminal too. columns: (key, title) of each."""
    table = [[title for _, title in columns]]
    table += [[cell(row.get(key, "")) for key, _ in columns] for row in rows]
    widths = [max(len(line[column]) for line in table) for column in range(len(columns))]
    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    lines = []
    for line in [table[0], rule, *table[1:]]:
        first, *rest = zip(line, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def accuracy_lines(accuracy: dict) -> list[str]:
    """The network's accuracy on the held-out images, by the arithmetic used."""
    names = {
        "full_precision_correct": "full precision",
        "quantised_correct": "quantised (fake-quantised in torch)",
        "post_correct": f"quantised, products as unit post makes them (FRAC={accuracy.get('post_frac')})",
    }
    total = accuracy["test_images"]
    return [
        f"  {accuracy[key] / total:7.2%}  {accuracy[key]} of {total}  {name}"
        for key, name in names.items()
        if key in accuracy
    ]


def difference_lines(manifest: dict) -> list[str]:
    """How far each unit's results are from torch's fake-quantised ones, where the weights are the trained ones."""
    worst: dict[str, float] = {}
    for layer in manifest["layers"]:
        for name, unit in layer["units"].items():
            if unit["weights"] == "trained":
                worst[name] = max(worst.get(name, 0.0), unit["difference_rms"])
    return [f"  {name:24} {value:9.2e}" for name, value in worst.items()]


def bench_lines(outcome: Outcome) -> list[str]:
    """How a unit's bench went."""
    golden = outcome.found.get("golden", {"vectors": 0, "failed": 0})
    counters = golden.get("counters")
    products = f" ({counters['operands']} products)" if counters else ""
    state = "passed" if outcome.passed else "FAILED"
    checked = f"golden {golden['vectors']} checked, {golden['failed']} failed{products}"
    others = outcome.vectors - golden["vectors"]
    return [
        f"  {outcome.job.spec.name:28} {state}  {checked}; others {others} checked",
        *(f"    {failure}" for failure in outcome.failures()),
    ]


def asq_lines(manifest: dict, golden: Path, blocks: list[Outcome]) -> list[str]:
    """β, steps and cycles of ASQ's blocks."""
    rows = step_rows(adaptation(golden, blocks))
    if not rows:
        return []
    return [
        "",
        "β and step of the first images, RTL / torch:",
        markdown_table(rows, STEP_COLUMNS),
        "",
        "What the adapter costs in cycles, measured:",
        markdown_table(cycle_rows(manifest, blocks), CYCLE_COLUMNS),
        ASQ_CYCLES_NOTE,
    ]


def summary(manifest: dict, golden: Path, inner: list[Outcome], outer: list[Outcome], blocks: list[Outcome]) -> str:
    """What the user reads at the end of `make sim`."""
    bits = f"W{manifest['weight_bits']}A{manifest['activation_bits']}"
    activations = manifest["activations"].upper()
    lines = [f"Network: {manifest['network']}, {bits}, {manifest['level_set']} weights, {activations} activations"]
    if manifest["accuracy"]:
        lines += ["Accuracy on held-out images:", *accuracy_lines(manifest["accuracy"])]
    lines += ["Integer results against torch's, trained weights (rms difference / rms output, worst layer):"]
    lines += [*difference_lines(manifest), "", "Benches (dot products):"]
    for outcome in [*inner, *outer]:
        lines += bench_lines(outcome)
    lines += ["", "Benches of ASQ's blocks (words out, steps):"]
    for outcome in blocks:
        lines += bench_lines(outcome)
    if all(outcome.passed for outcome in [*inner, *outer, *blocks]):
        lines += ["", f"Throughput on the golden vectors of the {bits} layers, by the hardware cycle counter:"]
        lines += [markdown_table(throughput(inner))]
        if outer:
            lines += ["", "On those of the 8-bit first and last layer:", markdown_table(throughput(outer))]
        lines += ["", CYCLES_NOTE.replace("`", "")]
        lines += asq_lines(manifest, golden, blocks)
    return "\n".join(lines)


def draw_adaptation(path: Path, network: str, rows: list[dict], before: Path) -> None:
    """The picture of β, unless it is there and the last report, `before`, is of the same: matplotlib loads slowly."""
    with suppress(InputError):
        last = read_json(before, "report")
        if path.is_file() and (last.get("network"), last.get("adaptation")) == (network, rows):
            return
    from sim.plot import draw_betas

    draw_betas(rows, path, f"{network}: step-size factor β of {len(rows[0]['rtl_betas'])} images")


def write_reports(
    folder: Path, manifest: dict, golden: Path, inner: list[Outcome], outer: list[Outcome], blocks: list[Outcome]
) -> list[str]:
    """Write `sim.json`, and if every bench passed `throughput.json`, `throughput.md` and, of networks with adapters,
    `beta.png`; return what was written."""
    written = ["sim.json"]
    benches = [
        {
            "module": outcome.job.spec.name,
            "spec": asdict(outcome.job.spec),
            "passed": outcome.passed,
            "tests": outcome.tests,
            "found": outcome.found,
        }
        for outcome in [*inner, *outer, *blocks]
    ]
    passed = all(bench["passed"] for bench in benches)
    report = {
        "passed": passed,
        "network": manifest["network"],
        "weight_bits": manifest["weight_bits"],
        "activation_bits": manifest["activation_bits"],
        "level_set": manifest["level_set"],
        "checkpoint_digest": manifest["checkpoint_digest"],
        "accuracy": manifest["accuracy"],
        "benches": benches,
    }
    if passed:
        tables = {"low_bit_layers": throughput(inner), "first_and_last_layer": throughput(outer)}
        report["throughput"] = tables
        report["adaptation"] = adaptation(golden, blocks)
        report["adapter_cycles"] = cycle_rows(manifest, blocks)
        written += ["throughput.json", "throughput.md"]
        if report["adaptation"]:
            written.append("beta.png")
            draw_adaptation(folder / "beta.png", manifest["network"], report["adaptation"], folder / "sim.json")
        write_json(folder / "throughput.json", tables | {"note": CYCLES_NOTE})
        titles = {"low_bit_layers": "Low-bit layers", "first_and_last_layer": "First and last layer, 8 bits"}
        text = "".join(f"## {titles[key]}\n\n{markdown_table(rows)}\n\n" for key, rows in tables.items() if rows)
        write_text(
            folder / "throughput.md", f"# Throughput on the golden vectors\n\n{CYCLES_NOTE}\n\n{text.rstrip()}\n"
        )
    write_json(folder / "sim.json", report)
    return written
