"""The domain: a box cut into equal cells, with one boundary condition per axis."""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError

from .boundary import Dirichlet, boundary_from_name


@dataclass(frozen=True)
class Grid:
    """A cell-centred Cartesian grid in one, two or three dimensions.

    Axis d covers [0, shape[d] · spacing[d]); its cell i is the interval [i h, (i + 1) h) and values live at
    the cell centres x_i = (i + 1/2) h. With cell centres the wall of a no-flux axis lies half a cell outside
    the outermost value, and refining by any factor keeps the domain exactly.

    Arguments:
        shape: cells along each axis.
        spacing: cell size h along each axis (length).
        boundaries: a name for each axis, ``"periodic"``, ``"no-flux"``, ``"zeros"`` or
            ``"dirichlet(...)"``; see :func:`pdenca.solvers.boundary.boundary_from_name`.

    Raises:
        BadInputError: for other than 1-3 dimensions, unequal lengths, empty axes, a spacing that is not a
            positive finite number, or an unknown boundary.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    boundaries: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.shape) <= 3:
            raise BadInputError(f"a grid has 1, 2 or 3 axes, got shape {self.shape}")
        if not len(self.shape) == len(self.spacing) == len(self.boundaries):
            raise BadInputError(
                f"a grid needs one spacing and one boundary per axis: shape {self.shape}, spacing "
                f"{self.spacing}, boundaries {self.boundaries}; usual cure: Grid.uniform"
            )
        if any(cells < 1 for cells in self.shape):
            raise BadInputError(f"every axis needs at least one cell, got shape {self.shape}")
        if not all(math.isfinite(h) and h > 0 for h in self.spacing):
            raise BadInputError(f"every spacing must be a positive length, got {self.spacing}")
        for name in self.boundaries:
            boundary_from_name(name)

    @classmethod
    def uniform(
        cls,
        num_cells: int | Sequence[int],
        spacing: float,
        boundary: str = "periodic",
        num_dims: int = 2,
    ) -> "Grid":
        """Make a grid with the same spacing and boundary on every axis.

        Arguments:
            num_cells: cells per axis; one number for a square or cube of ``num_dims`` axes.
            spacing: cell size (length).
            boundary: name of a boundary.
            num_dims: number of axes when ``num_cells`` is one number.

        Returns:
            The grid.
        """
        shape = (num_cells,) * num_dims if isinstance(num_cells, int) else tuple(num_cells)
        return cls(shape, (float(spacing),) * len(shape), (boundary,) * len(shape))

    @property
    def num_dims(self) -> int:
        """Number of space axes."""
        return len(self.shape)

    @property
    def num_cells(self) -> int:
        """Number of cells of the whole grid."""
        return math.prod(self.shape)

    @property
    def extent(self) -> tuple[float, ...]:
        """Side lengths of the domain."""
        return tuple(cells * h for cells, h in zip(self.shape, self.spacing, strict=True))

    @property
    def is_periodic(self) -> bool:
        """Whether every axis is periodic."""
        return all(name == "periodic" for name in self.boundaries)

    def with_zero_walls(self) -> "Grid":
        """Return the grid with every Dirichlet value replaced by 0, as for derivatives of the fields."""
        names = (
            "dirichlet" if isinstance(boundary_from_name(name), Dirichlet) else name
            for name in self.boundaries
        )
        return dataclasses.replace(self, boundaries=tuple(names))

    def coordinates(self) -> tuple[Float[Tensor, " cells"], ...]:
        """Return the cell centres (i + 1/2) h of each axis, float64."""
        return tuple(
            (torch.arange(cells, dtype=torch.float64) + 0.5) * h
            for cells, h in zip(self.shape, self.spacing, strict=True)
        )

    def refined(self, factor: int) -> "Grid":
        """Return the grid of the same domain with every cell cut into ``factor`` per axis.

        Raises:
            BadInputError: if ``factor`` is below 1.
        """
        if factor < 1:
            raise BadInputError(f"a grid is refined by a whole factor of at least 1, got {factor}")
        shape = tuple(cells * factor for cells in self.shape)
        return Grid(shape, tuple(h / factor for h in self.spacing), self.boundaries)

    def to_json(self) -> str:
        """Return the grid as JSON text, read back by :meth:`from_json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Grid":
        """Read a grid from the text of :meth:`to_json`.

        Raises:
            BadInputError: if the text is not such a description.
        """
        try:
            values = json.loads(text)
            return cls(
                tuple(int(cells) for cells in values["shape"]),
                tuple(float(h) for h in values["spacing"]),
                tuple(str(name) for name in values["boundaries"]),
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise BadInputError(
                f"expected JSON with shape, spacing and boundaries, got {text[:80]!r}; "
                "usual cure: write the grid with Grid.to_json"
            ) from error
