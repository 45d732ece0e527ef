"""Derivatives without a grid: those of a formula, by automatic differentiation."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ..derivatives import Derivatives
from ..grid import Grid


class ExactDerivatives(Derivatives):
    """Exact derivatives of fields that are computed from :attr:`points`.

    It shares no code with stencils or Fourier transforms, so what an equation makes of a formula with these
    derivatives is what the discrete ones are judged by. Knows nothing of boundaries: a formula is valid
    everywhere.

    Arguments:
        grid: its cell centres are the points.

    Attributes:
        points: one coordinate per axis of space, each (1, *space), float64, to be differentiated through.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        mesh = torch.meshgrid(*grid.coordinates(), indexing="ij")
        self.points = tuple(x[None].clone().requires_grad_() for x in mesh)

    def laplacian(
        self, state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∇²u."""
        parts = [self.second(state, axis) for axis in range(self.grid.num_dims)]
        return torch.stack(parts).sum(0)

    def laplacian_of(
        self, function: Callable[[Tensor], Tensor], state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∇² f(u)."""
        return self.laplacian(function(state))

    def biharmonic(
        self, state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∇⁴u."""
        return self.laplacian(self.laplacian(state))

    def first(
        self, state: Float[Tensor, "batch channel *space"], axis: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∂u/∂x_axis."""
        return torch.stack([derivative(field, self.points[axis]) for field in state.unbind(1)], 1)

    def second(
        self, state: Float[Tensor, "batch channel *space"], axis: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∂²u/∂x_axis²."""
        return self.first(self.first(state, axis), axis)

    def divergence_of_flux(
        self,
        diffusivity: Float[Tensor, "..."],
        state: Float[Tensor, "batch channel *space"],
        axis: int,
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∂/∂x (D ∂u/∂x); D too is differentiated if it is computed from the points."""
        return self.first(diffusivity * self.first(state, axis), axis)


def derivative(values: Tensor, variable: Tensor) -> Tensor:
    """Return ∂values/∂variable point by point; zero where there is no connection."""
    if not values.requires_grad:
        return torch.zeros_like(values)
    (found,) = torch.autograd.grad(
        values.sum(), variable, create_graph=True, allow_unused=True, materialize_grads=True
    )
    return found
