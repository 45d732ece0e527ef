"""What an equation is written in: the derivatives in space, by one discretisation on one grid."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from .grid import Grid
from .spectral import laplacian_symbol, require_periodic, wavenumbers
from .stencils import (
    Stencil,
    divergence_of_flux,
    first_derivative,
    laplacian,
    second_derivative,
    stencil_from_name,
)


class Derivatives(ABC):
    """Spatial derivatives of fields ``"batch channel *space"``, boundaries included.

    Attributes:
        grid: the domain.
    """

    grid: Grid

    @abstractmethod
    def laplacian(
        self, state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∇²u of the fields themselves."""

    @abstractmethod
    def laplacian_of(
        self, function: Callable[[Tensor], Tensor], state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∇² f(u) for a function that acts in every point by itself."""

    @abstractmethod
    def biharmonic(
        self, state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∇⁴u = ∇²(∇²u); at walls that hold a value ∇²u = 0 as well."""

    @abstractmethod
    def first(
        self, state: Float[Tensor, "batch channel *space"], axis: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∂u/∂x_axis."""

    @abstractmethod
    def second(
        self, state: Float[Tensor, "batch channel *space"], axis: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∂²u/∂x_axis²."""

    @abstractmethod
    def divergence_of_flux(
        self,
        diffusivity: Float[Tensor, "..."],
        state: Float[Tensor, "batch channel *space"],
        axis: int,
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∂/∂x_axis (D ∂u/∂x_axis) for a diffusivity that varies in space.

        Arguments:
            diffusivity: D, which broadcasts against the fields (length²/time).
            state: the fields.
            axis: which axis of space.
        """


@dataclass(frozen=True, eq=False)
class StencilDerivatives(Derivatives):
    """Central differences; periodic, no-flux and Dirichlet axes.

    Arguments:
        grid: the domain.
        stencil: a key of ``STENCILS``, or a Stencil.
    """

    grid: Grid
    stencil: str | Stencil = "order-4"

    @cached_property
    def _stencil(self) -> Stencil:
        return stencil_from_name(self.stencil) if isinstance(self.stencil, str) else self.stencil

    def laplacian(
        self, state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the discrete Laplacian."""
        return laplacian(state, self.grid, self._stencil)

    def laplacian_of(
        self, function: Callable[[Tensor], Tensor], state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the discrete Laplacian of f; beyond the walls f acts on the continued fields."""
        return laplacian(state, self.grid, self._stencil, function)

    def biharmonic(
        self, state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the discrete Laplacian of the discrete Laplacian."""
        return laplacian(self.laplacian(state), self.grid.with_zero_walls(), self._stencil)

    def first(
        self, state: Float[Tensor, "batch channel *space"], axis: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the central first difference of the stencil's order."""
        return first_derivative(state, axis, self.grid, self._stencil)

    def second(
        self, state: Float[Tensor, "batch channel *space"], axis: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the central second difference of the stencil's order."""
        return second_derivative(state, axis, self.grid, self._stencil)

    def divergence_of_flux(
        self,
        diffusivity: Float[Tensor, "..."],
        state: Float[Tensor, "batch channel *space"],
        axis: int,
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the difference of the fluxes through the two faces of each cell: conservative."""
        return divergence_of_flux(diffusivity, state, axis, self.grid, self._stencil)


@dataclass(frozen=True, eq=False)
class FourierDerivatives(Derivatives):
    """Exact derivatives of the trigonometric interpolant; periodic grids only.

    The first derivative of the Nyquist wave of an even number of cells is taken as 0.

    Arguments:
        grid: the domain.

    Raises:
        BadInputError: if an axis is not periodic.
    """

    grid: Grid

    def __post_init__(self) -> None:
        require_periodic(self.grid, "FourierDerivatives")

    def laplacian(
        self, state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∇²u."""
        return self._multiply(laplacian_symbol(self.grid, state.device), state)

    def laplacian_of(
        self, function: Callable[[Tensor], Tensor], state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∇² f(u)."""
        return self.laplacian(function(state))

    def biharmonic(
        self, state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∇⁴u."""
        return self._multiply(laplacian_symbol(self.grid, state.device) ** 2, state)

    def first(
        self, state: Float[Tensor, "batch channel *space"], axis: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∂u/∂x_axis."""
        k = wavenumbers(self.grid, state.device)[axis]
        nyquist = torch.pi / self.grid.spacing[axis]
        return self._multiply(1j * torch.where(k.abs() < nyquist * (1 - 1e-9), k, 0.0), state)

    def second(
        self, state: Float[Tensor, "batch channel *space"], axis: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∂²u/∂x_axis²."""
        return self._multiply(-(wavenumbers(self.grid, state.device)[axis] ** 2), state)

    def divergence_of_flux(
        self,
        diffusivity: Float[Tensor, "..."],
        state: Float[Tensor, "batch channel *space"],
        axis: int,
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∂/∂x (D ∂u/∂x), the product taken in the points of the grid."""
        return self.first(diffusivity * self.first(state, axis), axis)

    def _multiply(self, symbol: Tensor, state: Tensor) -> Tensor:
        dims = tuple(range(-self.grid.num_dims, 0))
        spectrum = torch.fft.rfftn(state, dim=dims) * symbol
        result: Tensor = torch.fft.irfftn(spectrum, s=self.grid.shape, dim=dims)
        return result.to(state.dtype)
