"""Round √2·a of each activation, as hardware with a look-up table does, in place of each sum's whole odd part."""

from dataclasses import replace

import msgspec
import numpy as np

from asq_model.common.errors import check_range
from asq_model.spec.fixed_point import round_shift
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.graph import Graph
from asq_model.spec.mac import MAX_FRAC, MIN_FRAC
from asq_model.spec.products import Products
from asq_model.spec.sqrt2 import sqrt2_table


def root_table(code_bits: int, signed: bool, frac: int) -> np.ndarray:
    """What stands for √2·a · 2^max(frac, 0) of each code a: int64, from the code −largest to the largest.

    frac: fraction bits of the look-up table; −1 is a table of √2·a/2. Hardware multiplies unsigned codes only: a signed
    one is moved by 2^(code_bits − 1), and what that adds to a sum is subtracted again, its root's rounding included.
    """
    table = sqrt2_table(np.arange(1 << code_bits), frac) << max(-frac, 0)
    if signed:
        middle = 1 << code_bits - 1
        moved = table - table[middle]
        return np.concatenate([moved, [-moved[0]]])
    return np.concatenate([-table[:0:-1], table])


def round_node(node: Convolution, frac: int) -> Convolution:
    """A layer with rounded roots, and what follows its sums for as many fraction bits as those have."""
    products = node.products
    if products.odd is None or products.roots is not None:
        return node
    kept = max(frac, 0)
    dropped = products.frac - kept  # the sums lose so many fraction bits; what is added to them loses them too
    roots = root_table(node.quantiser.bits, node.quantiser.signed, frac)
    rescale = replace(
        node.rescale, bias=round_shift(node.rescale.bias, dropped), shift=max(node.rescale.shift - dropped, 0)
    )
    assert node.rescale.shift >= dropped or node.rescale.shift == 0
    point = node.point - dropped if node.rescale.shift == 0 else node.point
    rounded = Products(products.even, products.odd, products.largest, kept, roots)
    return msgspec.structs.replace(
        node, products=rounded, rescale=rescale, align=node.align - dropped if len(node.inputs) == 2 else 0, point=point
    )


def round_products(graph: Graph, frac: int) -> Graph:
    """The graph with √2·a rounded to `frac` fraction bits for each activation, as unit `post` of `spec.mac` has it.

    Layers whose levels have no √2 stay as they are. Raises InputError for a `frac` that the unit does not have.
    """
    check_range("frac", frac, MIN_FRAC, MAX_FRAC)
    return Graph(tuple(round_node(node, frac) if isinstance(node, Convolution) else node for node in graph.nodes))
