"""Order of accuracy in space: the discrete equation against one whose solution we chose."""

import math

import torch
from torch import Tensor

from ..derivatives import Derivatives, SpectralDerivatives, StencilDerivatives
from ..equation import Equation
from ..grid import Grid
from ..stencils import Stencil, as_stencil
from ..waves import continuum_waves
from .exact_derivatives import ExactDerivatives
from .formulas import ANALYTIC_DECAY, SHAPES, Formula
from .measurement import Measurement, fitted_order, fitted_slope, largest_difference, measure
from .problem import Problem, problem_of

_AT_ONCE = 2_000_000  # values of the states whose rates make columns of a Jacobian together


def order_in_space(
    problem: Problem,
    stencil: str | Stencil,
    shape: str = "periodic",
    *,
    num_cells: tuple[int, ...] = (16, 20, 24, 32),
) -> Measurement:
    """Fit the order in the cell size of a steady manufactured solution.

    With the source S = -F(u*), made by :class:`ExactDerivatives`, u* solves ∂u/∂t = F(u) + S. One implicit
    Euler step from u* stays at u* for exact derivatives, whatever its length; the discrete one goes astray by
    its error in space alone, carried through the whole discrete operator with its walls. Expected is the
    stencil's order, or 2 for a solution that is bent at Dirichlet walls.

    Arguments:
        problem: what is solved.
        stencil: a key of ``STENCILS``, or a Stencil.
        shape: a key of ``SHAPES``.
        num_cells: cells per axis of each grid.

    Returns:
        The order, which passes within 0.4 of the expected one.
    """
    known = as_stencil(stencil)
    order = 2 if shape == "dirichlet, bent" else known.order
    name = stencil if isinstance(stencil, str) else "own stencil"

    def work() -> float:
        bent = shape == "dirichlet, bent"
        formula = Formula(_ruled_by_transport(problem) if bent else problem, shape)
        step = (20 if bent else 0.5) * formula.problem.duration
        errors = []
        for cells in num_cells:
            grid = formula.problem.grid(cells, formula.boundary)
            errors.append(_error_of_implicit_step(formula, StencilDerivatives(grid, known), step))
        return fitted_order([1 / cells for cells in num_cells], errors)

    setting = f"{name}, {shape}, {problem.num_dims}-D"
    return measure("order in space", problem.equation.name, setting, (order - 0.4, order + 0.4), work)


def decay_of_spectral_error(
    problem: Problem, *, num_cells: tuple[int, ...] = (16, 20, 24, 28, 32)
) -> Measurement:
    """Fit how fast the error of Fourier derivatives falls with the number of cells.

    The manufactured solution has Fourier coefficients that fall by exp(-σ) from one to the next, so the error
    with n cells falls as exp(-σ n / 2) up to powers of n.

    Returns:
        The fitted σ in units of the true one; passes between 0.7 and 1.3.
    """

    def work() -> float:
        formula = Formula(problem, "analytic")
        errors = []
        for cells in num_cells:
            grid = problem.grid(cells)
            errors.append(_error_of_implicit_step(formula, SpectralDerivatives(grid), problem.duration / 2))
        if not all(math.isfinite(error) and error > 0 for error in errors):
            return math.nan
        return (
            -fitted_slope([cells / 2 for cells in num_cells], [math.log(e) for e in errors]) / ANALYTIC_DECAY
        )

    setting = f"Fourier, periodic, {problem.num_dims}-D"
    return measure("decay of spectral error", problem.equation.name, setting, (0.7, 1.3), work)


def shapes_for(equation: Equation, num_dims: int) -> tuple[str, ...]:
    """Return the shapes that are solutions of an equation: bent walls need one of second order in space."""
    fits = [name for name in SHAPES if name != "analytic"]
    if derivatives_of_highest_order(equation, num_dims) > 2:
        fits.remove("dirichlet, bent")
    return tuple(fits)


def derivatives_of_highest_order(equation: Equation, num_dims: int) -> int:
    """Return the order of the highest derivative in space, from how the eigenvalues of short waves grow."""
    wave = torch.ones(1, num_dims, dtype=torch.float64)
    short, shorter = (
        float(equation.transport_symbol(continuum_waves(k * wave)).abs().max()) for k in (1e8, 2e8)
    )
    return round(math.log2(shorter / short)) if short > 0 else 0


def exact_rate(formula: Formula, grid: Grid, time: float = 0.0) -> Tensor:
    """Return F(u*) at the cell centres."""
    derivatives = ExactDerivatives(grid)
    rate = formula.problem.equation.rate(formula(derivatives.points, time), derivatives)
    return rate.detach()


def _ruled_by_transport(problem: Problem) -> Problem:
    """The problem on an eighth of the length, where an error of one cell at a wall spreads at once."""
    return problem_of(
        problem.equation,
        num_dims=problem.num_dims,
        length=problem.length / 8,
        centre=problem.centre,
        amplitude=problem.amplitude,
    )


def _error_of_implicit_step(formula: Formula, derivatives: Derivatives, step: float) -> float:
    problem, grid = formula.problem, derivatives.grid
    exact = formula([x.detach() for x in ExactDerivatives(grid).points], 0.0)
    source = -exact_rate(formula, grid)
    state = exact
    solve = _ImplicitStep(problem, derivatives, exact, step)
    for _ in range(8):
        residual = state - exact - step * (problem.equation.rate(state, derivatives) + source)
        change = solve(residual)
        state = state - change
        if largest_difference(change, torch.zeros_like(change), problem.amplitude) < 1e-14:
            break
    return largest_difference(state, exact, problem.amplitude)


class _ImplicitStep:
    """Applies (1 - Δt J)⁻¹, J by central differences at one state."""

    def __init__(self, problem: Problem, derivatives: Derivatives, state: Tensor, step: float) -> None:
        number = state.numel()
        shift = 1e-5 * min(problem.amplitude)
        columns = []
        for rows in torch.split(torch.eye(number, dtype=state.dtype), max(1, _AT_ONCE // number)):
            moved = shift * rows.reshape(-1, *state.shape[1:])
            up, down = (problem.equation.rate(state + sign * moved, derivatives) for sign in (1, -1))
            columns.append(((up - down) / (2 * shift)).flatten(1))
        jacobian = torch.cat(columns).T
        self._factors = torch.linalg.lu_factor(torch.eye(number, dtype=state.dtype) - step * jacobian)

    def __call__(self, residual: Tensor) -> Tensor:
        solution: Tensor = torch.linalg.lu_solve(*self._factors, residual.reshape(-1, 1))
        return solution.reshape(residual.shape)
