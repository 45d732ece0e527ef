"""Which trajectories of some files die, and which come to rest."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .format import TrajectoryFile


@dataclass(frozen=True)
class Inactive:
    """A trajectory that dies or comes to rest.

    Arguments:
        file: the file.
        trajectory: its index in the file.
        frame: the frame from which on it is homogeneous or stationary.
    """

    file: Path
    trajectory: int
    frame: int


def find_inactive(paths: Iterable[Path]) -> tuple[tuple[Inactive, ...], tuple[Inactive, ...]]:
    """Read from the files which trajectories die, and which come to rest without dying.

    Arguments:
        paths: trajectory files.

    Returns:
        (dead, stationary).
    """
    dead: list[Inactive] = []
    stationary: list[Inactive] = []
    for path in paths:
        with TrajectoryFile(path) as file:
            homogeneous, still = file.activity()
        for index, (flat, rest) in enumerate(zip(homogeneous, still, strict=True)):
            if flat >= 0:
                dead.append(Inactive(path, index, int(flat)))
            elif rest >= 0:
                stationary.append(Inactive(path, index, int(rest)))
    return tuple(dead), tuple(stationary)
