"""The manifest of golden vectors: what is in it; `golden_checks.py` has what of it must fit together. Free of torch."""

from dataclasses import asdict
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

from asq_model.common.errors import InputError
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


class NetworkContent(TypedDict):
    """What the manifest says of a whole network: its class, and the quantisers of its first low-bit layer."""

    format: int
    network: Line
    weight_bits: Width
    activation_bits: Width
    activations: Word
    level_set: Word
    kind: Line
    family: Word
    accuracy: Accuracy


class Manifest(NetworkContent):
    """The fields of a manifest that readers rely on; what else an exporter wrote is not looked at."""

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


def make_stored_spec(spec: MacSpec) -> dict[str, bool | int | str | None]:
    """Write a unit's parameters as a manifest stores them: format 3 calls the kind of the level set `levels`."""
    return {"levels" if name == "kind" else name: value for name, value in asdict(spec).items()}


def spec_of(unit: UnitEntry) -> MacSpec:
    """The unit that a manifest's entry describes. Raises InputError for parameters that cannot be."""
    try:
        parameters: dict[str, Any]
        parameters = {"kind" if name == "levels" else name: value for name, value in unit["spec"].items()}
        spec = MacSpec(**parameters)
        if make_stored_spec(spec) != unit["spec"]:
            raise InputError("it lacks parameters, or has them in another form than this program writes")
    except (InputError, TypeError, ValueError) as error:
        raise InputError(f"a unit's spec cannot be: {error}") from error
    return spec
