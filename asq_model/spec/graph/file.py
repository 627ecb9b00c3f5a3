"""A graph's file: its nodes as JSON and their arrays as tensors, with a version and a digest. It holds no code."""

from pathlib import Path
from typing import Any, TypedDict

import msgspec
import numpy as np

from asq_model.common.errors import InputError
from asq_model.common.tensor_file import TensorFile
from asq_model.spec.graph.graph import Graph, Operation

FORMAT = 1
GRAPH = TensorFile("graph", FORMAT, megabytes=2048)


class GraphAbout(TypedDict, total=False):
    """What a graph's file says of the network that it was made of; a file from elsewhere may say anything.

    name: of the checkpoint's file. precision: bits of the integers. family, kind, weight_bits, activation_bits: of the
    low-bit layers, as in `LayerConfig`. fingerprint: of all that the file was made from.
    """

    name: str
    network: str
    checkpoint_digest: str
    fingerprint: str
    precision: int
    family: str
    kind: str
    weight_bits: int
    activation_bits: int


def write_graph(path: Path, graph: Graph, about: GraphAbout | None = None) -> None:
    """Write a graph to a file, all or nothing. about: what else the file shall say."""
    arrays: dict[str, np.ndarray] = {}

    def name_array(value: object) -> str:
        if not isinstance(value, np.ndarray):
            raise TypeError(f"a graph holds a {type(value).__name__}")
        arrays[name := f"array{len(arrays):05}"] = value
        return name

    nodes = msgspec.to_builtins(graph.nodes, enc_hook=name_array)
    GRAPH.write(path, arrays, {"nodes": nodes, "about": about or {}})


def read_graph(path: Path) -> tuple[Graph, dict[str, Any]]:
    """Read a graph and what its file says about it.

    Raises InputError, in one line, for a file that is missing, damaged or of another format, and for a graph that
    cannot be.
    """
    arrays, config = GRAPH.read(path)
    unused = set(arrays)

    def find_array(wanted: type, name: object) -> np.ndarray:
        if wanted is not np.ndarray or name not in unused:
            raise ValueError(f"it has no array {str(name)[:40]!r}, or uses it twice")
        unused.discard(str(name))
        return arrays[str(name)]

    try:
        nodes = msgspec.convert(config.get("nodes"), tuple[Operation, ...], strict=True, dec_hook=find_array)
        if unused or set(config) != {"format", "digest", "nodes", "about"} or not isinstance(config["about"], dict):
            raise InputError("it has arrays or keys that have no place in it")
        return Graph(nodes), config["about"]
    except (msgspec.ValidationError, InputError) as error:
        raise InputError(f"graph {path} cannot be used: {' '.join(str(error).split())}") from error
