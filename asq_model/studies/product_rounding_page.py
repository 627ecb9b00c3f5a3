"""The page on accuracy by product rounding, and what each rounding costs: made from the rows. Free of torch."""

from itertools import groupby
from math import sqrt
from pathlib import Path
from statistics import mean, stdev

from asq_model.common.cifar10_copy import yardsticks
from asq_model.common.markdown import table_lines
from asq_model.common.result_schemas import ArithmeticRow, ArithmeticStudy
from asq_model.common.templates import render_template
from asq_model.common.terminal import text_table
from asq_model.config.fingerprints import versions
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
    """The content of the results file with new rows in place of those of the same checkpoint and arithmetic.

    known: what the file held before, None without one.
    """
    merged = {(row["digest"], row["arithmetic"]): row for row in [*(known["rows"] if known else []), *rows]}
    command = "python -m asq_model arithmetic CKPT … --data … --out …"
    return {
        "command": command,
        "note": note or (known["note"] if known else ""),
        "versions": versions("torch", "numpy"),
        "rows": list(merged.values()),
    }


def weights(row: ArithmeticRow) -> str:
    """The level set's name, and the rounding if training saw it."""
    seen = row["product_frac"]
    return row["level_set"] if seen is None else f"{row['level_set']}, trained with F = {seen}"


def group_rows(rows: list[ArithmeticRow]) -> dict[Group, list[ArithmeticRow]]:
    """Group rows that differ in their seed only, by `weights` and other columns, in the order of the first of each."""
    groups: dict[Group, list[ArithmeticRow]] = {}
    for row in rows:
        operands = row["network"], row["activations"], row["activation_bits"]
        group = weights(row), *operands, row["arithmetic"], row["data"], row["images"]
        groups.setdefault(group, []).append(row)
    return groups


def difference(row: ArithmeticRow) -> float:
    """How many points of accuracy an arithmetic gains over torch's, with the same weights and images."""
    return 100 * (row["gained"] - row["lost"]) / row["images"]


def with_spread(values: list[float], sign: str = "") -> str:
    """The mean of values as text, and their standard deviation where there are several."""
    return f"{mean(values):{sign}.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def cells_by_network(rows: list[ArithmeticRow]) -> list[list[object]]:
    """The cells of every network and arithmetic, mean and standard deviation over seeds, in `COLUMNS`."""
    cells: list[list[object]] = []
    for (trained, network, activations, bits, arithmetic, _, images), runs in group_rows(rows).items():
        accuracy = with_spread([100 * run["correct"] / run["images"] for run in runs])
        errors = [run["rms_error"] for run in runs if run["rms_error"] is not None]
        changes = ["–"] * 4
        if errors:
            changes = [
                with_spread([difference(run) for run in runs], "+"),
                f"{mean(run['lost'] for run in runs):.0f}",
                f"{mean(run['gained'] for run in runs):.0f}",
                f"{mean(errors):.2%}",
            ]
        quantiser = f"{activations.upper()}, {bits} bits"
        cells.append([network, trained, quantiser, arithmetic, images, accuracy, *changes, len(runs)])
    return cells


def table_by_network(rows: list[ArithmeticRow]) -> list[str]:
    """The table of every network and arithmetic in Markdown."""
    return table_lines(COLUMNS, cells_by_network(rows), "llllrrrrrrr")


def terminal_tables(rows: list[ArithmeticRow]) -> str:
    """A table of arithmetics for each network, as narrow as a terminal is."""
    parts = []
    for network, lines in groupby(cells_by_network(rows), lambda cells: (*cells[:3], cells[4])):
        table = text_table((COLUMNS[3], *COLUMNS[5:]), [[cells[3], *cells[5:]] for cells in lines], "lrrrrrr")
        parts.append("{}, {} weights, {}, {} images:\n\n".format(*network) + table)
    return "\n\n".join(parts)


def table_by_arithmetic(rows: list[ArithmeticRow]) -> list[str]:
    """The table of each arithmetic's mean difference over all networks that were run with it, and its interval."""
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
    return table_lines(("arithmetic", "images", "networks", "difference, points", "worst", "verdict"), cells, "lrrrrl")


def render_page(study: ArithmeticStudy, results: str) -> str:
    """The page on what rounding costs. results: the name of the file with the rows."""
    rows = study["rows"]
    rounded = any(row["rms_error"] is not None for row in rows)
    return render_template(
        PAGE,
        study=study,
        results=results,
        libraries=", ".join(f"{name} {version}" for name, version in study["versions"].items()),
        notes=[*filter(None, [study["note"]]), *yardsticks(row["data"] for row in rows)],
        by_network="\n".join(table_by_network(rows)),
        by_arithmetic="\n".join(table_by_arithmetic(rows)) if rounded else "",
        meaning=MEANING,
    )
