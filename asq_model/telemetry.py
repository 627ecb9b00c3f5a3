"""What a quantised network is doing inside: steps, β and weight scales per layer, logged or searched for a fault."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from asq_model.convert import observed_inputs, quantised_layers
from asq_model.quantisers import LsqActivation


@dataclass(frozen=True)
class LayerState:
    """One layer on one batch: step s, smallest, mean and largest β (1 without an adapter), the share of samples whose
    β sits on its floor, smallest and largest weight scale."""

    step: float
    beta: tuple[float, float, float]
    on_floor: float
    scale: tuple[float, float]


def layer_states(model: nn.Module, images: Tensor) -> dict[str, LayerState]:
    """Of every layer with a learned step, in order of definition."""
    layers = [
        (name, layer)
        for name, layer in quantised_layers(model)
        if isinstance(layer.activation_quantiser, LsqActivation) and hasattr(layer.weight_quantiser, "scale")
    ]
    inputs = observed_inputs(model, layers, images)
    states = {}
    for name, layer in layers:
        quantiser, scale = layer.activation_quantiser, layer.weight_quantiser.scale.detach()
        beta, floor = torch.ones(1), 0.0
        if quantiser.adapter is not None:
            with torch.no_grad():
                beta, floor = quantiser.adapter(inputs[name]), quantiser.adapter.floor
        states[name] = LayerState(
            abs(quantiser.step.item()),
            (beta.min().item(), beta.mean().item(), beta.max().item()),
            (beta <= floor).float().mean().item(),
            (scale.abs().min().item(), scale.abs().max().item()),
        )
    return states


def first_fault(model: nn.Module, images: Tensor) -> str:
    """What went wrong first in a network whose loss is no number, for an error message. Leaves it in eval mode.

    In eval mode, since batch norm must not wait for other processes, whose loss may be fine.
    """
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            return f"{name} has a value that is not finite"
    faults = []

    def watch(name: str):
        def hook(module: nn.Module, _, output: Tensor) -> None:
            if not faults and isinstance(output, Tensor) and not torch.isfinite(output).all():
                faults.append(name)

        return hook

    hooks = [module.register_forward_hook(watch(name)) for name, module in model.named_modules() if name]
    try:
        with torch.no_grad():
            model.eval()(images)
    finally:
        for hook in hooks:
            hook.remove()
    if not faults:
        return "every layer's output is finite; the loss itself overflowed"
    return f"the output of {faults[0]} is not finite"


class Log:
    """TensorBoard files of a run, or nothing where no folder is given. Entries count epochs."""

    def __init__(self, folder: Path | None, epoch: int):
        self.writer = None
        if folder is not None:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(folder, purge_step=epoch)

    def epoch(self, epoch: int, scalars: dict[str, float], model: nn.Module, images: Tensor) -> None:
        if self.writer is None:
            return
        for name, value in scalars.items():
            self.writer.add_scalar(name, value, epoch)
        for name, state in layer_states(model, images).items():
            self.writer.add_scalar(f"step/{name}", state.step, epoch)
            for which, value in zip(("min", "mean", "max"), state.beta, strict=True):
                self.writer.add_scalar(f"beta_{which}/{name}", value, epoch)
            self.writer.add_scalar(f"beta_on_floor/{name}", state.on_floor, epoch)
            self.writer.add_scalar(f"scale_max/{name}", state.scale[1], epoch)
        self.writer.flush()

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
