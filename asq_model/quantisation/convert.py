"""Turn a network of convolutions and linear layers into its quantised twin."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn

from asq_model.common.errors import InputError
from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.quantisation.activations import FROM_EXAMPLE
from asq_model.quantisation.exportable import check_exportable
from asq_model.quantisation.layer_selection import check_batch_axis, select_layers
from asq_model.quantisation.layers import TWINS
from asq_model.quantisation.observe import Example, InputRecord, InputRecords, check_example, map_tensors
from asq_model.quantisation.quantised import Quantised
from asq_model.quantisation.weight_uses import check_uses


def quantisable_layers(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The layers of a network that have a quantised twin, in order of definition; not those of adapters.

    Of exactly torch's classes: a subclass computes something of its own.
    """
    inside = {id(part) for _, layer in quantised_layers(model) for part in layer.modules()}
    return [
        (name, module) for name, module in model.named_modules() if type(module) in TWINS and id(module) not in inside
    ]


def quantised_layers(model: nn.Module) -> list[tuple[str, Quantised]]:
    """The layers that `convert` made, in order of definition."""
    return [(name, module) for name, module in model.named_modules() if isinstance(module, Quantised)]


def inner_layers(model: nn.Module) -> list[tuple[str, Quantised]]:
    """The low-bit layers, those whose weights are at 8 bits left out."""
    return [(name, layer) for name, layer in quantised_layers(model) if layer.config.weight_bits < 8]


def layer_configs(model: nn.Module) -> dict[str, LayerConfig]:
    """The configuration of each quantised layer: `convert` with these as overrides makes the same network again."""
    return {name: layer.config for name, layer in quantised_layers(model)}


@dataclass(frozen=True)
class Conversion:
    """What `convert` did to a network.

    quantised: the layers with their configurations, in order of execution. left: what stays in full precision, with the
    reason.
    """

    quantised: dict[str, LayerConfig]
    left: dict[str, str]

    def __str__(self) -> str:
        lines = [f"quantised {len(self.quantised)} layers: {', '.join(self.quantised)}"]
        lines += [f"left in full precision: {name} ({reason})" for name, reason in self.left.items()]
        return "\n".join(lines)


def convert(
    model: nn.Module,
    config: QuantConfig | None = None,
    example: Example | None = None,
    for_export: bool = False,
) -> Conversion:
    """Replace a network's convolutions (1-D and 2-D) and linear layers by quantised twins, in place.

    example: a batch of real inputs, samples on the first axis: a tensor, or a tuple or dictionary of arguments. With
        it, the first and the last layer are those of execution, a layer that the network does not use is left alone,
        inputs that go negative are quantised signed, and steps start from it until the first batch in training.
        Without it, the order is that of definition, signs are as the configuration has them, and the network must see
        a batch in training before it is evaluated.
    for_export: refuse now what `export_network` would refuse after training.

    Parameters are kept, not copied. Raises InputError, naming the layer and leaving the network as it was, for what can
    neither be quantised nor was to be left (an override of None), and for an example that is not finite.
    """
    config = config or QuantConfig()
    left = {name for name, chosen in config.overrides.items() if chosen is None}
    selection = select_layers(model, config.overrides, left)
    layers, order = selection.layers, list(selection.layers)
    records: dict[str, InputRecord] = {}
    if example is not None:
        records, order = look_at_example(model, layers, example)
        selection.left.update({name: "not used on the example" for name in layers if name not in records})
    chosen = choose_configs(order, config, records)
    if example is not None:
        check_samples(model, layers, chosen, records, example)
    twins = {name: make_twin(name, layers[name], chosen[name], records.get(name), for_export) for name in chosen}
    replace_layers(model, {id(layers[name]): twin for name, twin in twins.items()})
    return Conversion(chosen, selection.left)


def look_at_example(
    model: nn.Module, layers: dict[str, nn.Module], example: Example
) -> tuple[dict[str, InputRecord], list[str]]:
    """Run an example: (what each layer receives, layers in order of execution).

    The first of them is the one that is called first, the last the one that is called last.
    """
    check_example(example)
    check_uses(model, layers, example)
    seen = InputRecords(model, list(layers.items()), example)
    order = [name for name in seen.records if name != seen.calls[-1]] if seen.calls else []
    return seen.records, order + seen.calls[-1:]


def choose_configs(order: list[str], config: QuantConfig, records: dict[str, InputRecord]) -> dict[str, LayerConfig]:
    """Choose each layer's configuration, signed where its inputs go negative. Raises InputError if it cannot be."""
    chosen = {}
    for name in order:
        layer = config.outer if name in (order[0], order[-1]) else config.inner
        layer = config.overrides.get(name) or layer
        if name in records and records[name].smallest < 0 and not layer.signed:
            layer = as_signed(name, layer)
        chosen[name] = layer
    return chosen


def check_samples(
    model: nn.Module,
    layers: dict[str, nn.Module],
    chosen: dict[str, LayerConfig],
    records: dict[str, InputRecord],
    example: Example,
) -> None:
    """Raises InputError unless layers with an adapter have the samples of the batch on their first axis."""
    adaptive = [name for name, layer in chosen.items() if layer.activations == "asq"]
    if not adaptive:
        return
    count = check_example(example)
    more = map_tensors(example, lambda x: torch.cat([x, x[:1]]) if x.dim() and len(x) == count else x)
    try:
        longer = InputRecords(model, [(name, layers[name]) for name in adaptive], more).records
    except Exception:  # whatever the network raises: it takes batches of one size only
        return
    shapes = {name: records[name].shape for name in adaptive}
    check_batch_axis(shapes, {name: record.shape for name, record in longer.items()}, adaptive)


def make_twin(
    name: str, layer: nn.Module, config: LayerConfig, record: InputRecord | None, for_export: bool
) -> Quantised:
    """Make a layer's quantised twin, its step started from the layer's inputs. Raises InputError, naming the layer."""
    twin = TWINS[type(layer)].of(layer, config, name)
    if for_export:
        check_exportable(name, twin)
    if record is not None:
        if not twin.takes(torch.empty(record.shape, device="meta")):
            raise InputError(f"layer {name}: its input has shape {record.shape}; allowed: {twin.INPUT}, N samples")
        twin.activation_quantiser.start(record.statistics, FROM_EXAMPLE)
    return twin


def replace_layers(model: nn.Module, twins: Mapping[int, nn.Module]) -> None:
    """Put the twins, by the id of the layer that each replaces, wherever the layers stand."""
    for parent in list(model.modules()):
        for name, child in parent._modules.items():
            if id(child) in twins:
                setattr(parent, name, twins[id(child)])


def as_signed(name: str, config: LayerConfig) -> LayerConfig:
    """Make a configuration for inputs that go negative. Raises InputError, naming the layer, where there is none."""
    try:
        return replace(config, signed=True)
    except InputError as error:
        raise InputError(f"layer {name} has negative inputs: {error}") from error
