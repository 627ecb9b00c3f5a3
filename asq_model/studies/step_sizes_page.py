"""The page on where training left the steps of activations, made from its record. Free of torch."""

from collections.abc import Iterator
from math import exp, log
from pathlib import Path
from statistics import mean
from typing import NotRequired, TypedDict

from asq_model.common.cifar10_copy import find_yardsticks
from asq_model.common.markdown import format_table_lines
from asq_model.common.records import Amount, Count, Digest, Line, Positive, Schema, Whole, Word
from asq_model.common.result_schemas import REMEDY, Seed
from asq_model.common.templates import render_template
from asq_model.studies.method_names import MEANING_OF_METHODS, MEANING_OF_PRECISION, name_network

PAGE = Path(__file__).with_name("steps.md.j2")
LEAST_SPREAD = 1e-6  # relative: below it float32 hardly resolves that β varies


class Beta(TypedDict):
    """How β of one layer varies over images."""

    mean: Positive
    deviation: Amount
    least: Positive
    most: Positive


class LayerStep(TypedDict):
    """A layer's learned step s, and β where it has an adapter: the step is then s·β."""

    step: Positive
    beta: NotRequired[Beta]


class NetworkSteps(TypedDict):
    """The low-bit layers of a network on so many test images.

    digest: of its checkpoint; start: of that in full precision which it started from, or empty.
    """

    network: Word
    precision: Word
    method: Line
    epochs: Count
    seed: Seed
    digest: Digest
    start: Line
    images: Whole
    data: Digest
    layers: dict[Line, LayerStep]


class StepsReport(TypedDict):
    """The networks that are compared."""

    networks: list[NetworkSteps]


def check_steps(report: StepsReport) -> None:
    """Raises ValueError for a report without networks, or a network of which no layer was measured."""
    if not report["networks"] or not all(network["layers"] for network in report["networks"]):
        raise ValueError("it has no network, or one without layers")


STEPS: Schema[StepsReport] = Schema("steps of activations", StepsReport, remedy=REMEDY, check=check_steps)


def mean_step(layer: LayerStep) -> float:
    """A layer's step at the mean β."""
    return layer["step"] * (layer["beta"]["mean"] if "beta" in layer else 1)


def compute_spread(beta: Beta) -> float:
    """Compute how much β varies over images: its standard deviation over its mean."""
    return beta["deviation"] / beta["mean"]


def list_betas(network: NetworkSteps) -> list[Beta]:
    """List β of every layer that has an adapter."""
    return [layer["beta"] for layer in network["layers"].values() if "beta" in layer]


def groups_of(report: StepsReport) -> Iterator[tuple[str, list[NetworkSteps]]]:
    """Yield the networks that are compared, by network and precision."""
    keys = dict.fromkeys((network["network"], network["precision"]) for network in report["networks"])
    for name, precision in keys:
        alike = [one for one in report["networks"] if (one["network"], one["precision"]) == (name, precision)]
        yield f"{name_network(name)}, {precision}", alike


def find_common_layers(networks: list[NetworkSteps]) -> list[str]:
    """Find the layers that all networks have a learned step in."""
    first, *others = networks
    return [name for name in first["layers"] if all(name in other["layers"] for other in others)]


def render_steps_table(networks: list[NetworkSteps]) -> list[str]:
    """Write each layer's step at the mean β, and β of the networks that have adapters, as a table."""
    adaptive, cells = [network for network in networks if list_betas(network)], []
    for name in find_common_layers(networks):
        texts = [f"{mean_step(network['layers'][name]):.3f}" for network in networks]
        for network in adaptive:
            beta = network["layers"][name].get("beta")
            texts += ["–", "–"] if beta is None else [f"{beta['mean']:.2f}", f"{100 * compute_spread(beta):.1f}"]
        cells.append([name, *texts])
    titles = [f"step, {network['method']}" for network in networks]
    for network in adaptive:
        titles += [f"mean β, {network['method']}", "β's spread, %"]
    return format_table_lines(["layer", *titles], cells, "l" + "r" * len(titles))


def compare_steps(one: NetworkSteps, other: NetworkSteps) -> dict[str, str]:
    """Compute the factors between one network's steps and another's, as the page has them."""
    names = find_common_layers([one, other])
    ratios = [mean_step(one["layers"][name]) / mean_step(other["layers"][name]) for name in names]
    typical = exp(mean(abs(log(ratio)) for ratio in ratios))
    return {
        "method": other["method"],
        "least": f"{min(ratios):.2f}",
        "most": f"{max(ratios):.2f}",
        "typical": f"{typical:.2f}",
    }


def describe_adaptive(title: str, networks: list[NetworkSteps]) -> Iterator[dict[str, object]]:
    """Yield, for each network with adapters, how β varies and how its steps compare with the others'."""
    for network in networks:
        spreads = [compute_spread(beta) for beta in list_betas(network)]
        if spreads:
            yield {
                "title": title,
                "method": network["method"],
                "others": [compare_steps(network, other) for other in networks if other is not network],
                "least": f"{100 * min(spreads):.1f}",
                "most": f"{100 * max(spreads):.1f}",
                "mean": f"{100 * mean(spreads):.1f}",
                "constant": sum(value < LEAST_SPREAD for value in spreads),
                "layers": len(spreads),
            }


def started_alike(networks: list[NetworkSteps]) -> bool:
    """Whether all started from the same network in full precision and were trained alike."""
    alike = len({(network["start"], network["epochs"], network["seed"]) for network in networks}) == 1
    return alike and bool(networks[0]["start"])


def render_page(report: StepsReport) -> str:
    """Write the page on the steps of activations."""
    groups = list(groups_of(report))
    return render_template(
        PAGE,
        methods=MEANING_OF_METHODS,
        precision=MEANING_OF_PRECISION,
        images=report["networks"][0]["images"],
        notes=find_yardsticks(network["data"] for network in report["networks"]),
        adaptive=[network for title, networks in groups for network in describe_adaptive(title, networks)],
        groups=[
            {
                "title": title,
                "networks": networks,
                "alike": started_alike(networks),
                "steps": "\n".join(render_steps_table(networks)),
            }
            for title, networks in groups
        ],
    )
