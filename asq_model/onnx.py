"""ONNX export: a quantised network as standard operators, the adapter and its dynamic step as a subgraph.

Weights are stored as the values that their codes mean, times batch norm's factor where the exporter folds it in; each
layer's input goes through Div, Round, Clip and Mul with a step that ReduceMean, Gemm and Relu compute from it. What
opens the file needs nothing of this project.
"""

import copy
import io
import logging
import warnings
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import torch
from torch import Tensor, nn

from asq_model.convert import quantised_layers
from asq_model.datasets import load
from asq_model.files import InputError, atomic_write
from asq_model.train import load_quantised

OPSET = 18
INPUT, OUTPUT = "images", "logits"
CHECKED = 360  # test images that the written file is run on
TOLERANCE = 1e-3  # of a logit: far above float32's rounding, far below what one other code does
MOST_OTHERS = 0.05


class _Stored(nn.Module):
    """Stands for a weight quantiser where the layer's weights are quantised already."""

    def forward(self, w: Tensor) -> Tensor:
        return w


def with_stored_weights(model: nn.Module) -> nn.Module:
    """A copy of a network in eval mode whose weights are the quantised ones."""
    model = copy.deepcopy(model).eval()
    for _, layer in quantised_layers(model):
        with torch.no_grad():
            layer.weight = nn.Parameter(layer.weight_quantiser(layer.weight), requires_grad=False)
        layer.weight_quantiser = _Stored()
    return model


def export_onnx(model: nn.Module, example: Tensor, path: Path) -> None:
    """Write a network as ONNX: input `images` [N, C, H, W] float32 with any N, output `logits` [N, classes].

    `example`: a batch of at least two images, which only gives the shape. Raises InputError if it cannot be written.
    """
    stored = with_stored_weights(model)
    with torch.no_grad(), quiet_exporter():
        program = torch.onnx.export(
            stored,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("N")},),
            verbose=False,
        )
    contents = without_metadata(program.model_proto).SerializeToString(deterministic=True)
    atomic_write(path, lambda temporary: temporary.write_bytes(contents))


@contextmanager
def quiet_exporter():
    """The exporter prints its stages, misses torchvision, and uses a name that torch itself has deprecated."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def checked_export(checkpoint: Path, path: Path, data_folder: Path | None) -> tuple[int, float]:
    """Export a checkpoint's network and compare onnxruntime with torch on the test set's first images.

    Returns (images, how many of them get the same logits). A few need not: where an activation lies as near to the
    edge between two codes as float32 resolves, sums in another order round it the other way. Raises InputError if
    more than `MOST_OTHERS` of the images differ.
    """
    model, config = load_quantised(checkpoint)
    test = load(config["recipe"]["data"], data_folder).test
    images, _ = next(test.batches(torch.arange(min(len(test), CHECKED)), CHECKED, None))
    export_onnx(model, images[:2], path)
    others = int((differences(path, model, images) > TOLERANCE).sum())
    if others > MOST_OTHERS * len(images):
        raise InputError(f"{path}: onnxruntime's logits differ from torch's for {others} of {len(images)} images")
    return len(images), len(images) - others


def differences(path: Path, model: nn.Module, images: Tensor) -> Tensor:
    """[N], each image's largest difference of a logit between onnxruntime on the file and torch."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = torch.from_numpy(session.run([OUTPUT], {INPUT: images.numpy()})[0])
    with torch.no_grad():
        wanted = model(images)
    return (found - wanted).abs().amax(1)


def without_metadata(model):
    """A model without the exporter's notes: they hold paths of this machine and change from run to run."""
    graph = model.graph
    for item in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        item.ClearField("metadata_props")
    return model
