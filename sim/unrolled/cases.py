"""Which matrices are unrolled: a part of a trained layer, with the weights of each form and vectors to check it on."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.golden_manifest import spec_of
from asq_model.spec.golden_vectors import GoldenLayer, read_golden
from asq_model.spec.mac import MacSpec
from sim.unrolled.adder_graph import GRAPH_FORMS, Problem


@dataclass(frozen=True)
class Case:
    """The first `inputs` terms and `outputs` channels of a layer of a folder of golden vectors."""

    golden: Path
    layer: str
    inputs: int
    outputs: int

    @property
    def title(self) -> str:
        """The case in words: layer, golden vectors and size."""
        return f"{self.layer} of {self.golden.name}, {self.inputs} × {self.outputs}"


def parse_case(option: str, text: str) -> Case:
    """Parse `folder:layer:16x16` (inputs x outputs), given to `option`. Raises InputError."""
    try:
        folder, layer, size = text.rsplit(":", 2)
        inputs, outputs = (int(number) for number in size.split("x"))
        if min(inputs, outputs) < 1:
            raise ValueError
    except ValueError as error:
        raise InputError(f"{option} has {text!r}; allowed: folder:layer:INPUTSxOUTPUTS, as x:conv1:16x8") from error
    return Case(Path(folder), layer, inputs, outputs)


def find_layer(case: Case) -> GoldenLayer:
    """Find the layer of a case in its folder.

    Raises InputError unless it is there, as large, with POST weights, with those of every rival, and with unsigned
    activations.
    """
    layers = {layer.name: layer for layer in read_golden(case.golden)}
    low_bit = {name: layer for name, layer in layers.items() if "post" in specs_of(layer)}
    if case.layer not in low_bit:
        raise InputError(f"layer is {case.layer!r}; {case.golden} has with POST weights: {', '.join(low_bit)}")
    layer = low_bit[case.layer]
    if missing := sorted({form.unit for form in GRAPH_FORMS.values()} - specs_of(layer).keys()):
        raise InputError(f"{case.title} cannot be compared: its golden vectors have no {', '.join(missing)}")
    outputs, inputs = layer.codes(specs_of(layer)["post"].level_set).shape
    if case.inputs > inputs or case.outputs > outputs or specs_of(layer)["post"].signed_activation:
        raise InputError(
            f"{case.title} cannot be; allowed: up to {inputs} × {outputs}, a layer with unsigned activations"
        )
    return layer


def specs_of(layer: GoldenLayer) -> dict[str, MacSpec]:
    """The units that a layer has results for, by name."""
    return {spec.unit: spec for spec in map(spec_of, layer.entry["units"].values())}


def list_problems(case: Case) -> Iterator[tuple[str, Problem, np.ndarray]]:
    """List (key of GRAPH_FORMS, problem, activations int64 [V, N]) of a case in each form.

    The activations to check it on are golden ones, random ones and the extremes of each output.
    """
    layer = find_layer(case)
    specs = specs_of(layer)
    golden = layer.activations[:, : case.inputs].astype(np.int64)
    for key, form in GRAPH_FORMS.items():
        spec = specs[form.unit] if form.frac is None else replace(specs[form.unit], frac=form.frac)
        codes = layer.codes(spec.level_set)[: case.outputs, : case.inputs]
        title = f"unrolled_{case.golden.name}_{case.layer}_{case.inputs}x{case.outputs}_{key}"
        name = re.sub(r"\W", "_", title, flags=re.ASCII)  # a module's
        problem = Problem(name, form, spec, codes)
        top = int(spec.activations.max())
        drawn = np.random.default_rng(0).integers(0, top + 1, (256, case.inputs))
        positive = spec.level_set.values[codes] > 0
        yield key, problem, np.vstack([golden, drawn, positive * top, ~positive * top, np.full((1, case.inputs), top)])
