"""Wavenumbers of spectral grids, and moving a field between resolutions exactly."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError

from .grid import Grid
from .transform import SpectralTransform, require_spectral


def wavenumbers(grid: Grid, device: torch.device | str | None = None) -> tuple[Float[Tensor, "..."], ...]:
    """Return the angular wavenumber k of each axis in the layout of :class:`SpectralTransform`.

    The last periodic axis holds only k >= 0, as ``torch.fft.rfftn`` has it; a no-flux axis the cosines
    cos(k x), k = π j / L. Every tensor has as many axes as the grid, so that they broadcast. For an even
    number of cells the Nyquist wave ±π/h of a periodic axis is stored once, as -π/h on the other axes and
    +π/h on the last.

    Arguments:
        grid: a grid of periodic and no-flux axes.
        device: where to put the result.

    Returns:
        One float64 tensor per axis (1/length).

    Raises:
        BadInputError: if an axis is neither periodic nor no-flux.
    """
    require_spectral(grid, "a spectral transform")
    periodic = [axis for axis, boundary in enumerate(grid.boundaries) if boundary == "periodic"]
    result = []
    for axis, (cells, spacing) in enumerate(zip(grid.shape, grid.spacing, strict=True)):
        if axis in periodic:
            frequencies = torch.fft.rfftfreq if axis == periodic[-1] else torch.fft.fftfreq
            k = 2 * math.pi * frequencies(cells, spacing, dtype=torch.float64, device=device)
        else:
            k = math.pi / (cells * spacing) * torch.arange(cells, dtype=torch.float64, device=device)
        result.append(k.reshape([-1 if other == axis else 1 for other in range(grid.num_dims)]))
    return tuple(result)


def laplacian_symbol(grid: Grid, device: torch.device | str | None = None) -> Float[Tensor, "*modes"]:
    """Return -|k|², the Laplacian of each wave, in the layout of :class:`SpectralTransform` (float64).

    As an even derivative it is unambiguous at the Nyquist wave, where it is -(π/h)².
    """
    waves = wavenumbers(grid, device)
    total = -(waves[0] ** 2)
    for k in waves[1:]:
        total = total - k**2
    return total


def restrict(state: Float[Tensor, "*batch"], fine: Grid, coarse: Grid) -> Float[Tensor, "*batch2"]:
    """Bring a field from a fine to a coarser grid by cutting its series of waves.

    Waves are those of :class:`SpectralTransform`, cosines between no-flux walls. All that the coarse grid
    resolves are kept exactly, shorter ones are dropped (not aliased). Cell centres of the two grids differ by
    (H - h)/2, so each Fourier wave is also shifted in phase. One exactly at the coarse Nyquist limit has no
    unambiguous phase and is dropped too; the result therefore commutes with rotations and mirrors.

    Arguments:
        state: leading axes, then the fine space axes.
        fine: the grid of ``state``.
        coarse: the target; same extent, at most as many cells per axis.

    Returns:
        The field at the coarse cell centres; ``state`` itself if the grids are equal.

    Raises:
        BadInputError: for walls that hold a value, other boundaries, different extents or a target that is
            finer on some axis.
    """
    if any(target > source for target, source in zip(coarse.shape, fine.shape, strict=False)):
        raise BadInputError(
            f"restrict goes from fine to coarse, got {fine.shape} -> {coarse.shape}; usual cure: interpolate"
        )
    return _resample(state, fine, coarse)


def interpolate(state: Float[Tensor, "*batch"], coarse: Grid, fine: Grid) -> Float[Tensor, "*batch2"]:
    """Bring a field from a coarse to a finer grid by evaluating its series at the fine cell centres.

    The inverse of :func:`restrict` on fields without waves at the coarse Nyquist limit (which are dropped).

    Arguments:
        state: leading axes, then the coarse space axes.
        coarse: the grid of ``state``.
        fine: the target; same extent, at least as many cells per axis.

    Returns:
        The field at the fine cell centres; ``state`` itself if the grids are equal.

    Raises:
        BadInputError: for walls that hold a value, other boundaries, different extents or a target that is
            coarser on some axis.
    """
    if any(target < source for target, source in zip(fine.shape, coarse.shape, strict=False)):
        raise BadInputError(
            f"interpolate goes from coarse to fine, got {coarse.shape} -> {fine.shape}; usual cure: restrict"
        )
    return _resample(state, coarse, fine)


def _resample(state: Tensor, source: Grid, target: Grid) -> Tensor:
    if source == target:
        return state
    require_spectral(source, "resampling")
    dims = tuple(range(-source.num_dims, 0))
    if tuple(state.shape[dims[0] :]) != source.shape:
        raise BadInputError(
            f"the state's space shape {tuple(state.shape[dims[0] :])} is not the grid's {source.shape}"
        )
    if target.boundaries != source.boundaries or not all(
        math.isclose(a, b, rel_tol=1e-9) for a, b in zip(source.extent, target.extent, strict=True)
    ):
        raise BadInputError(
            f"resampling keeps the domain, got extents {source.extent} -> {target.extent} and boundaries "
            f"{source.boundaries} -> {target.boundaries}; usual cure: make the finer grid with Grid.refined"
        )
    transform = SpectralTransform(source, state.dtype, state.device)
    spectrum = transform.resample(transform.forward(state), target)
    return SpectralTransform(target, state.dtype, state.device).inverse(spectrum)
