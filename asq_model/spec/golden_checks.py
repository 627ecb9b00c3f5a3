"""Which parts of the manifest of golden vectors have to fit together, and what can stand in it. Free of torch."""

from collections import Counter
from collections.abc import Mapping
from typing import cast

import msgspec

from asq_model.common.errors import InputError
from asq_model.common.files import format_canonical_json
from asq_model.spec.golden_manifest import About, Accuracy, LayerEntry, Manifest, spec_of

FOUND = ("format", "products", "layers", "maps", "unused", "graph")  # by the export itself


def check_layer(entry: LayerEntry) -> None:
    """Raises InputError unless the layer's units are for its operands and have its weights."""
    name = entry["name"]
    if entry["products"] != entry["vectors"] * entry["terms"] or len(entry["scales"]) != entry["channels"]:
        raise InputError(f"layer {name} has other products or scales than its vectors, terms and channels make")
    specs = {key: spec_of(unit) for key, unit in entry["units"].items()}
    for key, spec in specs.items():
        widths = (spec.weight_bits, spec.activation_bits) == (entry["weight_bits"], entry["activation_bits"])
        if key != spec.name or not widths or spec.lanes != 1 or spec.depth < entry["terms"]:
            raise InputError(f"layer {name} has a unit {key} that is not for it")
        if entry["units"][key]["level_set"] != spec.level_set.name:
            raise InputError(f"layer {name} has a unit {key} of another level set than its own")
    if entry["level_set"] not in {spec.level_set.name for spec in specs.values()}:
        raise InputError(f"layer {name} has no unit of its weights' own level set, {entry['level_set']}")
    if len({spec.signed_activation for spec in specs.values()}) > 1:
        raise InputError(f"layer {name} has units for signed and for unsigned activations")


def check_accuracy(accuracy: Accuracy) -> None:
    """Raises InputError for more correct images than there are, or without their number."""
    counts = cast(dict[str, int], accuracy)
    for name in ("full_precision_correct", "quantised_correct", "post_correct"):
        if counts.get(name, 0) > counts.get("test_images", -1) and name in counts:
            raise InputError(f"{name} is {counts[name]} of {counts.get('test_images')} images")


def check_about(about: Mapping[str, object]) -> None:
    """Raises InputError unless a manifest can say this of a network, beside what is found while vectors are made."""
    found = [name for name in about if name in FOUND]
    if found:
        raise InputError(f"about has {found[0]}, which is found while vectors are made; leave it out", "about")
    try:
        format_canonical_json(about)
        check_accuracy(msgspec.convert(about, About, strict=True).get("accuracy", {}))
    except (InputError, TypeError, ValueError) as error:  # msgspec's are ValueErrors
        raise InputError(f"about cannot stand in a manifest: {' '.join(str(error).split())}", "about") from error


def parse_manifest(contents: Mapping[str, object]) -> Manifest:
    """Parse and check the contents of a manifest.

    Raises InputError, in one line, for what is missing, out of range or does not fit together.
    """
    try:
        manifest = msgspec.convert(contents, Manifest, strict=True)
    except msgspec.ValidationError as error:
        raise InputError(f"it is none: {error}") from error
    for part in Manifest.__annotations__:
        if part in contents and msgspec.to_builtins(cast(dict[str, object], manifest)[part]) != contents[part]:
            raise InputError(f"its {part} has keys that have no place in it")
    check_accuracy(manifest["accuracy"])
    entries = [*manifest["layers"], *manifest["maps"]]
    for layers in (manifest["layers"], manifest["maps"]):
        twice = [name for name, count in Counter(layer["name"] for layer in layers).items() if count > 1]
        if twice:
            raise InputError(f"layer {twice[0]} is there twice")
    if len({entry["file"] for entry in entries}) < len(entries):
        raise InputError("two layers are in one file")
    for layer in manifest["layers"]:
        check_layer(layer)
    if manifest["products"] != sum(layer["products"] for layer in manifest["layers"]):
        raise InputError("its products are not those of its layers")
    return cast(Manifest, contents)
