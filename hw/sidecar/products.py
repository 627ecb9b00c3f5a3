"""What units and arrays compute, in the sidecar: the product's formula, its level table, results and timing."""

from math import sqrt
from typing import Any

from asq_model.spec.array import ArraySpec
from asq_model.spec.levels import EXPONENTIAL, LevelSet
from asq_model.spec.mac import MacSpec
from asq_model.spec.units import FAMILY_OF_UNIT

# What stands for √2 in a unit's own levels.
ROOTS = {"post-three-halves": ("3/2", 1.5)}
SQRT2 = ("sqrt(2)", sqrt(2))
FORMULAS = {
    "post": "(even * a << {left}) + (odd * round(sqrt(2) * a * 2^{frac}) << {right})",
    "post-exact": "the pair (even * a, odd * a), which means even * a + odd * a * sqrt(2)",
    "post-sorted": "(even + odd) * a; in units of sqrt(2) if odd is not 0: all terms of a dot product are of one class",
    "post-three-halves": "2 * even * a + 3 * odd * a",
}
REAL = "alpha * s_a * {sum} / (level_unit * 2^{frac})"


def root_of(spec: MacSpec) -> tuple[str, float]:
    """Name and value of what the unit takes for √2."""
    return ROOTS.get(spec.unit, SQRT2)


def describe_level(spec: MacSpec, code: int) -> dict[str, Any]:
    """Describe a row of the level table: the code's fields, and its level as this unit computes with it."""
    levels = spec.level_set
    row = levels.describe(code)
    even, odd = levels.level(code)
    row.pop("value", None)
    row |= {"even": even, "odd": odd, "level": even + odd * root_of(spec)[1]}
    if spec.unit == "post-sorted" and not row["zero"]:
        row["class"] = "odd" if odd else "even"
    return row


def find_zero_code(levels: LevelSet) -> int:
    """Find the canonical code of the level 0."""
    return next(int(code) for code in levels.codes if levels.level(int(code)) == (0, 0))


def describe_weights(spec: MacSpec) -> dict[str, Any]:
    """The sidecar's table of a unit's levels and codes."""
    levels = spec.level_set
    codes = [describe_level(spec, code) for code in range(1 << levels.code_bits)]
    row = {"name": levels.name, "code_bits": levels.code_bits, "zero_code": find_zero_code(levels)}
    if FAMILY_OF_UNIT[spec.unit] in EXPONENTIAL and any(code["odd"] for code in codes):
        name, value = root_of(spec)
        row |= {"root": {"name": name, "value": value}}
        if spec.unit in ROOTS:
            row["level_unit_with_sqrt2"] = levels.level_unit
    return row | {"level_unit": max(code["level"] for code in codes), "codes": codes}


def describe_arithmetic(spec: MacSpec) -> dict[str, Any]:
    """What a product is, by the level's parts: even·even_factor·a + odd·(odd_factor·a, or the table's entry for a)."""
    if spec.unit == "post":
        table = [int(root) << spec.result_frac - spec.frac_bits for root in spec.multiples["root"]]
        return {"even_factor": 1 << spec.result_frac, "odd_table": table}
    even, odd = {"post-three-halves": (2, 3)}.get(spec.unit, (1, 1))
    return {"even_factor": even, "odd_factor": odd}


def describe_multiples(spec: MacSpec) -> dict[str, Any]:
    """The multiples that must come with each activation of a unit with `shared`, by the activation's bit pattern."""
    return {name: [int(value) for value in table] for name, table in spec.multiples.items()}


def describe_product(spec: MacSpec) -> dict[str, Any]:
    """What a product is: its formula, the activation, the level table, and the numbers in the formula."""
    left, right = spec.result_frac, spec.result_frac - spec.frac_bits
    default = "even * a"
    return {
        "formula": FORMULAS.get(spec.unit, default).format(left=left, right=right, frac=spec.frac),
        "activation": {"width": spec.activation_bits, "signed": spec.signed_activation},
        "weights": describe_weights(spec),
        "arithmetic": describe_arithmetic(spec),
    } | ({"multiples": describe_multiples(spec)} if spec.shared else {})


def describe_sums(spec: MacSpec) -> list[dict[str, Any]]:
    """The sums that a result consists of, with what `depth` terms can reach."""
    ranges = {"sum": spec.result_range}
    if spec.unit == "post-exact":
        ranges = {"even": spec.sum_range(spec.even_products), "odd": spec.sum_range(spec.odd_products)}
    return [
        {"name": name, "width": spec.sum_widths[name], "min": low, "max": high} for name, (low, high) in ranges.items()
    ]


def describe_mac(spec: MacSpec) -> dict[str, Any]:
    """Product, result and timing of a multiply-accumulate unit."""
    low, high = spec.result_range
    result: dict[str, Any] = {
        "frac": spec.result_frac,
        "width": spec.result_width,
        "signed": True,
        "min": low,
        "max": high,
    }
    real = REAL.format(sum="result", frac=spec.result_frac)
    if spec.unit == "post-exact":
        formula = f"(E << {spec.frac}) + round(O * sqrt(2) * 2^{spec.frac}), E and O the sums of even * a and odd * a"
        result |= {"rounding": "each dot product", "formula": formula, "sums": describe_sums(spec)}
    else:
        rounding = "each product" if spec.unit == "post" else "none"
        result |= {"rounding": rounding, "formula": "the sum of the products", "sums": describe_sums(spec)}
    if spec.unit == "post-sorted":
        real += ", times sqrt(2) if its terms are of class odd"
    latency = {"of": "o", "from": {"stream": "i", "beats": "flagged last"}, "to": {"stream": "o", "beats": "every"}}
    return {
        "computes": [f"result = {result['formula']}, over the operands up to each `last`"],
        "product": describe_product(spec),
        "result": result | {"port": "o__payload", "real": real, "depth": spec.depth},
        "lanes": spec.lanes,
        "timing": {"interval": spec.interval, "latency": [latency | {"cycles": spec.latency}]},
    }


def describe_array(spec: ArraySpec) -> dict[str, Any]:
    """Product, result and timing of an array."""
    mac = spec.mac
    exact = mac.unit == "post-exact"
    real = REAL.format(sum="sum", frac=mac.result_frac)
    if exact:
        real = "alpha * s_a * (even + odd * sqrt(2)) / level_unit"
    vectors = {"stream": "i", "beats": "every"}
    return {
        "computes": ["o[column] = s[column] + sum over the rows of the product of weight[row][column] and i[row]"],
        "product": describe_product(mac),
        "result": {
            "port": "o__payload",
            "frac": 0 if exact else mac.result_frac,
            "signed": True,
            "rounding": "each product" if mac.unit == "post" else "none",
            "formula": "the sum of the products, even and odd ones apart" if exact else "the sum of the products",
            "sums": describe_sums(mac),
            "real": real,
            "depth": mac.depth,
        },
        "rows": spec.rows,
        "columns": spec.columns,
        "timing": {
            "interval": spec.interval,
            "latency": [
                {"of": "o", "from": vectors, "to": {"stream": "o", "beats": "every"}, "cycles": spec.latency},
                {"of": "s", "from": vectors, "to": {"stream": "s", "beats": "every"}, "cycles": spec.latency - 1},
            ],
        },
    }
