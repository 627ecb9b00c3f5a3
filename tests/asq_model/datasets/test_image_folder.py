from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from asq_model.common.errors import InputError
from asq_model.datasets.image_folder import crop_centre, load_folder


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
