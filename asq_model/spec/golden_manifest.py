"""The manifest of golden vectors: what is in it, and which of it has to fit together. Free of torch."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal, NotRequired, TypedDict, cast

import msgspec
from msgspec import Meta

from asq_model.common.errors import InputError
from asq_model.common.files import canonical_json
from asq_model.common.records import Amount, Count, Digest, Line, Whole, Width, Word
from asq_model.spec.asq_blocks import MAX_CHANNELS, MAX_PIXELS
from asq_model.spec.formats import Bits, Int64
from asq_model.spec.mac import MacSpec
from asq_model.spec.mac_parameters import MAX_DEPTH
from asq_model.spec.precision import SHIFT_BITS

ShiftInput = Annotated[int, Meta(ge=0, lt=1 << SHIFT_BITS)]
Channels = Annotated[int, Meta(ge=1, le=MAX_DEPTH)]
Real = Annotated[float, Meta(ge=-1e300, le=1e300)]
FileName = Annotated[str, Meta(max_length=255, pattern=r"\A[^/\x00-\x1f\x7f]+\.npz\Z")]


class LayerFile(TypedDict):
    """A file beside the manifest."""

    file: FileName
    sha256: Digest


class GraphFile(TypedDict):
    """The network in integers, a file beside the manifest (`asq_model.spec.graph.file`)."""

    file: Literal["graph.safetensors"]
    sha256: Digest


class UnitEntry(TypedDict):
    """A unit whose results a layer's file has. `spec`: all parameters of `MacSpec`."""

    spec: dict[Word, bool | int | Line | None]
    level_set: Word
    weights: Literal["trained", "least squares, not trained"]
    difference_rms: Amount
    difference_max: Amount


class LayerContent(TypedDict):
    """What the manifest says of a layer's dot products. Keys as in docs/golden-vectors.md."""

    name: Line
    terms: Annotated[int, Meta(ge=1, le=MAX_DEPTH)]
    channels: Channels
    vectors: Whole
    products: Whole
    weight_bits: Width
    activation_bits: Width
    level_set: Word
    step: Amount
    scales: list[Real]
    torch_rms: Amount
    units: dict[Word, UnitEntry]


class LayerEntry(LayerContent, LayerFile):
    """A layer's dot products, and the file that they lie in."""


class AdapterEntry(TypedDict):
    """An adapter's constants as integers; `hidden`: its hidden neurons, or 0."""

    hidden: Annotated[int, Meta(ge=0, le=MAX_CHANNELS)]
    hidden_shift: ShiftInput
    output_shift: ShiftInput
    output_bias: Int64
    floor: Count


class RescaleEntry(TypedDict):
    """What follows a layer's sums: sizes of the output, and shifts."""

    channels: Annotated[int, Meta(ge=1, le=MAX_CHANNELS)]
    pixels: Annotated[int, Meta(ge=1, le=MAX_PIXELS)]
    total_bits: Bits
    bias_bits: Bits
    scale_shift: ShiftInput
    shift: ShiftInput
    align: ShiftInput
    relu: bool


class MapsContent(TypedDict):
    """What the manifest says of a layer's feature maps. Keys as in docs/golden-vectors.md."""

    channels: Channels
    pixels: Whole
    products: Count
    bits: Width
    signed: bool
    input_bits: Bits
    point: Annotated[int, Meta(ge=-64, le=64)]
    mantissa: Whole
    learned_step: Amount
    adapter: AdapterEntry | None
    rescale: RescaleEntry | None


class MapsEntry(MapsContent, LayerFile):
    """A layer's feature maps, and the file that they lie in."""

    name: Line


class Accuracy(TypedDict):
    """How many of `test_images` held-out images are classified correctly, by the arithmetic."""

    test_images: NotRequired[Whole]
    full_precision_correct: NotRequired[Count]
    quantised_correct: NotRequired[Count]
    post_frac: NotRequired[Annotated[int, Meta(ge=-1, le=12)]]
    post_correct: NotRequired[Count]


class Manifest(TypedDict):
    """The fields of a manifest that readers rely on; what else an exporter wrote is not looked at."""

    format: int
    network: Line
    weight_bits: Width
    activation_bits: Width
    activations: Word
    level_set: Word
    kind: Line
    family: Word
    accuracy: Accuracy
    products: Whole
    checkpoint_digest: Digest
    fingerprint: NotRequired[Digest]
    checkpoint_sha256: NotRequired[Digest]
    graph: NotRequired[GraphFile]
    layers: list[LayerEntry]
    maps: list[MapsEntry]


class About(TypedDict, total=False):
    """What whoever exports a network can say of it; keys that no reader looks at may be anything that JSON holds."""

    network: Line
    accuracy: Accuracy
    checkpoint_digest: Digest
    checkpoint_sha256: Digest
    fingerprint: Digest


FOUND = ("format", "products", "layers", "maps", "unused", "graph")


def stored_spec(spec: MacSpec) -> dict[str, Any]:
    """A unit's parameters as a manifest stores them: format 3 calls the kind of the level set `levels`."""
    return {"levels" if name == "kind" else name: value for name, value in asdict(spec).items()}


def spec_of(unit: UnitEntry) -> MacSpec:
    """The unit that a manifest's entry describes. Raises InputError for parameters that cannot be."""
    try:
        parameters: dict[str, Any]
        parameters = {"kind" if name == "levels" else name: value for name, value in unit["spec"].items()}
        spec = MacSpec(**parameters)
        if stored_spec(spec) != unit["spec"]:
            raise InputError("it lacks parameters, or has them in another form than this program writes")
    except (InputError, TypeError, ValueError) as error:
        raise InputError(f"a unit's spec cannot be: {error}") from error
    return spec


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
        canonical_json(about)
        check_accuracy(msgspec.convert(about, About, strict=True).get("accuracy", {}))
    except (InputError, TypeError, ValueError) as error:  # msgspec's are ValueErrors
        raise InputError(f"about cannot stand in a manifest: {' '.join(str(error).split())}", "about") from error


def checked_manifest(contents: Mapping[str, object]) -> Manifest:
    """The contents of a manifest, checked.

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
