"""What every quantised layer does: quantise its input and weight, then torch's own operation."""

import json
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from asq_model.common.errors import InputError
from asq_model.common.files import format_canonical_json
from asq_model.config.layer_config import LayerConfig, describe_differences, make_layer_record, parse_layer_config
from asq_model.quantisation import make_activation_quantiser, make_weight_quantiser
from asq_model.quantisation.straight_through import exporting
from asq_model.spec.sqrt2 import make_sqrt2_table

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
WORKING_TYPES = (torch.float32, torch.float64)  # of parameters; inputs of lower precision are widened


def recompute(result: Tensor, source: Tensor, again: Callable[[Tensor], Tensor]) -> saved_tensors_hooks:
    """Save memory in a block: what would keep `result` for the backward pass computes it again, `again(source)`.

    The quantised input comes from the layer's input, which the activation function before the layer keeps anyway: so a
    training step's memory stays near that of full precision, for one more rounding. As with torch's own layers, the
    backward pass raises RuntimeError if the input was written to in between.
    """
    pointer, shape = result.data_ptr(), result.shape
    source = source.detach()  # shares memory and version with the layer's input
    version = source._version

    def pack(tensor: Tensor) -> Tensor | None:
        return None if tensor.data_ptr() == pointer and tensor.shape == shape else tensor

    def unpack(tensor: Tensor | None) -> Tensor:
        if tensor is not None:
            return tensor
        if source._version != version:
            raise RuntimeError(
                "the input of a quantised layer was modified in place before the backward pass: a tensor of shape"
                f" {tuple(shape)} is at version {source._version}; expected version {version}"
            )
        with torch.no_grad():
            return again(source)

    return saved_tensors_hooks(pack, unpack)


def look_up(table: Tensor, patterns: Tensor) -> Tensor:
    """Look up the table's entries, shaped as the patterns. `index_select` is much faster than `table[patterns]`."""
    return table.index_select(0, patterns.flatten()).view(patterns.shape)


class Quantised(nn.Module):
    """Mixin for torch's layers that quantises input and weight before the layer's own operation.

    Both are computed in float32 (float64 where the parameters are) whatever the precision around them: a step in
    bfloat16 would move the thresholds. The configuration is part of the state dict, as the bytes of its JSON: a state
    does not load into a layer that is quantised otherwise.

    name: where the layer stands in its network, for messages. recomputes: whether the backward pass quantises the input
    anew instead of keeping the quantised one.
    """

    CHANNEL_AXIS: ClassVar[int]  # of the input
    INPUT: ClassVar[str]  # the shape that is allowed, for messages
    weight: Tensor
    bias: Any  # Tensor or None; torch's layers do not agree on its type
    root_error: Tensor  # of rounded products, by activation code; only where the configuration rounds them

    def __init__(self, *args: Any, config: LayerConfig, channels: int, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.config = config
        self.name = type(self).__name__
        self.recomputes = True
        self.activation_quantiser = make_activation_quantiser(config, channels, self.CHANNEL_AXIS)
        self.weight_quantiser = make_weight_quantiser(config, self.weight.shape[0])
        if config.product_frac is not None:
            quantiser, frac = self.activation_quantiser, config.product_frac
            values = np.arange(quantiser.low, quantiser.high + 1)
            error = make_sqrt2_table(values, frac) * 2.0**-frac - 2**0.5 * values
            self.register_buffer("root_error", torch.tensor(error, dtype=torch.float32), persistent=False)

    @classmethod
    @abstractmethod
    def of(cls, layer: Any, config: LayerConfig, name: str = "") -> Self:
        """The quantised twin of one of torch's layers."""

    def adopt(self, layer: nn.Conv1d | nn.Conv2d | nn.Linear, name: str) -> Self:
        """Take over a layer's parameters (not copies of them), hooks and mode, and start the weight scales."""
        self.name = name or self.name
        self.weight, self.bias = layer.weight, layer.bias
        self.to(layer.weight.device, layer.weight.dtype)
        for hooks in HOOKS:
            getattr(self, hooks).update(getattr(layer, hooks))
        self.weight_quantiser.initialise(self.weight)
        return self.train(layer.training)

    def get_extra_state(self) -> Tensor:
        """Return the configuration as the state dict holds it: uint8, JSON in UTF-8."""
        return torch.tensor(list(format_canonical_json(make_layer_record(self.config)).encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Raises InputError unless a state dict is of a layer with the same configuration."""
        try:
            stored = parse_layer_config(json.loads(bytes(state.cpu().tolist()).decode()))
        except (AttributeError, TypeError, ValueError) as error:
            raise InputError(f"layer {self.name}: the state's quantiser configuration is damaged: {error}") from error
        if stored != self.config:
            raise InputError(
                f"layer {self.name} is quantised otherwise than the state that is loaded:"
                f" {describe_differences(self.config, stored)}"
            )

    @abstractmethod
    def apply_operation(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Do what the layer does with its input and weight, whatever they are."""

    def as_maps(self, x: Tensor) -> Tensor:
        """Turn an input or output into feature maps [N, C, rows, columns].

        In those of a linear layer, [N, ..., C], the positions are the axes between.
        """
        x = x.movedim(self.CHANNEL_AXIS, 1)
        x = x.flatten(3) if x.dim() > 4 else x
        return x.reshape((*x.shape, 1, 1)[:4])

    @abstractmethod
    def takes(self, x: Tensor) -> bool:
        """Whether an input has the shape that `INPUT` names: one sample per entry of the first axis."""

    def check_input(self, x: Tensor) -> None:
        """Raises InputError for an input without a batch axis, or parameters of too low a precision."""
        if not self.takes(x):
            raise InputError(f"its input has shape {tuple(x.shape)}; allowed: {self.INPUT}, N samples")
        if self.weight.dtype not in WORKING_TYPES:
            raise InputError(
                f"its parameters are {self.weight.dtype}; allowed: torch.float32 or torch.float64 (torch.autocast"
                " computes in lower precision with parameters in float32)"
            )

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Put the layer's name before the errors that its quantisers raise."""
        try:
            yield
        except InputError as error:
            raise InputError(f"layer {self.name}: {error}") from error

    def forward(self, input: Tensor) -> Tensor:  # named as torch's layers name it, for calls by keyword
        with self.naming():
            return self.apply_quantised(input)

    def apply_quantised(self, x: Tensor) -> Tensor:
        """Apply the layer's operation to its quantised input and weight. Raises InputError."""
        self.check_input(x)
        with torch.autocast(x.device.type, enabled=False):
            x = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
            grid = self.activation_quantiser.compute_grid(x)
            quantised = self.activation_quantiser.round_to_grid(x, *grid)
            weight = self.weight_quantiser(self.weight)
            added = self.compute_rounding(x, weight) if self.config.product_frac is not None else 0
        saving: AbstractContextManager[Any] = nullcontext()
        if self.recomputes and torch.is_grad_enabled() and not torch.compiler.is_compiling():
            saving = recompute(quantised, x, lambda source: self.activation_quantiser.round_to_grid(source, *grid))
        with saving:
            result = self.apply_operation(quantised, weight, self.bias)
        # An exporter adds 0: it would fold a batch norm right behind into the weights, and those be no levels any more.
        return result + added if self.config.product_frac is not None or exporting() else result

    def compute_rounding(self, x: Tensor, weight: Tensor) -> Tensor:
        """Compute what rounded products add to the layer's sums: those of weights √2·c are c · round(√2·a).

        To the gradient of the input the rounding is a constant, as any other.
        """
        codes, step = self.activation_quantiser.encode(x)
        error = look_up(self.root_error, codes - self.activation_quantiser.low) * step.view(-1, *(1,) * (x.dim() - 1))
        odd = self.weight_quantiser.find_odd_part(self.weight, weight)
        return self.apply_operation(error, odd, None)
