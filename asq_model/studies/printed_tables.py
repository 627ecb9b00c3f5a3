"""The accuracies that the paper prints in its Tables 2 to 5, and what they say of its own text. Free of torch."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from asq_model.common.files import read_text
from asq_model.common.markdown import table_lines

FULL_PRECISION = 32  # the bits that the tables have it under
WIDTHS = (FULL_PRECISION, 2, 3, 4, 8)
NETWORKS = {"resnet18": "ResNet-18", "resnet34": "ResNet-34", "mobilenetv2": "MobileNetV2", "resnet20": "ResNet-20"}


class Method(msgspec.Struct, forbid_unknown_fields=True):
    """A line of a table: a method's percentages by bits."""

    network: str
    name: str
    top_1: dict[str, float]
    top_5: dict[str, float] = {}


class Printed(msgspec.Struct, forbid_unknown_fields=True):
    """The lines of all tables that the paper prints."""

    methods: tuple[Method, ...]


METHODS = msgspec.toml.decode(
    read_text(Path(__file__).with_suffix(".toml"), "printed tables"), type=Printed, strict=True
).methods
TOP_1 = {(method.network, int(bits), method.name): value for method in METHODS for bits, value in method.top_1.items()}


def printed_table(networks: tuple[str, ...]) -> list[str]:
    """The paper's results for some networks as a table: top-1, and top-5 in brackets where it is printed."""
    cells = []
    for method in METHODS:
        if method.network in networks:
            texts = (accuracy_text(method, str(bits)) for bits in WIDTHS)
            cells.append([NETWORKS[method.network], method.name, *texts])
    titles = ("network", "method", *("full precision" if bits == FULL_PRECISION else f"{bits} bits" for bits in WIDTHS))
    return table_lines(titles, cells, "ll" + "r" * len(WIDTHS))


def accuracy_text(method: Method, bits: str) -> str:
    """A method's top-1 at a width, and top-5 in brackets where it is printed; a dash where neither is."""
    if bits not in method.top_1:
        return "–"
    return f"{method.top_1[bits]:.1f}" + (f" ({method.top_5[bits]:.1f})" if bits in method.top_5 else "")


def gain(network: str, bits: int, better: str, worse: str, than_bits: int | None = None) -> float | None:
    """The points by which a printed figure is above another; None where one of them is not printed."""
    one = TOP_1.get((network, bits, better))
    other = TOP_1.get((network, bits if than_bits is None else than_bits, worse))
    return None if one is None or other is None else round(one - other, 1)


def contradictions() -> Iterator[str]:
    """Yield a line on each sentence of the paper's text that its figures do not bear out, or only in part."""
    best = {name: gain(name, 4, "ASQ + POST", "ASQ + POST", FULL_PRECISION) for name in NETWORKS}
    yield (
        f"- The abstract has 4-bit ResNet-34 1.2 points above full precision. Table 2 has {best['resnet34']:+.1f} for"
        f" ResNet-34, and {best['resnet18']:+.1f} for ResNet-18."
    )
    yield (
        "- ASQ is said to be above LSQ at all widths from 2 to 4 on ResNet-20. Table 4 has "
        + ", ".join(f"{gain('resnet20', bits, 'ASQ', 'LSQ'):+.1f} at {bits} bits" for bits in (2, 3, 4))
        + "."
    )
    kept = [f"{NETWORKS[name]} {gain(name, 3, 'ASQ', 'ASQ', FULL_PRECISION):+.1f}" for name in NETWORKS]
    yield (
        "- ASQ at 3 bits is said to keep the accuracy of full precision on the ResNets of ImageNet:"
        f" {kept[0]}, {kept[1]}. Of the others: {kept[2]}, {kept[3]}."
    )
    growth = []
    for name, title in NETWORKS.items():
        at_3, at_4 = (gain(name, bits, "ASQ + POST", "ASQ") for bits in (3, 4))
        growth.append(f"{title} {at_3:+.1f} and {at_4:+.1f}")
    yield (
        "- Non-uniform weights are said to gain more at larger widths. POST's gain over ASQ at 3 and at 4 bits:"
        f" {', '.join(growth)}."
    )
