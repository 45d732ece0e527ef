"""Explicit Runge-Kutta schemes on finite-difference grids, for every boundary condition."""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError, StabilityError

from ..equation import Equation
from ..grid import Grid
from ..stencils import Stencil, laplacian, stencil_from_name
from .integrator import Integrator


@dataclass(frozen=True)
class Tableau:
    """An explicit Runge-Kutta scheme for du/dt = f(u).

        k_1 = f(u),   k_i = f(u + Δt Σ_{j<i} stages[i-2][j] k_j),   u(t + Δt) = u + Δt Σ_i weights[i] k_i

    Arguments:
        name: how error texts call it.
        order: order of accuracy in Δt.
        stages: the rows of the lower triangle below the first stage.
        weights: one per stage.
        real_axis_limit: the largest x for which |R(-x)| <= 1 on all of [0, x], R the stability function.
    """

    name: str
    order: int
    stages: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    real_axis_limit: float


EULER: Final = Tableau("euler", 1, (), (1.0,), 2.0)
MIDPOINT: Final = Tableau("midpoint", 2, ((1 / 2,),), (0.0, 1.0), 2.0)
RK4: Final = Tableau(
    "rk4", 4, ((1 / 2,), (0.0, 1 / 2), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6), 2.7852935634052816
)


def largest_stable_step(
    equation: Equation, grid: Grid, stencil: str | Stencil = "order-4", tableau: Tableau = RK4
) -> float:
    """Return the largest time step for which diffusion is stable, real_axis_limit / (max D · max |symbol|).

    Reactions are not considered: they rarely limit the step of a resolved reaction-diffusion problem.

    Arguments:
        equation: gives the diffusivities; the largest one of any field and trajectory counts.
        grid: the domain.
        stencil: a key of ``STENCILS``, or a Stencil.
        tableau: the scheme.

    Returns:
        The limit (time); infinity without diffusion.
    """
    stiffness = _largest_diffusivity(equation) * _resolve(stencil).largest_eigenvalue(grid)
    return tableau.real_axis_limit / stiffness if stiffness > 0 else float("inf")


@dataclass(frozen=True, eq=False)
class RungeKutta(Integrator):
    """An explicit Runge-Kutta Step with a finite-difference Laplacian.

    Works with periodic and no-flux axes, on any device and in any floating dtype (it computes in the
    state's), and can be differentiated through.

    Arguments:
        equation: what is solved.
        grid: where; cell values, boundaries per axis.
        time_step: Δt (time), within :func:`largest_stable_step`.
        stencil: a key of ``STENCILS``, or a Stencil.
        tableau: ``EULER``, ``MIDPOINT`` or ``RK4``.

    Raises:
        StabilityError: at construction, if Δt exceeds the diffusive stability limit.
        BadInputError: if Δt is not positive, or the stencil is unknown or does not fit the grid.
    """

    equation: Equation
    grid: Grid
    time_step: float
    stencil: str | Stencil = "order-4"
    tableau: Tableau = RK4

    def __post_init__(self) -> None:
        if not self.time_step > 0:
            raise BadInputError(f"time_step must be positive, got {self.time_step}")
        stencil = _resolve(self.stencil)
        if stencil.radius > min(self.grid.shape):
            raise BadInputError(
                f"a stencil of radius {stencil.radius} needs axes of at least as many cells, got "
                f"{self.grid.shape}"
            )
        limit = largest_stable_step(self.equation, self.grid, stencil, self.tableau)
        if self.time_step > limit * (1 + 1e-12):
            diffusivity, eigenvalue = (
                _largest_diffusivity(self.equation),
                stencil.largest_eigenvalue(self.grid),
            )
            number = self.time_step * diffusivity * eigenvalue
            raise StabilityError(
                f"time_step {self.time_step:g} is unstable: the diffusion number time_step · diffusivity · "
                f"largest eigenvalue = {self.time_step:g} · {diffusivity:g} · {eigenvalue:g} = "
                f"{number:.4g} exceeds {self.tableau.real_axis_limit:.4g}, the limit of {self.tableau.name}; "
                f"usual cure: a time_step of at most {limit:.4g}, or 'etdrk4' on periodic grids"
            )

    @property
    def evaluations_per_step(self) -> int:
        """How often one step evaluates the rate of change."""
        return len(self.tableau.weights)

    def march(
        self, state: Float[Tensor, "batch channel *space"], num_steps: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the state ``num_steps`` steps later."""
        self._check(state, num_steps)
        for _ in range(num_steps):
            state = self._advance(state)
        return state

    def _advance(self, state: Tensor) -> Tensor:
        slopes = [self._rate(state)]
        for row in self.tableau.stages:
            slopes.append(self._rate(_combine(state, self.time_step, row, slopes)))
        return _combine(state, self.time_step, self.tableau.weights, slopes)

    def _rate(self, state: Tensor) -> Tensor:
        return self.equation.rate(state, laplacian(state, self.grid, self.stencil))


def _combine(state: Tensor, time_step: float, weights: tuple[float, ...], slopes: list[Tensor]) -> Tensor:
    for weight, slope in zip(weights, slopes, strict=True):
        if weight != 0:
            state = torch.add(state, slope, alpha=time_step * weight)
    return state


def _resolve(stencil: str | Stencil) -> Stencil:
    return stencil_from_name(stencil) if isinstance(stencil, str) else stencil


def _largest_diffusivity(equation: Equation) -> float:
    values = [torch.as_tensor(value) for value in equation.diffusivities()]
    if any(value.ndim > 1 or float(value.min()) < 0 for value in values):
        raise BadInputError(
            f"diffusivities must be constant in space and not negative, got {equation.diffusivities()}; "
            "expected numbers or tensors (batch,)"
        )
    return max(float(value.max()) for value in values)
