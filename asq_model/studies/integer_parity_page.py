"""The results page of `asq_model.studies.integer_parity`, made from a report, never typed. Free of torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

from asq_model.common.cifar10_copy import find_yardsticks
from asq_model.common.markdown import format_table_lines
from asq_model.common.records import Amount, Count, Line, Schema, Text
from asq_model.common.result_schemas import REMEDY
from asq_model.common.templates import render_template
from asq_model.spec.precision import Precision

PAGE = Path(__file__).with_name("parity.md.j2")
SECTION = Path(__file__).with_name("parity-network.md.j2")  # on one network; it is shown by itself, too
COLUMNS = (
    "layer",
    "codes",
    "equal, given torch's input",
    "equal, in the network",
    "step, largest relative error",
    "ties",
    "inputs saturated",
)
NODE_COLUMNS = ("node", "difference from torch, given its inputs (root mean square, relative; median over images)")


@dataclass
class LayerParity:
    """How well one layer's codes agree over all images.

    Counts: codes compared, those that agree given the same input and in the network, inputs that saturated, values that
    lay exactly between two codes. step_error: the largest relative error of a step.
    """

    codes: Count = 0
    given_input: Count = 0
    in_network: Count = 0
    saturated: Count = 0
    ties: Count = 0
    step_error: Amount = 0.0


@dataclass
class Parity:
    """How well a network's layers agree, and how many images each of the two classifies correctly, and alike."""

    name: Line
    precision: Precision
    layers: dict[Line, LayerParity]
    images: Count = 0
    torch_correct: Count = 0
    integer_correct: Count = 0
    same_class: Count = 0
    saturated_outputs: Count = 0
    data: Line = ""  # the whole test set's labels by `digest_labels`

    def __str__(self) -> str:
        return render_network(self)


def render_network(parity: Parity, nodes: Mapping[str, float] | None = None) -> str:
    """Write the section on one network: counts, and a table of its layers.

    nodes: how far each node's output is from torch's, for a table of its own.
    """
    return render_template(SECTION, network=describe_network(parity, nodes)).rstrip()


def describe_network(parity: Parity, nodes: Mapping[str, float] | None) -> dict[str, object]:
    """Make the values of the section on one network."""
    total, rows = parity.images, []
    for name, layer in parity.layers.items():
        equal = f"{layer.given_input / layer.codes:.4%}", f"{layer.in_network / layer.codes:.2%}"
        rows.append([name, layer.codes, *equal, f"{layer.step_error:.1e}", layer.ties, layer.saturated])
    node_rows = [[name, f"{value:.1e}"] for name, value in (nodes or {}).items()]
    return {
        "name": parity.name,
        "bits": parity.precision.bits,
        "images": total,
        "integer_correct": parity.integer_correct,
        "torch_correct": parity.torch_correct,
        "gain": f"{100 * (parity.integer_correct - parity.torch_correct) / total:+.2f}",
        "same_class": parity.same_class,
        "same_share": f"{parity.same_class / total:.2%}",
        "saturated_outputs": parity.saturated_outputs,
        "layers": "\n".join(format_table_lines(COLUMNS, rows, "lrrrrrr")),
        "nodes": "\n".join(format_table_lines(NODE_COLUMNS, node_rows, "lr")) if node_rows else "",
    }


class ParityReport(TypedDict):
    """The content of the results file.

    note: what else the page says of the data. nodes: for each network how far each node's output is from torch's.
    """

    note: Text
    networks: list[Parity]
    nodes: NotRequired[list[dict[Line, Amount]]]


def check_parity(report: ParityReport) -> None:
    """Raises ValueError for a network or a layer of which nothing was compared."""
    for parity in report["networks"]:
        if not parity.images or not all(layer.codes for layer in parity.layers.values()):
            raise ValueError(f"nothing of {parity.name} was compared")
    if len(report.get("nodes", report["networks"])) != len(report["networks"]):
        raise ValueError("it has nodes of more or fewer networks than it compares")


PARITY = Schema("report on parity", ParityReport, remedy=REMEDY, megabytes=64, check=check_parity)


def render_page(report: ParityReport) -> str:
    """Write the page on all networks of a report."""
    networks = report["networks"]
    nodes = report.get("nodes") or [dict[str, float]() for _ in networks]
    return render_template(
        PAGE,
        notes=[*filter(None, [report["note"]]), *find_yardsticks(parity.data for parity in networks)],
        networks=[describe_network(parity, found) for parity, found in zip(networks, nodes, strict=True)],
    )
