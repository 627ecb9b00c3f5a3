"""The accuracies that the paper prints in its Tables 2 to 5, and what they say of its own text. Free of torch."""

from pathlib import Path

import msgspec

from asq_model.common.files import read_text
from asq_model.common.markdown import format_table_lines
from asq_model.studies.method_names import name_network

FULL_PRECISION = 32  # the bits that the tables have it under
WIDTHS = (FULL_PRECISION, 2, 3, 4, 8)


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
PRINTED = tuple(dict.fromkeys(method.network for method in METHODS))  # the networks of all tables
TOP_1 = {(method.network, int(bits), method.name): value for method in METHODS for bits, value in method.top_1.items()}


def render_printed_table(networks: tuple[str, ...]) -> list[str]:
    """Write the paper's results for some networks as a table: top-1, and top-5 in brackets where it is printed."""
    cells = []
    for method in METHODS:
        if method.network in networks:
            texts = (format_accuracy(method, str(bits)) for bits in WIDTHS)
            cells.append([name_network(method.network), method.name, *texts])
    titles = ("network", "method", *("full precision" if bits == FULL_PRECISION else f"{bits} bits" for bits in WIDTHS))
    return format_table_lines(titles, cells, "ll" + "r" * len(WIDTHS))


def format_accuracy(method: Method, bits: str) -> str:
    """Write a method's top-1 at a width, and top-5 in brackets where it is printed; a dash where neither is."""
    if bits not in method.top_1:
        return "–"
    return f"{method.top_1[bits]:.1f}" + (f" ({method.top_5[bits]:.1f})" if bits in method.top_5 else "")


def find_gain(network: str, bits: int, better: str, worse: str, than_bits: int | None = None) -> float | None:
    """Find by how many points a printed figure is above another; None where one of them is not printed."""
    one = TOP_1.get((network, bits, better))
    other = TOP_1.get((network, bits if than_bits is None else than_bits, worse))
    return None if one is None or other is None else round(one - other, 1)


def compute_gains() -> dict[str, dict[str, str]]:
    """Compute the printed gains that the paper's text says something else of, or that bear it out only in part.

    Of each network, `post` is ASQ + POST's gain at 4 bits and `asq` ASQ's at 3 bits, both over full precision, and
    `post_at_3` and `post_at_4` are ASQ + POST's over ASQ; `lsq_at` and `apot_at` have ASQ's gains over
    LSQ and APOT on ResNet-20 by bits.
    """
    return {
        "post": {name: f"{find_gain(name, 4, 'ASQ + POST', 'ASQ + POST', FULL_PRECISION):+.1f}" for name in PRINTED},
        "asq": {name: f"{find_gain(name, 3, 'ASQ', 'ASQ', FULL_PRECISION):+.1f}" for name in PRINTED},
        "post_at_3": {name: f"{find_gain(name, 3, 'ASQ + POST', 'ASQ'):+.1f}" for name in PRINTED},
        "post_at_4": {name: f"{find_gain(name, 4, 'ASQ + POST', 'ASQ'):+.1f}" for name in PRINTED},
        **{
            f"{rival.lower()}_at": {
                str(bits): f"{find_gain('resnet20', bits, 'ASQ', rival):+.1f}" for bits in (2, 3, 4)
            }
            for rival in ("LSQ", "APOT")
        },
    }
