"""What every node of a graph has: a name, inputs, an output whose format follows from those of the inputs."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from asq_model.common.errors import InputError
from asq_model.common.records import Line
from asq_model.spec.fixed_point import saturate

LARGEST_SIDE = 1 << 20  # of a tensor, along one axis
Side = Annotated[int, Meta(ge=1, le=LARGEST_SIDE)]
Margin = Annotated[int, Meta(ge=0, le=LARGEST_SIDE)]
Pair = tuple[Side, Side]  # rows, columns
Margins = tuple[Margin, Margin, Margin, Margin]  # above, below, left, right


@dataclass(frozen=True)
class Tensor:
    """The format of a tensor: signed integers r of `bits` bits that mean r · 2^-point / gain.

    shape: (channels, rows, columns) of one sample. gain: 1, or the number of values that a sum stands for.
    """

    shape: tuple[int, int, int]
    bits: int
    point: int
    gain: int = 1


@dataclass
class Trace:
    """What a run of a graph did, by node.

    saturated: how many values were cut to their bits. If `keep`: a convolution's inputs, steps, codes and sums of
    products, the values of its side branch, and every node's outputs.
    """

    keep: bool = False
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    steps: dict[str, np.ndarray] = field(default_factory=dict)
    codes: dict[str, np.ndarray] = field(default_factory=dict)
    sums: dict[str, np.ndarray] = field(default_factory=dict)
    sides: dict[str, np.ndarray] = field(default_factory=dict)
    outputs: dict[str, np.ndarray] = field(default_factory=dict)
    saturated: dict[str, int] = field(default_factory=dict)

    def keep_as(self, what: dict[str, np.ndarray], name: str, values: np.ndarray) -> None:
        """Keep a node's values in one of the dictionaries, if any are to be kept."""
        if self.keep:
            what[name] = values

    def cut(self, name: str, values: np.ndarray, bits: int) -> np.ndarray:
        """Saturate values to `bits` bits; how many were outside is added to the node's count."""
        cut, outside = saturate(values, bits)
        self.saturated[name] = self.saturated.get(name, 0) + outside
        return cut


class Node(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", forbid_unknown_fields=True):
    """One operation. Its output is known by the node's name; `inputs` names the nodes whose outputs it takes."""

    name: Line
    inputs: tuple[Line, ...]

    @abstractmethod
    def output_format(self, inputs: Sequence[Tensor]) -> Tensor:
        """The format of the output. Raises InputError for parameters or inputs that cannot be."""

    @abstractmethod
    def run(self, inputs: Sequence[np.ndarray], trace: Trace) -> np.ndarray:
        """Compute the output, int64 [N, channels, rows, columns], from the inputs, which are of the same form."""

    def check_one_input(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return the only input's format. Raises InputError where there are more or none."""
        if len(inputs) != 1:
            raise InputError(f"it has {len(inputs)} inputs; allowed: 1")
        return inputs[0]

    def check_without_gain(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the inputs' formats. Raises InputError where one is a sum that stands for a mean."""
        for name, tensor in zip(self.inputs, inputs, strict=True):
            if tensor.gain != 1:
                raise InputError(f"its input {name} is a sum of {tensor.gain} values; allowed: an input with gain 1")
        return inputs


def check_vector(what: str, values: np.ndarray, channels: int) -> None:
    """Raises InputError unless `values` are int64 with one number for each channel."""
    if values.dtype != np.int64 or values.shape != (channels,):
        raise InputError(f"its {what} are {values.dtype} {list(values.shape)}; allowed: int64 [{channels}]")


def window_size(size: int, kernel: int, stride: int, dilation: int, margin: int) -> int:
    """The number of places of a window along one axis. Raises InputError where it fits nowhere."""
    places = (size + margin - dilation * (kernel - 1) - 1) // stride + 1
    if places < 1:
        raise InputError(f"its window of {dilation * (kernel - 1) + 1} does not fit into {size + margin} values")
    return places


def view_windows(x: np.ndarray, kernel: Pair, stride: Pair, dilation: Pair) -> np.ndarray:
    """View x [N, C, H, W] as its windows: [N, C, H', W', kernel rows, kernel columns]."""
    reach = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
    view = np.lib.stride_tricks.sliding_window_view(x, reach, (2, 3))
    return view[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


def pad(x: np.ndarray, margins: Margins, value: int = 0) -> np.ndarray:
    """Put margins of a value around each of maps [N, C, H, W]."""
    if not any(margins):
        return x
    above, below, left, right = margins
    return np.pad(x, ((0, 0), (0, 0), (above, below), (left, right)), constant_values=value)
