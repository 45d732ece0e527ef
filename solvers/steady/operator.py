"""The reference operator F of ∂u/∂t = F(u) for one trajectory, and its Jacobian."""

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdenca.core.errors import BadInputError

from ..boundary import Periodic, boundary_from_name
from ..derivatives import Derivatives, SpectralDerivatives, StencilDerivatives
from ..equation import Equation
from ..grid import Grid
from ..integrators.batches import batch_of, equation_of
from ..transform import is_spectral

Vector = NDArray[np.float64]

# tangents at once in a dense Jacobian: larger batches leave the cache
_TANGENTS: Final = 64
_SEED: Final = 20240426


def reference_derivatives(grid: Grid) -> Derivatives:
    """Return the derivatives that steady states are judged by.

    Spectral ones on periodic and no-flux axes; stencils of order 4 if a wall holds a value.
    """
    if is_spectral(grid):
        return SpectralDerivatives(grid)
    return StencilDerivatives(grid, "order-4")


def of_trajectory(equation: Equation, index: int, num_trajectories: int) -> Equation:
    """Return the equation with the constants of one trajectory of several.

    Arguments:
        equation: constants are numbers or (batch, ...), also inside tuples (anisotropic diffusion).
        index: which trajectory.
        num_trajectories: of the state.

    Raises:
        BadInputError: if a constant is for another number of trajectories.
    """
    batch = batch_of(equation)
    if batch not in (1, num_trajectories):
        raise BadInputError(
            f"the equation has constants for {batch} trajectories, the state has {num_trajectories}"
        )
    return equation_of(equation, slice(index, index + 1))


class ReferenceOperator:
    """F(u) of one trajectory on flat float64 vectors, as SciPy takes them.

    Arguments:
        equation: with the constants of this trajectory.
        derivatives: the discretisation; it knows the grid.
        velocity: of the frame, c (length/time), one component per axis: F(u) + c·∇u then takes the place of
            F(u). Axes with walls cannot move.

    Raises:
        BadInputError: for a velocity along an axis with walls.
    """

    def __init__(
        self, equation: Equation, derivatives: Derivatives, velocity: tuple[float, ...] | None = None
    ) -> None:
        self.equation = equation
        self.derivatives = derivatives
        self.grid = derivatives.grid
        self.shape = (1, len(equation.fields), *self.grid.shape)
        self.size = math.prod(self.shape)
        self.velocity = velocity or (0.0,) * self.grid.num_dims
        for axis, part in enumerate(self.velocity):
            if part != 0 and axis not in self.moving_axes:
                raise BadInputError(f"axis {axis} has walls and cannot move, got velocity {self.velocity}")

    def fields(self, vector: Vector) -> Tensor:
        """Return a vector as ``"1 channel *space"``."""
        return torch.from_numpy(np.ascontiguousarray(vector)).reshape(self.shape)

    def rate(self, vector: Vector) -> Vector:
        """Return F(u)."""
        with torch.no_grad():
            return _flat(self._rate(self.fields(vector)))

    def _rate(self, state: Tensor) -> Tensor:
        rate = self.equation.rate(state, self.derivatives)
        for axis, part in enumerate(self.velocity):
            if part != 0:
                rate = rate + part * self.derivatives.first(state, axis)
        return rate

    def in_frame(self, state: Tensor, time: float) -> Tensor:
        """Return fields, after some time, as the frame that moved with the velocity sees them."""
        axes = [axis for axis, part in enumerate(self.velocity) if part != 0]
        if not axes:
            return state
        dims = [axis + 2 for axis in axes]
        spectrum = torch.fft.fftn(state, dim=dims)
        for axis in axes:
            cells, h = self.grid.shape[axis], self.grid.spacing[axis]
            k = 2 * math.pi * torch.fft.fftfreq(cells, h, dtype=torch.float64)
            turn = torch.exp(1j * k * self.velocity[axis] * time)
            spectrum = spectrum * turn.reshape([-1] + [1] * (self.grid.num_dims - 1 - axis))
        moved: Tensor = torch.fft.ifftn(spectrum, dim=dims).real
        return moved

    def jacobian(self, vector: Vector) -> Callable[[NDArray[Any]], NDArray[Any]]:
        """Return v -> J(u) v, exact to rounding; complex v as well.

        The derivative of the pullback w -> Jᵀ w, which is linear in w: one pass through a graph that is built
        once. Measured on Gray-Scott, 64² cells: 0.4 ms, ``torch.func.jvp`` 2.8 ms, F itself 0.25 ms.
        """
        times = self._pushforward(self.fields(vector))

        def on_vectors(tangent: NDArray[Any]) -> NDArray[Any]:
            if np.iscomplexobj(tangent):
                real, imaginary = on_vectors(tangent.real.copy()), on_vectors(tangent.imag.copy())
                return np.asarray(real + 1j * imaginary)
            return _flat(times(self.fields(tangent)))

        return on_vectors

    def dense_jacobian(self, vector: Vector) -> NDArray[np.float64]:
        """Return J(u) as a matrix."""
        at, columns = self.fields(vector), []
        for first in range(0, self.size, _TANGENTS):
            number = min(_TANGENTS, self.size - first)
            tangents = torch.zeros(number, self.size, dtype=torch.float64)
            tangents[:, first:].fill_diagonal_(1.0)
            times = self._pushforward(at.expand(number, *self.shape[1:]))
            columns.append(times(tangents.reshape(number, *self.shape[1:])).reshape(number, -1))
        return np.asarray(torch.cat(columns).numpy().T)

    def _pushforward(self, state: Tensor) -> Callable[[Tensor], Tensor]:
        with torch.enable_grad():
            at = state.detach().clone().requires_grad_()
            rate = self._rate(at)
            weights = torch.zeros_like(rate, requires_grad=True)
            (pullback,) = torch.autograd.grad(rate, at, weights, create_graph=True)

        def times(tangent: Tensor) -> Tensor:
            image: Tensor = torch.autograd.grad(pullback, weights, tangent, retain_graph=True)[0]
            return image

        return times

    def translations(self, vector: Vector) -> NDArray[np.float64]:
        """Return ∂u/∂x_axis along the periodic axes on which u varies, one column each.

        If u solves F(u) = 0 so does every shifted u: these are neutral directions.
        """
        slopes = [self.slope(vector, axis) for axis in self.moving_axes]
        # a pattern of stripes does not vary along them
        kept = [
            slope
            for axis, slope in zip(self.moving_axes, slopes, strict=True)
            if np.linalg.norm(slope) * self.grid.extent[axis] > 1e-8 * np.linalg.norm(vector)
        ]
        return np.stack(kept, 1) if kept else np.zeros((self.size, 0))

    @property
    def moving_axes(self) -> tuple[int, ...]:
        """The periodic axes."""
        return tuple(
            axis
            for axis, name in enumerate(self.grid.boundaries)
            if isinstance(boundary_from_name(name), Periodic)
        )

    def slope(self, vector: Vector, axis: int) -> Vector:
        """Return ∂u/∂x_axis."""
        return _flat(self.derivatives.first(self.fields(vector), axis))

    def conserved(self, vector: Vector) -> NDArray[np.float64]:
        """Return the combinations of fields whose spatial mean never changes, orthonormal columns (field, n).

        Found by trial: combinations to which the mean of F is zero in several random states around u.
        """
        generator = np.random.default_rng(_SEED)
        num_fields = self.shape[1]
        spread = max(float(np.abs(vector).max()), 1e-3)
        means, sizes = [], []
        for _ in range(num_fields + 3):
            trial = vector + 0.3 * spread * generator.standard_normal(self.size)
            rate = self.rate(trial).reshape(num_fields, -1)
            means.append(rate.mean(1))
            sizes.append(np.abs(rate).mean(1))
        size = max(float(np.max(sizes)), 1e-300)
        # rounding of a mean of n terms grows no faster than √n; a reaction gives 1/√n of its size or more
        _, values, rows = np.linalg.svd(np.array(means) / size)
        values = np.pad(values, (0, num_fields - len(values)))
        return np.asarray(rows[values < 1e-11].T)

    def remove_conserved(self, vector: Vector, conserved: NDArray[np.float64]) -> Vector:
        """Return a change of u without any change of the conserved means."""
        if conserved.shape[1] == 0:
            return vector
        fields = vector.reshape(self.shape[1], -1)
        shift = conserved @ (conserved.T @ fields.mean(1))
        return np.asarray(fields - shift[:, None]).reshape(-1)

    def rate_scale(self, vector: Vector, least: float = 0.0) -> float:
        """Return how fast the local dynamics is, the largest rms of J on a constant field (1/time)."""
        times, num_fields = self.jacobian(vector), self.shape[1]
        rates = []
        for field in range(num_fields):
            constant = np.zeros((num_fields, self.grid.num_cells))
            constant[field] = 1.0
            rates.append(math.sqrt(float(np.mean(times(constant.reshape(-1)) ** 2)) * num_fields))
        return max(least, *rates)


def _flat(state: Tensor) -> Vector:
    return np.asarray(state.detach().reshape(-1).numpy())
