"""The arrays of a golden file: read without believing the file, and checked against the manifest's entry for it.

Which arrays there are, their types, shapes and ranges are those of docs/golden-vectors.md. Free of torch.
"""

import ast
import io
import struct
import zipfile
import zlib
from dataclasses import dataclass

import numpy as np

from asq_model.common.errors import InputError
from asq_model.common.files import MEGABYTE
from asq_model.spec.fixed_point import bounds
from asq_model.spec.golden_manifest import LayerEntry, MapsEntry, spec_of

ARRAYS_MB = 512  # of one file, unpacked
MAGIC = b"\x93NUMPY\x01\x00"  # the form that `numpy.save` gives our arrays
# What numpy, zipfile and zlib raise for bytes that are no golden file.
DAMAGED: tuple[type[Exception], ...] = (
    *(zipfile.BadZipFile, zlib.error, struct.error, ValueError, LookupError, EOFError, OSError, RuntimeError),
    *(SyntaxError, MemoryError, OverflowError, TypeError),
)
LARGEST = (1 << 63) - 1


def unpack_arrays(contents: bytes) -> dict[str, np.ndarray]:
    """Unpack the arrays of an npz file by name. Raises InputError for anything else, or more memory than allowed.

    Nothing in the file is executed: pickled arrays are refused.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(contents)) as archive:
            members = archive.infolist()
            if (size := sum(member.file_size for member in members)) > ARRAYS_MB * MEGABYTE:
                raise InputError(f"it unpacks to {size:,} bytes; allowed: {ARRAYS_MB} MiB")
            names = [member.filename for member in members]
            if len(set(names)) < len(names) or not all(name.endswith(".npy") for name in names):
                raise InputError("it holds other things than arrays, or one twice")
            return {name.removesuffix(".npy"): parse_array(archive.read(name)) for name in names}
    except DAMAGED as error:
        raise InputError(f"it is damaged: {' '.join(str(error).split())}") from error


def parse_array(contents: bytes) -> np.ndarray:
    """Parse an array as `numpy.save` writes it. Raises ValueError for any other bytes."""
    if not contents.startswith(MAGIC):
        raise ValueError("no array in numpy's format 1.0")
    start = len(MAGIC) + 2
    end = start + int.from_bytes(contents[len(MAGIC) : start], "little")
    header = ast.literal_eval(contents[start : min(end, start + 1000)].decode("latin1").strip())
    if not isinstance(header, dict) or header.keys() != {"descr", "fortran_order", "shape"} or header["fortran_order"]:
        raise ValueError("an array in another layout")
    if header["descr"] not in ("|u1", "|i1", "<i2", "<i4", "<i8", "<f8"):
        raise ValueError(f"an array of type {str(header['descr'])[:20]!r}")
    shape = header["shape"]
    if not (isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)):
        raise ValueError("an array without a shape")
    return np.frombuffer(contents, header["descr"], offset=end).reshape(shape)


@dataclass(frozen=True)
class Wanted:
    """What an array has to be: its type, its shape (None: any size), and the least and the largest of its values."""

    dtype: type
    shape: tuple[int | None, ...]
    low: float
    high: float

    def check(self, name: str, array: np.ndarray) -> None:
        """Raises InputError, naming the array, for another one."""
        fits = len(array.shape) == len(self.shape) and all(
            size in (None, found) for size, found in zip(self.shape, array.shape, strict=True)
        )
        if array.dtype != self.dtype or not fits:
            shape = " × ".join("any" if size is None else str(size) for size in self.shape)
            wanted = f"{np.dtype(self.dtype).name} [{shape}]"
            raise InputError(f"array {name} is {array.dtype.name} {list(array.shape)}; wanted: {wanted}")
        inside = (array >= self.low) & (array <= self.high)  # False for NaN
        if not inside.all():
            value = array[~inside].flat[0]
            raise InputError(f"array {name} has {value}; allowed: {self.low} to {self.high}")


def real(*shape: int | None) -> Wanted:
    """An array of finite real numbers."""
    return Wanted(np.float64, shape, -1e300, 1e300)


def whole(*shape: int | None, low: int = -LARGEST, high: int = LARGEST, dtype: type = np.int64) -> Wanted:
    """An array of integers within bounds."""
    return Wanted(dtype, shape, low, high)


def codes_of(bits: int, signed: bool, dtype: type, *shape: int | None) -> Wanted:
    """An array of activation codes of so many bits."""
    low, high = bounds(bits, signed)
    return whole(*shape, low=low, high=high, dtype=dtype)


def check_names(arrays: dict[str, np.ndarray], wanted: dict[str, Wanted], optional: tuple[str, ...] = ()) -> None:
    """Raises InputError unless the arrays are exactly those wanted, those optional may be missing."""
    odd = sorted((arrays.keys() ^ wanted.keys()) - (set(optional) - arrays.keys()))
    if odd:
        raise InputError(f"array {odd[0]!r} {'has no place in it' if odd[0] in arrays else 'is missing'}")
    for name, array in arrays.items():
        wanted[name].check(name, array)


def check_layer_arrays(entry: LayerEntry, arrays: dict[str, np.ndarray]) -> None:
    """Raises InputError unless these are the arrays of a layer's dot products."""
    specs = [spec_of(unit) for unit in entry["units"].values()]
    signed = specs[0].signed_activation
    vectors, terms, channels = entry["vectors"], entry["terms"], entry["channels"]
    wanted = {
        "activations": codes_of(entry["activation_bits"], signed, np.int8 if signed else np.uint8, vectors, terms),
        "channels": whole(vectors, low=0, high=channels - 1),
        "images": whole(vectors, low=0),
        "positions": whole(vectors, low=0),
        "steps": Wanted(np.float64, (vectors,), 0.0, 1e300),
        "torch": real(vectors),
    }
    for spec in specs:
        levels = spec.level_set
        wanted[f"codes_{levels.name}"] = whole(channels, terms, low=0, high=(1 << levels.code_bits) - 1, dtype=np.uint8)
        wanted[f"scales_{levels.name}"] = real(channels)
        low, high = spec.result_range
        wanted[f"expected_{spec.name}"] = whole(vectors, low=low, high=high)
    check_names(arrays, wanted)


def check_maps_arrays(entry: MapsEntry, arrays: dict[str, np.ndarray]) -> None:
    """Raises InputError unless these are the arrays of a layer's feature maps."""
    channels, half = entry["channels"], 1 << entry["input_bits"] - 1
    wanted = {
        "inputs": whole(None, channels, None, None, low=-half, high=half - 1, dtype=np.int32),
        "codes": codes_of(entry["bits"], entry["signed"], np.int16, None, channels, None, None),
        "steps": whole(None, low=1),
        "torch_steps": Wanted(np.float64, (None,), 0.0, 1e300),
    }
    if adapter := entry["adapter"]:
        hidden = adapter["hidden"]
        neurons = hidden or 1
        wanted |= {"sums": whole(None, channels), "betas": whole(None), "torch_betas": real(None)}
        wanted |= {"unit_weights": whole(neurons, channels), "unit_biases": whole(neurons)}
        wanted |= {"output_weights": whole(neurons)} if hidden else {}
    if rescale := entry["rescale"]:
        outputs = rescale["channels"]
        shape = (None, outputs, None, None)
        wanted |= {"totals": whole(*shape), "outputs": whole(*shape, dtype=np.int32)}
        wanted |= {"sides": whole(*shape, dtype=np.int32)}
        wanted |= {"multipliers": whole(outputs), "biases": whole(outputs)}
    check_names(arrays, wanted, optional=("sides",))
    check_maps_shapes(entry, arrays)


def check_maps_shapes(entry: MapsEntry, arrays: dict[str, np.ndarray]) -> None:
    """Raises InputError for arrays of a layer's maps whose numbers of maps, of steps or of pixels do not agree."""
    maps, pixels = len(arrays["inputs"]), entry["pixels"]
    sums = {len(arrays[name]) for name in ("steps", "torch_steps", "sums", "betas", "torch_betas") if name in arrays}
    if len(sums) != 1 or not 1 <= maps <= sums.pop():
        raise InputError("it has other numbers of maps and of steps than go together")
    groups = [("inputs", "codes")] + [("totals", "outputs", "sides")] * (entry["rescale"] is not None)
    for group, wanted in zip(groups, (pixels, entry["rescale"] and entry["rescale"]["pixels"]), strict=False):
        shapes = {arrays[name].shape for name in group if name in arrays}
        if len(shapes) != 1:
            raise InputError(f"arrays {', '.join(group)} have different shapes")
        ((count, _, height, width),) = shapes
        if count != maps or height * width != wanted:
            raise InputError(f"arrays {', '.join(group)} are not {maps} maps of {wanted} pixels")
