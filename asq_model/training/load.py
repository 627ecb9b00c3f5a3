"""Make a checkpoint's network again, with its trained parameters."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.config.layer_config import QuantConfig, parse_layer_config
from asq_model.networks import build_network
from asq_model.quantisation.convert import convert, quantisable_layers
from asq_model.training.trained_network import Trained, read_quantised, read_trained

MOST_REASON = 300  # characters of what torch says of tensors that do not fit: it names every one


def as_arrays(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Turn tensors into arrays, as a checkpoint stores them."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}


def as_tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Turn a checkpoint's arrays into tensors of their own memory."""
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}


def load_model(path: Path) -> tuple[nn.Module, Trained]:
    """Load a checkpoint: its network in eval mode, quantised if it is, and its configuration. Raises InputError."""
    arrays, config = read_trained(path)
    return make_model(path, arrays, config), config


def make_model(path: Path, arrays: Mapping[str, np.ndarray], config: Trained) -> nn.Module:
    """Make the network of a checkpoint's contents, in eval mode. Raises InputError for tensors that do not fit it."""
    try:
        model = build_network(config["network"], config["classes"])
        layers = {name: parse_layer_config(stored) for name, stored in config["layers"].items()}
        if layers:
            absent = [name for name, _ in quantisable_layers(model) if name not in layers]
            convert(model, QuantConfig(overrides={**layers, **dict.fromkeys(absent)}))
        model.load_state_dict(as_tensors(arrays))
    except (InputError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:MOST_REASON]
        raise InputError(f"checkpoint {path} does not fit this program's {config['network']}: {reason}") from error
    return model.eval()


def load_quantised(path: Path) -> tuple[nn.Module, Trained]:
    """Load a checkpoint as `load_model` does. Raises InputError for a network in full precision."""
    arrays, config = read_quantised(path)
    return make_model(path, arrays, config), config
