"""A training whose updates are done without a look at their results: on a GPU, each is a CUDA graph that is replayed.

The update is that of `train_step`, the same functions in the same order.
"""

import gc
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from asq_model.common.errors import InputError
from asq_model.config.recipe import Recipe
from asq_model.config.run_options import RunOptions
from asq_model.gpu.device_images import DeviceImages
from asq_model.quantisation import LsqActivation
from asq_model.quantisation.convert import quantised_layers
from asq_model.quantisation.memory_layout import lay_out_as
from asq_model.training.state import TrainingState

EAGER_STEPS = 3  # before the capture: each layer's step starts, cuDNN measures its algorithms


class CapturedTraining:
    """A run of one phase, in full precision or quantised from a full-precision network.

    Everything that an update reads or writes stays in one place of the device's memory, as a graph needs it.
    loss: of the last update; hits: training images right in the epoch; both on the device.
    """

    def __init__(self, recipe: Recipe, images: DeviceImages, start: Path | None = None):
        if 0 not in (recipe.full_precision_epochs, recipe.quantised_epochs):
            raise InputError("a captured training has one phase; allowed: epochs in full precision, or quantised ones")
        if recipe.precision != "float32":
            raise InputError(f"precision is {recipe.precision}; a captured training has float32", "precision")
        self.recipe, self.images, self.device = recipe, images, images.device
        self.state = TrainingState(recipe, images.dataset, RunOptions(device=self.device.type, start=start))
        if recipe.quantised_epochs:
            self.state.start_quantised()
        self.model = self.state.model
        for _, layer in quantised_layers(self.model):
            layer.recomputes = False
        self.groups = self.state.optimiser.param_groups
        self.parameters = [parameter for group in self.groups for parameter in group["params"]]
        self.momenta = {parameter: torch.zeros_like(parameter) for parameter in self.parameters}
        self.plan = torch.zeros(4, recipe.batch, dtype=torch.int64, device=self.device)
        self.rate = torch.zeros((), device=self.device)
        self.loss = torch.zeros((), device=self.device)
        self.hits = torch.zeros((), dtype=torch.int64, device=self.device)
        self.graph: torch.cuda.CUDAGraph | None = None
        self.epoch = self.step = 0
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Make ready what the epoch's updates are done by."""
        self.epoch_plan = self.images.plan(self.recipe, self.epoch)
        self.epoch_rates = self.images.compute_learning_rates(self.recipe)[self.epoch]
        self.hits.zero_()
        self.model.train()

    def update(self) -> None:
        """Do one update from `plan` and `rate`."""
        images, labels = self.images.batch(self.plan)
        logits = self.model(images)
        loss = functional.cross_entropy(logits, labels)
        gradients = dict(zip(self.parameters, torch.autograd.grad(loss, self.parameters), strict=True))
        with torch.no_grad():
            for group in self.groups:
                self.descend(group["params"], gradients, group["weight_decay"])
            self.loss.copy_(loss)
            self.hits += (logits.argmax(1) == labels).sum()

    def descend(self, parameters: list[Tensor], gradients: dict[Tensor, Tensor], weight_decay: float) -> None:
        """Move parameters as torch's SGD does, with a learning rate that lies on the device."""
        momenta = [self.momenta[parameter] for parameter in parameters]
        steps = [lay_out_as(gradients[parameter], parameter) for parameter in parameters]
        if weight_decay:
            steps = list(torch._foreach_add(steps, parameters, alpha=weight_decay))
        torch._foreach_mul_(momenta, self.recipe.momentum)
        torch._foreach_add_(momenta, steps)
        torch._foreach_sub_(parameters, torch._foreach_mul(momenta, self.rate))

    def advance(self, count: int) -> bool:
        """Enqueue up to so many updates, not beyond the epoch; return whether the epoch ended."""
        last = min(self.step + count, self.state.steps)
        for step in range(self.step, last):
            self.plan.copy_(self.epoch_plan[step])
            self.rate.copy_(self.epoch_rates[step])
            if self.graph is None:
                self.update()
            else:
                self.graph.replay()
        self.step = last
        return self.step == self.state.steps

    def start_next_epoch(self) -> None:
        """Go on to the next epoch."""
        self.epoch, self.step = self.epoch + 1, 0
        self.begin_epoch()

    def capture(self, pool: Any = None) -> None:
        """Do the first updates, and on a GPU record one as a graph. pool: of the memory that graphs share.

        Nothing may be freed while a graph is recorded.
        """
        self.advance(1)
        settle_steps(self.model)
        self.advance(EAGER_STEPS - 1)
        if self.device.type != "cuda":
            return
        graph = torch.cuda.CUDAGraph()
        gc.disable()
        try:
            graph.capture_begin(pool, capture_error_mode="thread_local")
            try:
                self.update()
            finally:
                graph.capture_end()
        finally:
            gc.enable()
        self.graph = graph

    @property
    def ended(self) -> bool:
        """Whether the last epoch's updates are enqueued."""
        return self.step == self.state.steps and self.epoch + 1 == self.recipe.epochs


def settle_steps(model: nn.Module) -> None:
    """Ask each learned step for its start no more. Raises InputError for one that the first batch did not start."""
    for name, layer in quantised_layers(model):
        if isinstance(layer.activation_quantiser, LsqActivation):
            try:
                layer.activation_quantiser.settle()
            except InputError as error:
                raise InputError(f"layer {name}: {error}") from error
