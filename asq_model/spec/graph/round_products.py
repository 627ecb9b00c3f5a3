"""Round √2·a of each activation, as hardware with a look-up table does, in place of each sum's whole odd part."""

from dataclasses import replace

import msgspec
import numpy as np

from asq_model.common.errors import InputError, check_range
from asq_model.spec.fixed_point import round_shift
from asq_model.spec.formats import WIDEST
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.graph import Graph, Operation
from asq_model.spec.mac_parameters import MAX_FRAC, MIN_FRAC
from asq_model.spec.products import Products
from asq_model.spec.sqrt2 import make_sqrt2_table


def make_root_table(code_bits: int, signed: bool, frac: int) -> np.ndarray:
    """Make what stands for √2·a · 2^max(frac, 0) of each code a: int64, from the code −largest to the largest.

    frac: fraction bits of the look-up table; -1 is a table of √2·a/2. Hardware multiplies unsigned codes only: a signed
    one is moved by 2^(code_bits − 1), and what that adds to a sum is subtracted again, its root's rounding included.
    """
    table = make_sqrt2_table(np.arange(1 << code_bits), frac) << max(-frac, 0)
    if signed:
        middle = 1 << code_bits - 1
        moved = table - table[middle]
        return np.concatenate([moved, [-moved[0]]])
    return np.concatenate([-table[:0:-1], table])


def round_node(node: Convolution, frac: int) -> Convolution:
    """Round a layer's roots, and what follows its sums for as many fraction bits as those have.

    Where the output has fewer bits to lose than the sums, the scales get as many more: their shift is less or, once it
    is 0, the multipliers are wider. Raises InputError where multipliers, biases or shifts become too large.
    """
    products, rescale = node.products, node.rescale
    if products.odd is None or products.roots is not None:
        return node
    kept = max(frac, 0)
    dropped = products.frac - kept
    roots = make_root_table(node.quantiser.bits, node.quantiser.signed, frac)
    rounded = Products(products.even, products.odd, products.largest, kept, roots)
    if dropped > max(rescale.shift, 0):
        lowered = min(dropped, max(rescale.scale_shift, 0))
        multiplier = round_shift(rescale.multiplier, lowered - dropped)
        wider = replace(rescale, multiplier=multiplier, scale_shift=rescale.scale_shift - lowered)
        return msgspec.structs.replace(node, products=rounded, rescale=wider)
    narrower = replace(rescale, bias=round_shift(rescale.bias, dropped), shift=rescale.shift - dropped)
    align = node.align - dropped if len(node.inputs) == 2 else node.align
    for what, shift in (("shift", narrower.shift), ("align", align)):
        check_range(f"its {what} with {frac} fraction bits", shift, -WIDEST, WIDEST)
    return msgspec.structs.replace(node, products=rounded, rescale=narrower, align=align)


def round_products(graph: Graph, frac: int) -> Graph:
    """Make a graph with √2·a rounded to `frac` fraction bits for each activation, as unit `post` of `spec.mac` has it.

    Layers whose levels have no √2 stay as they are. Raises InputError for a `frac` that the unit does not have, and,
    naming the node, for a layer whose numbers it makes too large.
    """
    check_range("frac", frac, MIN_FRAC, MAX_FRAC)
    nodes: list[Operation] = []
    for node in graph.nodes:
        try:
            nodes.append(round_node(node, frac) if isinstance(node, Convolution) else node)
        except InputError as error:
            raise InputError(f"node {node.name}: {error}") from error
    return Graph(tuple(nodes))
