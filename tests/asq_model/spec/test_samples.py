"""Test images of a graph are read as they were written, or refused in one line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asq_model.common.errors import InputError
from asq_model.spec.graph.elementwise import Input
from asq_model.spec.graph.samples import SAMPLES, read_samples, write_samples

IMAGES = np.arange(2 * 1 * 3 * 3, dtype=np.uint8).reshape(2, 1, 3, 3)
LABELS = np.array([1, 0])
GIVEN = Input(name="input", inputs=(), shape=(1, 3, 3), bits=12, point=0, table=np.zeros((1, 256), np.int64))


def test_what_is_written_is_read(tmp_path):
    write_samples(tmp_path / "images", IMAGES, LABELS)
    images, labels = read_samples(tmp_path / "images", GIVEN)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)


@pytest.mark.parametrize(
    "arrays",
    [
        {"images": IMAGES},
        {"labels": LABELS},
        {"images": IMAGES, "labels": LABELS[:1]},
        {"images": IMAGES[:0], "labels": LABELS[:0]},
        {"images": IMAGES[0], "labels": LABELS},
        {"images": IMAGES.astype(np.int64), "labels": LABELS},
        {"images": IMAGES, "labels": LABELS.astype(np.int8)},
        {"images": IMAGES.reshape(2, 3, 3, 1), "labels": LABELS},
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, arrays):
    SAMPLES.write(tmp_path / "images", arrays, {})
    with pytest.raises(InputError, match=r"^test images "):
        read_samples(tmp_path / "images", GIVEN)


@given(st.data())
def test_no_flipped_bit_is_believed(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("images") / "images.safetensors"
    write_samples(path, IMAGES, LABELS)
    whole = bytearray(path.read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(whole)
    with pytest.raises(InputError, match=r"images\.safetensors"):
        read_samples(path, GIVEN)
