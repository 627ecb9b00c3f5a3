"""The multipliers: combinational, one class per circuit, all with one interface."""

from asq_model.spec.mac import MacSpec
from hw.multipliers.integer_multipliers import (
    AddersProduct,
    ApotProduct,
    BoothProduct,
    SharedProduct,
    SignMagnitudeProduct,
    TableProduct,
    UniformProduct,
)
from hw.multipliers.interface import Multiplier, Product
from hw.multipliers.multiples import MultiplesOf, activation_shape, multiple_shapes
from hw.multipliers.shift_multipliers import E2m1Product, PostExactProduct, PostProduct, PostSortedProduct, PotProduct

__all__ = ["PRODUCTS", "MultiplesOf", "Multiplier", "Product", "activation_shape", "make_multiplier", "multiple_shapes"]

PRODUCTS: dict[str, type[Product]] = {
    "post": PostProduct,
    "post-exact": PostExactProduct,
    "post-sorted": PostSortedProduct,
    "post-three-halves": PostProduct,
    "pot": PotProduct,
    "apot": ApotProduct,
    "e2m1": E2m1Product,
    "uniform": UniformProduct,
    "uniform-sign": SignMagnitudeProduct,
    "uniform-adders": AddersProduct,
    "uniform-shared": SharedProduct,
    "uniform-table": TableProduct,
    "uniform-booth": BoothProduct,
}


def make_multiplier(spec: MacSpec) -> Multiplier:
    """Make the multiplier of a unit."""
    return Multiplier(spec, PRODUCTS[spec.unit])
