"""The plane through three states of a lattice, with lengths as they are among all states."""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError

_FLAT: Final = 1e-4  # height of a triangle, of the size of its corners: less is lost in single precision

States = Float[Tensor, "point channel side side"]
Places = Float[Tensor, "point 2"]


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane in the space of states, with lengths as they are in that space.

    Arguments:
        origin: the mean of three states.
        axes: orthonormal; the first from the first state towards the second, the third lies above them.
        corners: places of the three states.
    """

    origin: Float[Tensor, "channel side side"]
    axes: Float[Tensor, "2 channel side side"]
    corners: Float[Tensor, "3 2"]

    @staticmethod
    def through(states: Float[Tensor, "3 channel side side"]) -> "Plane":
        """Return the plane through three states; it computes in double precision.

        Raises:
            BadInputError: if they lie on a line.
        """
        corners = states.double()
        flat = corners.flatten(1)
        first, second = flat[1] - flat[0], flat[2] - flat[0]
        length = float(first.norm())
        unit = first / length if length else first
        height = second - (second @ unit) * unit
        size = float(flat.norm(dim=1).max())
        if not min(length, float(height.norm())) > _FLAT * size:
            raise BadInputError(
                "the three digits end in one place or on a line, which gives no plane: a triangle with a "
                f"side of {length:.3g} and a height of {float(height.norm()):.3g}, of states of size "
                f"{size:.3g}; usual cure: other digits, or fewer rounds"
            )
        axes = torch.stack((unit, height / height.norm()))
        origin = flat.mean(0)
        return Plane(
            origin.view_as(corners[0]), axes.unflatten(1, corners.shape[1:]), (flat - origin) @ axes.T
        )

    def states(self, places: Places) -> States:
        """Return the states at these places."""
        states: Tensor = self.origin + torch.einsum("pa,acij->pcij", places, self.axes)
        return states

    def places(self, states: States) -> Places:
        """Return where states lie, seen from above the plane."""
        places: Tensor = torch.einsum("pcij,acij->pa", states.double() - self.origin, self.axes)
        return places

    def distances(self, states: States) -> Float[Tensor, " point"]:
        """Return how far states are from the plane."""
        away = states.double() - self.states(self.places(states))
        lengths: Tensor = torch.linalg.vector_norm(away.flatten(1), dim=1)
        return lengths

    def weights(self, places: Places) -> Float[Tensor, "point 3"]:
        """Return the barycentric weights of places: they sum to 1, and are negative beyond a side."""
        corners, wanted = (
            torch.cat((points, torch.ones_like(points[:, :1])), 1) for points in (self.corners, places)
        )
        weights: Tensor = torch.linalg.solve(corners.T, wanted.T).T
        return weights
