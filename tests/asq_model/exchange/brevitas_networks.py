"""Small networks of Brevitas, their files, and what QONNX's own executor makes of them."""

import contextlib
import io
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

SAMPLES = 4  # in the files: QONNX's executor takes a batch of that size only


def brevitas():
    """Brevitas' layers; its import warns of torch's own deprecated parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import brevitas.nn
        import brevitas.quant

    return brevitas.nn, brevitas.quant


def started(model: nn.Module, images: Tensor) -> nn.Module:
    """A network whose scales and running statistics come from a batch, as after a step of training."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.train()(images)
    return model.eval()


def cnv() -> tuple[nn.Module, Tensor]:
    """Convolutions without padding, batch norm, max pooling, a linear layer: FINN's CNV, smaller."""
    layers, quant = brevitas()
    model = nn.Sequential(
        layers.QuantIdentity(bit_width=8, act_quant=quant.Int8ActPerTensorFloat),
        layers.QuantConv2d(3, 8, 3, bias=False, weight_bit_width=4, weight_quant=quant.Int8WeightPerChannelFloat),
        *(nn.BatchNorm2d(8), layers.QuantReLU(bit_width=4)),
        *(layers.QuantConv2d(8, 8, 3, bias=True, weight_bit_width=2), nn.BatchNorm2d(8), layers.QuantReLU(bit_width=2)),
        *(nn.MaxPool2d(2), nn.Flatten(), layers.QuantLinear(32, 10, bias=True, weight_bit_width=3)),
    )
    return started(model, torch.randn(64, 3, 8, 8)), torch.randn(64, 3, 8, 8)


def depthwise() -> tuple[nn.Module, Tensor]:
    """Depthwise and pointwise convolutions with stride and padding, global pooling: MobileNet's, smaller."""
    layers, quant = brevitas()
    per_channel = {"weight_quant": quant.Int8WeightPerChannelFloat, "bias": False}
    model = nn.Sequential(
        layers.QuantIdentity(act_quant=quant.Int8ActPerTensorFloat),
        *(layers.QuantConv2d(3, 8, 3, stride=2, padding=1, weight_bit_width=8, **per_channel), nn.BatchNorm2d(8)),
        layers.QuantReLU(bit_width=6),
        layers.QuantConv2d(8, 8, 3, padding=1, groups=8, weight_bit_width=5, **per_channel),
        *(nn.BatchNorm2d(8), layers.QuantReLU(bit_width=5)),
        layers.QuantConv2d(8, 16, 1, weight_bit_width=4, **per_channel),
        *(nn.BatchNorm2d(16), layers.QuantReLU(bit_width=4)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), layers.QuantIdentity(bit_width=8)),
        layers.QuantLinear(16, 5, bias=True, weight_bit_width=8),
    )
    return started(model, torch.randn(64, 3, 8, 8)), torch.randn(64, 3, 8, 8)


class Residual(nn.Module):
    """A residual block whose branches are quantised before their sum, as Brevitas and FINN have it."""

    def __init__(self) -> None:
        super().__init__()
        layers, quant = brevitas()
        self.first = nn.Sequential(
            layers.QuantIdentity(act_quant=quant.Int8ActPerTensorFloat),
            *(layers.QuantConv2d(3, 8, 3, padding=1, bias=False, weight_bit_width=4), nn.BatchNorm2d(8)),
        )
        self.trunk = layers.QuantReLU(bit_width=4)
        self.branch = nn.Sequential(
            layers.QuantConv2d(8, 8, 3, padding=1, bias=False, weight_bit_width=4),
            *(nn.BatchNorm2d(8), layers.QuantIdentity(bit_width=4)),
        )
        self.after = layers.QuantReLU(bit_width=4)
        self.last = nn.Sequential(nn.MaxPool2d(8), nn.Flatten(), layers.QuantLinear(8, 5, True, weight_bit_width=4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.trunk(self.first(x))
        return self.last(self.after(self.branch(x) + x))


def residual() -> tuple[nn.Module, Tensor]:
    return started(Residual(), torch.randn(64, 3, 8, 8)), torch.randn(64, 3, 8, 8)


def bipolar() -> tuple[nn.Module, Tensor]:
    """One-dimensional convolutions with weights of −1 and 1, and a linear layer of −1, 0 and 1."""
    layers, quant = brevitas()
    model = nn.Sequential(
        layers.QuantIdentity(act_quant=quant.Int8ActPerTensorFloat),
        layers.QuantConv1d(2, 8, 5, weight_quant=quant.SignedBinaryWeightPerTensorConst, bias=False),
        *(nn.BatchNorm1d(8), layers.QuantReLU(bit_width=4)),
        *(nn.Flatten(), layers.QuantLinear(8 * 12, 5, True, weight_quant=quant.SignedTernaryWeightPerTensorConst)),
    )
    return started(model, torch.randn(64, 2, 16)), torch.randn(64, 2, 16)


def truncated() -> tuple[nn.Module, Tensor]:
    """An average pooling that rounds its integers down, `Trunc`."""
    layers, quant = brevitas()
    model = nn.Sequential(
        layers.QuantIdentity(act_quant=quant.Int8ActPerTensorFloat, return_quant_tensor=True),
        layers.QuantConv2d(3, 8, 3, padding=1, bias=False, weight_bit_width=4),
        *(nn.BatchNorm2d(8), layers.QuantReLU(bit_width=4, return_quant_tensor=True)),
        *(layers.TruncAvgPool2d(4, trunc_quant=quant.TruncTo8bit, bit_width=4), nn.Flatten()),
        layers.QuantLinear(32, 5, True, weight_bit_width=4),
    )
    return started(model, torch.randn(64, 3, 8, 8)), torch.randn(64, 3, 8, 8)


def biased() -> tuple[nn.Module, Tensor]:
    """Biases of integers, and quantisers that are part of a layer."""
    layers, quant = brevitas()
    model = nn.Sequential(
        layers.QuantIdentity(act_quant=quant.Int8ActPerTensorFloat, return_quant_tensor=True),
        layers.QuantConv2d(3, 8, 3, bias=True, bias_quant=quant.Int32Bias, weight_bit_width=4),
        *(nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten()),  # batch norm: of bare integers many are ties
        layers.QuantLinear(288, 5, True, input_quant=quant.Uint8ActPerTensorFloat, weight_bit_width=4),
    )
    return started(model, torch.randn(64, 3, 8, 8)), torch.randn(64, 3, 8, 8)


NETWORKS = {"cnv": cnv, "depthwise": depthwise, "residual": residual, "bipolar": bipolar}


def write(model: nn.Module, images: Tensor, path: Path, form: str, dynamo: bool = True) -> Path:
    """Write a network of Brevitas as `qonnx` or `qcdq`."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        from brevitas import export

        writer = export.export_qonnx if form == "qonnx" else export.export_onnx_qcdq
        writer(model, args=images[:SAMPLES], export_path=str(path), dynamo=dynamo)
    return path


def execute(path: Path, images: Tensor, monkeypatch) -> dict[str, np.ndarray]:
    """Every tensor that QONNX's executor makes of the first samples, by name, and its output as `output`.

    It writes models of one node in ONNX's newest version, which onnxruntime does not take yet.
    """
    monkeypatch.setattr(onnx, "IR_VERSION", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.core.onnx_exec import execute_onnx
        from qonnx.util.cleanup import cleanup_model

        model = cleanup_model(ModelWrapper(str(path)))
        found = execute_onnx(model, {model.graph.input[0].name: images[:SAMPLES].numpy()}, True)
    return found | {"output": found[model.graph.output[0].name]}
