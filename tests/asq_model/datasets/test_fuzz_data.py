"""Damaged and hostile files of a user: images, CIFAR-10's batches, checkpoints. Read, or refused in one line."""

import io
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutants import FUZZED, FUZZED_EACH, damaged, mutants, read_or_refused
from PIL import Image
from safetensors.numpy import save

from asq_model.common.errors import InputError
from asq_model.common.tensor_file import digest_contents
from asq_model.config.layer_config import LayerConfig, make_layer_record
from asq_model.config.recipe import Recipe
from asq_model.datasets import cifar10
from asq_model.datasets.image_file import FORMATS, read_image
from asq_model.training.checkpoint_file import read_checkpoint, write_checkpoint
from asq_model.training.trained_network import read_trained

pytestmark = pytest.mark.fuzz

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)


def image_bytes(format: str, pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


SEEDS = {f"colour {name}": (name, image_bytes(name, PIXELS)) for name in sorted(set(FORMATS.values()))}
SEEDS["grey of 16 bits PNG"] = "PNG", image_bytes("PNG", PIXELS[..., 0].astype(np.uint16) << 8)
SEEDS["grey of 16 bits TIFF"] = "TIFF", image_bytes("TIFF", PIXELS[..., 0].astype(np.uint16) << 8)


@pytest.mark.parametrize("seed", SEEDS)
@FUZZED_EACH
@given(data=st.data())
def test_images(seed, data, tmp_path):
    format, contents = SEEDS[seed]
    path = tmp_path / f"x{next(suffix for suffix, name in FORMATS.items() if name == format)}"
    path.write_bytes(contents)
    assert read_image(path).size == (7, 9)
    path.write_bytes(data.draw(damaged(contents)))
    found = read_or_refused(lambda: read_image(path), path)
    assert found is None or (found.mode == "RGB" and min(found.size) > 0)


FEW = 4  # records of a batch


def binary_batch(labels: list[int]) -> bytes:
    return b"".join(bytes([label]) + bytes(cifar10.PIXELS) for label in labels)


def python_batch(labels: object) -> bytes:
    """A batch as `pickle` writes it with numpy of today."""
    return pickle.dumps({b"data": np.zeros((FEW, cifar10.PIXELS), np.uint8), b"labels": labels}, protocol=3)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(cifar10, "RECORDS", FEW)


def check_batch(found: tuple[np.ndarray, np.ndarray] | None) -> None:
    if found is not None:
        images, labels = found
        assert images.dtype == np.uint8 and images.shape == (FEW, *cifar10.IMAGE)
        assert labels.shape == (FEW,) and labels.dtype.kind in "iu" and set(labels.tolist()) <= set(range(10))


@FUZZED
@given(contents=damaged(binary_batch([0, 9, 5, 1])))
def test_cifar_batches_in_the_binary_layout(contents, few, tmp_path):
    path = tmp_path / "test_batch.bin"
    path.write_bytes(contents)
    check_batch(read_or_refused(lambda: cifar10.read_binary(path.with_suffix("")), path))


@FUZZED
@given(data=st.data())
def test_cifar_batches_in_the_python_layout(data, few, tmp_path):
    whole, path = python_batch([1, 2, 3, 9]), tmp_path / "test_batch"
    path.write_bytes(whole)
    check_batch(cifar10.read_python(path))
    middle = whole.index(bytes(cifar10.PIXELS))  # the pixels: to damage them changes nothing
    end = middle + FEW * cifar10.PIXELS
    start, rest = data.draw(st.sampled_from([(whole[:middle], None), (None, whole[end:])]))
    contents = data.draw(damaged(start or rest))
    path.write_bytes(contents + whole[middle:] if start else whole[:end] + contents)
    check_batch(read_or_refused(lambda: cifar10.read_python(path), path))


@FUZZED
@given(labels=mutants([1, 2, 3, 9]))
def test_cifar_labels(labels, few, tmp_path):
    path = tmp_path / "test_batch"
    path.write_bytes(python_batch([1, 2, 3, 9]))
    assert cifar10.read_python(path)[1].tolist() == [1, 2, 3, 9]
    path.write_bytes(python_batch(labels))
    found = read_or_refused(lambda: cifar10.read_python(path), path)
    check_batch(found)
    if found is not None:
        assert labels == found[1].tolist() and all(type(label) is int for label in labels)


TENSORS = {"fc.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "fc.steps": np.array(3)}
LAYERS = {"conv": LayerConfig("uniform", 8, activations="lsq", activation_bits=8), "fc": LayerConfig("post", 3)}
CONFIG = {
    **{"network": "digits", "classes": 10, "recipe": vars(Recipe()), "start": "", "fingerprint": "f" * 64},
    **{
        "layers": {name: make_layer_record(layer) for name, layer in LAYERS.items()},
        "train_images": 100,
        "test_images": 50,
    },
    **{"full_precision_correct": 40, "quantised_correct": 39, "quantised_top_5": 50},
}


@FUZZED
@given(data=st.data())
def test_damaged_checkpoints(data, tmp_path):
    path = tmp_path / "x.safetensors"
    write_checkpoint(path, TENSORS, CONFIG)
    before = path.read_bytes()
    path.write_bytes(data.draw(damaged(before)))
    assert read_or_refused(lambda: read_checkpoint(path), path) is None or path.read_bytes() == before


@FUZZED
@given(config=mutants(CONFIG))
def test_checkpoints_whose_digest_was_made_again(config, tmp_path):
    path = tmp_path / "x.safetensors"
    try:
        config = {"format": 2} | config
        text = json.dumps(config | {"digest": digest_contents(TENSORS, config)})
    except (TypeError, ValueError, RecursionError):  # no object, no number, or too deep: no digest can be made of it
        text = json.dumps(config)
    path.write_bytes(save(TENSORS, {"config": text}))
    found = read_or_refused(lambda: read_trained(path), path)
    if found is not None:
        config = found[1]
        assert config["quantised_correct"] <= config["test_images"]
        assert Recipe(**config["recipe"]).network == config["network"] == "digits"
        assert all(LayerConfig(**layer).weight_bits in range(2, 9) for layer in config["layers"].values())


@pytest.mark.parametrize("bits", [3.0, True, "3", None, 7, 10**400])
def test_a_number_of_bits_is_an_integer_that_has_a_level_set(bits, tmp_path):
    path = tmp_path / "x.safetensors"
    write_checkpoint(path, TENSORS, CONFIG | {"recipe": vars(Recipe()) | {"weight_bits": bits}})
    with pytest.raises(InputError, match=r"x\.safetensors does not fit this program: "):
        read_trained(path)


def test_a_sparse_checkpoint_and_a_device_are_not_read(tmp_path):
    path = tmp_path / "x.safetensors"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputError, match=r"x\.safetensors has 1,099,511,627,776 bytes; allowed: 2048 MiB"):
        read_checkpoint(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(InputError, match=r"x\.safetensors: it is a device"):
        read_checkpoint(path)
