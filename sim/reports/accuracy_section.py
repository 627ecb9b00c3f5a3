"""Accuracy beside area: the smallest array for each set of weights and arithmetic that networks were measured with.

Networks and designs are joined by values: family, kind and bits of the weights, unit and fraction bits of the products.
"""

from collections.abc import Iterable
from math import hypot
from statistics import mean, stdev

from asq_model.common.cifar10_copy import yardsticks
from asq_model.common.markdown import markdown_table
from asq_model.spec.levels import EXPONENTIAL
from asq_model.spec.mac import SIGN_MAGNITUDE
from sim.explore.design_space import FULL_WIDTHS
from sim.explore.ranking import is_post
from sim.measure.yosys_area import FABRICS
from sim.reports.hardware_prose import SHORT, text

FORM = "array8x8"
ACTIVATIONS = ("lsq", 4)  # quantiser and bits of the networks that are compared
COLUMNS = (
    ("network", "network"),
    ("weights", "weights"),
    ("arithmetic", "products"),
    ("seeds", "seeds"),
    ("accuracy", "top-1, %"),
    ("ice40", "iCE40 LUT4 a product"),
    ("ecp5", "ECP5 LUT4 a product"),
    ("xc7", "LUT6 a product"),
)
# What tells networks apart that differ in more than their seed.
KEYS = ("network", "family", "kind", "weight_bits", "unit", "frac", "product_frac", "images", "data")


def products_of(row: dict) -> tuple[str | None, int | None]:
    """(unit, fraction bits) of a design's products, as `asq_model.studies.product_rounding` names them.

    (None, None), torch's own, where the design is exact.
    """
    if row["unit"] == "post":
        return "post", row["frac"]
    if row["unit"] in ("post-three-halves", "post-exact"):
        return row["unit"], None
    return ("uniform-sign", None) if row["unit"] in SIGN_MAGNITUDE else (None, None)


def weights_of(row: dict) -> tuple[str, int, str]:
    """(family, bits, kind) of a design's or a network's weights. Sign and magnitude is how uniform ones are stored."""
    return row["family"], row["weight_bits"], row["kind"] if row["family"] in EXPONENTIAL else ""


def mean_accuracies(results: Iterable[dict]) -> list[dict]:
    """Mean and standard deviation over seeds, in percent, of the rows of the product rounding study with `ACTIVATIONS`.

    Of networks that were trained with rounded products only those that are run with the same rounding.
    """
    groups: dict[tuple, list[float]] = {}
    names = {}
    for row in results:
        seen = row["product_frac"]
        if (row["activations"], row["activation_bits"]) != ACTIVATIONS:
            continue
        if seen is None or (row["unit"], row["frac"]) == ("post", seen):
            key = tuple(row[name] for name in KEYS)
            names[key] = row["arithmetic"] + ("" if seen is None else ", as trained")
            groups.setdefault(key, []).append(100 * row["correct"] / row["images"])
    return [
        dict(zip(KEYS, key, strict=True))
        | {"arithmetic": names[key], "accuracy": mean(shares), "seeds": len(shares)}
        | {"spread": stdev(shares) if len(shares) > 1 else 0.0}
        for key, shares in groups.items()
    ]


def accuracy_points(rows: list[dict], accuracies: list[dict]) -> dict[str, list[dict]]:
    """Designs of 8 × 8 arrays in one stage by target: the smallest for each of `accuracies`, as `mean_accuracies` makes
    them, with these figures and `luts_per_product`."""
    found: dict[str, list[dict]] = {}
    for target in FABRICS:
        for entry in accuracies:
            members = [
                row
                for row in rows
                if (row["form"], row["target"], row["dsp"], row["stages"]) == (FORM, target, False, 1)
                and row["activation_bits"] == ACTIVATIONS[1]
                and weights_of(row) == weights_of(entry)
                and products_of(row) == (entry["unit"], entry["frac"])
            ]
            if members:
                row = min(members, key=lambda row: row["luts"])
                row = row | {"luts_per_product": row["luts"] / row["products_per_cycle"], "measured": entry}
                row |= {name: entry[name] for name in ("accuracy", "spread")}
                row["title"] += f", {row['weight_bits']} bits" if row["weight_bits"] != FULL_WIDTHS[0] else ""
                row["title"] += "" if entry["product_frac"] is None else ", trained so"
                found.setdefault(target, []).append(row)
    return found


def accuracy_table(points: dict[str, list[dict]]) -> str:
    """points: by target, as `accuracy_points` makes them. The least accurate first."""
    lines: dict[tuple, dict] = {}
    for target, members in points.items():
        for row in members:
            entry = row["measured"]
            key = (row["name"], *(entry[name] for name in KEYS))
            line = lines.setdefault(key, entry | {"weights": row["title"], "in_order": entry["accuracy"]})
            line["accuracy"] = f"{entry['accuracy']:.2f} ± {entry['spread']:.2f}"
            line[target] = f"{row['luts_per_product']:.1f}"
    return markdown_table(sorted(lines.values(), key=lambda line: line["in_order"]), COLUMNS)


def is_uniform(row: dict) -> bool:
    return row["family"] == "uniform"


def apart(ours: dict, theirs: dict) -> str:
    """How far two accuracies are from each other, and whether that is more than their seeds are."""
    difference = ours["accuracy"] - theirs["accuracy"]
    if min(ours["seeds"], theirs["seeds"]) < 2:
        return f"{difference:+.2f} points, of one seed"
    within = abs(difference) <= hypot(ours["spread"], theirs["spread"])
    return f"{difference:+.2f} points, {'less' if within else 'more'} than seeds are apart"


def accuracy_told(points: dict[str, list[dict]]) -> str:
    """The smallest POST array against the smallest uniform one, both of 4-bit weights, for each network and fabric that
    has both; empty without any."""
    said: dict[str, list[str]] = {}
    for target, members in points.items():
        for network in dict.fromkeys(row["measured"]["network"] for row in members):
            fitting = [
                row for row in members if (row["measured"]["network"], row["weight_bits"]) == (network, FULL_WIDTHS[0])
            ]
            in_order = sorted(fitting, key=lambda row: (row["luts_per_product"], -row["accuracy"]))
            ours, theirs = (next(filter(wanted, in_order), None) for wanted in (is_post, is_uniform))
            if ours and theirs:
                ratio = ours["luts_per_product"] / theirs["luts_per_product"]
                accuracies = f"{ours['accuracy']:.2f} % against {theirs['accuracy']:.2f} %"
                difference = apart(ours["measured"], theirs["measured"])
                said.setdefault(network, []).append(f"{ratio:.2f} on {SHORT[target]} ({accuracies}: {difference})")
    told = "; ".join(f"{network} {', '.join(parts)}" for network, parts in said.items())
    return text("equal", bits=FULL_WIDTHS[0], said=told) if said else ""


def accuracy_words(points: dict[str, list[dict]], note: str) -> str:
    """What stands above the table: the comparison, what the figures are of, and the yardstick of a copy's images."""
    entries = [row["measured"] for members in points.values() for row in members]
    quantiser, bits = ACTIVATIONS
    about = text(
        "accuracy",
        told=accuracy_told(points),
        networks=", ".join(dict.fromkeys(entry["network"] for entry in entries)),
        images=" or ".join(map(str, dict.fromkeys(entry["images"] for entry in entries))),
        activations=f"{bits} bits ({quantiser.upper()})",
    )
    return "\n\n".join(filter(None, [about, note, *yardsticks(entry["data"] for entry in entries)]))
