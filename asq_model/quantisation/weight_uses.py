"""Whether a network multiplies by a layer's weight without calling the layer, so that it would not see it quantised."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from asq_model.quantisation.layer_selection import refuse
from asq_model.quantisation.observe import Example, apply, evaluating

MULTIPLIES = {
    nn.functional.linear,
    nn.functional.bilinear,
    nn.functional.multi_head_attention_forward,
    *(torch.conv1d, torch.conv2d, torch.conv3d),
    *(torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d),
    *(torch.matmul, torch.mm, torch.bmm, torch.mv, torch.addmm, torch.baddbmm, torch.einsum),
    *(Tensor.matmul, Tensor.mm, Tensor.bmm, Tensor.mv, Tensor.addmm, Tensor.__matmul__, Tensor.__rmatmul__),
    *(torch._transformer_encoder_layer_fwd, torch._native_multi_head_attention),
}


class WeightUses(TorchFunctionMode):
    """A watch for products with weights outside their own layers, which quantising those layers would not reach.

    bypassed: the name of the first layer whose weight was used in that way, or nothing.
    """

    def __init__(self, layers: dict[str, nn.Module]):
        super().__init__()
        self.bypassed = ""
        self.owners: dict[int, list[tuple[str, nn.Module]]] = {}  # by the weight's memory: several where it is shared
        self.running: list[nn.Module] = []
        self.hooks: list[RemovableHandle] = []
        for name, layer in layers.items():
            self.owners.setdefault(storage_of(layer.get_parameter("weight")), []).append((name, layer))
            self.hooks.append(layer.register_forward_pre_hook(self.enter))
            self.hooks.append(layer.register_forward_hook(self.leave, always_call=True))

    def enter(self, layer: nn.Module, _: object) -> None:
        """Note that a layer begins to run: its weight may be used now."""
        self.running.append(layer)

    def leave(self, *_: object) -> None:
        """Note that the layer that began last has run."""
        self.running.pop()

    def __torch_function__(
        self, function: Any, types: Any, arguments: Sequence[Any] = (), keywords: Mapping[str, Any] | None = None
    ) -> Any:
        keywords = keywords or {}
        if not self.bypassed and function in MULTIPLIES:
            for value in (*arguments, *keywords.values()):
                owners = self.owners.get(storage_of(value), []) if isinstance(value, Tensor) else []
                if owners and not any(layer in self.running for _, layer in owners):
                    self.bypassed = owners[0][0]
        return function(*arguments, **keywords)

    def __exit__(self, *error: Any) -> None:
        for hook in self.hooks:
            hook.remove()
        super().__exit__(*error)


def storage_of(tensor: Tensor) -> int:
    """Where a tensor's memory is, whatever view of it the tensor is."""
    return tensor.untyped_storage().data_ptr() if tensor.layout == torch.strided else 0


def check_uses(model: nn.Module, layers: dict[str, nn.Module], example: Example) -> None:
    """Raises InputError where the network, run on an example, multiplies by a layer's weight without calling it."""
    with evaluating(model), WeightUses(layers) as watch:
        apply(model, example)
    if watch.bypassed:
        refuse(
            watch.bypassed,
            "is bypassed: the network multiplies by its weight without calling it, and would not see it quantised",
        )
