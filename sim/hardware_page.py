"""The page on what POST costs and gains in hardware, in Markdown: the verdict first, then every figure."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from statistics import mean, stdev

from sim.compare import AIMS, best, gain, group, is_post, is_rival
from sim.designs import AS_TRAINED, FORMS, FULLY, WIDTHS
from sim.place import DEVICES
from sim.report import markdown_table
from sim.synth import FABRICS

TEXTS = Path(__file__).with_name("hardware_text.md")
SHORT = {"ice40": "iCE40", "ecp5": "ECP5", "xc7": "LUT6"}
TITLES = {
    "mac": "One multiply-accumulate unit",
    "dot16": "Dot product of 16 lanes",
    "dot64": "Dot product of 64 lanes",
    "array8x8": "Array of 8 × 8",
    "array16x16": "Array of 16 × 16",
}
COLUMNS = (
    ("unit", "unit"),
    ("ice40", "iCE40 LUT4"),
    ("ice40_mhz", "MHz"),
    ("ice40_gain", "× uniform"),
    ("ecp5", "ECP5 LUT4"),
    ("ecp5_mhz", "MHz "),
    ("ecp5_gain", "× uniform "),
    ("xc7", "LUT6"),
    ("xc7_gain", "× uniform  "),
    ("gates", "gate equivalents"),
    ("error", "error"),
)


@cache
def texts() -> dict[str, str]:
    """The page's prose by name."""
    parts = re.split(r"<!-- (\w+) -->\n", TEXTS.read_text(encoding="utf-8"))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def text(name: str, **values: object) -> str:
    return texts()[name].strip().format(**values)


def by_design(rows: list[dict]) -> dict[str, dict[str, dict]]:
    """Rows by design and target, in the order in which designs come."""
    found: dict[str, dict[str, dict]] = {}
    for row in rows:
        if not row["dsp"]:
            found.setdefault(row["name"], {})[row["target"]] = row
    return found


def table(rows: list[dict], widths: tuple[int, int], form: str) -> str:
    """Of one width and form; × uniform is over the best rival of each fabric."""
    groups = {target: group(rows, widths, form, target) for target in (*FABRICS, "asic")}
    rivals = {target: best(members, is_rival) for target, members in groups.items() if target in FABRICS}
    lines = []
    for targets in by_design([row for members in groups.values() for row in members]).values():
        some = next(iter(targets.values()))
        line = {"unit": some["title"], "error": f"{some['relative_error']:.2%}" if some["relative_error"] else "0"}
        for target, row in targets.items():
            if target == "asic":
                line["gates"] = f"{row['gates']:.0f}"
                continue
            line[target] = row["luts"]
            if "mhz" in row:
                line[f"{target}_mhz"] = f"{row['mhz']:.0f} / {row['mhz_median']:.0f}"
            if rivals[target] and "per_lut" in row:
                mark = "**" if row is rivals[target] else ""
                line[f"{target}_gain"] = f"{mark}{row['per_lut'] / rivals[target]['per_lut']:.2f}{mark}"
        lines.append(line)
    return markdown_table(lines, COLUMNS)


def gains(rows: list[dict]) -> Iterator[dict]:
    """A line for each width and form that was measured: POST's best over uniform's best."""
    for widths in WIDTHS:
        for form in FORMS:
            line, in_order = {"what": f"{widths[0]} × {widths[1]}, {TITLES[form].lower()}"}, []
            for target in FABRICS:
                members = group(rows, widths, form, target)
                found = gain(members, is_alone)
                sorted_found = gain(members, lambda row: row["unit"] == "post-sorted")
                if found:
                    ratio, ours, theirs = found
                    line[target] = f"{ratio:.2f}: {ours['title']} over {theirs['title']}"
                in_order.append(f"{sorted_found[0]:.2f}" if sorted_found else "–")
            if len(line) > 1:
                line["sorted"] = " ".join(in_order)
                line["aim"] = f"{AIMS[widths]:.2f}" if widths in AIMS else "–"
                yield line


GAIN_COLUMNS = (
    ("what", "weights × activations"),
    ("aim", "aim"),
    ("ice40", "iCE40"),
    ("ecp5", "ECP5"),
    ("xc7", "LUT6 (no clock)"),
    ("sorted", "sorted terms: iCE40, ECP5, LUT6"),
)


def placing_spread(rows: list[dict]) -> str:
    """How far the best of a design's placings lies above their median, where it does; empty without placings."""
    said = []
    for target in DEVICES:
        ratios = [row["mhz"] / row["mhz_median"] - 1 for row in rows if row["target"] == target and "mhz" in row]
        if above := [ratio for ratio in ratios if ratio > 0]:
            said.append(f"{mean(above):.1%} on {SHORT[target]}, at most {max(above):.0%}")
    return text("spread", said="; ".join(said)) if said else ""


def serial_lines(rows: list[dict]) -> list[str]:
    """POST against the bit-serial multiplier, which the paper's B-fold is about."""
    lines = []
    for widths in WIDTHS[:3]:
        ratios = []
        for target in DEVICES:
            members = group(rows, widths, "mac", target)
            ours = best(members, is_alone)
            serial = best(members, lambda row: row["unit"] == "serial")
            if ours and serial:
                ratios.append(f"{ours['per_lut'] / serial['per_lut']:.2f} on {DEVICES[target].title}")
        if ratios:
            lines.append(f"- {widths[0]} × {widths[1]} bits, aim {widths[0]}: {', '.join(ratios)}")
    return lines


def listed_aims() -> str:
    return " and ".join(f"{aim} at {a} × {b} bits" for (a, b), aim in AIMS.items())


def verdict(rows: list[dict]) -> str:
    """Three sentences: how far ahead POST's array is, where it misses the aim, what a unit alone is worth."""
    found = {
        (widths, target): gain(group(rows, widths, "array8x8", target), is_post)
        for widths in AIMS
        for target in FABRICS
    }
    told = {key: value[0] for key, value in found.items() if value}
    said = []
    for a, b in AIMS:
        ratios = [f"{ratio:.2f} on {SHORT[target]}" for (widths, target), ratio in told.items() if widths == (a, b)]
        said += [f"{a} × {b} bits {', '.join(ratios)}"] if ratios else []
    missed = [f"{a} × {b} on {SHORT[target]}" for ((a, b), target), ratio in told.items() if ratio < AIMS[a, b]]
    aims = text("missed", aims=listed_aims(), missed=", ".join(missed)) if missed else text("met", aims=listed_aims())
    single = {target: gain(group(rows, (4, 4), "mac", target), is_alone) for target in FABRICS}
    alone = [f"{value[0]:.2f} on {SHORT[target]}" for target, value in single.items() if value]
    return text("verdict", said="; ".join(said), aims=aims, alone=f"(4 × 4 bits) {', '.join(alone)}")


def is_alone(row: dict) -> bool:
    """A POST design that takes its terms in any order."""
    return is_post(row) and row["unit"] != "post-sorted"


def dsp_lines(rows: list[dict]) -> list[str]:
    """The uniform multiplier in multiplier blocks, for honesty: a line for each that was measured."""
    return [
        f"- {row['name']}, {SHORT[row['target']]}: {row['luts']} LUTs and {row['dsps']} multiplier block(s)"
        + (f" at {row['mhz']:.0f} MHz" if "mhz" in row else "")
        for row in rows
        if row["dsp"]
    ]


ENERGY_COLUMNS = (
    ("title", "unit"),
    ("nets", "nets"),
    ("flip_flops", "flip-flops"),
    ("toggles_per_product", "toggles a product"),
    ("per_product", "weighted by fan-out"),
    ("ratio", "× `uniform`"),
)


def energy_lines(rows: list[dict]) -> Iterator[str]:
    """A table for each form and width."""
    for form, widths in product(FORMS, WIDTHS):
        members = group(rows, widths, form, "energy")
        plain = next((row for row in members if row["unit"] == "uniform"), None)
        if plain:
            lines = [
                row
                | {key: f"{row[key]:.1f}" for key in ("toggles_per_product", "per_product")}
                | {"ratio": f"{row['per_product'] / plain['per_product']:.2f}"}
                for row in members
            ]
            heading = f"### {TITLES[form]}, {widths[0]} × {widths[1]} bits"
            yield from (heading, "", markdown_table(lines, ENERGY_COLUMNS), "")


ACCURACY_COLUMNS = (
    ("weights", "weights"),
    ("arithmetic", "products"),
    ("seeds", "seeds"),
    ("accuracy", "top-1, %"),
    ("ice40", "iCE40 LUT4 a product"),
    ("ecp5", "ECP5 LUT4 a product"),
    ("xc7", "LUT6 a product"),
)


def accuracy_table(points: dict[str, list[dict]]) -> str:
    """points: by target, as `accuracy_points` makes them."""
    lines: dict[tuple[str, str], dict] = {}
    for target, members in points.items():
        for row in members:
            line = lines.setdefault(
                (row["name"], row["arithmetic"]), {"weights": row["title"], "arithmetic": row["arithmetic"]}
            )
            line |= {"seeds": row["seeds"], "accuracy": f"{row['accuracy']:.2f} ± {row['spread']:.2f}"}
            line[target] = f"{row['luts_per_product']:.1f}"
    return markdown_table(sorted(lines.values(), key=lambda line: line["accuracy"]), ACCURACY_COLUMNS)


def accuracy_points(rows: list[dict], accuracies: list[dict]) -> dict[str, list[dict]]:
    """Designs of 8 × 8 arrays with 4-bit activations by target, smallest of each weight set and arithmetic, with the
    network's accuracy. accuracies: rows `level_set`, `arithmetic`, `accuracy`, `spread`, `seeds`."""
    found: dict[str, list[dict]] = {}
    for target in FABRICS:
        for entry in accuracies:
            members = [
                row
                for row in rows
                if (row["form"], row["target"], row["activation_bits"]) == ("array8x8", target, 4)
                and (row["level_set"].partition("_sign")[0], row["stages"]) == (entry["level_set"], 1)
                and arithmetic_of(row) == entry["arithmetic"].partition(",")[0]
            ]
            if members:
                row = min(members, key=lambda row: row["luts"])
                row = row | entry | {"luts_per_product": row["luts"] / row["products_per_cycle"]}
                row["title"] += f", {row['weight_bits']} bits" if row["weight_bits"] != FULLY[0] else ""
                row["title"] += ", trained so" if "as trained" in entry["arithmetic"] else ""
                found.setdefault(target, []).append(row)
    return found


def accuracy_told(points: dict[str, list[dict]]) -> str:
    """The smallest POST array against the smallest uniform one, both of 4-bit weights, on each fabric that has both."""
    said = []
    for target, members in points.items():
        fitting = [row for row in members if row["weight_bits"] == FULLY[0]]
        in_order = sorted(fitting, key=lambda row: (row["luts_per_product"], -row["accuracy"]))
        ours, theirs = (next(filter(wanted, in_order), None) for wanted in (is_post, is_uniform))
        if ours and theirs:
            ratio = ours["luts_per_product"] / theirs["luts_per_product"]
            accuracies = f"{ours['accuracy']:.2f} % against {theirs['accuracy']:.2f} %"
            said.append(f"{ratio:.2f} on {SHORT[target]} ({accuracies})")
    return text("equal", said=", ".join(said)) if said else ""


def is_uniform(row: dict) -> bool:
    return row["level_set"].startswith("uniform")


def arithmetic_of(row: dict) -> str:
    """What a design does to products, in the words of `asq_model.arithmetic`: the same as torch where it is exact."""
    if row["unit"] == "post":
        return f"post frac {row['frac']}"
    if row["unit"] in ("post-three-halves", "post-exact"):
        return row["unit"]
    return "uniform-sign" if "sign-magnitude" in row["level_set"] else "fake-quantised"


def mean_accuracies(results: list[dict]) -> list[dict]:
    """Rows of `asq_model.arithmetic`, LSQ activations of 4 bits, with mean and spread over seeds in percent."""
    groups: dict[tuple[str, str, bool], list[float]] = {}
    for row in results:
        seen = row.get("product_frac")
        if (row["activations"], row["activation_bits"]) == ("lsq", 4) and (
            seen is None or row["arithmetic"] == f"post frac {seen}"
        ):
            share = 100 * row["correct"] / row["images"]
            groups.setdefault((row["level_set"], row["arithmetic"], seen is not None), []).append(share)
    return [
        {
            "level_set": level_set,
            "arithmetic": arithmetic + (", as trained" if trained else ""),
            "accuracy": mean(shares),
            "spread": stdev(shares) if len(shares) > 1 else 0.0,
            "seeds": len(shares),
        }
        for (level_set, arithmetic, trained), shares in groups.items()
    ]


def sections(rows: list[dict], pictures: list[str], accuracy: str, unrolled: str, how: str) -> str:
    """The page. pictures: Markdown lines that show them; the others: finished parts, empty for none."""
    lines = ["# What POST costs and gains in hardware", "", "## Verdict", "", verdict(rows), ""]
    lines += [" ".join(filter(None, (text("gains"), placing_spread(rows)))), ""]
    lines += [markdown_table(list(gains(rows)), GAIN_COLUMNS), ""]
    serial = serial_lines(rows)
    lines += [text("serial"), "", *serial, "", text("claim"), ""] if serial else []
    lines += [*pictures, ""]
    lines += ["## Accuracy at equal cost", "", accuracy, ""] if accuracy else []
    for form in FORMS:
        for widths in (*WIDTHS, *AS_TRAINED):
            if any(row["form"] == form and (row["weight_bits"], row["activation_bits"]) == widths for row in rows):
                lines += [f"## {TITLES[form]}, {widths[0]} × {widths[1]} bits", "", table(rows, widths, form), ""]
    blocks = dsp_lines(rows)
    lines += ["## Multiplier blocks", "", *blocks, ""] if blocks else []
    energy = list(energy_lines(rows))
    lines += ["## Energy, by a proxy", "", text("energy"), "", *energy] if energy else []
    lines += ["## Fully unrolled layers", "", unrolled, ""] if unrolled else []
    lines += ["## What was tried", "", text("tried"), ""]
    lines += ["## How each figure was obtained", "", how]
    return "\n".join(lines).rstrip() + "\n"
