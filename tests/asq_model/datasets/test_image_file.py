import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from asq_model.common.errors import InputError
from asq_model.datasets.image_file import SUFFIXES, read_image


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
