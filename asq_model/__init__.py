"""Quantise networks with POST weights and ASQ activations, train them, and export them for hardware.

The names below load torch when they are first used, not on import: `hw` and `sim` import `asq_model.spec` and
`asq_model.common`, which need numpy only.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asq_model.config.layer_config import LayerConfig, QuantConfig
    from asq_model.datasets import load_dataset
    from asq_model.exchange.export_qonnx import export_qonnx
    from asq_model.exchange.import_network import import_qonnx
    from asq_model.export.golden_layers import export_network
    from asq_model.export.integer_graph import make_graph
    from asq_model.export.onnx import export_onnx
    from asq_model.quantisation.convert import convert
    from asq_model.studies.integer_parity import compare_network

__version__ = "0.2.0"
__all__ = [
    "LayerConfig",
    "QuantConfig",
    "__version__",
    "compare_network",
    "convert",
    "export_network",
    "export_onnx",
    "export_qonnx",
    "import_qonnx",
    "load_dataset",
    "make_graph",
]
MODULES = {
    "LayerConfig": "config.layer_config",
    "QuantConfig": "config.layer_config",
    "compare_network": "studies.integer_parity",
    "convert": "quantisation.convert",
    "export_network": "export.golden_layers",
    "export_onnx": "export.onnx",
    "export_qonnx": "exchange.export_qonnx",
    "import_qonnx": "exchange.import_network",
    "load_dataset": "datasets",
    "make_graph": "export.integer_graph",
}


def __getattr__(name: str) -> object:
    """Import one of the names in `__all__` when it is first used."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
