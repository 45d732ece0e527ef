"""Solving (L - σ) x = b exactly, wave by wave: what makes Krylov solves of the Jacobian converge."""

import math

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray

from pdenca.core.errors import BadInputError

from ..boundary import Dirichlet, Periodic, boundary_from_name
from ..equation import Equation
from ..grid import Grid
from ..waves import Waves

Vector = NDArray[np.float64]


class LinearSpectrum:
    """L, the linear part of an equation, in the waves of the grid: Fourier, cosines or sines for each axis.

    With walls and first derivatives, or coefficients that vary in space, waves are no exact eigenvectors;
    then this is a neighbour of L, which is all that a preconditioner needs.

    Arguments:
        equation: with the constants of one trajectory.
        grid: the domain.
    """

    def __init__(self, equation: Equation, grid: Grid) -> None:
        self.grid, self.num_fields = grid, len(equation.fields)
        self._boundaries = [boundary_from_name(name) for name in grid.boundaries]
        waves = self._waves()
        try:
            symbol = equation.linear_symbol(waves)
        except BadInputError:  # varies in space: the transport part has a bound
            symbol = equation.transport_symbol(waves)
        if symbol.ndim == grid.num_dims + 2:  # the fields are not coupled
            symbol = torch.diag_embed(symbol.movedim(1, -1)).movedim((-2, -1), (1, 2))
        space = symbol[0].movedim((0, 1), (-2, -1)).to(torch.complex128)
        self._symbol: NDArray[np.complex128] = space.expand(*grid.shape, *space.shape[-2:]).numpy()
        eigenvalues = np.linalg.eigvals(self._symbol)
        self.largest = float(eigenvalues.real.max())
        self.stiffness = float(np.abs(eigenvalues).max())
        decaying = np.abs(eigenvalues)[np.abs(eigenvalues) > 1e-12 * self.stiffness]
        self.slowest = float(decaying.min()) if decaying.size else 0.0

    def solver(self, shift: float) -> "ShiftedSolve":
        """Return b -> (L - shift)⁻¹ b."""
        identity = np.eye(self.num_fields)
        inverse = np.linalg.inv(self._symbol - shift * identity)
        return ShiftedSolve(self, inverse.astype(np.complex128))

    def forward(self, vector: Vector) -> NDArray[np.complex128]:
        """Return the coefficients ``"field *modes"`` of flat fields."""
        spectrum = vector.reshape(self.num_fields, *self.grid.shape).astype(np.complex128)
        for axis, boundary in enumerate(self._boundaries, start=1):
            if isinstance(boundary, Periodic):
                spectrum = scipy.fft.fft(spectrum, axis=axis)
            elif isinstance(boundary, Dirichlet):
                spectrum = scipy.fft.dst(spectrum, 2, axis=axis, norm="ortho")
            else:
                spectrum = scipy.fft.dct(spectrum, 2, axis=axis, norm="ortho")
        return np.asarray(spectrum)

    def backward(self, spectrum: NDArray[np.complex128]) -> Vector:
        """Return the flat fields of coefficients, their real part."""
        for axis, boundary in enumerate(self._boundaries, start=1):
            if isinstance(boundary, Periodic):
                spectrum = scipy.fft.ifft(spectrum, axis=axis)
            elif isinstance(boundary, Dirichlet):
                spectrum = scipy.fft.idst(spectrum, 2, axis=axis, norm="ortho")
            else:
                spectrum = scipy.fft.idct(spectrum, 2, axis=axis, norm="ortho")
        return np.asarray(spectrum.real).reshape(-1)

    def _waves(self) -> Waves:
        seconds, firsts = [], []
        for axis, (cells, h) in enumerate(zip(self.grid.shape, self.grid.spacing, strict=True)):
            boundary = self._boundaries[axis]
            if isinstance(boundary, Periodic):
                k = 2 * math.pi * torch.fft.fftfreq(cells, h, dtype=torch.float64)
                first = 1j * torch.where(k.abs() < math.pi / h * (1 - 1e-9), k, 0.0)
            else:
                start = 1 if isinstance(boundary, Dirichlet) else 0
                k = math.pi / (cells * h) * torch.arange(start, cells + start, dtype=torch.float64)
                first = torch.zeros_like(k) * 1j  # turns cosines into sines: left out
            shape = [-1 if other == axis else 1 for other in range(self.grid.num_dims)]
            seconds.append(-(k**2).reshape(shape))
            firsts.append(first.reshape(shape))
        return Waves(sum(seconds[1:], seconds[0]), tuple(seconds), tuple(firsts))


class ShiftedSolve:
    """b -> (L - σ)⁻¹ b.

    Arguments:
        linear: L.
        inverse: of each wave's matrix less σ, (*modes, field, field).
    """

    def __init__(self, linear: LinearSpectrum, inverse: NDArray[np.complex128]) -> None:
        self._linear = linear
        self._inverse = np.moveaxis(inverse, (-2, -1), (0, 1))
        self._is_diagonal = not any(
            np.any(self._inverse[row, column])
            for row in range(linear.num_fields)
            for column in range(linear.num_fields)
            if row != column
        )

    def __call__(self, vector: Vector) -> Vector:
        """Return (L - σ)⁻¹ of a flat vector."""
        spectrum = self._linear.forward(vector)
        if self._is_diagonal:
            solved = np.stack([self._inverse[row, row] * part for row, part in enumerate(spectrum)])
        else:
            solved = np.einsum("ij...,j...->i...", self._inverse, spectrum)
        return self._linear.backward(solved)
