"""PNG, JPEG, BMP and GIF, by Pillow."""

import struct
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Shaped
from PIL import Image, ImageOps, ImageSequence

from pdenca.core import FormatError

from .series import ALPHA, COLOURS, INTENSITY, ImageSeries

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".gif")

DAMAGE: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    Image.DecompressionBombError,
)
"""What Pillow raises on files that are not what they should be."""

_CHANNELS: Final = {
    "L": (INTENSITY,),
    "LA": (INTENSITY, ALPHA),
    "RGB": COLOURS,
    "RGBA": (*COLOURS, ALPHA),
    "I;16": (INTENSITY,),
    "F": (INTENSITY,),
}
"""Pillow's modes that are read as they are -> their channels."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_GREY: Final = 0  # of PNG's types of colour


def read_picture(path: Path) -> ImageSeries:
    """Read a file; a GIF or an animated PNG has several frames, any other has one.

    Palettes become red, green, blue and alpha; black and white become 0 and 255. A picture that a camera
    took sideways is turned as the file says.

    Arguments:
        path: a file of one of the ``SUFFIXES``.

    Raises:
        FormatError: if it is damaged, its kind of colour is not read, or Pillow would lose half of its bits.
    """
    try:
        _refuse_deep_colour(path)
        with Image.open(path) as image:
            indexed = image.format == "GIF" or image.mode in ("P", "PA")
            moves = image.format in ("GIF", "PNG") and getattr(image, "n_frames", 1) > 1
            pictures = ImageSequence.Iterator(image) if moves else [image]
            # a GIF's frames come in different modes, of which this one holds all
            modes = [_plain(frame, "RGBA" if indexed else None) for frame in pictures]
    except FormatError:
        raise
    except DAMAGE as error:
        raise FormatError(
            f"{path} is damaged or no image ({(str(error).splitlines() or [type(error).__name__])[0]}); "
            "usual cure: export it again, or take it out of the folder"
        ) from error
    kinds = [mode for mode, _ in modes]
    if kinds[0] not in _CHANNELS or set(kinds) != {kinds[0]}:
        raise FormatError(
            f"{path} is of the kind {' and '.join(sorted(set(kinds)))}, expected grey or RGB, with alpha or "
            "without; usual cure: convert it to RGB"
        )
    frames = np.stack([values for _, values in modes])
    return ImageSeries(path.name, np.moveaxis(frames, -1, 1), _CHANNELS[kinds[0]], indexed=indexed)


def _plain(image: Image.Image, mode: str | None) -> tuple[str, Shaped[np.ndarray, "row column channel"]]:
    """Return the mode of a picture and its values, in another mode if need be."""
    image = ImageOps.exif_transpose(image)
    if mode is None and image.mode == "1":
        mode = "L"
    if mode is None and "transparency" in image.info and image.mode in ("L", "RGB"):
        mode = f"{image.mode}A"  # one colour is declared transparent
    # older versions of Pillow open a grey PNG of 16 bits so
    if image.mode in ("I", "I;16", "I;16B") and image.format in ("PNG", None):
        values, kind = np.asarray(image).astype(np.uint16), "I;16"
    else:
        image = image if mode is None else image.convert(mode)
        values, kind = np.asarray(image), image.mode
    return kind, values if values.ndim == 3 else values[..., None]


def _refuse_deep_colour(path: Path) -> None:
    """Refuse colour PNGs of 16 bits, of which Pillow silently keeps 8."""
    with path.open("rb") as file:
        head = file.read(26)
    if head[:8] == _PNG and len(head) == 26 and head[24] == 16 and head[25] != _GREY:
        raise FormatError(
            f"{path} is a colour PNG of 16 bits a channel, of which only 8 could be read; usual cure: save "
            "it as TIFF, or as PNG of 8 bits"
        )
