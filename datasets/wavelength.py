"""The dominant wavelength of what is in a file."""

import math
from pathlib import Path

import torch

from pdenca.solvers.power_spectrum import SpectrumShells, dominant_wavenumber

from .activity import HOMOGENEOUS_STD
from .format import TrajectoryFile


def measure_wavelength(path: Path | str) -> float:
    """Measure the wavelength of a file: the median over its trajectories' last frames.

    It is where the power spectrum of the first field peaks (see ``pdenca.solvers.power_spectrum``).
    Trajectories without a pattern in the end do not count.

    Arguments:
        path: a file of trajectories.

    Returns:
        The wavelength (length); NaN if no trajectory has a pattern.

    Raises:
        FormatError: if the file is damaged.
    """
    found = []
    with TrajectoryFile(path) as file:
        shells = SpectrumShells(file.header.grid)
        last = file.header.num_frames - 1
        for trajectory in range(file.header.num_trajectories):
            frame = torch.from_numpy(file.read(trajectory, slice(last, last + 1))[:, :, :1]).double()
            if float(frame.std()) > HOMOGENEOUS_STD:
                found.append(1 / float(dominant_wavenumber(shells.spectrum(frame))))
    return sorted(found)[len(found) // 2] if found else math.nan
