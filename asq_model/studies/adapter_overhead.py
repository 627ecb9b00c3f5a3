"""What ASQ's adapters add to a network's size and work: Eq. 10-16, and the paper's Table 1. Free of torch.

Convolutions have `Cin·Cout·Kw·Kh` parameters and that times the output's positions in operations; linear layers
`I·O` and `2·I·O`. A parameter takes B bits, an operation counts B/32. The printed figures come out when parameters are
set against the whole network's, and the operations of adapters' first layers alone against those of the 19 quantised
convolutions; and when adapters, weight steps and activation steps take 8 bits. Trained, they are
32-bit floats, and the true share is four times the paper's: the table gives both.
"""

from dataclasses import dataclass

from asq_model.common.markdown import format_table_lines

ADAPTER_BITS = 8
TRAINED_BITS = 32
TABLE_1_COLUMNS = (
    "bits",
    "parameters, paper",
    "8-bit adapters",
    "as trained (32-bit)",
    "compute, paper",
    "8-bit",
    "32-bit",
)
PAPER_TABLE_1 = {8: (2.67, 0.04), 4: (5.34, 0.07), 3: (7.11, 0.10), 2: (10.67, 0.14)}


@dataclass(frozen=True)
class Convolution:
    """A convolution's shape: channels in and out, kernel edge, output edge; `quantised` if it has an adapter."""

    channels: int
    out_channels: int
    kernel: int
    size: int
    quantised: bool = True

    @property
    def weights(self) -> int:
        """How many weights the convolution has."""
        return self.channels * self.out_channels * self.kernel**2

    @property
    def operations(self) -> int:
        """How many multiplications one image takes."""
        return self.weights * self.size**2

    @property
    def adapter_hidden_weights(self) -> int:
        """How many weights the adapter's first layer has, C → C // 4."""
        return self.channels * (self.channels // 4)

    @property
    def adapter_parameters(self) -> int:
        """How many parameters both layers of the adapter have, C → C // 4 → 1, with biases."""
        hidden = self.channels // 4
        return self.adapter_hidden_weights + hidden + hidden + 1


@dataclass(frozen=True)
class Overhead:
    """The adapters' shares of a network's parameters and operations in percent, for one bit-width."""

    bits: int
    parameters: float
    parameters_trained: float
    compute: float
    compute_trained: float


RESNET18_PARAMETERS = 11_689_512  # with batch norm and biases, as torchvision counts them


def list_convolutions() -> list[Convolution]:
    """List ResNet-18's 20 convolutions at 224×224; the first one is 8-bit and has no adapter."""
    layers = [Convolution(3, 64, 7, 112, quantised=False)]
    channels = 64
    for width, size in ((64, 56), (128, 28), (256, 14), (512, 7)):
        if width != channels:
            layers.append(Convolution(channels, width, 1, size))
        layers += [Convolution(channels, width, 3, size), *[Convolution(width, width, 3, size)] * 3]
        channels = width
    return layers


def compute_overhead(bits: int) -> Overhead:
    """Compute ASQ's share of ResNet-18's parameters and operations at `bits` bits."""
    quantised = [layer for layer in list_convolutions() if layer.quantised]
    added = sum(layer.adapter_parameters + layer.out_channels + 1 for layer in quantised)
    operations = sum(layer.operations for layer in quantised)
    adapter_operations = 2 * sum(layer.adapter_hidden_weights for layer in quantised)

    def share(part: int, part_bits: int, whole: int) -> float:
        return 100 * part * part_bits / (whole * bits)

    return Overhead(
        bits,
        share(added, ADAPTER_BITS, RESNET18_PARAMETERS),
        share(added, TRAINED_BITS, RESNET18_PARAMETERS),
        share(adapter_operations, ADAPTER_BITS, operations),
        share(adapter_operations, TRAINED_BITS, operations),
    )


def render_table_1() -> str:
    """Write the paper's Table 1 in Markdown, its figures beside those computed here."""
    rows = []
    for bits, (parameters, compute) in PAPER_TABLE_1.items():
        share = compute_overhead(bits)
        shares = [parameters, share.parameters, share.parameters_trained]
        shares += [compute, share.compute, share.compute_trained]
        rows.append([bits, *(f"{percent:.2f} %" for percent in shares)])
    return "\n".join(format_table_lines(TABLE_1_COLUMNS, rows, "rrrrrrr"))
