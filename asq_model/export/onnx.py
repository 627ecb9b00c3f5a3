"""ONNX export: a quantised network as standard operators, the adapter and its dynamic step as a subgraph.

Weights are stored as the values that their codes mean, times batch norm's factor where the exporter folds it in; each
layer's input goes through Div, Round, Clip and Mul with a step that ReduceMean, Gemm and Relu compute from it. What
opens the file needs nothing of this project.
"""

import copy
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.common.files import write_bytes
from asq_model.datasets import load_dataset
from asq_model.networks import put_channels_last
from asq_model.quantisation import WeightQuantiser
from asq_model.quantisation.convert import quantised_layers
from asq_model.training.load import load_quantised

OPSET = 18
INPUT, OUTPUT = "images", "logits"
CHECKED = 360  # test images that the written file is run on
TOLERANCE = 1e-3  # of a logit: far above float32's rounding, far below what one other code does
MOST_DIFFERING = 0.05  # share of the images with other logits from which on their distance is measured
MOST_DISTANCE = 3.0  # allowed then, in distances of torch's own logits in another memory layout


class StoredWeights(WeightQuantiser):
    """A stand-in for a weight quantiser where the layer's weights are quantised already.

    odd: what `LevelSetWeight.find_odd_part` gives for them, where the layer rounds its products.
    """

    def __init__(self, odd: Tensor | None):
        super().__init__()
        self.odd = None if odd is None else nn.Parameter(odd, requires_grad=False)

    def forward(self, w: Tensor) -> Tensor:
        return w

    def initialise(self, w: Tensor) -> None:
        """Do nothing: the weights are final."""

    def find_odd_part(self, w: Tensor, quantised: Tensor) -> Tensor:
        """Return the odd part that was stored with the weights."""
        assert self.odd is not None
        return self.odd


@torch.no_grad()
def store_quantised_weights(model: nn.Module) -> nn.Module:
    """Copy a network, in eval mode, with its quantised weights in place of the latent ones."""
    model = copy.deepcopy(model).eval()
    for _, layer in quantised_layers(model):
        quantised = layer.weight_quantiser(layer.weight)
        rounds = layer.config.product_frac is not None
        odd = layer.weight_quantiser.find_odd_part(layer.weight, quantised) if rounds else None
        layer.weight = nn.Parameter(quantised, requires_grad=False)
        layer.weight_quantiser = StoredWeights(odd)
    return model


def export_onnx(model: nn.Module, example: Tensor | tuple[Tensor, ...], path: Path) -> None:
    """Write any network, converted or not, as ONNX of standard operators.

    example: what the network is called with, a batch of at least two samples, which only gives shapes; several inputs
    as a tuple. The file's input is `images` (of several: `images_0` …), with any number N of samples on the first axis,
    its output `logits`. Raises InputError if the network cannot be written, or only for batches of one size.
    """
    inputs = (example,) if isinstance(example, Tensor) else tuple(example)
    batch = torch.export.Dim("N")
    proto = run_exporter(
        store_quantised_weights(model), inputs, type(model).__name__, tuple({0: batch} for _ in inputs)
    )
    for given in proto.graph.input:
        if not given.type.tensor_type.shape.dim[0].dim_param:
            raise InputError(
                f"{type(model).__name__} can be written as ONNX for batches of {len(inputs[0])} samples only: it takes"
                " the number of samples for a constant; len(x) does so, x.shape[0] does not"
            )
    write_model(path, proto)


def run_exporter(model: nn.Module, inputs: tuple[Tensor, ...], name: str, shapes: tuple[Any, ...] | None) -> Any:
    """Run torch's exporter; return the ONNX model without the exporter's notes.

    name: what errors call the model. shapes: the sizes that are free, or None.

    Raises InputError if the model cannot be written.
    """
    names = [INPUT] if len(inputs) == 1 else [f"{INPUT}_{index}" for index in range(len(inputs))]
    try:
        with torch.no_grad(), quiet_exporter():
            program = torch.onnx.export(
                model,
                inputs,
                dynamo=True,
                opset_version=OPSET,
                input_names=names,
                output_names=[OUTPUT],
                dynamic_shapes=shapes,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        cause = error.__cause__ or error
        reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        raise InputError(f"{name} cannot be written as ONNX: {reason}") from error
    assert program is not None
    return remove_metadata(program.model_proto)


def write_model(path: Path, proto: Any) -> None:
    """Write a model of ONNX, all or nothing, the same bytes every time."""
    write_bytes(path, proto.SerializeToString(deterministic=True))


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Silence torch's exporter: it prints its stages, misses torchvision, and uses a name that is deprecated."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def export_and_compare(checkpoint: Path, path: Path, data_folder: Path | None) -> tuple[int, int]:
    """Export a checkpoint's network and compare onnxruntime with torch on the test set's first images.

    Return (images, how many of them get the same logits). Not all need to: where an activation lies as near to the
    edge between two codes as float32 resolves, sums in another order round it the other way, and in a large network
    that happens in every image. Raises InputError if more than `MOST_DIFFERING` of the images differ, and the logits
    lie further from torch's than torch's own do when the same network computes in another memory layout.
    """
    model, config = load_quantised(checkpoint)
    test = load_dataset(str(config["recipe"]["data"]), data_folder).test
    images, _ = next(test.batches(torch.arange(min(len(test), CHECKED)), CHECKED, None))
    export_onnx(model, images[:2], path)
    wanted, logits = run_torch(model, images), run_onnx(path, images)
    differing = int((largest_differences(logits, wanted) > TOLERANCE).sum())
    if differing > MOST_DIFFERING * len(images):
        distance, torchs_distance = (
            relative_distance(other, wanted) for other in (logits, run_other_layout(model, images))
        )
        if distance > MOST_DISTANCE * torchs_distance:
            raise InputError(
                f"{path}: onnxruntime's logits differ from torch's for {differing} of {len(images)} images,"
                f" by {distance:.2%} (torch's own in another memory layout: by {torchs_distance:.2%})"
            )
    return len(images), len(images) - differing


def relative_distance(logits: Tensor, wanted: Tensor) -> float:
    """The distance of logits from those that are wanted, over the length of the latter."""
    return ((logits - wanted).norm() / wanted.norm()).item()


@torch.no_grad()
def run_torch(model: nn.Module, images: Tensor) -> Tensor:
    """Run a network in torch; return its outputs."""
    return model(images)


def run_other_layout(model: nn.Module, images: Tensor) -> Tensor:
    """Run a network with its channels last in memory, so that sums are taken in another order; return its outputs."""
    return run_torch(put_channels_last(copy.deepcopy(model)), images.to(memory_format=torch.channels_last))


def run_onnx(path: Path, images: Tensor) -> Tensor:
    """Run an ONNX file in onnxruntime; return its outputs."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run([OUTPUT], {INPUT: images.numpy()})[0])


def largest_differences(logits: Tensor, wanted: Tensor) -> Tensor:
    """Each image's largest difference of a logit, [N]."""
    return (logits - wanted).abs().flatten(1).amax(1)


def remove_metadata(model: Any) -> Any:
    """Remove the exporter's notes from a model: they hold paths of this machine and change from run to run."""
    graph = model.graph
    for item in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        item.ClearField("metadata_props")
    return model
