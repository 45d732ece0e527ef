"""What lies beyond the edge of the domain, along one axis."""

import math
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final

import torch
from jaxtyping import Shaped
from torch import Tensor

from pdenca.core.errors import BadInputError


class Boundary(ABC):
    """How values continue beyond both ends of one axis.

    Attributes:
        of_equations: whether a solution of an equation can be continued so.
    """

    of_equations: ClassVar[bool] = True

    @abstractmethod
    def beyond(self, state: Tensor, axis: int, radius: int, channel_axis: int) -> tuple[Tensor, Tensor]:
        """Return the ``radius`` layers before the first and after the last cell of ``axis``."""


@dataclass(frozen=True)
class Periodic(Boundary):
    """The far side is the neighbour: ... c d | a b c d | a b ..."""

    def beyond(self, state: Tensor, axis: int, radius: int, channel_axis: int) -> tuple[Tensor, Tensor]:
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

    def beyond(self, state: Tensor, axis: int, radius: int, channel_axis: int) -> tuple[Tensor, Tensor]:
        """Return the first and the last ``radius`` layers, mirrored."""
        cells = state.shape[axis]
        return state.narrow(axis, 0, radius).flip(axis), state.narrow(axis, cells - radius, radius).flip(axis)


@dataclass(frozen=True)
class Dirichlet(Boundary):
    """A wall that holds each field at a value g: half-sample antisymmetric about it, 2g - b, 2g - a | a b ...

    The wall lies on the cell face, where the mean of the two nearest values is g. The continuation is exact
    to every order for a solution that is odd about (wall, g); else its second derivative jumps at the wall
    and the solution is of second order in the spacing, whatever the stencil.

    Arguments:
        values: g for each channel; one value alone is for all channels. Channels beyond the given ones (the
            hidden ones of an automaton) are held at 0.
    """

    values: tuple[float, ...] = (0.0,)

    def beyond(self, state: Tensor, axis: int, radius: int, channel_axis: int) -> tuple[Tensor, Tensor]:
        """Return the first and the last ``radius`` layers, mirrored about the wall and the value."""
        cells, twice = state.shape[axis], 2 * self.wall(state, channel_axis)
        first = state.narrow(axis, 0, radius).flip(axis)
        return twice - first, twice - state.narrow(axis, cells - radius, radius).flip(axis)

    def wall(self, state: Tensor, channel_axis: int) -> Tensor:
        """Return g, shaped to broadcast against ``state``.

        Raises:
            BadInputError: for more values than channels.
        """
        channels = state.shape[channel_axis]
        if len(self.values) > max(1, channels):
            raise BadInputError(
                f"boundary {self} has {len(self.values)} values for {channels} channels; expected one value, "
                "or one per channel"
            )
        values = self.values * channels if len(self.values) == 1 else self.values
        held = [*values, *(0.0,) * (channels - len(values))]
        shape = [channels if dim == channel_axis % state.ndim else 1 for dim in range(state.ndim)]
        return torch.tensor(held, dtype=state.dtype, device=state.device).reshape(shape)

    def __str__(self) -> str:
        return f"dirichlet({', '.join(f'{value:g}' for value in self.values)})"


@dataclass(frozen=True)
class Zeros(Boundary):
    """Nothing: every cell beyond the edge is 0 in all channels, ... 0 0 | a b c d | 0 0 ...

    The padding usual in networks and in automata of images. No solution of an equation is continued so, and
    solvers refuse it: what they mean by a wall that holds 0 is ``Dirichlet``.
    """

    of_equations: ClassVar[bool] = False

    def beyond(self, state: Tensor, axis: int, radius: int, channel_axis: int) -> tuple[Tensor, Tensor]:
        """Return zeros."""
        nothing = torch.zeros_like(state.narrow(axis, 0, radius))
        return nothing, nothing


BOUNDARIES: Final[dict[str, Boundary]] = {
    "periodic": Periodic(),
    "no-flux": NoFlux(),
    "zeros": Zeros(),
    "dirichlet": Dirichlet(),
}
"""Name -> boundary; "dirichlet" may be followed by its values, "dirichlet(1, 0)"."""


def boundary_from_name(name: str) -> Boundary:
    """Return the boundary that a name means.

    Arguments:
        name: a key of :data:`BOUNDARIES`, or "dirichlet(g)" or "dirichlet(g_1, g_2, ...)" with one value per
            channel.

    Raises:
        BadInputError: for any other name.
    """
    if name in BOUNDARIES:
        return BOUNDARIES[name]
    match = re.fullmatch(r"dirichlet\(([^()]*)\)", name)
    try:
        if match is None:
            raise ValueError
        values = tuple(float(text) for text in match[1].split(","))
        if not all(map(math.isfinite, values)):
            raise ValueError
    except ValueError:
        raise BadInputError(
            f"boundary {name!r} is unknown; expected one of {', '.join(BOUNDARIES)}, the last also with "
            "values: 'dirichlet(0.5)', or one per field: 'dirichlet(1, 0)'"
        ) from None
    return Dirichlet(values)


def require_of_equations(name: str) -> None:
    """Refuse the name of a boundary that no solution of an equation has.

    Raises:
        BadInputError: if it is one, or none at all.
    """
    if not boundary_from_name(name).of_equations:
        known = [other for other, boundary in BOUNDARIES.items() if boundary.of_equations]
        raise BadInputError(
            f"no solution of an equation has the boundary {name!r}, which is for automata; expected one of "
            f"{', '.join(known)}"
        )


def pad_axis(
    state: Shaped[Tensor, "..."], axis: int, boundary: str, radius: int, channel_axis: int = 1
) -> Shaped[Tensor, "..."]:
    """Pad one axis by ``radius`` cells at both ends.

    Arguments:
        state: any tensor.
        axis: the axis to pad.
        boundary: a name that :func:`boundary_from_name` understands.
        radius: layers to add at each end.
        channel_axis: where the channels are, for boundaries with values.

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
    before, after = boundary_from_name(boundary).beyond(state, axis, radius, channel_axis)
    return torch.cat((before, state, after), dim=axis)
