"""Finite differences on cell-centred grids."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError

from .boundary import pad_axis
from .grid import Grid


@dataclass(frozen=True)
class Stencil:
    """A central difference for the second derivative, and how axes are combined into a Laplacian.

    Along one axis the second difference is (δ²u)_i = c_0 u_i + Σ_m c_m (u_{i-m} + u_{i+m}). The Laplacian is
    Σ_d δ_d² / h_d²; some stencils add (1 / n h²) Σ_{d<e} δ_d² δ_e². With n = 6 the leading error becomes
    (h² / 12) ∇⁴u, a function of the Laplacian alone: the same in every direction. In two dimensions this
    is the nine-point "Mehrstellen" stencil [1 4 1; 4 -20 4; 1 4 1] / 6h². With n = 4 it is [1 2 1; 2 -12 2;
    1 2 1] / 4h², of the binomial mean, which Richardson et al. (PLOS Comput. Biol. 20 (2024) e1011589) solve
    and perceive with; on three axes it is blind to the shortest wave along all of them.

    Arguments:
        order: order of accuracy in the spacing: 2, 4, ... 12.
        radius: cells reached on each side.
        mixed: n, by which the mixed differences of all pairs of axes are divided; 0: there are none.
        weights: c_0, c_1, ... c_radius.

    Raises:
        BadInputError: for another order, or as many weights as do not fit the radius.
    """

    order: int
    radius: int
    mixed: int
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.order not in _ORDERS or len(self.weights) != self.radius + 1:
            raise BadInputError(
                f"a stencil has order 2, 4, ... or 12 and one weight more than its radius, got order "
                f"{self.order}, radius {self.radius} and {len(self.weights)} weights"
            )

    @property
    def isotropic(self) -> bool:
        """Whether the leading error is the same in every direction."""
        return self.mixed == _ISOTROPIC

    @property
    def first_weights(self) -> tuple[float, ...]:
        """Weights of (u_{i+m} - u_{i-m}), m = 1, 2, ..., in the first derivative of this order (1/h)."""
        return _first_weights(self.order)

    def second_symbol(self, angle: Float[Tensor, "*angles"]) -> Float[Tensor, "*angles"]:
        """Return the eigenvalue of the second difference along one axis, in units of 1/h².

        Arguments:
            angle: phase advance per cell.
        """
        result = torch.full_like(angle, self.weights[0])
        for reach, weight in enumerate(self.weights[1:], start=1):
            result = result + 2 * weight * torch.cos(reach * angle)
        return result

    def first_symbol(self, angle: Float[Tensor, "*angles"]) -> Float[Tensor, "*angles"]:
        """Return the eigenvalue of the first difference along one axis over i, in units of 1/h."""
        result = torch.zeros_like(angle)
        for reach, weight in enumerate(self.first_weights, start=1):
            result = result + 2 * weight * torch.sin(reach * angle)
        return result

    def symbol(self, angles: tuple[float, ...], grid: Grid) -> float:
        """Return the eigenvalue of the Laplacian for the wave exp(i Σ_d angles[d] · index_d), at most 0.

        Arguments:
            angles: phase advance per cell along each axis, in [-π, π].
            grid: the domain.
        """
        per_axis = self.second_symbol(torch.tensor(angles, dtype=torch.float64)).tolist()
        total = sum(value / h**2 for value, h in zip(per_axis, grid.spacing, strict=True))
        if self.mixed:
            total += sum(a * b for a, b in itertools.combinations(per_axis, 2)) / (
                self.mixed * self.common_spacing(grid) ** 2
            )
        return float(total)

    def largest_eigenvalue(self, grid: Grid) -> float:
        """Return max |symbol| (1/length²), which decides the largest stable step of explicit schemes.

        Each symbol is linear in each axis' second difference, so the extremes lie at angles 0 or π. On axes
        with an odd number of cells, where the angle π does not occur, this is a bound from above.
        """
        corners = itertools.product((0.0, torch.pi), repeat=grid.num_dims)
        return max(abs(self.symbol(corner, grid)) for corner in corners)

    def common_spacing(self, grid: Grid) -> float:
        """Return the spacing of all axes.

        Raises:
            BadInputError: if they differ.
        """
        if len(set(grid.spacing)) > 1:
            raise BadInputError(
                f"a stencil with mixed differences needs equal spacing on all axes, got {grid.spacing}; "
                "usual cure: stencil='order-2' or 'order-4'"
            )
        return grid.spacing[0]


_ORDERS: Final = range(2, 13, 2)
_ISOTROPIC: Final = 6
_BINOMIAL: Final = 4


def _second_weights(order: int) -> tuple[float, ...]:
    """c_0, ... c_p of the second derivative: c_m = 2 (-1)^(m+1) p!² / (m² (p-m)! (p+m)!), order 2p."""
    half = order // 2
    sides = [2 * _sign(m) * _binomial_ratio(half, m) / m**2 for m in range(1, half + 1)]
    return tuple(float(weight) for weight in (-2 * sum(sides), *sides))


@cache
def _first_weights(order: int) -> tuple[float, ...]:
    """Antisymmetric weights of ∂u/∂x in units of 1/h: (-1)^(m+1) p!² / (m (p-m)! (p+m)!), order 2p."""
    half = order // 2
    return tuple(float(_sign(m) * _binomial_ratio(half, m) / m) for m in range(1, half + 1))


@cache
def _staggered_weights(order: int) -> tuple[float, ...]:
    """Weights of ∂u/∂x at faces between cells, from centres 1/2, 3/2, ... cells away, in units of 1/h."""
    return tuple(float(_half_way(order, m) / (m - Fraction(1, 2))) for m in range(1, order // 2 + 1))


@cache
def _face_weights(order: int) -> tuple[float, ...]:
    """Symmetric weights of interpolation to faces between cells."""
    return tuple(float(_half_way(order, m)) for m in range(1, order // 2 + 1))


def _sign(number: int) -> int:
    return 1 if number % 2 else -1


def _binomial_ratio(half: int, m: int) -> Fraction:
    """p!² / ((p - m)! (p + m)!)."""
    return Fraction(math.factorial(half) ** 2, math.factorial(half - m) * math.factorial(half + m))


def _half_way(order: int, m: int) -> Fraction:
    """The m-th centre's weight in the polynomial through the 2p nearest ones, at the face between them."""
    half, mine = order // 2, Fraction(2 * m - 1, 2)
    centres = [Fraction(2 * number - 1, 2) for number in range(1 - half, half + 1)]
    weight = Fraction(1)
    for centre in centres:
        if centre != mine:
            weight *= -centre / (mine - centre)
    return weight


STENCILS: Final[dict[str, Stencil]] = {
    "order-2": Stencil(2, 1, 0, _second_weights(2)),
    "order-2-isotropic": Stencil(2, 1, _ISOTROPIC, _second_weights(2)),
    "order-2-binomial": Stencil(2, 1, _BINOMIAL, _second_weights(2)),
    **{f"order-{order}": Stencil(order, order // 2, 0, _second_weights(order)) for order in _ORDERS[1:]},
}
"""Plain stencils of order 2p reach p cells."""


def as_stencil(stencil: str | Stencil) -> Stencil:
    """Return the stencil of a name in :data:`STENCILS`, or the given one; BadInputError for other names."""
    if isinstance(stencil, Stencil):
        return stencil
    if stencil not in STENCILS:
        raise BadInputError(f"stencil {stencil!r} is unknown; expected one of {', '.join(STENCILS)}")
    return STENCILS[stencil]


def laplacian(
    state: Float[Tensor, "batch channel *space"],
    grid: Grid,
    stencil: str | Stencil = "order-4",
    function: Callable[[Tensor], Tensor] | None = None,
) -> Float[Tensor, "batch channel *space"]:
    """Apply the discrete Laplacian with the grid's boundaries to every channel.

    Arguments:
        state: the fields, on ``grid``.
        grid: the domain (spacings may differ between axes, except for stencils with mixed differences).
        stencil: a key of :data:`STENCILS`, or a Stencil.
        function: if given, ∇² f(u) with this f, which acts in every point by itself; beyond the edges it acts
            on the continued u, so that the walls remain those of u.

    Returns:
        ∇²state, in units of state / length².

    Raises:
        BadInputError: for an unknown stencil, a state on another grid, or an axis shorter than the stencil's
            radius.
    """
    stencil = as_stencil(stencil)
    _require_shape(state, grid)
    differences = [_second_difference(state, axis, grid, stencil, function) for axis in range(grid.num_dims)]
    if not stencil.mixed:
        return _sum([part / h**2 for part, h in zip(differences, grid.spacing, strict=True)])
    h = stencil.common_spacing(grid)
    walls = grid.with_zero_walls()  # second differences along an edge vanish where the value is held
    mixed = [
        _second_difference(differences[first], second, walls, stencil)
        for first, second in itertools.combinations(range(grid.num_dims), 2)
    ]
    total = _sum(differences)
    return (total + _sum(mixed) / stencil.mixed if mixed else total) / h**2


def second_derivative(
    state: Float[Tensor, "batch channel *space"], axis: int, grid: Grid, stencil: Stencil
) -> Float[Tensor, "batch channel *space"]:
    """Return ∂²u/∂x_axis² by central differences of the stencil's order."""
    _require_shape(state, grid)
    return _second_difference(state, axis, grid, stencil) / grid.spacing[axis] ** 2


def first_derivative(
    state: Float[Tensor, "batch channel *space"], axis: int, grid: Grid, stencil: Stencil
) -> Float[Tensor, "batch channel *space"]:
    """Return ∂u/∂x_axis by central differences of the stencil's order."""
    _require_shape(state, grid)
    weights = stencil.first_weights
    dim, cells, radius = axis + 2, grid.shape[axis], len(weights)
    padded = pad_axis(state, dim, grid.boundaries[axis], radius)
    result = torch.zeros_like(state)
    for reach, weight in enumerate(weights, start=1):
        pair = padded.narrow(dim, radius + reach, cells) - padded.narrow(dim, radius - reach, cells)
        result = torch.add(result, pair, alpha=weight / grid.spacing[axis])
    return result


def divergence_of_flux(
    diffusivity: Float[Tensor, "..."],
    state: Float[Tensor, "batch channel *space"],
    axis: int,
    grid: Grid,
    stencil: Stencil,
) -> Float[Tensor, "batch channel *space"]:
    """Return ∂/∂x (D ∂u/∂x) along one axis as the difference of fluxes through the faces of the cells.

    What leaves one cell enters the next, so the sum over the cells is conserved to rounding with periodic and
    no-flux axes. D is continued evenly beyond walls.

    Arguments:
        diffusivity: D in every cell; broadcasts against ``state`` (length²/time).
        state: the fields.
        axis: which axis of space.
        grid: the domain.
        stencil: gives the order of accuracy.
    """
    _require_shape(state, grid)
    staggered, to_faces = _staggered_weights(stencil.order), _face_weights(stencil.order)
    radius = len(staggered)
    dim, reach, h = axis + 2, 2 * radius - 1, grid.spacing[axis]
    boundary = grid.boundaries[axis]
    padded = pad_axis(state, dim, boundary, reach)
    even = "periodic" if boundary == "periodic" else "no-flux"
    spread = pad_axis(diffusivity.expand_as(state), dim, even, reach)

    def difference(values: Tensor) -> Tensor:
        """Half a cell to the right of the first ``radius`` values, and so on."""
        return _combine_halves(values, dim, staggered, -1) / h

    flux = difference(padded) * _combine_halves(spread, dim, to_faces, +1)
    return difference(flux)


def _combine_halves(values: Tensor, dim: int, weights: tuple[float, ...], sign: int) -> Tensor:
    """Σ_m w_m (v_{i+m} + sign v_{i-m+1}) at the points between cells i and i + 1, ends left out."""
    radius = len(weights)
    points = values.shape[dim] - 2 * radius + 1
    result = values.new_zeros(())
    for reach, weight in enumerate(weights):
        right = values.narrow(dim, radius + reach, points)
        left = values.narrow(dim, radius - 1 - reach, points)
        result = result + weight * (right + sign * left)
    return result


def _second_difference(
    state: Tensor,
    axis: int,
    grid: Grid,
    stencil: Stencil,
    function: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    dim, cells, radius = axis + 2, grid.shape[axis], stencil.radius
    padded = pad_axis(state, dim, grid.boundaries[axis], radius)
    if function is not None:
        padded, state = function(padded), function(state)
    result = stencil.weights[0] * state
    for reach, weight in enumerate(stencil.weights[1:], start=1):
        pair = padded.narrow(dim, radius - reach, cells) + padded.narrow(dim, radius + reach, cells)
        result = torch.add(result, pair, alpha=weight)
    return result


def _require_shape(state: Tensor, grid: Grid) -> None:
    if tuple(state.shape[2:]) != grid.shape:
        raise BadInputError(
            f"the state's space shape {tuple(state.shape[2:])} is not the grid's {grid.shape}"
        )


def _sum(parts: list[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
