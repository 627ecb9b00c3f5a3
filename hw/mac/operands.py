"""What passes between the stages of a multiply-accumulate unit: operands, terms and sums."""

from collections.abc import Mapping

from amaranth.hdl import Shape, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.mac import MacSpec
from hw.multipliers import activation_shape, multiple_shapes


def pair_layout(spec: MacSpec) -> data.StructLayout:
    """What one lane takes: a weight code, an activation and, if the unit shares them, the activation's multiples."""
    pair = {"weight": spec.level_set.code_bits, "activation": activation_shape(spec)}
    return data.StructLayout(pair | (multiple_shapes(spec) if spec.shared else {}))


def operand_layout(spec: MacSpec) -> data.StructLayout:
    """What a unit takes in a cycle: a pair, and whether it ends its dot product; with several lanes, `operands` is an
    array of pairs.
    """
    pair = pair_layout(spec)
    if spec.lanes == 1:
        return data.StructLayout(pair.members | {"last": 1})
    return data.StructLayout({"operands": data.ArrayLayout(pair, spec.lanes), "last": 1})


def terms_layout(term: Mapping[str, Shape], lanes: int) -> data.StructLayout:
    """Addends as multipliers put them out (value, and carry and lane if they have them), one per lane, and whether they
    end their dot product.
    """
    return data.StructLayout({"terms": data.ArrayLayout(data.StructLayout(term), lanes), "last": 1})


def sums_layout(widths: Mapping[str, int]) -> data.StructLayout:
    """Signed sums side by side, by name and width."""
    return data.StructLayout({name: signed(width) for name, width in widths.items()})


def multiplier_ports(spec: MacSpec, term: Mapping[str, Shape]) -> dict[str, wiring.Member]:
    """The ports of a stage that multiplies: a stream of operands in, a stream of terms out."""
    return {
        "i": In(stream.Signature(operand_layout(spec))),
        "o": Out(stream.Signature(terms_layout(term, spec.lanes))),
    }


def mac_ports(spec: MacSpec) -> dict[str, wiring.Member]:
    """The ports of a whole unit: a stream of operands in, a stream of results out."""
    return {
        "i": In(stream.Signature(operand_layout(spec))),
        "o": Out(stream.Signature(signed(spec.result_width))),
    }
