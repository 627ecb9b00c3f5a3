import io
import os
import pickle
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from asq_model.common.errors import InputError
from asq_model.datasets import cifar10, load_dataset
from asq_model.datasets.image_file import SUFFIXES, read_image
from asq_model.datasets.image_folder import crop_centre, load_folder


def test_the_digits_split_is_fixed_and_disjoint():
    digits, again = load_dataset("digits"), load_dataset("digits")
    assert len(digits.train) == 1437 and len(digits.test) == 360 and digits.classes == 10
    assert torch.equal(digits.train.images, again.train.images)
    scaled = digits.train.scaled(digits.train.images)
    assert scaled.min() == 0 and scaled.max() == 1
    assert torch.bincount(digits.test.labels).min() >= 34  # stratified: about 36 of each digit


def test_shifts_move_by_at_most_one_pixel():
    images = torch.zeros(200, 1, 8, 8, dtype=torch.uint8)
    images[:, :, 4, 4] = 1
    moved = load_dataset("digits").train.augmented(images, torch.Generator().manual_seed(0)).flatten(1).argmax(1)
    assert {(int(m) // 8 - 4, int(m) % 8 - 4) for m in moved} == {(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1)}


def test_batches_cover_the_order_and_follow_the_generator():
    digits = load_dataset("digits").train
    order = torch.randperm(100, generator=torch.Generator().manual_seed(1))
    labels = torch.cat([labels for _, labels in digits.batches(order, 32, None)])
    assert torch.equal(labels, digits.labels[order])
    first, second, other = (
        torch.cat([images for images, _ in digits.batches(order, 32, torch.Generator().manual_seed(seed))])
        for seed in (5, 5, 6)
    )
    assert torch.equal(first, second) and not torch.equal(first, other)


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
    "odd", [(9.7,), (float("nan"),), (True,), ("9",), (None,), ([1, 2],), (10,), (-1,), (1 << 70,)]
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


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="no CIFAR-10 in"):
        load_dataset("cifar10", tmp_path)
    with pytest.raises(InputError, match="needs data_folder, the folder that it lies in"):
        load_dataset("cifar10")
    with pytest.raises(InputError, match=r"dataset is 'mnist'; allowed: digits, cifar10, imagenet"):
        load_dataset("mnist")
    with pytest.raises(InputError, match=r"image folder .*train does not exist"):
        load_dataset("imagenet", tmp_path)


@pytest.fixture
def folder(tmp_path):
    """Two classes of images of odd sizes; class b is brighter."""
    rng = np.random.default_rng(1)
    for part, count in (("train", 6), ("val", 3)):
        for label, name in enumerate("ab"):
            (tmp_path / part / name).mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(0, 128, (40 + 3 * index, 50, 3), np.uint8) + np.uint8(100 * label)
                Image.fromarray(pixels).save(tmp_path / part / name / f"{index}.png")
    return tmp_path


def test_an_image_folder_gives_batches_that_workers_do_not_change(folder):
    train, test, classes = load_folder(folder, crop=32)
    assert (len(train), len(test), classes) == (12, 6, 2)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    batches = [
        list(replace(train, workers=workers).batches(order, 5, torch.Generator().manual_seed(2))) for workers in (0, 2)
    ]
    for (images, labels), (others, other_labels) in zip(*batches, strict=True):
        assert torch.equal(images, others) and torch.equal(labels, other_labels) and images.shape[1:] == (3, 32, 32)
    assert torch.equal(torch.cat([labels for _, labels in batches[0]]), train.labels[order])
    plain, _ = next(test.batches(torch.arange(6), 6, None))
    assert plain[3:].mean() > plain[:3].mean() + 1 and torch.equal(plain[2], test.image(2))


def test_a_test_image_is_its_centre(folder):
    image = Image.new("RGB", (300, 200), "black")
    image.paste("white", (100, 50, 200, 150))
    middle = np.asarray(crop_centre(image, 224))
    assert middle.shape == (224, 224, 3) and middle[112, 112].min() == 255 and middle[0, 0].max() == 0
    # 175 of 200 rows are cut out and drawn as 224, so the 100 white rows become 128.
    assert abs(int((middle[:, 112, 0] > 127).sum()) - 128) <= 1


def test_a_damaged_image_and_a_missing_class_are_named(folder):
    train, _, _ = load_folder(folder, crop=32)
    (folder / "train" / "a" / "3.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"^cannot read image .*a/3\.png") as raised:
        list(train.batches(torch.arange(12), 4, torch.Generator()))
    assert "\n" not in str(raised.value)
    for path in (folder / "val" / "b").iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"class folder .*val/b has no image"):
        load_folder(folder)
    (folder / "val" / "b").rmdir()
    with pytest.raises(InputError, match="same class folders; only one has b"):
        load_folder(folder)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_sixteen_bit_grey_is_grey(suffix, tmp_path):
    """The upper eight bits, as Pillow takes them of 16-bit colours."""
    values = np.array([[0, 0x00FF, 0x0100], [0x8080, 0xFF00, 0xFFFF]], np.uint16)
    Image.fromarray(values).save(tmp_path / f"x{suffix}")
    pixels = np.asarray(read_image(tmp_path / f"x{suffix}"))
    assert pixels.shape == (2, 3, 3) and (pixels == (values >> 8)[:, :, None]).all()


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_suffix_is_read(suffix, tmp_path):
    Image.new("L", (3, 2), 255).convert("1" if suffix == ".pbm" else "RGB").save(tmp_path / f"x{suffix}")
    image = read_image(tmp_path / f"x{suffix}")
    assert image.mode == "RGB" and image.size == (3, 2) and np.asarray(image).min() > 250


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file of these chunks."""
    parts = [
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big") for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


HEADER = (b"IHDR", (1).to_bytes(4, "big") * 2 + b"\x08\x00\x00\x00\x00")
PIXEL = (b"IDAT", zlib.compress(b"\x00\x80"))
END = (b"IEND", b"")


@pytest.mark.parametrize(
    "contents, said",
    [
        (b"", "cannot identify"),
        (png((b"IHDR", b"")), "."),
        (png(HEADER, (b"zTXt", b"k\x00\x00" + zlib.compress(b"a" * (1 << 21))), PIXEL, END), "too large"),
        (png((b"IHDR", (1 << 20).to_bytes(4, "big") * 2 + HEADER[1][8:]), PIXEL, END), "pixels|exceeds limit"),
        (png(HEADER, END), "."),
        (png(HEADER, PIXEL)[:-14], "."),
    ],
)
def test_a_broken_png_is_one_line_that_names_it(contents, said, tmp_path):
    assert read_whole(tmp_path, png(HEADER, PIXEL, END)).getpixel((0, 0)) == (128,) * 3
    with pytest.raises(InputError, match=rf"^cannot read image .*x\.png: .*{said}") as raised:
        read_whole(tmp_path, contents)
    assert "\n" not in str(raised.value)


def read_whole(folder, contents: bytes) -> Image.Image:
    (folder / "x.png").write_bytes(contents)
    return read_image(folder / "x.png")


def test_animations_and_values_without_a_white_are_refused(tmp_path):
    frames = [Image.new("L", (2, 2), level) for level in (0, 255)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match=r"x\.gif: it has 2 frames; allowed: one"):
        read_image(tmp_path / "x.gif")
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(InputError, match=r"x\.tif: its pixels are of mode F; allowed: grey or colour of 8 or 16 bits"):
        read_image(tmp_path / "x.tif")


@pytest.mark.parametrize("place", [Path("/dev/zero"), "fifo", "folder", "sparse"])
def test_what_has_no_end_is_not_opened(place, tmp_path):
    path = tmp_path / "x.png"
    if place == "fifo":
        os.mkfifo(path)
    elif place == "folder":
        path.mkdir()
    elif place == "sparse":
        with path.open("wb") as file:
            file.truncate(1 << 34)
    else:
        path.symlink_to(place)
    with pytest.raises(
        InputError, match=r"x\.png(: it is a (device|folder)| has 17,179,869,184 bytes; allowed: 256 MiB)"
    ):
        read_image(path)


def test_hidden_folders_and_files_are_no_classes_and_no_images(folder):
    before, _, _ = load_folder(folder, crop=32)
    (folder / "train" / ".ipynb_checkpoints").mkdir()
    (folder / "train" / "a" / ".DS_Store").write_text("")
    (folder / "train" / "a" / "._0.png").write_text("")
    after, _, classes = load_folder(folder, crop=32)
    assert classes == 2 and after.names.tolist() == before.names.tolist() and torch.equal(after.labels, before.labels)


def test_images_of_other_formats_are_not_left_out(folder):
    Image.new("L", (50, 40)).save(folder / "train" / "a" / "another.tiff")
    train, _, _ = load_folder(folder, crop=32)
    assert b"a/another.tiff" in train.names and train.image(6).shape == (3, 32, 32)
    (folder / "train" / "a" / "notes.txt").write_text("")
    with pytest.raises(InputError, match=r"train/a/notes\.txt in a class folder is no image; allowed: \.bmp, \.gif"):
        load_folder(folder)
    (folder / "train" / "a" / "notes.txt").unlink()
    Image.new("L", (50, 40)).save(folder / "val" / "astray.png")
    with pytest.raises(InputError, match=r"val/astray\.png is in no class folder"):
        load_folder(folder)
