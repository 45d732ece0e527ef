"""Trajectories that are somewhere on disk, whatever the layout of the file."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

import numpy as np
import torch
from jaxtyping import Float32, Int
from torch import Tensor

from pdenca.core import BadInputError

from .activity import homogeneous_from, stationary_from
from .header import Header


class Trajectories(ABC):
    """An open source of trajectories that reads only what it is asked for; close it, or use ``with``.

    Attributes:
        header: what it holds.
    """

    header: Header

    @abstractmethod
    def read(
        self, trajectories: slice | int = slice(None), frames: slice = slice(None)
    ) -> Float32[np.ndarray, "batch time channel *space"]:
        """Read some trajectories and frames.

        Arguments:
            trajectories: which ones; a number reads that one and keeps the axis.
            frames: which frames.

        Returns:
            ``(trajectory, time, channel, *space)`` float32.

        Raises:
            BadInputError: if there is no such trajectory, or for slices that run backwards.
            FormatError: if the bytes cannot be read.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the file; reading afterwards raises FormatError."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def activity(self) -> tuple[Int[np.ndarray, " batch"], Int[np.ndarray, " batch"]]:
        """Return per trajectory the frames from which on it is homogeneous, and stationary; -1 for never.

        Computed from the numbers, one trajectory at a time, where the file does not say.
        """
        flags = []
        for index in range(self.header.num_trajectories):
            data = self.read(index)
            flags.append((homogeneous_from(data)[0], stationary_from(data)[0]))
        homogeneous, stationary = np.array(flags, dtype=np.int32).T
        return homogeneous, stationary

    def parameters(self, trajectory: int) -> dict[str, Tensor]:
        """Return the parameters of one trajectory, float32: 0-dimensional, or ``"*space"``.

        Raises:
            BadInputError: if there is no such trajectory.
        """
        rows = range(*self._rows(trajectory).indices(self.header.num_trajectories))
        context = self.header.context(1, first=rows[0])
        return {name: value[0] for name, value in context.items()}

    def _rows(self, trajectories: slice | int, frames: slice = slice(None)) -> slice:
        """Return the trajectories asked for as a slice, or refuse them."""
        count = self.header.num_trajectories
        if isinstance(trajectories, int):
            if not -count <= trajectories < count:
                where = f"{self.header.path} holds {count}"
                raise BadInputError(f"trajectory {trajectories} does not exist, {where}")
            start = trajectories % count
            trajectories = slice(start, start + 1)
        if (trajectories.step or 1) < 1 or (frames.step or 1) < 1:
            raise BadInputError(f"slices must run forwards, got {trajectories} and {frames}")
        return trajectories

    def _empty(self, trajectories: slice, frames: slice) -> np.ndarray:
        """Return the array that these trajectories and frames go into."""
        header = self.header
        rows = range(*trajectories.indices(header.num_trajectories))
        times = range(*frames.indices(header.num_frames))
        return np.empty((len(rows), len(times), *header.shape[2:]), dtype=np.float32)


def as_tensor(value: float | np.ndarray) -> Tensor:
    """Return a parameter of one trajectory as a float32 tensor."""
    return torch.as_tensor(np.asarray(value, dtype=np.float32))
