"""What lies beyond the edge of the domain: the one padding shared by solvers and automata."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Shaped
from torch import Tensor

from pdenca.core.errors import BadInputError

from .grid import Grid


class Boundary(ABC):
    """How values continue beyond both ends of one axis."""

    @abstractmethod
    def beyond(self, state: Tensor, axis: int, radius: int) -> tuple[Tensor, Tensor]:
        """Return the ``radius`` layers before the first and after the last cell of ``axis``."""


@dataclass(frozen=True)
class Periodic(Boundary):
    """The far side is the neighbour: ... c d | a b c d | a b ..."""

    def beyond(self, state: Tensor, axis: int, radius: int) -> tuple[Tensor, Tensor]:
        """Return the last and the first ``radius`` layers."""
        cells = state.shape[axis]
        return state.narrow(axis, cells - radius, radius), state.narrow(axis, 0, radius)


@dataclass(frozen=True)
class NoFlux(Boundary):
    """A wall that nothing crosses: half-sample symmetric, ... b a | a b c d | d c ...

    The mirror lies on the cell face, half a cell outside the outermost centre, so the normal derivative
    vanishes there for stencils of every radius, and the discrete Laplacian is diagonal in the cosine basis
    DCT-II.
    """

    def beyond(self, state: Tensor, axis: int, radius: int) -> tuple[Tensor, Tensor]:
        """Return the first and the last ``radius`` layers, mirrored."""
        cells = state.shape[axis]
        return state.narrow(axis, 0, radius).flip(axis), state.narrow(axis, cells - radius, radius).flip(axis)


BOUNDARIES: Final[dict[str, Boundary]] = {"periodic": Periodic(), "no-flux": NoFlux()}


def pad_axis(state: Shaped[Tensor, "..."], axis: int, boundary: str, radius: int) -> Shaped[Tensor, "..."]:
    """Pad one axis by ``radius`` cells at both ends.

    Arguments:
        state: any tensor.
        axis: the axis to pad.
        boundary: a key of :data:`BOUNDARIES`.
        radius: layers to add at each end.

    Returns:
        The state, longer by ``2 * radius`` along ``axis``.

    Raises:
        BadInputError: if ``radius`` is negative or exceeds the cells of the axis.
    """
    cells = state.shape[axis]
    if not 0 <= radius <= cells:
        raise BadInputError(
            f"cannot pad an axis of {cells} cells by {radius}: expected 0 to {cells}; "
            "usual cure: more cells or a smaller stencil"
        )
    if radius == 0:
        return state
    before, after = BOUNDARIES[boundary].beyond(state, axis, radius)
    return torch.cat((before, state, after), dim=axis)


def pad(
    state: Shaped[Tensor, "batch ..."], grid: Grid, radius: int, *, channels_last: bool = False
) -> Shaped[Tensor, "batch ..."]:
    """Pad every space axis by ``radius`` cells as the grid's boundaries say.

    Arguments:
        state: ``"batch channel *space"``, or ``"batch *space channel"`` when ``channels_last``.
        grid: the domain; its shape must be the state's space shape.
        radius: layers to add at each end of each axis; corners are filled consistently.
        channels_last: whether the channel axis is the last one.

    Returns:
        The padded state in the same layout.

    Raises:
        BadInputError: if the state's space shape is not the grid's, or ``radius`` exceeds the cells of an
            axis.
    """
    first = 1 if channels_last else 2
    space = tuple(state.shape[first : state.ndim - 1 if channels_last else state.ndim])
    if space != grid.shape:
        raise BadInputError(
            f"the state's space shape {space} is not the grid's {grid.shape}; usual cure: pass the grid the "
            "state lives on, and channels_last=True for states with channels on the last axis"
        )
    for axis, boundary in enumerate(grid.boundaries, start=first):
        state = pad_axis(state, axis, boundary, radius)
    return state
