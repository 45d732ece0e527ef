"""One image time series as it was stored, before anything is made of its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Shaped

from pdenca.core import BadInputError, FormatError

COLOURS = ("red", "green", "blue")
ALPHA = "alpha"
INTENSITY = "intensity"


@dataclass(frozen=True, eq=False)
class ImageSeries:
    """Frames as they were stored, and what they are called.

    Arguments:
        name: of the file or folder, for errors and reports.
        frames: rows run from the top down, columns to the right; of the type that was stored.
        channels: one name each; ``intensity``, ``red, green, blue``, ``alpha``, or ``channel_1``, ...
        files: the file of each frame, if each has its own.
        indexed: whether colours come from a palette, so that they may all be greys.
        left_out: names of files that are no images.
    """

    name: str
    frames: Shaped[np.ndarray, "time channel row column"]
    channels: tuple[str, ...]
    files: tuple[str, ...] = ()
    indexed: bool = False
    left_out: tuple[str, ...] = field(default=())

    @property
    def num_frames(self) -> int:
        """How many frames there are."""
        return int(self.frames.shape[0])

    @property
    def size(self) -> str:
        """Columns x rows, as cameras and viewers tell it."""
        return f"{self.frames.shape[3]} x {self.frames.shape[2]} pixels"

    @property
    def file_names(self) -> tuple[str, ...]:
        """The file of each frame, or what to call the frame."""
        return self.files or tuple(f"frame {index}" for index in range(self.num_frames))

    def select(self, frames: Sequence[int]) -> "ImageSeries":
        """Return some of the frames, in this order."""
        files = tuple(self.files[index] for index in frames) if self.files else ()
        return replace(self, frames=self.frames[list(frames)], files=files)


def default_channels(count: int, colour: bool) -> tuple[str, ...]:
    """Return what channels are called unless somebody says otherwise.

    Arguments:
        count: how many there are.
        colour: whether they are red, green, blue and perhaps alpha.
    """
    if colour:
        return (*COLOURS, ALPHA)[:count]
    return (INTENSITY,) if count == 1 else tuple(f"channel_{index + 1}" for index in range(count))


def require_alike(one: ImageSeries, other: ImageSeries) -> None:
    """Refuse images that do not fit into one array.

    Arguments:
        one, other: what is to be put together.

    Raises:
        FormatError: if they differ in size, channels or type; both are named.
    """
    told = [("size", one.size, other.size)]
    told.append(("channels", ", ".join(one.channels), ", ".join(other.channels)))
    told.append(("type", str(one.frames.dtype), str(other.frames.dtype)))
    for what, first, second in told:
        if first != second:
            raise FormatError(
                f"{one.name} and {other.name} differ in {what} ({first} and {second}), expected the same in "
                "all; usual cure: convert or crop them alike, or import them apart"
            )


def require_several(series: ImageSeries) -> ImageSeries:
    """Return a series that has at least two frames.

    Raises:
        BadInputError: if it is a single picture.
    """
    if series.num_frames < 2:
        shape = f" ({len(series.channels)} channels)" if len(series.channels) > 1 else ""
        raise BadInputError(
            f"{series.name} holds one frame only{shape}, expected a series of two or more; usual cure: the "
            "folder with all frames, or axes (--axes TYX) if the file's own names of its axes are wrong"
        )
    return series
