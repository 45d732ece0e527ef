"""Windows of consecutive frames for training, and whole splits for evaluation."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError

from .format import TrajectoryFile, read_header
from .header import Header
from .layout import data_files, expand


class Windows(torch.utils.data.Dataset[tuple[Tensor, dict[str, Tensor]]]):
    """All windows of ``num_frames`` consecutive frames of some files, none across the end of a trajectory.

    Where the frames of a file are at irregular times, only those windows are there whose frames all follow
    each other at the frame interval: none is across a gap.

    Item i is ``(frames, parameters)``: frames float32 ``"time channel *space"``, parameters name -> float32,
    0-dimensional or, if it varies in space, ``"*space"``. A DataLoader collates them to
    ``"batch time channel *space"`` and to a context of tensors (batch,) or (batch, *space). Only the frames
    asked for are read. Files are opened at the first use in each process, so it works with any number of
    workers, forked or spawned.

    Arguments:
        paths: files, split folders or dataset folders (all splits!); usually ``dataset / "data" / "train"``.
        num_frames: frames per window, at least 1.
        stride: frames between the starts of successive windows of one trajectory, at least 1.
        regimes: keep only the files of these regimes.

    Raises:
        BadInputError: if a trajectory is shorter than a window, if gaps leave no place for one, a regime is
            unknown, or files differ in fields, grid, frame interval or in which parameters they have and
            which of them vary in space.
        FormatError: if a file is missing or damaged.
    """

    def __init__(
        self,
        paths: Iterable[Path | str] | Path | str,
        num_frames: int,
        stride: int = 1,
        regimes: Iterable[str] | None = None,
    ) -> None:
        if num_frames < 1 or stride < 1:
            raise BadInputError(f"num_frames and stride must be at least 1, got {num_frames} and {stride}")
        self.num_frames = num_frames
        self.stride = stride
        self.headers = _select([read_header(path) for path in expand(paths)], regimes)
        first = self.headers[0]
        for header in self.headers:
            for key in ("fields", "grid", "frame_interval"):
                if getattr(header, key) != getattr(first, key):
                    raise BadInputError(
                        f"{header.path} and {first.path} differ in {key}, so their windows do not fit into "
                        "one batch; usual cure: one Windows per split"
                    )
            for key in ("parameter_names", "parameters_in_space"):
                own, others = sorted(getattr(header, key)), sorted(getattr(first, key))
                if own != others:
                    raise BadInputError(
                        f"{header.path} and {first.path} differ in {key} ({own} and {others}), so their "
                        "windows do not fit into one batch; usual cure: one Windows per kind of file"
                    )
            if header.num_frames < num_frames:
                raise BadInputError(
                    f"{header.path} has {header.num_frames} frames per trajectory, windows need {num_frames}"
                )
        self._starts = [_starts_of(header, num_frames, stride) for header in self.headers]
        counts = [
            len(starts) * header.num_trajectories
            for starts, header in zip(self._starts, self.headers, strict=True)
        ]
        self._ends = np.cumsum(counts)
        self._files: dict[int, TrajectoryFile] = {}
        self._process = os.getpid()

    def __len__(self) -> int:
        return int(self._ends[-1])

    def locate(self, index: int) -> tuple[int, int, int]:
        """Return (number of the file in ``headers``, trajectory, first frame) of a window.

        Raises:
            IndexError: if there is no such window.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"window {index} does not exist, there are {len(self)}")
        index %= len(self)
        number = int(np.searchsorted(self._ends, index, side="right"))
        within = index - (int(self._ends[number - 1]) if number else 0)
        trajectory, place = divmod(within, len(self._starts[number]))
        return number, trajectory, self._starts[number][place]

    def __getitem__(self, index: int) -> tuple[Float[Tensor, "time channel *space"], dict[str, Tensor]]:
        number, trajectory, start = self.locate(index)
        frames = self._file(number).read(trajectory, slice(start, start + self.num_frames))
        return torch.from_numpy(frames[0]), self._file(number).parameters(trajectory)

    def _file(self, number: int) -> TrajectoryFile:
        if self._process != os.getpid():  # forked: the parent's handles must not be shared
            self._files, self._process = {}, os.getpid()
        if number not in self._files:
            path = self.headers[number].path
            assert path is not None, "headers read from files have a path"
            self._files[number] = TrajectoryFile(path)
        return self._files[number]

    def close(self) -> None:
        """Close the files of this process; the next item opens them again."""
        for file in self._files.values():
            file.close()
        self._files = {}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_files": {}}


def _starts_of(header: Header, num_frames: int, stride: int) -> Sequence[int]:
    """Return the first frames of the windows of one trajectory."""
    starts = range(0, header.num_frames - num_frames + 1, stride)
    if not header.times:
        return starts
    steps = header.regular_steps
    kept = [start for start in starts if steps[start : start + num_frames - 1].all()]
    if not kept:
        raise BadInputError(
            f"{header.path} has frames at irregular times and nowhere {num_frames} in a row, "
            f"{header.frame_interval:g} apart; usual cure: shorter windows, or data without gaps"
        )
    return kept


def _select(headers: list[Header], regimes: Iterable[str] | None) -> list[Header]:
    if regimes is None:
        return headers
    wanted, known = list(regimes), sorted({header.regime for header in headers})
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise BadInputError(
            f"unknown regime {', '.join(unknown) or '(none)'}; expected some of {', '.join(known)}"
        )
    return [header for header in headers if header.regime in wanted]


def load_split(
    dataset: Path | str, split: str, regimes: Iterable[str] | None = None
) -> list[tuple[Header, Float[Tensor, "batch time channel *space"]]]:
    """Read a whole split into memory, file by file, for evaluation.

    Arguments:
        dataset: the dataset's folder.
        split: one of its splits, e.g. ``"test"`` or ``"ood_domain"``.
        regimes: keep only these regimes.

    Returns:
        (header, data) per file, data float32.

    Raises:
        BadInputError: if there is no such split or regime, or frames are at irregular times.
        FormatError: if it is no dataset or a file is damaged.
    """
    result = []
    for path in data_files(dataset, split, regimes):
        with TrajectoryFile(path) as file:
            file.header.require_regular_times("whatever reads whole splits")
            result.append((file.header, torch.from_numpy(file.read())))
    return result
