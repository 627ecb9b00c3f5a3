"""Quantise networks with POST weights and ASQ activations, train them, and export them for hardware.

The names below load torch when they are first used, not on import: `hw` and `sim` import `asq_model.spec` and
`asq_model.common`, which need numpy only.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asq_model.config.layer_config import LayerConfig, QuantConfig
    from asq_model.datasets import load_dataset
    from asq_model.export.golden_layers import export_network
    from asq_model.export.onnx import export_onnx
    from asq_model.quantisation.convert import convert

__version__ = "0.2.0"
__all__ = ["LayerConfig", "QuantConfig", "__version__", "convert", "export_network", "export_onnx", "load_dataset"]
MODULES = {
    "LayerConfig": "config.layer_config",
    "QuantConfig": "config.layer_config",
    "convert": "quantisation.convert",
    "export_network": "export.golden_layers",
    "export_onnx": "export.onnx",
    "load_dataset": "datasets",
}


def __getattr__(name: str) -> object:
    """Import one of the names in `__all__` when it is first used."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
