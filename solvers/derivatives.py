"""What an equation is written in: the derivatives in space, by one discretisation on one grid."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from .boundary import require_of_equations
from .grid import Grid
from .stencils import (
    Stencil,
    as_stencil,
    divergence_of_flux,
    first_derivative,
    laplacian,
    second_derivative,
)
from .transform import SpectralTransform, require_spectral
from .waves import Waves, waves_of


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

    Raises:
        BadInputError: for boundaries that belong to no equation.
    """

    grid: Grid
    stencil: str | Stencil = "order-4"

    def __post_init__(self) -> None:
        for name in self.grid.boundaries:
            require_of_equations(name)

    @cached_property
    def _stencil(self) -> Stencil:
        return as_stencil(self.stencil)

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


@final
class SpectralDerivatives(Derivatives):
    """Exact derivatives of the interpolant by waves; periodic and no-flux axes in any combination.

    Along periodic axes the waves are Fourier's, between no-flux walls cosines. The first derivative of the
    Nyquist wave of an even number of periodic cells is taken as 0.

    Arguments:
        grid: the domain.

    Raises:
        BadInputError: if an axis is neither periodic nor no-flux.
    """

    def __init__(self, grid: Grid) -> None:
        require_spectral(grid, "SpectralDerivatives")
        self.grid = grid
        self._tools: dict[tuple[torch.dtype, torch.device], tuple[SpectralTransform, Waves]] = {}

    def laplacian(
        self, state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∇²u."""
        return self._multiply(state, lambda waves: waves.laplacian)

    def laplacian_of(
        self, function: Callable[[Tensor], Tensor], state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∇² f(u)."""
        return self.laplacian(function(state))

    def biharmonic(
        self, state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∇⁴u."""
        return self._multiply(state, lambda waves: waves.laplacian**2)

    def first(
        self, state: Float[Tensor, "batch channel *space"], axis: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∂u/∂x_axis; between no-flux walls u is taken as even about them, its derivative is odd."""
        if self.grid.boundaries[axis] != "periodic":
            return self._first_beside_walls(state, axis, 1)
        return self._multiply(state, lambda waves: waves.first(axis))

    def second(
        self, state: Float[Tensor, "batch channel *space"], axis: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∂²u/∂x_axis²."""
        return self._multiply(state, lambda waves: waves.second(axis))

    def divergence_of_flux(
        self,
        diffusivity: Float[Tensor, "..."],
        state: Float[Tensor, "batch channel *space"],
        axis: int,
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∂/∂x (D ∂u/∂x), the product taken in the points of the grid."""
        flux = diffusivity * self.first(state, axis)
        if self.grid.boundaries[axis] != "periodic":
            return self._first_beside_walls(flux, axis, -1)
        return self.first(flux, axis)

    def _multiply(self, state: Tensor, symbol: Callable[[Waves], Tensor]) -> Tensor:
        key = (state.dtype, state.device)
        if key not in self._tools:
            transform = SpectralTransform(self.grid, state.dtype, state.device)
            self._tools[key] = transform, waves_of(self.grid, state.device)
        transform, waves = self._tools[key]
        return transform.inverse(transform.forward(state) * symbol(waves)).to(state.dtype)

    def _first_beside_walls(self, state: Tensor, axis: int, sign: int) -> Tensor:
        """The first derivative of a field continued beyond walls as ``sign`` times its mirror image."""
        dim, cells, length = axis + 2, self.grid.shape[axis], self.grid.extent[axis]
        mirrored = torch.cat((state, sign * state.flip(dim)), dim)
        k = math.pi / length * torch.arange(cells + 1, dtype=torch.float64, device=state.device)
        k[-1] = 0  # the shortest wave has no unambiguous phase
        symbol = (1j * k).reshape([-1] + [1] * (self.grid.num_dims - 1 - axis))
        spectrum = torch.fft.rfft(mirrored, dim=dim) * symbol
        slope: Tensor = torch.fft.irfft(spectrum, n=2 * cells, dim=dim)
        return slope.narrow(dim, 0, cells).to(state.dtype)
