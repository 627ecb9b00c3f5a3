"""Look into a quantised network: steps, β and weight scales per layer, to be logged or searched for a fault."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.quantisation import Adapter, LsqActivation
from asq_model.quantisation.convert import quantised_layers
from asq_model.quantisation.observe import Example, observe_inputs, watch_outputs
from asq_model.quantisation.quantised import Quantised
from asq_model.spec.precision import BETA_LIMIT

LEAST_SPREAD = 1e-6  # of β over samples, relative: below it float32 hardly resolves that it varies


@dataclass(frozen=True)
class LayerState:
    """The state of one layer on one batch.

    step: s. beta: smallest, mean and largest β (1 without an adapter). on_floor, on_ceiling: the shares of samples
    whose β sits there. scale: smallest and largest weight scale (1 where weights have none). constant: what is wrong
    with an adapter whose β does not vary (else nothing).
    """

    step: float
    beta: tuple[float, float, float]
    on_floor: float
    on_ceiling: float
    scale: tuple[float, float]
    constant: str = ""


def observe_layer_states(model: nn.Module, images: Example) -> dict[str, LayerState]:
    """Observe every layer with a learned step that the network uses, in order of definition."""
    layers = [
        (name, layer)
        for name, layer in quantised_layers(model)
        if isinstance(layer.activation_quantiser, LsqActivation)
    ]
    inputs = observe_inputs(model, layers, images)
    return {name: observe_layer_state(layer, inputs[name]) for name, layer in layers if name in inputs}


@torch.no_grad()
def observe_layer_state(layer: Quantised, x: Tensor) -> LayerState:
    """Observe one layer whose input is x."""
    quantiser = layer.activation_quantiser
    scale = getattr(layer.weight_quantiser, "scale", torch.ones(1))
    beta, floor, constant = torch.ones(1), 0.0, ""
    if quantiser.adapter is not None:
        beta, floor = quantiser.adapter(x), quantiser.adapter.floor
        constant = explain_constant(quantiser.adapter, x, beta)
    return LayerState(
        abs(quantiser.step.item()),
        (beta.min().item(), beta.mean().item(), beta.max().item()),
        (beta <= floor).float().mean().item(),
        (beta >= BETA_LIMIT).float().mean().item(),
        (scale.abs().min().item(), scale.abs().max().item()),
        constant,
    )


def explain_constant(adapter: Adapter, x: Tensor, beta: Tensor) -> str:
    """Say why β [N] does not vary over the samples of x; empty where it does, or where a single sample cannot tell."""
    if len(beta) < 2 or beta.max() - beta.min() > LEAST_SPREAD * beta.max():
        return ""
    fact = f"β is {beta.mean().item():.4g} for all {len(beta)} samples"
    if adapter.hidden is not None and not (adapter.compute_neurons(adapter.pool(x)) > 0).any():
        return f"the adapter is dead, none of its hidden neurons responds, and {fact}"
    return fact


def find_first_fault(model: nn.Module, images: Tensor) -> str:
    """Find what went wrong first in a network whose loss is not finite, for an error message.

    In eval mode, since batch norm must not wait for other processes, whose loss may be fine.
    """
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            return f"{name} has a value that is not finite"
    faults: list[str] = []

    def see(name: str, output: Tensor) -> None:
        if not faults and not torch.isfinite(output).all():
            faults.append(name)

    modules = [(name, module) for name, module in model.named_modules() if name]
    with watch_outputs(modules, see), torch.no_grad(), suppress(InputError):  # a layer may refuse what it receives
        model.eval()(images)
    if not faults:
        return "every layer's output is finite; the loss itself overflowed"
    return f"the output of {faults[0]} is not finite"


class Log:
    """The TensorBoard files of a run, or nothing where no folder is given.

    epoch: how many epochs are done; what the folder has of later ones is left out.
    """

    def __init__(self, folder: Path | None, epoch: int):
        self.writer = None
        if folder is not None:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(folder, purge_step=epoch)

    def write_epoch(self, epoch: int, scalars: dict[str, float], model: nn.Module, images: Tensor) -> None:
        """Write numbers of an epoch by name, and the state of each layer on these images."""
        if self.writer is None:
            return
        for name, value in scalars.items():
            self.writer.add_scalar(name, value, epoch)
        for name, state in observe_layer_states(model, images).items():
            self.writer.add_scalar(f"step/{name}", state.step, epoch)
            for which, value in zip(("min", "mean", "max"), state.beta, strict=True):
                self.writer.add_scalar(f"beta_{which}/{name}", value, epoch)
            self.writer.add_scalar(f"beta_on_floor/{name}", state.on_floor, epoch)
            self.writer.add_scalar(f"scale_max/{name}", state.scale[1], epoch)
        self.writer.flush()

    def close(self) -> None:
        """Close the files."""
        if self.writer is not None:
            self.writer.close()
