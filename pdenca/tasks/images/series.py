"""A file of image series, read whole, with the steps that an automaton takes from frame to frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdenca.core import BadInputError, FormatError
from pdenca.datasets import TrajectoryFile
from pdenca.solvers import Grid

VISIBLE = 0.1
"""Share of the range by which a cell must differ from the background to belong to what is seen."""


@dataclass(frozen=True, eq=False)
class Series:
    """One or several series of frames, all at the same times.

    Arguments:
        frames: what was seen.
        times: of the frames, from 0.
        grid: the cells.
        channels: names.
        mask: cells that count; None: all.
        name: for tables and pictures.
    """

    frames: Float[Tensor, "series time channel *space"]
    times: tuple[float, ...]
    grid: Grid
    channels: tuple[str, ...]
    mask: Bool[Tensor, "*space"] | None = None
    name: str = "series"

    def num_steps(self, steps_per_interval: int) -> tuple[int, ...]:
        """Return the automaton steps from each frame to the next; the shortest time takes so many."""
        gaps = [after - before for before, after in zip(self.times, self.times[1:], strict=False)]
        return tuple(round(steps_per_interval * gap / min(gaps)) for gap in gaps)

    @cached_property
    def background(self) -> Float[Tensor, " channel"]:
        """Median of every channel along the outermost cells of all frames."""
        inner = torch.zeros(self.grid.shape, dtype=torch.bool)
        inner[tuple(slice(1, -1) for _ in self.grid.shape)] = True
        rim = self.frames.movedim(2, 0)[..., ~inner].flatten(1)
        return rim.median(1).values

    @property
    def counted(self) -> Bool[Tensor, "*space"]:
        """The cells that count."""
        return torch.ones(self.grid.shape, dtype=torch.bool) if self.mask is None else self.mask

    def seen(self, frame: int, series: int = 0) -> Bool[Tensor, "*space"]:
        """Return the cells that count and differ from the background in any channel of a frame.

        Raises:
            BadInputError: if none does.
        """
        low, high = float(self.frames.min()), float(self.frames.max())
        away = self.frames[series, frame] - self.background.view(-1, *(1,) * self.grid.num_dims)
        found: Tensor = (away.abs() > VISIBLE * (high - low)).any(0) & self.counted
        if not bool(found.any()):
            raise BadInputError(f"frame {frame} of {self.name} shows nothing but the background")
        return found

    def box(self, frame: int, series: int = 0) -> tuple[slice, ...]:
        """Return the smallest box around what is seen in a frame."""
        places = self.seen(frame, series).nonzero()
        return tuple(
            slice(int(low), int(high) + 1) for low, high in zip(places.amin(0), places.amax(0), strict=True)
        )

    def error(
        self, shown: Float[Tensor, "copy observed *space"], frame: int, series: int = 0
    ) -> Float[Tensor, " copy"]:
        """Return the mean squared error over the cells that count within the box around what is seen.

        Arguments:
            shown: what is there instead of a frame.
            frame: which.
            series: of which series.
        """
        box = self.box(frame, series)
        missing = (_cut(shown, box) - _cut(self.frames[series, frame], box)).square().mean(1)
        return missing[:, _cut(self.counted, box)].mean(1)

    def facts(self) -> Mapping[str, int | str]:
        """Return what tells these images from any other: number, size and a fingerprint of them all."""
        import hashlib

        told = (self.times, self.grid.spacing, self.grid.boundaries)
        content = self.frames.contiguous().numpy().tobytes() + str(told).encode()
        if self.mask is not None:
            content += self.mask.numpy().tobytes()
        return {
            "frames": int(self.frames.shape[1]),
            "channels": ", ".join(self.channels),
            "cells": " x ".join(map(str, self.grid.shape)),
            "sha256": hashlib.sha256(content).hexdigest(),
        }


def _cut(values: Tensor, box: tuple[slice, ...]) -> Tensor:
    """Return what lies within a box of the last axes."""
    for axis, piece in zip(range(values.ndim - len(box), values.ndim), box, strict=True):
        values = values.narrow(axis, piece.start, piece.stop - piece.start)
    return values


def read_series_file(path: Path | str) -> Series:
    """Read a file of image series, as ``pdenca import-images`` and ``pdenca images draw`` write them.

    Raises:
        BadInputError: for fewer than two frames.
        FormatError: if it is no such file, or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FormatError(
            f"{path} is not a file; usual cure: `pdenca images draw pictures --out {path}`, or `pdenca "
            "import-images` with images of your own"
        )
    with TrajectoryFile(path) as file:
        header = file.header
        frames = torch.from_numpy(file.read())
        told = header.context(1)
    if header.num_frames < 2:
        raise BadInputError(f"{path} has {header.num_frames} frame; expected two or more to learn from")
    mask = told["mask"][0] > 0 if "mask" in told else None
    return Series(
        frames,
        tuple(float(time) for time in header.frame_times),
        header.grid,
        header.channel_names,
        mask,
        path.stem,
    )
