"""Damaged and hostile golden vectors, every digest made again: read as valid vectors, or refused in one line."""

import io
import json
import tracemalloc
import zipfile
from shutil import copytree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutants import FUZZED, ODD, damaged, mutants, read_or_refused

from asq_model.common.errors import InputError
from asq_model.common.files import hash_file
from asq_model.spec import golden_vectors
from asq_model.spec.golden_checks import parse_manifest
from asq_model.spec.golden_manifest import make_stored_spec
from asq_model.spec.golden_vectors import MANIFEST, digest_manifest, read_golden, read_manifest, read_maps, write_layer
from asq_model.spec.mac import MacSpec

pytestmark = pytest.mark.fuzz

VECTORS, TERMS, CHANNELS = 5, 3, 2
SPECS = [MacSpec(unit, 3, 3, signed_activation=True) for unit in ("post", "uniform")]
MAPS = {"channels": 2, "pixels": 4, "products": 8, "bits": 3, "signed": False, "input_bits": 16, "point": 12}
ADAPTER = {"hidden": 1, "hidden_shift": 4, "output_shift": 5, "output_bias": -3, "floor": 9}
RESCALE = {"channels": 3, "pixels": 1, "total_bits": 20, "bias_bits": 12, "scale_shift": 9, "shift": 3, "align": 0}


def layer_arrays(rng: np.random.Generator) -> dict[str, np.ndarray]:
    arrays = {
        "activations": rng.integers(-4, 4, (VECTORS, TERMS)).astype(np.int8),
        "channels": rng.integers(0, CHANNELS, VECTORS),
        "images": np.arange(VECTORS),
        "positions": np.zeros(VECTORS, np.int64),
        "steps": np.full(VECTORS, 0.25),
        "torch": rng.normal(size=VECTORS),
    }
    for spec in SPECS:
        codes = rng.integers(0, 8, (CHANNELS, TERMS)).astype(np.uint8)
        arrays |= {f"codes_{spec.level_set.name}": codes, f"scales_{spec.level_set.name}": np.ones(CHANNELS)}
        arrays[f"expected_{spec.name}"] = spec.dot(codes[arrays["channels"]], arrays["activations"])
    return arrays


def maps_arrays(rng: np.random.Generator) -> dict[str, np.ndarray]:
    outputs = rng.integers(0, 9, (2, 3, 1, 1))
    return {
        "inputs": rng.integers(-9, 9, (2, 2, 2, 2)).astype(np.int32),
        "codes": rng.integers(0, 8, (2, 2, 2, 2)).astype(np.int16),
        **{"steps": np.arange(1, 5), "torch_steps": np.ones(4), "sums": rng.integers(0, 9, (4, 2))},
        **{"betas": np.arange(4), "torch_betas": np.ones(4), "unit_weights": rng.integers(0, 9, (1, 2))},
        **{"unit_biases": np.zeros(1, np.int64), "output_weights": np.zeros(1, np.int64), "totals": outputs},
        **{"outputs": outputs.astype(np.int32), "multipliers": np.arange(3), "biases": np.arange(3)},
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The smallest golden vectors: one layer, with maps."""
    folder, rng = tmp_path_factory.mktemp("golden") / "whole", np.random.default_rng(0)
    units = {
        spec.name: {"spec": make_stored_spec(spec), "level_set": spec.level_set.name, "weights": "trained"}
        | {"difference_rms": 0.5, "difference_max": 1.0}
        for spec in SPECS
    }
    widths = {"weight_bits": 3, "activation_bits": 3, "level_set": "post3"}
    layer = {"name": "conv", "terms": TERMS, "channels": CHANNELS, "vectors": VECTORS, "products": VECTORS * TERMS}
    layer |= {"step": 0.5, "scales": [1.0, 1.0], "torch_rms": 1.0, "units": units} | widths
    layer |= write_layer(folder, "conv", layer_arrays(rng))
    maps = MAPS | {"name": "conv", "mantissa": 300, "learned_step": 0.5, "adapter": ADAPTER}
    maps |= {"rescale": RESCALE | {"relu": True}} | write_layer(folder, "conv.maps", maps_arrays(rng))
    manifest = widths | {"format": golden_vectors.FORMAT, "network": "tiny", "activations": "asq", "kind": "symmetric"}
    manifest |= {"family": "post", "accuracy": {"test_images": 9, "quantised_correct": 8}, "products": VECTORS * TERMS}
    manifest |= {"checkpoint_digest": "0" * 64, "layers": [layer], "maps": [maps]}
    golden_vectors.write_manifest(folder, manifest)
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return copytree(whole, tmp_path / "golden")


def everything(folder) -> list:
    return [read_manifest(folder), *read_golden(folder), *read_maps(folder)]


def with_digest(folder, manifest: object) -> None:
    """Write whatever it is as the manifest, its digest made again where one can be made."""
    try:
        digest = {"digest": digest_manifest(manifest)}
    except (AttributeError, ValueError, TypeError, RecursionError):
        digest = {}
    text = json.dumps(manifest | digest if isinstance(manifest, dict) else manifest)
    (folder / MANIFEST).write_text(text)


def with_file(folder, part: str, contents: bytes) -> None:
    """Put other bytes into a part's file, all digests made again."""
    manifest = read_manifest(folder)
    entry = manifest[part][0]
    (folder / entry["file"]).write_bytes(contents)
    entry["sha256"] = hash_file(folder / entry["file"])
    with_digest(folder, manifest)


def test_the_smallest_golden_vectors_are_read(folder):
    manifest, layer, maps = everything(folder)
    assert manifest["network"] == "tiny" and layer.trained.name == "post3" and maps.entry["adapter"] == ADAPTER
    np.testing.assert_array_equal(layer.arrays["steps"], np.full(VECTORS, 0.25))


@FUZZED
@given(data=st.data())
def test_damaged_manifests(data, whole, tmp_path_factory):
    folder = copytree(whole, tmp_path_factory.mktemp("x") / "golden")
    text, before = (folder / MANIFEST).read_bytes(), read_manifest(folder)
    (folder / MANIFEST).write_bytes(data.draw(damaged(text)))
    assert read_or_refused(lambda: read_manifest(folder), folder / MANIFEST) in (None, before)


@FUZZED
@given(data=st.data())
def test_manifests_whose_digest_was_made_again(data, whole, tmp_path_factory):
    folder = copytree(whole, tmp_path_factory.mktemp("x") / "golden")
    changed = data.draw(mutants({key: value for key, value in read_manifest(folder).items() if key != "digest"}))
    with_digest(folder, changed)
    found = read_or_refused(lambda: read_manifest(folder), folder / MANIFEST)
    if found is not None:
        assert {key: value for key, value in found.items() if key != "digest"} == changed
        assert parse_manifest(found) == found
        read_or_refused(lambda: everything(folder), folder)


def packed(members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, contents in members.items():
            archive.writestr(name, contents)
    return buffer.getvalue()


def npy(array: np.ndarray, **header: object) -> bytes:
    """An array as `numpy.save` writes it, its header saying something else."""
    buffer = io.BytesIO()
    shown = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape} | header
    np.lib.format.write_array_header_1_0(buffer, shown)
    return buffer.getvalue() + array.tobytes()


parts = pytest.mark.parametrize("part, made", [("layers", layer_arrays), ("maps", maps_arrays)])


@parts
@FUZZED
@given(data=st.data())
def test_damaged_files_whose_digests_were_made_again(part, made, data, whole, tmp_path_factory):
    folder = copytree(whole, tmp_path_factory.mktemp("x") / "golden")
    how = zipfile.ZIP_STORED if data.draw(st.booleans()) else zipfile.ZIP_DEFLATED
    contents = packed({f"{name}.npy": npy(array) for name, array in made(np.random.default_rng(0)).items()}, how)
    with_file(folder, part, data.draw(damaged(contents)))
    read_or_refused(lambda: everything(folder), folder)


def spoilt(array: np.ndarray, how: str, odd: object) -> np.ndarray:
    """Another array in its place."""
    if how == "type":
        return array.astype(np.float32)
    if how == "shape":
        return array[None]
    if how == "longer":
        return np.concatenate([array, array])
    array = array.copy()
    try:
        array.flat[0] = odd
    except (ValueError, TypeError, OverflowError):
        array.flat[-1] = -1 if array.dtype.kind != "u" else 255
    return array


@parts
@FUZZED
@given(data=st.data())
def test_changed_arrays_whose_digests_were_made_again(part, made, data, whole, tmp_path_factory):
    """What is taken has the types and shapes of the manifest, and values in range."""
    folder = copytree(whole, tmp_path_factory.mktemp("x") / "golden")
    arrays = made(np.random.default_rng(0))
    name = data.draw(st.sampled_from(sorted(arrays)))
    how = data.draw(st.sampled_from(["value", "value", "type", "shape", "longer", "gone", "added"]))
    kind, shape = arrays[name].dtype, arrays[name].shape
    if how in ("gone", "added"):
        arrays["another"] = arrays[name]
    if how == "gone":
        del arrays[name]
    elif how != "added":
        odd = st.sampled_from([odd for odd in ODD if not isinstance(odd, list | dict | str)])
        arrays[name] = spoilt(arrays[name], how, data.draw(odd))
    with_file(folder, part, packed({f"{key}.npy": npy(array) for key, array in arrays.items()}))
    found = read_or_refused(lambda: everything(folder), folder)
    if found is not None:
        read = found[1 + (part == "maps")].arrays[name]
        assert how == "value" and (read.dtype, read.shape) == (kind, shape) and np.isfinite(read).all()


@pytest.mark.parametrize(
    "name, index, value",
    [
        ("activations", (0, 0), 4),
        ("channels", 0, CHANNELS),
        ("images", 0, -1),
        ("codes_post3", (0, 0), 8),
        (f"expected_{SPECS[0].name}", 0, SPECS[0].result_range[1] + 1),
        ("torch", 0, np.nan),
        ("steps", 0, np.inf),
        ("scales_uniform3", 0, -np.inf),
    ],
)
def test_values_out_of_range_are_refused(name, index, value, folder):
    arrays = layer_arrays(np.random.default_rng(0))
    arrays[name][index] = value
    with_file(folder, "layers", packed({f"{key}.npy": npy(array) for key, array in arrays.items()}))
    with pytest.raises(InputError, match=rf"conv\.npz cannot be used: array {name} has {value}; allowed"):
        list(read_golden(folder))


HUGE = 1 << 40
BOMBS = {
    "a header that claims a terabyte": lambda: packed({"steps.npy": npy(np.zeros(3), shape=(HUGE,))}),
    "a gigabyte of zeros": lambda: packed({f"{n}.npy": npy(np.zeros(0)) + bytes(200 << 20) for n in "abc"}),
    "objects": lambda: packed({"steps.npy": npy(np.zeros(3), descr="|O")}),
    "a structured type": lambda: packed({"steps.npy": npy(np.zeros(3), descr=[("a", "<f8")])}),
    "other files": lambda: packed({"steps.npy": npy(np.zeros(3)), "readme.txt": b""}),
    "an array twice": lambda: packed({"steps.npy": b""}) + packed({"steps.npy": b""}),
    "no archive": lambda: b"\x93NUMPY",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_take_no_memory(bomb, folder):
    with_file(folder, "layers", BOMBS[bomb]())
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"conv\.npz cannot be used: "):
            list(read_golden(folder))
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_file_of_a_terabyte_is_not_read(folder):
    with (folder / "conv.npz").open("r+b") as file:
        file.truncate(HUGE)
    with pytest.raises(InputError, match=r"golden file .*conv\.npz has 1,099,511,627,776 bytes; allowed: 512 MiB"):
        list(read_golden(folder))
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).symlink_to("/dev/zero")
    with pytest.raises(InputError, match=r"manifest\.json: it is a device"):
        read_manifest(folder)
