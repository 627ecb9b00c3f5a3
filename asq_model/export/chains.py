"""Which of a traced network's operations a layer takes with it: batch norm, the other branch of a sum, a bound."""

from dataclasses import dataclass

from asq_model.export.operations import Affine, Bound, Layer, Operation, Sum
from asq_model.export.trace_network import TracedNetwork

RESULT = Operation("result", (), "", "")  # what uses the network's output


@dataclass(frozen=True)
class Chain:
    """A layer with what it takes with it, in order: factors and offsets, a sum with another branch, a bound at 0."""

    layer: Layer
    affine: tuple[Affine, ...]
    sum: Sum | None
    bound: Bound | None

    @property
    def operations(self) -> list[Operation]:
        """The layer and all operations that it takes with it, in order."""
        ends = [operation for operation in (self.sum, self.bound) if operation is not None]
        return [self.layer, *self.affine, *ends]

    @property
    def trunk(self) -> Operation:
        """The last operation before a sum."""
        return self.affine[-1] if self.affine else self.layer

    @property
    def side(self) -> str | None:
        """The operation that gives the other branch of the sum, if there is one."""
        if self.sum is None:
            return None
        left, right = self.sum.inputs
        return right if left == self.trunk.name else left


def find_consumers(traced: TracedNetwork) -> dict[str, list[Operation]]:
    """Find the operations that use each operation's output; `RESULT` stands for the network's own output."""
    consumers: dict[str, list[Operation]] = {operation.name: [] for operation in traced.operations}
    for operation in traced.operations:
        for name in operation.inputs:
            consumers[name].append(operation)
    consumers[traced.output].append(RESULT)
    return consumers


def find_chains(traced: TracedNetwork) -> list[Chain]:
    """Find what each layer takes with it. A sum goes to the branch that runs last."""
    consumers = find_consumers(traced)
    claimed: set[str] = set()

    def only_consumer(operation: Operation) -> Operation | None:
        users = consumers[operation.name]
        return users[0] if len(users) == 1 else None

    chains = []
    for layer in reversed([operation for operation in traced.operations if isinstance(operation, Layer)]):
        affine: list[Affine] = []
        last: Operation = layer
        while isinstance(following := only_consumer(last), Affine):
            affine.append(following)
            last = following
        total = bound = None
        if isinstance(following, Sum) and following.name not in claimed and following.signs == (1, 1):
            claimed.add(following.name)
            last = total = following
            following = only_consumer(last)
        if isinstance(following, Bound) and following.low == 0:
            bound = following
        chains.append(Chain(layer, tuple(affine), total, bound))
    return chains[::-1]
