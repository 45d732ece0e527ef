"""The eigenvalues of derivatives, wave by wave: for spectral methods, stability limits and dispersion."""

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pdenca.core.errors import BadInputError

from .grid import Grid
from .spectral import wavenumbers
from .stencils import Stencil, as_stencil


@dataclass(frozen=True, eq=False)
class Waves:
    """What each derivative multiplies each wave by.

    For the wave exp(i k·x) the second derivative along axis d is -k_d², the first i k_d. With a stencil they
    are what the stencil makes of them. All tensors broadcast against each other; their common shape is called
    ``*modes``.

    Arguments:
        laplacian: eigenvalues of ∇² (1/length²), real, shape ``*modes``.
        seconds: of ∂²/∂x_d², one tensor per axis.
        firsts: of ∂/∂x_d (1/length), complex, one tensor per axis; None along an axis of cosines, whose
            derivatives are sines.
    """

    laplacian: Tensor
    seconds: tuple[Tensor, ...]
    firsts: tuple[Tensor | None, ...]

    def second(self, axis: int) -> Tensor:
        """Return the eigenvalues of ∂²/∂x_axis²."""
        return self.seconds[axis]

    def first(self, axis: int) -> Tensor:
        """Return the eigenvalues of ∂/∂x_axis.

        Raises:
            BadInputError: along an axis of cosines (no-flux walls).
        """
        first = self.firsts[axis]
        if first is None:
            raise BadInputError(
                f"a first derivative along axis {axis} turns cosines into sines: spectral methods for it "
                "need a periodic axis; usual cure: boundary 'periodic', or a stencil method ('rk4')"
            )
        return first


def waves_of(
    grid: Grid, device: torch.device | str | None = None, stencil: str | Stencil | None = None
) -> Waves:
    """Return the eigenvalues of the waves of a grid, in the layout of ``SpectralTransform`` (float64).

    Waves are exp(i k x) along periodic axes and cos(k x), k = π j / L, between no-flux walls. The first
    derivative of the Nyquist wave of an even number of cells is taken as 0.

    Arguments:
        grid: periodic and no-flux axes.
        device: where to put the result.
        stencil: if given, the eigenvalues of these finite differences, of which the waves are eigenvectors
            too; else those of the exact derivatives.

    Raises:
        BadInputError: if an axis is neither periodic nor no-flux.
    """
    waves = wavenumbers(grid, device)
    is_periodic = [boundary == "periodic" for boundary in grid.boundaries]
    if stencil is not None:
        angles = tuple(k * h for k, h in zip(waves, grid.spacing, strict=True))
        own = _of_stencil(stencil, angles, grid)
        firsts = tuple(
            first if periodic else None for first, periodic in zip(own.firsts, is_periodic, strict=True)
        )
        return Waves(own.laplacian, own.seconds, firsts)
    seconds = tuple(-(k**2) for k in waves)
    firsts = tuple(
        1j * torch.where(k.abs() < math.pi / h * (1 - 1e-9), k, 0.0) if periodic else None
        for k, h, periodic in zip(waves, grid.spacing, is_periodic, strict=True)
    )
    return Waves(sum(seconds[1:], seconds[0]), seconds, firsts)


def fourier_waves(grid: Grid, device: torch.device | str | None = None) -> Waves:
    """Return :func:`waves_of` a periodic grid, the layout of ``torch.fft.rfftn``.

    Raises:
        BadInputError: if an axis is not periodic.
    """
    if not grid.is_periodic:
        raise BadInputError(
            f"Fourier waves need periodic boundaries, got {grid.boundaries}; usual cure: waves_of(grid)"
        )
    return waves_of(grid, device)


def continuum_waves(wavevectors: Tensor) -> Waves:
    """Return the exact eigenvalues for given waves exp(i k·x) in unbounded space.

    Arguments:
        wavevectors: k, shape (wave, axis) (1/length).

    Returns:
        The eigenvalues; ``*modes`` is (wave,).
    """
    seconds = tuple(-(k**2) for k in wavevectors.double().unbind(1))
    firsts = tuple(1j * k for k in wavevectors.double().unbind(1))
    return Waves(sum(seconds[1:], seconds[0]), seconds, firsts)


def stencil_waves(grid: Grid, stencil: str | Stencil, num_angles: int | None = None) -> Waves:
    """Return the eigenvalues that a stencil gives to the waves a grid can hold.

    The phase advances per cell are equally spaced from -π to π, both included, on every axis: for an even
    number of cells that holds the shortest wave exactly, for an odd one it bounds it.

    Arguments:
        grid: the domain; of its boundaries nothing is used.
        stencil: a key of ``STENCILS``, or a Stencil.
        num_angles: phase advances per axis, an odd number; by default fine enough to find the extremes of a
            low polynomial of derivatives.

    Returns:
        The eigenvalues; ``*modes`` has one axis per axis of the grid.
    """
    num_angles = num_angles or {1: 257, 2: 129, 3: 33}[grid.num_dims]
    angles = torch.linspace(-math.pi, math.pi, num_angles, dtype=torch.float64)
    per_axis = tuple(
        angles.reshape([-1 if other == axis else 1 for other in range(grid.num_dims)])
        for axis in range(grid.num_dims)
    )
    return _of_stencil(stencil, per_axis, grid)


def _of_stencil(stencil: str | Stencil, per_axis: tuple[Tensor, ...], grid: Grid) -> Waves:
    """The eigenvalues for given phase advances per cell along each axis."""
    stencil = as_stencil(stencil)
    seconds = tuple(
        stencil.second_symbol(angle) / h**2 for angle, h in zip(per_axis, grid.spacing, strict=True)
    )
    firsts = tuple(
        1j * stencil.first_symbol(angle) / h for angle, h in zip(per_axis, grid.spacing, strict=True)
    )
    laplacian = sum(seconds[1:], seconds[0])
    if stencil.mixed:
        h = stencil.common_spacing(grid)
        laplacian = (
            laplacian + sum(a * b for a, b in itertools.combinations(seconds, 2)) * h**2 / stencil.mixed
        )
    return Waves(laplacian, seconds, firsts)
