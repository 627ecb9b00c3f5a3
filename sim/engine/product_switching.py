"""The switching of an engine's products: that of a small array of them, for each of a network's weights."""

from pathlib import Path

from asq_model.spec.array import ArraySpec
from asq_model.spec.mac import MacSpec
from sim.explore.measure_design import find_golden
from sim.measure.switching import measure_switching
from sim.vectors.shipped import shipped_folders

SIDE = 8  # of the array


def measure_product_switching(products: MacSpec, own: MacSpec, root: Path) -> float | None:
    """Measure the toggles, weighted by fan-out, of multiplying one weight in a square array of an engine's products.

    products: those of the engine. own: those of the network's own widths; where its weights are wider, a product takes
    a bit of the magnitude, and all bits are counted. None if no golden vectors of these widths come with the package.
    """
    golden = find_golden(own, shipped_folders())
    if golden is None:
        return None
    array = ArraySpec(products, SIDE, SIDE)
    if products.weight_bits == own.weight_bits:
        return measure_switching(array, golden, root).per_product
    return measure_switching(array, golden, root, cut_bits=own.weight_bits).per_product * (own.weight_bits - 1)
