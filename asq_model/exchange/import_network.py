"""Import a network from a QONNX file, or from ONNX with QuantizeLinear and DequantizeLinear (QCDQ), as a torch module.

Layers become our own quantised layers with the file's codes and steps, everything else torch's modules. So an imported
network goes the way of any other: into integers, golden vectors, further training.
"""

from collections.abc import Callable
from pathlib import Path

from torch import fx

from asq_model.common.errors import InputError, shown
from asq_model.exchange import layer_nodes, pooling_nodes, quantiser_nodes, shape_nodes, threshold_nodes, value_nodes
from asq_model.exchange.network_builder import Constant, NetworkBuilder
from asq_model.exchange.onnx_file import read_onnx
from asq_model.quantisation.convert import quantised_layers

Handler = Callable[[NetworkBuilder], None]
QONNX_DOMAINS = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")
QUANTISERS: dict[str, Handler] = {
    "Quant": quantiser_nodes.translate_quant,
    "IntQuant": quantiser_nodes.translate_quant,
    "BipolarQuant": quantiser_nodes.translate_bipolar,
    "Trunc": quantiser_nodes.translate_trunc,
    "MultiThreshold": threshold_nodes.translate_multi_threshold,
}
STANDARD: dict[str, Handler] = {
    "QuantizeLinear": quantiser_nodes.translate_quantize_linear,
    "DequantizeLinear": quantiser_nodes.translate_dequantize_linear,
    "Conv": layer_nodes.translate_convolution,
    "Gemm": layer_nodes.translate_gemm,
    "MatMul": layer_nodes.translate_matmul,
    "BatchNormalization": layer_nodes.translate_batch_norm,
    "Clip": value_nodes.translate_clip,
    "LeakyRelu": value_nodes.translate_leaky_relu,
    "MaxPool": pooling_nodes.translate_max_pool,
    "AveragePool": pooling_nodes.translate_average_pool,
    "GlobalAveragePool": pooling_nodes.translate_global_pool,
    "GlobalMaxPool": pooling_nodes.translate_global_pool,
    "ReduceMean": pooling_nodes.translate_reduce_mean,
    "Reshape": shape_nodes.translate_reshape,
    "Flatten": shape_nodes.translate_flatten,
    "Squeeze": shape_nodes.translate_squeeze,
    "Unsqueeze": shape_nodes.translate_squeeze,
    "Transpose": shape_nodes.translate_transpose,
    "Concat": shape_nodes.translate_concatenation,
    "Pad": shape_nodes.translate_pad,
    "Identity": shape_nodes.translate_identity,
    "Dropout": shape_nodes.translate_identity,
    "Constant": shape_nodes.translate_constant,
    "Shape": shape_nodes.translate_shape,
    "Gather": shape_nodes.translate_gather,
    **dict.fromkeys(value_nodes.ARITHMETIC, value_nodes.translate_arithmetic),
    **dict.fromkeys(value_nodes.UNARY, value_nodes.translate_unary),
}


def import_qonnx(path: Path) -> fx.GraphModule:
    """Read a QONNX or QCDQ file as a torch network in eval mode, [N, ...] → [N, ...].

    Its `meta["sizes"]` are the input's sizes behind the batch.
    Raises InputError, in one line that names the node, for what is not supported, and for a damaged file.
    """
    file = read_onnx(path)
    builder = NetworkBuilder()
    try:
        builder.take_input(file.input, file.sizes)
        builder.tensors |= {name: Constant(values) for name, values in file.constants.items()}
        for node in file.nodes:
            builder.node = node
            translate(builder)
        network = builder.finish(file.output)
        if not quantised_layers(network):
            raise InputError("it has no quantised layer")
        network.meta["sizes"] = file.sizes[1:]
    except InputError as error:
        raise InputError(f"ONNX file {path}: {error}") from error
    return network


def translate(builder: NetworkBuilder) -> None:
    """Translate one node. Raises InputError for one that has no counterpart, or whose numbers do not fit together."""
    node = builder.node
    handlers = QUANTISERS if node.domain in QONNX_DOMAINS else STANDARD if node.domain in ("", "ai.onnx") else {}
    handler = handlers.get(node.operator)
    if handler is None:
        node.refuse(f"of domain {shown(node.domain or 'ai.onnx')} is not supported")
    try:
        handler(builder)
    except InputError:
        raise
    except Exception as error:  # numpy and torch raise many kinds for shapes and numbers that do not fit
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"{node.label} does not fit its inputs: {lines[0][:200]}") from error
