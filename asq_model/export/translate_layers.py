"""What quantised layers, and quantisers that stand alone, become: one operation each."""

from torch import fx

from asq_model.export.operations import Layer, RoundActivations
from asq_model.export.translator import Handler, Translator, Value
from asq_model.quantisation import ActivationQuantiser
from asq_model.quantisation.layers import QuantLinear
from asq_model.quantisation.quantised import Quantised


def translate_opaque(translator: Translator, node: fx.Node) -> None:
    """Translate the operation that `opaque_layers` makes of a module: a layer, or a quantiser that stands alone."""
    index = node.args[1]
    assert isinstance(index, int)
    name, module = translator.modules[index]
    value = translator.value(node, node.args[0])
    if isinstance(module, ActivationQuantiser):
        add_quantiser(translator, node, name, module, value)
    else:
        assert isinstance(module, Quantised)
        add_layer(translator, node, name, module, value)


def add_quantiser(translator: Translator, node: fx.Node, name: str, module: ActivationQuantiser, value: Value) -> None:
    """Add the rounding of a tensor, which keeps its axes."""
    positions, where = value.maps[1] * value.maps[2], translator.where(node)
    rounding = RoundActivations(translator.claim(name), (value.operation,), where, node.name, module, positions)
    translator.add(node, rounding, value.maps, value.axes)


def add_layer(translator: Translator, node: fx.Node, name: str, module: Quantised, value: Value) -> None:
    """Add a layer, before it what puts the axes of its input where it has them."""
    inner = len(value.axes) - 1
    axes = (*range(1, inner + 1), 0) if isinstance(module, QuantLinear) else tuple(range(inner + 1))
    value = translator.arrange(node, value, axes)
    sizes = tuple(int(size) for size in node.meta["val"].shape[1:])
    maps = list(value.maps)
    for axis, size in zip(axes, sizes, strict=True):
        maps[axis] = size
    positions, where = value.maps[1] * value.maps[2], translator.where(node)
    layer = Layer(translator.claim(name), (value.operation,), where, node.name, module, positions)
    translator.add(node, layer, (maps[0], maps[1], maps[2]), axes)


LAYERS: dict[str, Handler] = {"layer": translate_opaque, "quantise": translate_opaque}
