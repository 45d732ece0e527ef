"""From files, folders and arrays to series."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor

from pdenca.core import BadInputError, FormatError

from . import tiff
from .arrays import from_array
from .folders import SUFFIXES, Folder, look_into
from .pictures import read_picture
from .series import ImageSeries, require_alike, require_several
from .tiff import read_tiff

Source = Path | str | np.ndarray | Tensor
"""A file, a folder, or the numbers themselves."""


def read_frames(source: Source, axes: str | None = None) -> ImageSeries:
    """Read one image time series, as it was stored.

    Arguments:
        source: a folder of PNG, JPEG, BMP or TIFF files with a frame each, in natural order (frame2 before
            frame10); a TIFF or GIF with several frames; an array or a tensor.
        axes: a letter for each axis of a TIFF or an array, if what it says of itself is wrong: T (time), C
            (channel), Y (row, downwards), X (column).

    Returns:
        The frames, not scaled, with the names of their channels.

    Raises:
        BadInputError: for a path that is not there, several series, or a single frame.
        FormatError: for a damaged file, an empty folder, or frames that differ in size, channels or type.
    """
    found = read_series(source, axes)
    if len(found) > 1:
        raise BadInputError(
            f"{source} holds {len(found)} series ({found[0].name}, {found[1].name}, ...), expected one; "
            "usual cure: read_series, or one of them"
        )
    return found[0]


def read_series(source: Source | Sequence[Source], axes: str | None = None) -> list[ImageSeries]:
    """Read all image time series of a source: see :func:`read_frames`.

    Arguments:
        source: as there; or a folder of folders, of TIFF stacks or of GIFs, a series each; or several
            sources.
        axes: as there.

    Raises:
        As :func:`read_frames`; series may differ.
    """
    if isinstance(source, (Path, str)):
        return [require_several(series) for series in _read_path(Path(source), axes)]
    if isinstance(source, (np.ndarray, Tensor)):
        return [require_several(from_array(source, axes))]
    if not source:
        raise BadInputError("there is nothing to import; expected a file, a folder or an array")
    found: list[ImageSeries] = []
    for number, item in enumerate(source):
        if isinstance(item, (np.ndarray, Tensor)):
            found.append(require_several(from_array(item, axes, f"array {number}")))
        else:
            found += read_series(item, axes)
    return found


def read_image(path: Path, axes: str | None = None) -> ImageSeries:
    """Read one file of images.

    Raises:
        BadInputError: if it is not there or of no kind that is read.
        FormatError: if it is damaged.
    """
    if not path.is_file():
        raise BadInputError(f"{path} does not exist; usual cure: check the path")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadInputError(
            f"{path} is no kind of image that is read, expected one of {', '.join(SUFFIXES)}; usual cure: "
            "export it as TIFF"
        )
    return read_tiff(path, axes) if suffix in tiff.SUFFIXES else read_picture(path)


def _read_path(path: Path, axes: str | None) -> list[ImageSeries]:
    if not path.is_dir():
        return [read_image(path, axes)]
    content = look_into(path)
    inside = {folder: look_into(folder) for folder in content.folders}
    folders = {folder: own for folder, own in inside.items() if own.images}
    empty = tuple(f"{folder.name}/" for folder in content.folders if folder not in folders)
    if folders and content.images:
        raise FormatError(
            f"{path} holds images ({content.images[0].name}) and folders with images "
            f"({next(iter(folders)).name}), expected one or the other; usual cure: a folder of its own for "
            "each series"
        )
    if not folders:
        return _read_folder(path, replace(content, left_out=(*content.left_out, *empty)), axes)
    found: list[ImageSeries] = []
    for folder, own in folders.items():
        below = tuple(f"{other.name}/" for other in own.folders)
        (*earlier, last) = _read_folder(folder, replace(own, left_out=(*own.left_out, *below)), axes)
        if earlier:
            raise FormatError(
                f"{folder} holds several series, expected the frames of one; usual cure: import it by itself"
            )
        found.append(replace(last, left_out=tuple(f"{folder.name}/{name}" for name in last.left_out)))
    first = found[0]
    found[0] = replace(first, left_out=(*content.left_out, *empty, *first.left_out))
    return found


def _read_folder(path: Path, content: Folder, axes: str | None) -> list[ImageSeries]:
    """Read a folder of files: one series of single frames, or a series of each file."""
    if not content.images:
        others = f", only {', '.join(content.left_out[:3])}" if content.left_out else ""
        raise FormatError(f"{path} holds no images{others}; expected files that end in {', '.join(SUFFIXES)}")
    found = [read_image(image, axes) for image in content.images]
    several = [series for series in found if series.num_frames > 1]
    if several and len(several) < len(found):
        single = next(series for series in found if series.num_frames == 1)
        raise FormatError(
            f"{path} holds single frames ({single.name}) and files of several ({several[0].name}), expected "
            "one or the other; usual cure: a folder of its own for each series"
        )
    if several:
        return [replace(found[0], left_out=content.left_out), *found[1:]]
    for series in found[1:]:
        require_alike(found[0], series)
    return [
        ImageSeries(
            path.resolve().name,
            np.concatenate([series.frames for series in found]),
            found[0].channels,
            files=tuple(series.name for series in found),
            indexed=all(series.indexed for series in found),
            left_out=content.left_out,
        )
    ]
