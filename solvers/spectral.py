"""Fourier tools for periodic grids: wavenumbers, and moving a field between resolutions exactly."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError

from .grid import Grid


def wavenumbers(grid: Grid, device: torch.device | str | None = None) -> tuple[Float[Tensor, "..."], ...]:
    """Return the angular wavenumber k of each axis in the layout of ``torch.fft.rfftn``.

    The last axis holds only k >= 0. Every tensor has as many axes as the grid, so that they broadcast. For an
    even number of cells the Nyquist wave ±π/h is stored once, as -π/h on the other axes and +π/h on the last.

    Arguments:
        grid: a periodic grid.
        device: where to put the result.

    Returns:
        One float64 tensor per axis (1/length).

    Raises:
        BadInputError: if an axis is not periodic.
    """
    require_periodic(grid, "a Fourier transform")
    result = []
    for axis, (cells, spacing) in enumerate(zip(grid.shape, grid.spacing, strict=True)):
        frequencies = torch.fft.rfftfreq if axis == grid.num_dims - 1 else torch.fft.fftfreq
        k = 2 * math.pi * frequencies(cells, spacing, dtype=torch.float64, device=device)
        result.append(k.reshape([-1 if other == axis else 1 for other in range(grid.num_dims)]))
    return tuple(result)


def laplacian_symbol(grid: Grid, device: torch.device | str | None = None) -> Float[Tensor, "*modes"]:
    """Return -|k|², the Laplacian in Fourier space, in the layout of ``torch.fft.rfftn`` (float64).

    As an even derivative it is unambiguous at the Nyquist wave, where it is -(π/h)².
    """
    waves = wavenumbers(grid, device)
    total = -(waves[0] ** 2)
    for k in waves[1:]:
        total = total - k**2
    return total


def restrict(state: Float[Tensor, "*batch"], fine: Grid, coarse: Grid) -> Float[Tensor, "*batch2"]:
    """Bring a field from a fine to a coarser grid by cutting its Fourier series.

    All waves that the coarse grid resolves are kept exactly, shorter ones are dropped (not aliased). Cell
    centres of the two grids differ by (H - h)/2, so each wave is also shifted in phase. A wave exactly at the
    coarse Nyquist limit has no unambiguous phase and is dropped too; the result therefore commutes with
    rotations and mirrors.

    Arguments:
        state: leading axes, then the fine space axes.
        fine: the grid of ``state``.
        coarse: the target; same extent, at most as many cells per axis.

    Returns:
        The field at the coarse cell centres; ``state`` itself if the grids are equal.

    Raises:
        BadInputError: for non-periodic grids, different extents or a target that is finer on some axis.
    """
    if any(target > source for target, source in zip(coarse.shape, fine.shape, strict=False)):
        raise BadInputError(
            f"restrict goes from fine to coarse, got {fine.shape} -> {coarse.shape}; usual cure: interpolate"
        )
    return _resample(state, fine, coarse)


def interpolate(state: Float[Tensor, "*batch"], coarse: Grid, fine: Grid) -> Float[Tensor, "*batch2"]:
    """Bring a field from a coarse to a finer grid by evaluating its Fourier series at the fine cell centres.

    The inverse of :func:`restrict` on fields without waves at the coarse Nyquist limit (which are dropped).

    Arguments:
        state: leading axes, then the coarse space axes.
        coarse: the grid of ``state``.
        fine: the target; same extent, at least as many cells per axis.

    Returns:
        The field at the fine cell centres; ``state`` itself if the grids are equal.

    Raises:
        BadInputError: for non-periodic grids, different extents or a target that is coarser on some axis.
    """
    if any(target < source for target, source in zip(fine.shape, coarse.shape, strict=False)):
        raise BadInputError(
            f"interpolate goes from coarse to fine, got {coarse.shape} -> {fine.shape}; usual cure: restrict"
        )
    return _resample(state, coarse, fine)


def _resample(state: Tensor, source: Grid, target: Grid) -> Tensor:
    if source == target:
        return state
    require_periodic(source, "resampling")
    require_periodic(target, "resampling")
    dims = tuple(range(-source.num_dims, 0))
    if tuple(state.shape[dims[0] :]) != source.shape:
        raise BadInputError(
            f"the state's space shape {tuple(state.shape[dims[0] :])} is not the grid's {source.shape}"
        )
    if target.num_dims != source.num_dims or not all(
        math.isclose(a, b, rel_tol=1e-9) for a, b in zip(source.extent, target.extent, strict=True)
    ):
        raise BadInputError(
            f"resampling keeps the domain, got extents {source.extent} -> {target.extent}; "
            "usual cure: make the finer grid with Grid.refined"
        )
    spectrum = torch.fft.rfftn(state, dim=dims)
    for dim, cells_in, cells_out, h_in, h_out in zip(
        dims, source.shape, target.shape, source.spacing, target.spacing, strict=True
    ):
        if cells_in == cells_out:
            continue
        highest = (min(cells_in, cells_out) - 1) // 2
        spectrum = _keep_waves(spectrum, dim, highest, cells_out)
        frequencies = torch.fft.rfftfreq if dim == -1 else torch.fft.fftfreq
        k = 2 * math.pi * frequencies(cells_out, h_out, dtype=torch.float64, device=state.device)
        shift = torch.exp(0.5j * k * (h_out - h_in)).to(spectrum.dtype)
        spectrum = spectrum * shift.reshape([-1] + [1] * (-1 - dim))
    scale = target.num_cells / source.num_cells
    result: Tensor = torch.fft.irfftn(spectrum * scale, s=target.shape, dim=dims)
    return result


def _keep_waves(spectrum: Tensor, dim: int, highest: int, cells_out: int) -> Tensor:
    """Keep the waves |index| <= highest along one axis, in the layout for ``cells_out`` cells."""
    size_out = cells_out // 2 + 1 if dim == -1 else cells_out
    shape = list(spectrum.shape)
    shape[dim] = size_out
    result = spectrum.new_zeros(shape)
    result.narrow(dim, 0, highest + 1).copy_(spectrum.narrow(dim, 0, highest + 1))
    if dim != -1 and highest > 0:
        negative = spectrum.narrow(dim, spectrum.shape[dim] - highest, highest)
        result.narrow(dim, size_out - highest, highest).copy_(negative)
    return result


def require_periodic(grid: Grid, purpose: str) -> None:
    """Raise BadInputError unless every axis of ``grid`` is periodic; ``purpose`` says who asks."""
    if not grid.is_periodic:
        raise BadInputError(
            f"{purpose} needs periodic boundaries, got {grid.boundaries}; "
            "usual cure: a stencil method (method='rk4') without refinement"
        )
