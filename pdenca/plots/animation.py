"""Reference beside emulator as a small animated picture, for the report and for README files."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from pdenca.core import BadInputError

from .arrays import FloatArray, Number, Values, all_finite, same_shape, to_array
from .style import FIELD_MAP, NOT_FINITE_COLOUR, amount, format_number

ANIMATION_FORMATS: dict[str, dict[str, Any]] = {
    "gif": {"optimize": False, "disposal": 1},
    "webp": {"lossless": False, "quality": 75, "method": 4, "minimize_size": False},
}
"""Format -> options of its writer; GIF keeps every cell exact, WebP is six times smaller."""

# one palette for all frames: steps of the field's colour, then greys from white to ink for smooth letters
_NUM_LEVELS = 160
_NUM_GREYS = 16
_WHITE = _NUM_LEVELS
_LOST = _NUM_LEVELS + _NUM_GREYS
_INK_GREY = 38
_MARGIN, _GAP, _TOP, _BOTTOM = 8, 12, 26, 40


def animate(
    reference: Values,
    prediction: Values,
    times: Values,
    *,
    field_name: str,
    unit: str = "1",
    time_unit: str = "s",
    labels: tuple[str, str] = ("reference", "prediction"),
    scale: int | None = None,
    frames_per_second: Number = 10,
    max_frames: int = 120,
    file_format: str = "webp",
) -> bytes:
    """Show a field of the reference and of the prediction side by side, over all times, in one colour range.

    The range is that of the whole reference, and is written under the panels with a colour bar; values
    outside it take its end colour, cells that are not finite are grey and a frame without a
    finite cell says "diverged". Every frame carries its time. Cells are enlarged without smoothing.

    Arguments:
        reference: one field of one trajectory, shape (time, x, y), in ``unit``; finite.
        prediction: array of the same shape; may hold NaN or infinities.
        times: time of every frame, shape (time,), in ``time_unit``.
        field_name: for the colour bar.
        unit: of the field; "1" is dimensionless.
        time_unit: of ``times``.
        labels: names over the two panels.
        scale: pixels per cell; None takes the one that makes a panel about 192 pixels wide.
        frames_per_second: of the animation.
        max_frames: longer trajectories are thinned evenly to this many frames, first and last kept.
        file_format: "webp" (small) or "gif" (plays in every viewer).

    Returns:
        The animated picture, repeating for ever. For 100 frames of 64 x 64 cells about 0.5 MB as WebP and
        3 MB as GIF.

    Raises:
        BadInputError: for shapes that do not match, a reference that is not finite or another format.
    """
    truth = to_array(reference, "reference", 3)
    guess = to_array(prediction, "prediction", 3)
    clock = to_array(times, "times", 1)
    all_finite(truth, "reference")
    same_shape(guess, truth, "prediction", "the reference")
    if clock.shape[0] != truth.shape[0]:
        raise BadInputError(f"times has {clock.shape[0]} entries, expected {truth.shape[0]}, one per frame")
    if file_format not in ANIMATION_FORMATS:
        raise BadInputError(f"cannot animate as {file_format!r}; expected gif or webp")
    if max_frames < 1 or frames_per_second <= 0 or (scale is not None and scale < 1):
        raise BadInputError("max_frames, frames_per_second and scale must be positive")
    low, high = float(truth.min()), float(truth.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    scale = scale or max(1, round(192 / max(truth.shape[1:])))
    kept = np.unique(np.linspace(0, len(truth) - 1, min(max_frames, len(truth))).round().astype(int))
    bar = (f"{field_name}", format_number(low), amount(high, unit))
    pictures = [
        _picture(
            (truth[index], guess[index]),
            (low, high),
            f"t = {amount(float(clock[index]), time_unit)}",
            labels,
            bar,
            scale,
        )
        for index in kept
    ]
    buffer = io.BytesIO()
    if file_format == "webp":
        pictures = [picture.convert("RGB") for picture in pictures]
    pictures[0].save(
        buffer,
        format=file_format.upper(),
        save_all=True,
        append_images=pictures[1:],
        duration=max(20, round(1000 / frames_per_second)),
        loop=0,
        **ANIMATION_FORMATS[file_format],
    )
    return buffer.getvalue()


def image_type(content: bytes) -> str:
    """Name the media type of a picture by its first bytes.

    Arguments:
        content: a GIF, WebP, PNG or SVG file.

    Returns:
        Such as "image/gif".

    Raises:
        BadInputError: for anything else.
    """
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content.startswith(b"\x89PNG"):
        return "image/png"
    if b"<svg" in content[:1000]:
        return "image/svg+xml"
    raise BadInputError("the picture is neither GIF, WebP, PNG nor SVG; make it with animate or to_bytes")


def data_uri(content: bytes) -> str:
    """Write a picture as a data URI, which a page can hold in place of a file."""
    return f"data:{image_type(content)};base64,{base64.b64encode(content).decode('ascii')}"


def _palette() -> list[int]:
    colours = matplotlib.colormaps[FIELD_MAP](np.linspace(0, 1, _NUM_LEVELS), bytes=True)[:, :3]
    lost = tuple(int(NOT_FINITE_COLOUR[place : place + 2], 16) for place in (1, 3, 5))
    greys = [(round(grey),) * 3 for grey in np.linspace(255, _INK_GREY, _NUM_GREYS)]
    flat = [int(channel) for colour in (*colours, *greys, lost) for channel in colour]
    return flat + [0] * (768 - len(flat))


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size
    )


def _levels(values: FloatArray, low: float, high: float) -> npt.NDArray[np.uint8]:
    finite = np.isfinite(values)
    part = np.clip((np.where(finite, values, low) - low) / (high - low), 0, 1)
    return np.where(finite, np.rint(part * (_NUM_LEVELS - 1)), _LOST).astype(np.uint8)


def _picture(
    fields: tuple[FloatArray, FloatArray],
    limits: tuple[float, float],
    caption: str,
    labels: Sequence[str],
    bar: tuple[str, str, str],
    scale: int,
) -> Image.Image:
    wide, high = (size * scale for size in fields[0].shape)
    width = 2 * _MARGIN + 2 * wide + _GAP
    canvas = np.full((_TOP + high + _BOTTOM, width), _WHITE, dtype=np.uint8)
    lefts = (_MARGIN, _MARGIN + wide + _GAP)
    for left, values in zip(lefts, fields, strict=True):
        cells = _levels(values.T[::-1], *limits)  # x to the right, y upwards
        canvas[_TOP : _TOP + high, left : left + wide] = np.kron(
            cells, np.ones((scale, scale), dtype=np.uint8)
        )
    ramp_left, ramp_width = lefts[1], wide
    ramp_top = _TOP + high + 7
    ramp = np.linspace(0, _NUM_LEVELS - 1, ramp_width).round().astype(np.uint8)
    canvas[ramp_top : ramp_top + 8, ramp_left : ramp_left + ramp_width] = ramp
    letters = Image.new("L", (canvas.shape[1], canvas.shape[0]))
    draw = ImageDraw.Draw(letters)
    for left, label in zip(lefts, labels, strict=True):
        draw.text((left, _TOP - 7), label, fill=255, font=_font(13), anchor="ls")
    draw.text((lefts[0], ramp_top + 12), caption, fill=255, font=_font(14), anchor="lm")
    draw.text((ramp_left, ramp_top + 20), bar[1], fill=255, font=_font(11), anchor="lm")
    draw.text((ramp_left + ramp_width // 2, ramp_top + 20), bar[0], fill=255, font=_font(11), anchor="mm")
    draw.text((ramp_left + ramp_width, ramp_top + 20), bar[2], fill=255, font=_font(11), anchor="rm")
    for left, values in zip(lefts, fields, strict=True):
        if not np.isfinite(values).any():
            draw.text((left + wide // 2, _TOP + high // 2), "diverged", fill=255, font=_font(14), anchor="mm")
    ink = np.rint(np.asarray(letters) / 255 * (_NUM_GREYS - 1)).astype(np.uint8)
    visible = ink > np.where(canvas == _LOST, 2, 0)  # the palest greys are paler than a diverged panel
    picture = Image.fromarray(np.where(visible, _WHITE + ink, canvas).astype(np.uint8))
    picture.putpalette(_palette())
    return picture
