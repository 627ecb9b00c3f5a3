"""The page on accuracy by product rounding, and what each rounding costs: made from the rows. Free of torch."""

from itertools import groupby
from math import sqrt
from pathlib import Path
from statistics import mean, stdev

from asq_model.common.cifar10_copy import find_yardsticks
from asq_model.common.markdown import format_table_lines
from asq_model.common.result_schemas import ArithmeticRow, ArithmeticStudy
from asq_model.common.templates import render_template
from asq_model.common.terminal import format_text_table
from asq_model.config.fingerprints import find_versions
from asq_model.studies.method_names import MEANING_OF_METHODS
from asq_model.studies.verdicts import MEANING, UNDECIDED

PAGE = Path(__file__).with_name("arithmetic.md.j2")
Group = tuple[str, str, str, int, str, str, int]  # weights, network, activations, their bits, arithmetic, data, images
COLUMNS = (
    "network",
    "weights",
    "activations",
    "arithmetic",
    "images",
    "top-1, %",
    "against torch, points",
    "lost",
    "gained",
    "error of the sums",
    "seeds",
)


def merge_rows(rows: list[ArithmeticRow], known: ArithmeticStudy | None, note: str) -> ArithmeticStudy:
    """Put new rows in place of those of the same checkpoint and arithmetic in the content of the results file.

    known: what the file held before, None without one.
    """
    merged = {(row["digest"], row["arithmetic"]): row for row in [*(known["rows"] if known else []), *rows]}
    command = "python -m asq_model arithmetic CKPT … --data … --out …"
    return {
        "command": command,
        "note": note or (known["note"] if known else ""),
        "versions": find_versions("torch", "numpy"),
        "rows": list(merged.values()),
    }


def name_weights(row: ArithmeticRow) -> str:
    """Name a row's level set, and the rounding if training saw it."""
    seen = row["product_frac"]
    return row["level_set"] if seen is None else f"{row['level_set']}, trained with F = {seen}"


def group_rows(rows: list[ArithmeticRow]) -> dict[Group, list[ArithmeticRow]]:
    """Group rows that differ in their seed only, by `name_weights` and other columns, in order of appearance."""
    groups: dict[Group, list[ArithmeticRow]] = {}
    for row in rows:
        operands = row["network"], row["activations"], row["activation_bits"]
        group = name_weights(row), *operands, row["arithmetic"], row["data"], row["images"]
        groups.setdefault(group, []).append(row)
    return groups


def difference(row: ArithmeticRow) -> float:
    """How many points of accuracy an arithmetic gains over torch's, with the same weights and images."""
    return 100 * (row["gained"] - row["lost"]) / row["images"]


def format_with_spread(values: list[float], sign: str = "") -> str:
    """Write the mean of values, and their standard deviation where there are several."""
    return f"{mean(values):{sign}.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def make_cells_by_network(rows: list[ArithmeticRow]) -> list[list[object]]:
    """Make the cells of every network and arithmetic, mean and standard deviation over seeds, in `COLUMNS`."""
    cells: list[list[object]] = []
    for (trained, network, activations, bits, arithmetic, _, images), runs in group_rows(rows).items():
        accuracy = format_with_spread([100 * run["correct"] / run["images"] for run in runs])
        errors = [run["rms_error"] for run in runs if run["rms_error"] is not None]
        changes = ["–"] * 4
        if errors:
            changes = [
                format_with_spread([difference(run) for run in runs], "+"),
                f"{mean(run['lost'] for run in runs):.0f}",
                f"{mean(run['gained'] for run in runs):.0f}",
                f"{mean(errors):.2%}",
            ]
        quantiser = f"{activations.upper()}, {bits} bits"
        cells.append([network, trained, quantiser, arithmetic, images, accuracy, *changes, len(runs)])
    return cells


def render_table_by_network(rows: list[ArithmeticRow]) -> list[str]:
    """Write the table of every network and arithmetic in Markdown."""
    return format_table_lines(COLUMNS, make_cells_by_network(rows), "llllrrrrrrr")


def format_terminal_tables(rows: list[ArithmeticRow]) -> str:
    """Write a table of arithmetics for each network, as narrow as a terminal is."""
    parts = []
    for network, lines in groupby(make_cells_by_network(rows), lambda cells: (*cells[:3], cells[4])):
        table = format_text_table((COLUMNS[3], *COLUMNS[5:]), [[cells[3], *cells[5:]] for cells in lines], "lrrrrrr")
        parts.append("{}, {} weights, {}, {} images:\n\n".format(*network) + table)
    return "\n\n".join(parts)


def render_table_by_arithmetic(rows: list[ArithmeticRow]) -> list[str]:
    """Write the table of each arithmetic's mean difference over all networks run with it, and its interval."""
    from scipy.stats import t

    differences: dict[tuple[str, int, str], list[float]] = {}
    for row in rows:
        if row["rms_error"] is not None and row["product_frac"] is None:
            differences.setdefault((row["arithmetic"], row["images"], row["data"]), []).append(difference(row))
    cells = []
    for (arithmetic, images, _), values in differences.items():
        count, interval, verdict = len(values), "", f"{UNDECIDED}, one network"
        if count > 1:
            half = t.ppf(0.975, count - 1) * stdev(values) / sqrt(count)
            interval = f" ± {half:.2f}"
            verdict = UNDECIDED if abs(mean(values)) <= half else "costs" if mean(values) < 0 else "gains"
        difference_cell = f"{mean(values):+.2f}{interval}"
        cells.append([arithmetic, images, count, difference_cell, f"{min(values):+.2f}", verdict])
    return format_table_lines(
        ("arithmetic", "images", "networks", "difference, points", "worst", "verdict"), cells, "lrrrrl"
    )


def render_page(study: ArithmeticStudy, results: str) -> str:
    """Write the page on what rounding costs. results: the name of the file with the rows."""
    rows = study["rows"]
    rounded = any(row["rms_error"] is not None for row in rows)
    return render_template(
        PAGE,
        study=study,
        results=results,
        methods=MEANING_OF_METHODS,
        libraries=", ".join(f"{name} {version}" for name, version in study["versions"].items()),
        notes=[*filter(None, [study["note"]]), *find_yardsticks(row["data"] for row in rows)],
        by_network="\n".join(render_table_by_network(rows)),
        by_arithmetic="\n".join(render_table_by_arithmetic(rows)) if rounded else "",
        meaning=MEANING,
    )
