"""The transform that makes derivatives numbers: Fourier on periodic axes, cosines between no-flux walls."""

import math
from typing import Final, final

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdenca.core.errors import BadInputError

from .grid import Grid

# measured on one CPU thread: a cosine matrix needs 30 / 200 / 2500 µs for two float64 fields of 64² / 128² /
# 256² cells, Makhoul's way 200 / 450 / 2100; both are products and transforms that every device has
_LARGEST_MATRIX: Final = 192


@final
class SpectralTransform:
    """Fields in space <-> coefficients of waves, a transform per axis.

    Periodic axes take the discrete Fourier transform, no-flux axes the cosine transform DCT-II,

        X_k = Σ_n x_n cos(π k (n + 1/2) / N),   x_n = (X_0 + 2 Σ_{k>0} X_k cos(π k (n + 1/2) / N)) / N,

    whose waves have no slope at the walls half a cell outside the outermost values. Neither is normalised:
    the coefficient of the constant wave is the sum over the cells.

    Arguments:
        grid: periodic and no-flux axes in any combination.
        dtype: of the fields, torch.float32 or torch.float64.
        device: where the fields are.

    Raises:
        BadInputError: if an axis is neither periodic nor no-flux.
    """

    def __init__(
        self,
        grid: Grid,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
    ) -> None:
        require_spectral(grid, "a spectral transform")
        self.grid = grid
        periodic = [boundary == "periodic" for boundary in grid.boundaries]
        self._fourier_shape = [n for n, is_fourier in zip(grid.shape, periodic, strict=True) if is_fourier]
        self._fourier_dims = tuple(axis - grid.num_dims for axis, is_it in enumerate(periodic) if is_it)
        self._cosines = {
            axis - grid.num_dims: _CosineTransform(grid.shape[axis], dtype, device)
            for axis, is_it in enumerate(periodic)
            if not is_it
        }

    @property
    def is_real(self) -> bool:
        """Whether the coefficients are real: no axis is periodic."""
        return not self._fourier_dims

    def forward(self, state: Float[Tensor, "..."]) -> Float[Tensor, "..."] | Complex[Tensor, "..."]:
        """Return the coefficients, in the layout of ``waves_of(grid)``; leading axes stay."""
        for dim, cosines in self._cosines.items():
            state = cosines.forward(state, dim)
        return torch.fft.rfftn(state, dim=self._fourier_dims) if self._fourier_dims else state

    def inverse(self, spectrum: Float[Tensor, "..."] | Complex[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the fields of given coefficients."""
        state = spectrum
        if self._fourier_dims:
            state = torch.fft.irfftn(spectrum, s=self._fourier_shape, dim=self._fourier_dims)
        for dim, cosines in self._cosines.items():
            state = cosines.inverse(state, dim)
        return state

    def resample(
        self, spectrum: Float[Tensor, "..."] | Complex[Tensor, "..."], target: Grid
    ) -> Float[Tensor, "..."] | Complex[Tensor, "..."]:
        """Return the coefficients on a grid of the same extent, without the waves that either cannot hold.

        Cell centres of the two grids differ by (H - h)/2, so a Fourier wave is also shifted in phase; one
        exactly at the Nyquist limit of the coarser grid has no unambiguous phase and is dropped. Cosines are
        tied to the walls and stay as they are.
        """
        for axis in range(target.num_dims):
            dim = axis - target.num_dims
            cells_in, cells_out = self.grid.shape[axis], target.shape[axis]
            if cells_in == cells_out:
                continue
            if dim in self._cosines:
                fewer = min(cells_in, cells_out)
                spectrum = _keep(spectrum, dim, fewer, 0, cells_out)
                continue
            highest, is_half = (min(cells_in, cells_out) - 1) // 2, dim == self._fourier_dims[-1]
            size_out = cells_out // 2 + 1 if is_half else cells_out
            spectrum = _keep(spectrum, dim, highest + 1, 0 if is_half else highest, size_out)
            frequencies = torch.fft.rfftfreq if is_half else torch.fft.fftfreq
            h_out = target.spacing[axis]
            k = 2 * math.pi * frequencies(cells_out, h_out, dtype=torch.float64, device=spectrum.device)
            shift = torch.exp(0.5j * k * (h_out - self.grid.spacing[axis])).to(spectrum.dtype)
            spectrum = spectrum * shift.reshape([-1] + [1] * (-1 - dim))
        return spectrum * (target.num_cells / self.grid.num_cells)


@final
class _CosineTransform:
    """DCT-II and its inverse along one axis."""

    def __init__(self, cells: int, dtype: torch.dtype, device: torch.device | str | None) -> None:
        self._cells = cells
        k = torch.arange(cells, dtype=torch.float64, device=device)
        if cells <= _LARGEST_MATRIX:
            # whole numbers up to the cosine, so that mirror images agree to the last bit of π
            steps = (k[:, None] * (2 * k + 1)) % (4 * cells)
            cosines = torch.cos(math.pi / (2 * cells) * steps)
            weights = (2 - (k == 0).double()) / cells
            self._forward_matrix = cosines.to(dtype)
            self._inverse_matrix = (weights * cosines.T).to(dtype)
            return
        half = k[: cells // 2 + 1]
        turns = torch.polar(torch.ones_like(half), -math.pi * half / (2 * cells))
        self._turns = turns.to(torch.complex64 if dtype == torch.float32 else torch.complex128)

    def forward(self, values: Tensor, dim: int) -> Tensor:
        if self._cells <= _LARGEST_MATRIX:
            return _apply(self._forward_matrix, values, dim)
        return self._forward_last(values.movedim(dim, -1)).movedim(-1, dim).contiguous()

    def inverse(self, values: Tensor, dim: int) -> Tensor:
        if self._cells <= _LARGEST_MATRIX:
            return _apply(self._inverse_matrix, values, dim)
        return self._inverse_last(values.movedim(dim, -1)).movedim(-1, dim).contiguous()

    def _forward_last(self, values: Tensor) -> Tensor:
        # even ones forwards, odd ones backwards: a real Fourier transform of the same length
        # (J. Makhoul, IEEE Trans. Acoust. Speech Signal Process. 28 (1980) 27, section III)
        ordered = torch.cat((values[..., ::2], values[..., 1::2].flip(-1)), -1)
        turned = torch.fft.rfft(ordered) * self._turns
        return torch.cat((turned.real, -turned.imag[..., 1 : (self._cells + 1) // 2].flip(-1)), -1)

    def _inverse_last(self, values: Tensor) -> Tensor:
        half = self._cells // 2
        backwards = values[..., half + self._cells % 2 :].flip(-1)
        imaginary = torch.cat((torch.zeros_like(values[..., :1]), -backwards), -1)
        turned = torch.complex(values[..., : half + 1].contiguous(), imaginary) * self._turns.conj()
        ordered = torch.fft.irfft(turned, n=self._cells)
        evens = (self._cells + 1) // 2
        result = torch.empty_like(ordered)
        result[..., ::2] = ordered[..., :evens]
        result[..., 1::2] = ordered[..., evens:].flip(-1)
        return result


def is_spectral(grid: Grid) -> bool:
    """Tell whether every axis is periodic or no-flux, as spectral methods need."""
    return set(grid.boundaries) <= {"periodic", "no-flux"}


def require_spectral(grid: Grid, purpose: str) -> None:
    """Raise BadInputError unless :func:`is_spectral`; ``purpose`` says who asks."""
    if not is_spectral(grid):
        raise BadInputError(
            f"{purpose} needs periodic or no-flux boundaries, got {grid.boundaries}; usual cure: a stencil "
            "method ('rk4' or 'adaptive') without refinement"
        )


def _apply(matrix: Tensor, values: Tensor, dim: int) -> Tensor:
    """The product of a matrix with one axis of a field."""
    if dim == -1:
        return values @ matrix.T
    if dim == -2:
        return matrix @ values
    return (matrix @ values.flatten(dim + 1)).reshape(values.shape)


def _keep(spectrum: Tensor, dim: int, first: int, last: int, size: int) -> Tensor:
    """The ``first`` first and the ``last`` last entries of one axis, zeros between them, ``size`` in all."""
    shape = list(spectrum.shape)
    shape[dim] = size
    result = spectrum.new_zeros(shape)
    result.narrow(dim, 0, first).copy_(spectrum.narrow(dim, 0, first))
    if last:
        result.narrow(dim, size - last, last).copy_(spectrum.narrow(dim, spectrum.shape[dim] - last, last))
    return result
