import io
import os
import pickle
from shutil import copytree

import numpy as np
import pytest
import torch

from asq_model.common.errors import InputError, shown
from asq_model.datasets import cifar10, load_dataset

FEW = 300  # images of a file of CIFAR-10, instead of ten thousand


@pytest.fixture(scope="module", autouse=True)
def small_files():
    with pytest.MonkeyPatch.context() as patch:
        assert cifar10.RECORDS == 10_000
        patch.setattr(cifar10, "RECORDS", FEW)
        yield


@pytest.fixture(scope="module")
def records():
    rng = np.random.default_rng(0)
    return [
        (rng.integers(0, 256, (cifar10.RECORDS, 3072), np.uint8), rng.integers(0, 10, cifar10.RECORDS))
        for _ in range(6)
    ]


@pytest.fixture(scope="module")
def binary(records, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cifar") / cifar10.BINARY
    folder.mkdir()
    for name, (pixels, labels) in zip(cifar10.TRAIN + cifar10.TEST, records, strict=True):
        np.concatenate([labels[:, None].astype(np.uint8), pixels], 1).tofile(folder / f"{name}.bin")
    return folder.parent


def spoilt_labels(*odd: object) -> bytes:
    """A batch in the Python layout whose first labels are these."""
    batch = {"labels": [*odd, *[0] * (cifar10.RECORDS - len(odd))], "data": None}
    pixels = python_batch(np.zeros((cifar10.RECORDS, cifar10.PIXELS), np.uint8), np.zeros(1))
    start, end = pixels.index(b"U\x04data") + 6, pixels.index(b"U\x06labels")
    labels = pickle.dumps(batch["labels"], protocol=2)[2:-1]
    return b"\x80\x02}(U\x04data" + pixels[start:end] + b"U\x06labels" + labels + b"u."


@pytest.mark.parametrize(
    "odd",
    [
        (9.7,),
        (float("nan"),),
        (True,),
        ("9",),
        (None,),
        ([1, 2],),
        (10,),
        (-1,),
        (1 << 70,),
        (10**4000,),
        (-(10**5000),),
    ],
)
def test_labels_are_integers_from_0_to_9(odd, tmp_path):
    path = tmp_path / "test_batch"
    path.write_bytes(spoilt_labels(*odd))
    with pytest.raises(InputError, match=r"test_batch (has label .* allowed: 0 to 9|.*labels that are not a list)"):
        cifar10.read_python(path)
    path.write_bytes(spoilt_labels(9, 0))
    assert cifar10.read_python(path)[1][:3].tolist() == [9, 0, 0]


@pytest.mark.parametrize("bomb", [b"r\xff\xff\xff\x7f", b"p2147483647\n"])
def test_a_pickle_with_a_huge_memory_is_refused_before_it_is_made(bomb, tmp_path):
    path = tmp_path / "test_batch"
    path.write_bytes(b"\x80\x02}" + bomb + b".")
    with pytest.raises(InputError, match="larger than the file"):
        cifar10.read_python(path)


def python_batch(pixels: np.ndarray, labels: np.ndarray) -> bytes:
    """A pickle like those of the official files: protocol 2, written by Python 2, where a string is bytes."""
    # The opcodes of Python 2's numpy: _reconstruct, then BUILD with the raw bytes as a string.
    out = io.BytesIO()
    out.write(b"\x80\x02}(")
    out.write(b"U\x04data" + b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR")
    out.write(b"(K\x01(" + b"M" + pixels.shape[0].to_bytes(2, "little") + b"M" + pixels.shape[1].to_bytes(2, "little"))
    out.write(
        b"t" + b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR" + b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
    )
    out.write(b"T" + pixels.nbytes.to_bytes(4, "little") + pixels.tobytes() + b"tb")
    out.write(b"U\x06labels](" + b"".join(b"K" + bytes([int(label)]) for label in labels) + b"e")
    out.write(b"u.")
    return out.getvalue()


@pytest.fixture(scope="module")
def python(records, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cifar") / cifar10.PYTHON
    folder.mkdir()
    for name, (pixels, labels) in zip(cifar10.TRAIN + cifar10.TEST, records, strict=True):
        (folder / name).write_bytes(python_batch(pixels, labels))
    return folder.parent


def test_both_layouts_of_cifar10_hold_the_same(binary, python, records):
    first, second = load_dataset("cifar10", binary), load_dataset("cifar10", python / cifar10.PYTHON)
    for one, other in ((first.train, second.train), (first.test, second.test)):
        assert torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels)
    assert len(first.train) == 5 * FEW and len(first.test) == FEW and first.classes == 10
    np.testing.assert_array_equal(first.train.images[3].flatten(), records[0][0][3])
    assert first.train.image(0).shape == (3, 32, 32)


def test_the_hand_made_pickle_is_one_that_python_reads(records):
    pixels, labels = records[0]
    batch = pickle.loads(python_batch(pixels[:100], labels[:100]), encoding="bytes")  # our own bytes
    np.testing.assert_array_equal(batch[b"data"], pixels[:100])
    assert batch[b"labels"] == labels[:100].tolist()


def test_a_pickle_that_would_run_something_is_refused(python, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    folder = tmp_path / cifar10.PYTHON
    folder.mkdir()
    for name in cifar10.TRAIN + cifar10.TEST:
        (folder / name).write_bytes(pickle.dumps({"data": Evil()}, protocol=2))
    with pytest.raises(InputError, match=r"mkdir has no place in a CIFAR-10 batch"):
        load_dataset("cifar10", tmp_path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "layout, spoil, said",
    [
        ("binary", lambda path: path.write_bytes(path.read_bytes()[:-1]), f"has {FEW * 3073 - 1} bytes; a whole"),
        ("binary", lambda path: path.unlink(), "cannot read .*data_batch_3.bin: No such file"),
        ("binary", lambda path: path.write_bytes(b"\x0a" + path.read_bytes()[1:]), "has label 10 at image 0; allowed"),
        ("python", lambda path: path.write_bytes(path.read_bytes()[:-1]), "data_batch_3 is damaged"),
        ("python", lambda path: path.write_bytes(pickle.dumps([1])), "data_batch_3 is damaged or no CIFAR-10 batch"),
    ],
)
def test_a_spoilt_cifar10_file_is_named(layout, spoil, said, binary, python, tmp_path):
    source = binary / cifar10.BINARY if layout == "binary" else python / cifar10.PYTHON
    folder = tmp_path / source.name
    folder.mkdir()
    for path in source.iterdir():
        os.link(path, folder / path.name)
    victim = folder / ("data_batch_3.bin" if layout == "binary" else "data_batch_3")
    contents = victim.read_bytes()
    victim.unlink()  # the link, not what it shares
    victim.write_bytes(contents)
    spoil(victim)
    with pytest.raises(InputError, match=said):
        load_dataset("cifar10", tmp_path)


def test_a_checkpoint_of_other_images_is_not_up_to_date(binary, command, refused, tmp_path):
    """Nor is it trained again in place of one that may have taken days: the user says which."""
    other = tmp_path / "other"
    copytree(binary, other)
    victim = other / cifar10.BINARY / "data_batch_2.bin"
    contents = bytearray(victim.read_bytes())
    contents[0] = (contents[0] + 1) % 10  # one label
    victim.write_bytes(contents)
    out = tmp_path / "x.safetensors"
    words = ("train", "--network", "resnet8", "--full-epochs", 1, "--epochs", 0, "--batch", 1500, "--out", out)
    assert command("asq_model", *words, "--data", binary).returncode == 0
    trained = out.read_bytes()
    for again in (["--data", binary], []):
        assert f"{out} is up to date" in command("asq_model", *words, *again).stderr
    said = refused("asq_model", *words, "--data", other)
    assert said == (
        f"error: --data is {shown(other)}, but checkpoint {out} was trained on other images;"
        " give another --out, or --force to train again"
    )
    assert out.read_bytes() == trained
