"""Reading PDEBench's files (Takamoto et al., NeurIPS 2022, arXiv 2210.07182).

The layouts are in :mod:`pdenca.datasets.pdebench_layouts`. The files say nothing of their boundaries, units
or what the channels are called. What the boundary is follows from the dataset's name where PDEBench has the
same one on every side, and must be told otherwise.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float32

from pdenca.core import BadInputError, FormatError
from pdenca.solvers.grid import Grid

from .format.well import spacing_of
from .hdf5 import DAMAGE, open_hdf5, reason
from .header import IRREGULAR, Header
from .pdebench_layouts import Layout, is_pdebench, layout_of
from .trajectories import Trajectories

BOUNDARIES: Final[Mapping[str, str]] = {
    "diff-react": "no-flux",
    "advection": "periodic",
    "burgers": "periodic",
    "reacdiff": "periodic",
    "_periodic_": "periodic",
    "darcy": "dirichlet(0)",
}
"""What a file's or dataset's name holds (in lower case) -> the boundary on every axis."""

FITZHUGH_NAGUMO: Final[Mapping[str, str]] = {
    "Du": "diffusivity_u",
    "Dv": "diffusivity_v",
    "k": "threshold",
}
"""The constants of the 2-D diffusion-reaction problem -> the same in the equation "fitzhugh-nagumo"."""


class PDEBenchFile(Trajectories):
    """An open file of PDEBench's that reads only what it is asked for; close it, or use ``with``.

    Arguments:
        path: the HDF5 file.
        boundary: name of the boundary on every axis, or one per axis; None takes PDEBench's own where there
            is one for the dataset.

    Raises:
        BadInputError: if the boundary is not known, or not one of ours.
        FormatError: if the file is missing, damaged or laid out differently.
    """

    def __init__(self, path: Path | str, boundary: str | tuple[str, ...] | None = None) -> None:
        self._manager = open_hdf5(path)
        self._path = Path(path)
        self._file = self._manager.__enter__()
        try:
            if not is_pdebench(self._file):
                raise FormatError(
                    f"{path} has none of PDEBench's layouts: neither groups with data and grid, nor "
                    "x-coordinate with tensor or density"
                )
            self._layout = layout_of(self._file, self._path)
            self.header = _header(self._path, self._layout, boundary)
        except BaseException as error:
            self._manager.__exit__(type(error), error, error.__traceback__)
            raise

    def close(self) -> None:
        """Close the file; reading afterwards raises FormatError."""
        self._manager.__exit__(None, None, None)

    def read(
        self, trajectories: slice | int = slice(None), frames: slice = slice(None)
    ) -> Float32[np.ndarray, "batch time channel *space"]:
        """Read some trajectories and frames; see :class:`Trajectories`."""
        rows = self._rows(trajectories, frames)
        out = self._empty(rows, frames)
        frames = slice(*frames.indices(self.header.num_frames))  # there may be more times than frames
        try:
            if self._layout.grouped:
                for index, place in enumerate(self._layout.places[rows]):
                    out[index] = np.moveaxis(self._file[place][frames], -1, 1)
            else:
                for channel, place in enumerate(self._layout.places):
                    data = self._file[place][rows, frames]
                    if data.ndim == out.ndim:
                        out[...] = np.moveaxis(data, -1, 2)
                    else:
                        out[:, :, channel] = data
        except DAMAGE as error:
            raise FormatError(f"{self._path} cannot be read ({reason(error)})") from error
        return out


def _header(path: Path, layout: Layout, boundary: str | tuple[str, ...] | None) -> Header:
    axes, (num_trajectories, num_frames, *space) = tuple(layout.coordinates), layout.shape
    spacing = tuple(
        spacing_of(values, f"its coordinate {name}") for name, values in layout.coordinates.items()
    )
    boundary = _boundary(path, layout) if boundary is None else boundary
    lost = [
        f"{name} begins at {values[0]:g}"
        for name, values, h in zip(axes, layout.coordinates.values(), spacing, strict=True)
        if abs(values[0] - h / 2) > IRREGULAR * h
    ]
    is_fitzhugh_nagumo = "diff-react" in layout.name and set(FITZHUGH_NAGUMO) <= {
        *layout.parameters,
        *layout.varying,
    }
    names = FITZHUGH_NAGUMO if is_fitzhugh_nagumo else {}
    rates = {"recovery_rate": 1.0, "recovery_decay": 1.0} if is_fitzhugh_nagumo else {}
    return Header(
        dataset_name=path.stem,
        equation="fitzhugh-nagumo" if is_fitzhugh_nagumo else "unknown",
        regime="unknown",
        split="unsplit",
        fields=layout.fields,
        grid=Grid(
            tuple(space), spacing, (boundary,) * len(axes) if isinstance(boundary, str) else tuple(boundary)
        ),
        frame_interval=spacing_of(layout.times, "its time"),
        parameters={**{names.get(name, name): value for name, value in layout.parameters.items()}, **rates},
        varying_parameters={names.get(name, name): value for name, value in layout.varying.items()},
        num_trajectories=num_trajectories,
        num_frames=num_frames,
        seeds=layout.seeds,
        provenance={**layout.notes, **({"not_read": "; ".join(lost)} if lost else {})},
        path=path,
    )


def _boundary(path: Path, layout: Layout) -> str:
    name = f"{layout.name} {path.stem}".lower()
    for part, boundary in BOUNDARIES.items():
        if part in name:
            return boundary
    raise BadInputError(
        f"{path} does not say what lies beyond the edges of its domain; usual cure: --boundary periodic, "
        "no-flux or dirichlet(0)"
    )
