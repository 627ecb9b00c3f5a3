"""Which layers take a tensor's codes, and how the engine multiplies each."""

from dataclasses import dataclass

from asq_model.common.errors import InputError
from asq_model.spec.adaptive_step import IntegerQuantiser
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.elementwise import Input
from hw.engine.compiler.geometry import NO_MARGIN, ONE
from hw.engine.compiler.layer_operands import Operands
from hw.engine.compiler.make_operands import make_operands
from hw.engine.compiler.steps import Step
from hw.engine.engine_spec import EngineSpec


@dataclass(frozen=True)
class Use:
    """A layer that takes a tensor's codes."""

    step: Step
    operands: Operands

    @property
    def quantiser(self) -> IntegerQuantiser:
        """The layer's quantiser, which makes the codes."""
        assert isinstance(self.step.node, Convolution)
        return self.step.node.quantiser

    @property
    def adapts(self) -> bool:
        """Whether the step of the codes adapts."""
        return self.quantiser.adapter is not None

    @property
    def skips_pixels(self) -> bool:
        """Whether the layer sees only some pixels of its input, so that no codes need be made of the others."""
        node = self.step.node
        assert isinstance(node, Convolution)
        return node.kernel == ONE and node.padding == NO_MARGIN and node.stride != ONE

    @property
    def codes(self) -> str:
        """The name of the codes in their memory."""
        return f"codes of {self.step.node.name}"


def find_uses(spec: EngineSpec, steps: list[Step], step: Step, channels: int) -> list[Use]:
    """The layers that take the codes of a step's output, which has so many channels. Raises InputError, naming one."""
    users = [other for other in steps if step.output in other.inputs]
    layers = [user for user in users if isinstance(user.node, Convolution) and user.inputs[0] == step.output]
    alone = isinstance(step.node, Input) and len(users) == 1 and len(layers) == 1
    uses = []
    for user in layers:
        node = user.node
        assert isinstance(node, Convolution)
        may_pack = alone and node.quantiser.adapter is None
        try:
            uses.append(Use(user, make_operands(spec, node, channels, may_pack)))
        except InputError as error:
            raise InputError(f"node {node.name}: {error}") from error
    return uses
