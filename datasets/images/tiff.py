"""TIFF of 8, 16 or 32 bits: single images, many pages, many channels; ImageJ's and OME's, by tifffile."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pdenca.core import BadInputError, FormatError

from .arrays import arrange, require_numbers
from .series import ImageSeries, default_channels

if TYPE_CHECKING:
    from tifffile import TiffPageSeries

SUFFIXES: Final = (".tif", ".tiff")

_LOST: Final = re.compile(r"page offset|series|corrupt")  # words of complaints that mean fewer frames
_GREY, _RGB = 1, 2  # of TIFF's kinds of colour, those whose numbers are brightness


def read_tiff(path: Path, axes: str | None = None) -> ImageSeries:
    """Read a TIFF file; every page is a frame, unless the file says or ``axes`` says otherwise.

    Arguments:
        path: the file.
        axes: what its axes are, a letter each: T (time), C (channel), Y (row), X (column), others of length
            1; None: as the file has it, ImageJ's and OME's names among them, pages without a name being
            times.

    Raises:
        BadInputError: if tifffile is not there, or the axes do not fit or are not understood.
        FormatError: if the file is damaged, packed in a way that is not read, has images of several sizes, or
            its numbers are no brightness.
    """
    try:
        from tifffile import TiffFile
    except ImportError as error:
        raise BadInputError(
            f"TIFF files need tifffile ({error}); usual cure: pip install 'pdenca[images]'"
        ) from None
    try:
        with _complaints() as complaints, TiffFile(path) as file:
            series = list(file.series)
            if complaints:
                raise ValueError(complaints[0])
            _refuse_unlike(path, series)
            data = series[0].asarray()
            found, colour = _axes_of(series[0])
    except FormatError:
        raise
    except Exception as error:  # tifffile promises nothing about what it raises on damaged files
        cure = "export it again"
        if "imagecodecs" in str(error):
            cure = "pip install 'pdenca[images]', or save it without compression"
        raise FormatError(
            f"{path} is damaged or no TIFF that can be read "
            f"({(str(error).splitlines() or [type(error).__name__])[0]}); usual cure: {cure}"
        ) from error
    frames = arrange(data, found if axes is None else axes.upper(), path.name)
    require_numbers(frames, path.name)
    # another order of axes makes channels of something else
    colour &= frames.shape[1] in (3, 4) and (axes is None or axes.upper().find("C") == found.find("C"))
    return ImageSeries(path.name, frames, default_channels(frames.shape[1], colour))


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collect what tifffile logs of pages that it does not find: it goes on with those that are there."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if _LOST.search(record.getMessage()):
                found.append(record.getMessage())

    found: list[str] = []
    logger, collector = logging.getLogger("tifffile"), Collector(logging.WARNING)
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(collector)
    try:
        yield found
    finally:
        logger.removeHandler(collector)
        logger.propagate = propagate


def _refuse_unlike(path: Path, series: "list[TiffPageSeries]") -> None:
    """Refuse files of which the one array would not be the whole truth."""
    if len(series) != 1:
        shapes = ", ".join(" x ".join(map(str, item.shape)) for item in series[:3])
        raise FormatError(
            f"{path} holds {len(series)} series of images of different shapes ({shapes}), expected one; "
            "usual cure: save them apart"
        )
    if series[0].is_multifile:
        raise FormatError(
            f"{path} is one of several files that make up one OME series; usual cure: save the series as one "
            "file"
        )
    kind: Any = series[0].keyframe.photometric
    if int(kind) not in (_GREY, _RGB):
        raise FormatError(
            f"{path} has values of the kind {getattr(kind, 'name', kind)}, expected grey with 0 for black, "
            "or RGB; usual cure: convert it to one of them"
        )


def _axes_of(series: "TiffPageSeries") -> tuple[str, bool]:
    """Return a letter per axis, and whether the channels are red, green and blue.

    tifffile writes S for the samples of one pixel, Q or I for pages without a name.
    """
    axes = series.axes
    colour = int(series.keyframe.photometric) == _RGB and "S" in axes and "C" not in axes
    if "C" not in axes:
        axes = axes.replace("S", "C")
    unnamed = [name for name in axes if name in "QI"]
    if len(unnamed) == 1 and "T" not in axes:
        axes = axes.replace(unnamed[0], "T")
    return axes, colour
