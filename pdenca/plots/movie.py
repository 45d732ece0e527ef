"""Movies of the fields of one trajectory: MP4, GIF or WebP."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pdenca.core import BadInputError, atomic_path

from .animation import ANIMATION_FORMATS, encode, thinned
from .arrays import FloatArray, Number, Values, one_trajectory
from .painting import Panel, colour_limits, paint
from .style import amount

MOVIE_FORMATS = ("mp4", *ANIMATION_FORMATS)
"""Suffixes that a movie can have, without their dot."""


def save_movie(
    fields: Mapping[str, Values],
    times: Values,
    path: Path | str,
    *,
    units: Mapping[str, str] | None = None,
    time_unit: str = "s",
    scale: int | None = None,
    frames_per_second: Number = 20,
    max_frames: int = 600,
) -> Path:
    """Show all fields of a trajectory side by side over time, each in its own colour range.

    The range of a field is that of all its finite values; cells that are not finite are grey. Cells are
    enlarged without smoothing. The file is written whole or not at all.

    Arguments:
        fields: name -> one field of one trajectory, shape (time, x, y).
        times: time of every frame, shape (time,), in ``time_unit``.
        path: ends in .mp4, .gif or .webp. MP4 is by far the smallest and needs the extra ``movie``.
        units: unit of each field; dimensionless where left out.
        time_unit: of ``times``.
        scale: pixels per cell; None takes the one that makes a panel about 256 pixels wide.
        frames_per_second: of the movie.
        max_frames: longer trajectories are thinned evenly to this many frames, first and last kept.

    Returns:
        The path.

    Raises:
        BadInputError: for shapes that do not match, another suffix, or MP4 without the extra.
    """
    path = Path(path)
    file_format = movie_format(path)
    arrays, clock = one_trajectory(fields, times, ("time", "x", "y"))
    if max_frames < 1 or frames_per_second <= 0 or (scale is not None and scale < 1):
        raise BadInputError("max_frames, frames_per_second and scale must be positive")
    width = max(next(iter(arrays.values())).shape[1:])
    pictures = _paint_all(
        arrays, clock, units or {}, time_unit, scale or max(1, round(256 / width)), max_frames
    )
    with atomic_path(path) as temporary:
        if file_format == "mp4":
            _write_mp4(pictures, temporary, frames_per_second)
        else:
            temporary.write_bytes(encode(pictures, file_format, frames_per_second))
    return path


def movie_format(path: Path) -> str:
    """Return the format that a path's suffix names, one of :data:`MOVIE_FORMATS`.

    Raises:
        BadInputError: for another suffix, or for MP4 if its writer is not installed.
    """
    file_format = path.suffix.removeprefix(".").lower()
    if file_format not in MOVIE_FORMATS:
        raise BadInputError(
            f"{path.name!r} has the suffix {path.suffix!r}; movies are saved as .mp4, .gif or .webp"
        )
    if file_format == "mp4":
        _ffmpeg()
    return file_format


def _paint_all(
    arrays: Mapping[str, FloatArray],
    clock: FloatArray,
    units: Mapping[str, str],
    time_unit: str,
    scale: int,
    max_frames: int,
) -> list[Image.Image]:
    limits = {name: colour_limits(array) for name, array in arrays.items()}
    return [
        paint(
            [
                Panel(array[index], limits[name], name, (name, units.get(name, "1")))
                for name, array in arrays.items()
            ],
            f"t = {amount(float(clock[index]), time_unit)}",
            scale,
        )
        for index in thinned(len(clock), max_frames)
    ]


def _write_mp4(pictures: Sequence[Image.Image], path: Path, frames_per_second: Number) -> None:
    width, height = pictures[0].size
    even = (width + width % 2, height + height % 2)  # the codec halves the resolution of colour
    writer = _ffmpeg().write_frames(
        str(path),
        even,
        fps=frames_per_second,
        codec="libx264",
        quality=8,
        macro_block_size=2,
        output_params=["-f", "mp4", "-movflags", "+faststart"],
    )
    writer.send(None)
    try:
        for picture in pictures:
            canvas = Image.new("RGB", even, "white")
            canvas.paste(picture.convert("RGB"))
            writer.send(np.ascontiguousarray(canvas).tobytes())
    finally:
        writer.close()


def _ffmpeg() -> Any:  # noqa: ANN401  # a module without types
    try:
        import imageio_ffmpeg
    except ImportError:
        raise BadInputError(
            "an .mp4 needs imageio-ffmpeg, which is not installed; usual cure: pip install 'pdenca[movie]', "
            "or a .gif or .webp"
        ) from None
    return imageio_ffmpeg
