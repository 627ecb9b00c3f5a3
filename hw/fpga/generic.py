# amaranth: UnusedElaboratable=no
# A product is also made only to know its control bits.
"""The generic products in front of a family's own adders: iCE40's, whose cells have no input left for products."""

from collections.abc import Mapping, Sequence

from amaranth.hdl import Cat, Value

from asq_model.spec.mac import MacSpec
from hw.fpga.cells import make_plain_terms
from hw.fpga.numbers import Number
from hw.fpga.pipeline import Control, Pipeline, name_bits
from hw.multipliers import PRODUCTS, Product


class GenericProduct:
    """A product as `hw.multipliers` has it, with its registers and one behind it."""

    def __init__(self, mac: MacSpec, stages: int):
        self.mac, self.stages = mac, stages

    def make_product(self) -> Product:
        """Make the product that any tool can map."""
        return PRODUCTS[self.mac.unit](self.mac, self.stages)

    def make_controls(self, code: Value, below: Value | None) -> dict[str, Control]:
        """Make the control bits of a weight's code by name."""
        return {f"control_{place}": Control(bit) for place, bit in enumerate(self.make_product().decode(code))}

    def build(
        self, pipeline: Pipeline, name: str, control: Mapping[str, Value], row: Mapping[str, Sequence[Value]]
    ) -> Number:
        """Add the product of a row, with a register behind it; returns its number."""
        m, product = pipeline.m, self.make_product()
        m.submodules[name] = product
        m.d.comb += [product.control.eq(Cat(*control.values()))]
        m.d.comb += [getattr(product, part).eq(Cat(*bits)) for part, bits in row.items()]
        value = [pipeline.delay(bit) for bit in name_bits(m, product.value, f"{name}_value")]
        carry = [pipeline.register(product.carry, f"{name}_carry")] if "carry" in product.outputs() else []
        low, high = int(self.mac.products.min()), int(self.mac.products.max())
        return Number(make_plain_terms(value), low, high, carry)
