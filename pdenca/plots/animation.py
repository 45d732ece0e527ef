"""Reference beside emulator as a small animated picture, for the report and for README files."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from pdenca.core import BadInputError

from .arrays import Number, Values, all_finite, same_shape, to_array
from .painting import Panel, colour_limits, paint
from .style import amount

ANIMATION_FORMATS: dict[str, dict[str, Any]] = {
    "gif": {"optimize": False, "disposal": 1},
    "webp": {"lossless": False, "quality": 75, "method": 4, "minimize_size": False},
}
"""Format -> options of its writer; GIF keeps every cell exact, WebP is six times smaller."""


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
    limits = colour_limits(truth)
    scale = scale or max(1, round(192 / max(truth.shape[1:])))
    pictures = [
        paint(
            (
                Panel(truth[index], limits, labels[0]),
                Panel(guess[index], limits, labels[1], (field_name, unit)),
            ),
            f"t = {amount(float(clock[index]), time_unit)}",
            scale,
        )
        for index in thinned(len(truth), max_frames)
    ]
    return encode(pictures, file_format, frames_per_second)


def encode(pictures: Sequence[Image.Image], file_format: str, frames_per_second: Number) -> bytes:
    """Put pictures of equal size into one animated picture that repeats for ever.

    Arguments:
        pictures: the frames, made by :func:`pdenca.plots.painting.paint`.
        file_format: a key of :data:`ANIMATION_FORMATS`.
        frames_per_second: of the animation.
    """
    buffer = io.BytesIO()
    if file_format == "webp":
        pictures = [picture.convert("RGB") for picture in pictures]
    pictures[0].save(
        buffer,
        format=file_format.upper(),
        save_all=True,
        append_images=list(pictures[1:]),
        duration=max(20, round(1000 / frames_per_second)),
        loop=0,
        **ANIMATION_FORMATS[file_format],
    )
    return buffer.getvalue()


def thinned(num_frames: int, max_frames: int) -> list[int]:
    """Return at most ``max_frames`` indices of frames, evenly spaced, first and last kept."""
    kept = np.linspace(0, num_frames - 1, min(max_frames, num_frames)).round().astype(int)
    return [int(index) for index in np.unique(kept)]


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
