"""Import a network, compare it in integers with torch, and write its golden vectors: the command `asq-post import`."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, fx

from asq_model.common.errors import InputError
from asq_model.common.files import check_file
from asq_model.exchange.import_network import import_qonnx
from asq_model.export.golden_layers import export_network, file_stem
from asq_model.export.integer_graph import make_graph
from asq_model.export.node_differences import measure_node_differences
from asq_model.export.translator import full_shape
from asq_model.quantisation import LsqActivation
from asq_model.quantisation.quantised import Quantised
from asq_model.studies.integer_parity import BATCH, compare_network
from asq_model.studies.integer_parity_page import render_network

RANDOM_INPUTS, SEED = 256, 7
NO_LABELS = "The inputs have no labels: an image counts as right where its class is torch's."


def find_first_range(network: fx.GraphModule) -> tuple[float, float]:
    """Find the range that the quantisers right behind the network's input can give; −1 to 1 without one."""
    given = next(iter(network.graph.nodes))
    ends: list[float] = []
    for node in given.users:
        module = network.get_submodule(str(node.target)) if node.op == "call_module" else None
        quantiser = module.activation_quantiser if isinstance(module, Quantised) else module
        if isinstance(quantiser, LsqActivation):
            ends += [quantiser.low * quantiser.step.item(), quantiser.high * quantiser.step.item()]
    return (min(ends), max(ends)) if ends else (-1.0, 1.0)


def draw_random_inputs(network: fx.GraphModule) -> Tensor:
    """Draw inputs of an imported network, float32 [256, ...], evenly distributed over `find_first_range`."""
    low, high = find_first_range(network)
    generator = torch.Generator().manual_seed(SEED)
    return low + (high - low) * torch.rand(RANDOM_INPUTS, *network.meta["sizes"], generator=generator)


def describe_inputs(network: fx.GraphModule) -> str:
    """Write a sentence that says what `draw_random_inputs` are."""
    low, high = find_first_range(network)
    return f"Inputs: {RANDOM_INPUTS} random arrays (seed {SEED}), evenly distributed from {low:.4g} to {high:.4g}."


def read_inputs(path: Path, sizes: tuple[int, ...]) -> Tensor:
    """Read the inputs in a `.npy` file, [N, ...] of these sizes, N ≥ 2. Raises InputError for anything else."""
    check_file(path, "file of inputs", megabytes=4096)
    try:
        with path.open("rb") as file:  # which numpy leaves open where it finds damage
            array = np.load(file, allow_pickle=False)
    except Exception as error:  # a damaged header is parsed as Python, which can fail in any way; none of it is run
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"file of inputs {path} is no .npy file of numbers: {reason[:200]}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or array.shape[1:] != sizes or len(array) < 2:
        found = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else "several arrays"
        allowed = f"numbers [N, {', '.join(map(str, sizes))}], N from 2"
        raise InputError(f"file of inputs {path} holds {found}; allowed: {allowed}")
    with np.errstate(over="ignore"):  # what float32 does not hold is infinite, and refused
        values = array.astype(np.float32)
    if not np.isfinite(values).all():
        value = array[~np.isfinite(values)][0]
        raise InputError(f"file of inputs {path} holds {value}; allowed: numbers that float32 holds")
    return torch.from_numpy(values)


def import_and_compare(path: Path, inputs: Path | None, folder: Path) -> str:
    """Import a file, write golden vectors and the graph to a folder, return the parity page of the network.

    Raises InputError for a file that is not supported, or a network that has no integer form.
    """
    network = import_qonnx(path)
    images = draw_random_inputs(network) if inputs is None else read_inputs(inputs, network.meta["sizes"])
    with torch.no_grad():
        classes = network(images).flatten(1).argmax(1)
    integer = make_graph(network, images)
    parity = compare_network(network, images, classes, file_stem(path.stem))
    nodes = measure_node_differences(integer, network, images[:BATCH])
    samples = integer.graph.input.to_integers(images.reshape(len(images), *full_shape(network.meta["sizes"])).numpy())
    export_network(network, images, folder, {"network": file_stem(path.stem)}, integer.graph, samples)
    notes = [*([describe_inputs(network)] if inputs is None else []), NO_LABELS]
    return "\n\n".join([render_network(parity, nodes), " ".join(notes)])
