"""The products of an engine: those of a network's own levels, or those that a user chose."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from asq_model.common.errors import InputError, check_choice
from asq_model.spec.levels import EXPONENTIAL
from asq_model.spec.mac import MacSpec
from asq_model.spec.units import FAMILY_OF_UNIT
from hw.engine.engine_spec import ENGINE_UNITS

DEFAULT_BITS = 4  # of weights, which all units have
FRAC = 0  # fraction bits of √2·a
TRAINED = ("family", "kind", "weight_bits", "activation_bits")  # what a graph's file says of its inner layers


@dataclass(frozen=True)
class ProductOptions:
    """What a user chose of an engine's products, and the FPGA family whose cells make them; None: was not given."""

    unit: str | None = None
    weight_bits: int | None = None
    activation_bits: int | None = None
    kind: str | None = None
    frac: int | None = None
    fpga_family: str | None = None

    @property
    def mac_fields(self) -> dict[str, Any]:
        """The fields of MacSpec that were given, by name."""
        return {name: value for name, value in asdict(self).items() if name != "fpga_family" and value is not None}


def choose_products(about: Mapping[str, Any], given: ProductOptions) -> MacSpec:
    """Choose an engine's products: those of a graph's own levels (`about`, what its file says), or the given ones.

    Raises InputError where neither says it.
    """
    chosen = given.mac_fields
    if "unit" not in chosen:
        family = about.get("family")
        units = [unit for unit in ENGINE_UNITS if FAMILY_OF_UNIT[unit] == family]
        if not units:
            raise InputError(
                f"the graph's weights are of family {family}; give the engine's unit: {', '.join(ENGINE_UNITS)}"
            )
        chosen["unit"] = units[0]
    same = FAMILY_OF_UNIT.get(chosen["unit"]) == about.get("family")
    for name in TRAINED[1:]:
        if name not in chosen and (same or name != "kind") and name in about:
            chosen[name] = about[name]
    if FAMILY_OF_UNIT.get(chosen["unit"]) not in EXPONENTIAL and given.kind is None:
        chosen.pop("kind", None)  # sign and magnitude is how a unit stores its levels
    if chosen["unit"] == "post":
        chosen.setdefault("frac", FRAC)
    try:
        return MacSpec(**chosen)
    except TypeError as error:
        said = ", ".join(f"{name} {about.get(name)}" for name in TRAINED)
        raise InputError(f"the graph's file says of its weights: {said}; give unit and bits") from error


def check_products(given: ProductOptions) -> None:
    """Raises InputError for products that no engine can have, whatever the network."""
    refused = None
    for unit in ENGINE_UNITS if given.unit is None else [given.unit]:
        try:
            check_choice("unit", unit, ENGINE_UNITS)
            MacSpec(**{"unit": unit, "weight_bits": DEFAULT_BITS, **given.mac_fields})
            return
        except InputError as error:
            refused = refused or error
    if refused is not None:
        raise refused
