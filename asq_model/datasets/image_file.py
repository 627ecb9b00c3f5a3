"""Read one image file as RGB, or refuse it with an InputError that names it."""

import logging
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from asq_model.common.errors import InputError
from asq_model.common.files import check_file

# By the end of a file's name. Pillow tries no other format, whatever the file holds: some start other programs.
FORMATS = {
    ".bmp": "BMP",
    ".gif": "GIF",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".pbm": "PPM",
    ".pgm": "PPM",
    ".png": "PNG",
    ".pnm": "PPM",
    ".ppm": "PPM",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
SUFFIXES = frozenset(FORMATS)
READ = sorted(set(FORMATS.values()))
LARGEST_MB = 256
LARGEST_PIXELS = 1 << 26  # some bytes can claim any size; the largest of ImageNet have 2^25
PLAIN = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}  # modes of 8 bits and less
WIDE = {"I;16", "I;16L", "I;16B", "I;16N"}

logging.getLogger("PIL").addHandler(logging.NullHandler())  # what it logs of a damaged file comes as an error too


def read_image(path: Path) -> Image.Image:
    """Read an image as RGB: of 16 bits the upper 8, transparency left out.

    Raises InputError, naming the file, for one that is damaged, too large, animated or of values that have no white.
    """
    check_file(path, "image", LARGEST_MB)
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=READ) as file:
            if file.width * file.height > LARGEST_PIXELS:
                raise InputError(f"it has {file.width} × {file.height} pixels; allowed: {LARGEST_PIXELS:,}")
            frames = getattr(file, "n_frames", 1)
            if file.format != "MPO" and frames > 1:  # a camera's second view is no animation
                raise InputError(f"it has {frames} frames; allowed: one")
            return as_rgb(file)
    except Exception as error:  # Pillow's decoders raise whatever they run into, SyntaxError and struct.error too
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"cannot read image {path}: {reason}") from error


def as_rgb(image: Image.Image) -> Image.Image:
    """Turn an opened image into RGB. Raises InputError for a mode whose white is not known."""
    if image.mode in PLAIN:
        return image.convert("RGB")
    if image.mode in WIDE or (image.mode == "I" and image.format == "PPM"):  # Pillow scales those to 16 bits
        values = np.asarray(image).astype(np.int64)
        return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
    raise InputError(f"its pixels are of mode {image.mode}; allowed: grey or colour of 8 or 16 bits")
