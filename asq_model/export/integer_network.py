"""A network as a graph of integers, beside torch's own program, which it can be compared with."""

from dataclasses import dataclass

from asq_model.export.trace_network import TracedNetwork
from asq_model.spec.graph.graph import Graph


@dataclass(frozen=True)
class IntegerNetwork:
    """A network's graph, with what it was made from.

    values: by node, the name of torch's node whose output it stands for.
    """

    graph: Graph
    traced: TracedNetwork
    values: dict[str, str]
