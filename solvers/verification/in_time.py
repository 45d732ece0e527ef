"""Order of accuracy in time: every integrator against an independent one on the same grid."""

import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from pdenca.core.errors import BadInputError, NonFiniteError, StabilityError

from ..derivatives import Derivatives, SpectralDerivatives, StencilDerivatives
from ..equation import Equation
from ..grid import Grid
from ..integrators import INTEGRATORS, Integrator, options_of
from .formulas import Formula
from .measurement import Measurement, fitted_order, largest_difference, measure
from .problem import Problem

Method = str | Callable[..., Integrator]
"""A key of ``INTEGRATORS``, or a constructor(equation, grid, time_step)."""

EXACT: Final = 1e-11
"""An error below this, in units of the amplitude, is rounding and has no order."""

_LARGEST_NUMBER_OF_STEPS = 100_000


def order_in_time(
    problem: Problem, method: Method, boundary: str = "periodic", *, num_cells: int = 12, num_steps: int = 8
) -> Measurement:
    """Fit the order in the time step against :func:`reference_solution` on the same grid.

    Arguments:
        problem: what is solved.
        method: which integrator, of fixed steps.
        boundary: "periodic", "no-flux" or "dirichlet", on every axis.
        num_cells: cells per axis.
        num_steps: the fewest steps; more if those are unstable.

    Returns:
        The order, which passes from 0.35 below to 0.5 above the integrator's own ``order``; for an integrator
        that solves the equation exactly whatever its step, the error instead, which passes below 1e-11.

    Raises:
        BadInputError: if the integrator does not work with this boundary.
    """
    began = time.perf_counter()
    grid = problem.grid(num_cells, boundary)
    state = initial_state(problem, grid, boundary)
    order = build(method, problem.equation, grid, problem.duration * 1e-9).order
    for doubling in range(5):  # until the error stands above rounding
        total = problem.duration * 2 ** (doubling + 1)
        steps, errors = _errors_in_time(problem, method, grid, state, total, num_steps)
        if not max(errors) > 2e-13 or not min(errors) < 1e-11:
            break
    what, value, low, high = "order in time", fitted_order(steps, errors), order - 0.35, order + 0.5
    if max(errors) < EXACT:
        what, value, low, high = "error of exact steps", max(errors), 0.0, EXACT
    setting = f"{name_of(method)}, {boundary}"
    seconds = time.perf_counter() - began
    return Measurement(what, problem.equation.name, setting, value, low, high, seconds)


def error_beside_tolerance(
    problem: Problem,
    method: str,
    boundary: str = "periodic",
    *,
    num_cells: int = 12,
    tolerances: tuple[float, ...] = (1e-5, 1e-7, 1e-9),
) -> Measurement:
    """Compare the error of a method that chooses its steps with the tolerance it was given.

    Arguments:
        problem: what is solved.
        method: a key of ``INTEGRATORS`` that takes a tolerance.
        boundary: "periodic", "no-flux" or "dirichlet", on every axis.
        num_cells: cells per axis.
        tolerances: to try.

    Returns:
        The largest error at the end of a run over all tolerances, in units of the tolerance and the
        amplitude. It passes up to 30: errors of steps add up. It also passes down to 1e-4: where stability
        limits the steps, they are more accurate than asked.
    """

    def work() -> float:
        grid = problem.grid(num_cells, boundary)
        state, total = initial_state(problem, grid, boundary), 4 * problem.duration
        exact: Tensor | None = None
        worst = 0.0
        for tolerance in tolerances:
            solver = build(method, problem.equation, grid, total, tolerance)
            if exact is None:
                exact = reference_solution(problem.equation, derivatives_of(solver), state, total)
            error = largest_difference(solver.march(state, 1), exact, problem.amplitude)
            worst = max(worst, error / tolerance) if error == error else error
        return worst

    setting = f"{name_of(method)}, {boundary}"
    return measure("error / tolerance", problem.equation.name, setting, (1e-4, 30.0), work)


def agreement_with_scipy(
    problem: Problem, method: Method, boundary: str = "periodic", *, num_cells: int = 12
) -> Measurement:
    """Compare a well-resolved march with SciPy's solution of the same semi-discrete equation.

    Arguments:
        problem: what is solved.
        method: which integrator.
        boundary: "periodic", "no-flux" or "dirichlet", on every axis.
        num_cells: cells per axis.

    Returns:
        The largest difference in units of the amplitude, which passes below what the integrator's order
        promises for its step: 20 (Δt / duration)^order, but 1e-10 for rounding.
    """
    grid = problem.grid(num_cells, boundary)
    state = initial_state(problem, grid, boundary)
    total = 2 * problem.duration
    order = build(method, problem.equation, grid, 1e-12).order
    steps = fewest_stable_steps(problem.equation, method, grid, total, 64 if order >= 4 else 512)
    solver = build(method, problem.equation, grid, total / steps)

    def work() -> float:
        exact = reference_solution(problem.equation, derivatives_of(solver), state, total)
        return largest_difference(solver.march(state, steps), exact, problem.amplitude)

    bound = max(1e-10, 20 * (total / steps / problem.duration) ** solver.order)
    setting = f"{name_of(method)}, {boundary}, {steps} steps"
    return measure("difference from SciPy", problem.equation.name, setting, (0.0, bound), work)


def reference_solution(equation: Equation, derivatives: Derivatives, state: Tensor, end: float) -> Tensor:
    """Solve ∂u/∂t = F(u) by SciPy's DOP853 at a tolerance near rounding, from the equation's rate alone.

    Arguments:
        equation: F.
        derivatives: the discretisation in space.
        state: u at t = 0.
        end: when to stop.

    Raises:
        NonFiniteError: if SciPy gives up.
    """

    def rate(_: float, values: np.ndarray) -> np.ndarray:
        change: np.ndarray = equation.rate(torch.from_numpy(values).reshape(state.shape), derivatives).numpy()
        return change.ravel()

    start = state.double().numpy().ravel()
    size = max(float(np.abs(start).max()), 1e-30)
    found = solve_ivp(rate, (0.0, end), start, method="DOP853", rtol=1e-12, atol=1e-13 * size)
    if not found.success:
        raise NonFiniteError(f"SciPy could not solve {equation.name!r} up to t = {end:g}: {found.message}")
    return torch.from_numpy(found.y[:, -1].copy()).reshape(state.shape)


def initial_state(problem: Problem, grid: Grid, boundary: str) -> Tensor:
    """Return a smooth state that obeys the boundary, ``"1 channel *space"``."""
    return Formula(problem, boundary)(
        [x[None] for x in torch.meshgrid(*grid.coordinates(), indexing="ij")], 0.0
    )


def build(
    method: Method, equation: Equation, grid: Grid, time_step: float, tolerance: float = 1e-11
) -> Integrator:
    """Make the integrator; one that chooses its steps gets a tolerance at which its errors do not matter.

    Raises:
        BadInputError: for an unknown name.
    """
    if not isinstance(method, str):
        return method(equation, grid, time_step)
    if chooses_its_steps(method):
        return INTEGRATORS[method](
            equation, grid, time_step, tolerance=tolerance, absolute_tolerance=tolerance * 1e-3
        )
    return INTEGRATORS[method](equation, grid, time_step)


def chooses_its_steps(method: Method) -> bool:
    """Tell whether a method of the dictionary takes a tolerance instead of a step.

    Raises:
        BadInputError: for an unknown name.
    """
    return isinstance(method, str) and "tolerance" in options_of(method)


def name_of(method: Method) -> str:
    """Return what tables call a method."""
    return method if isinstance(method, str) else getattr(method, "__name__", "own method")


def supports(method: Method, equation: Equation, grid: Grid) -> bool:
    """Tell whether an integrator can be built for an equation on a grid, its boundaries above all."""
    try:
        build(method, equation, grid, 1e-12)
    except BadInputError:
        return False
    return True


def derivatives_of(integrator: Integrator) -> Derivatives:
    """Return the derivatives that an integrator solves the equation with."""
    stencil = getattr(integrator, "stencil", None)
    if stencil is not None:
        return StencilDerivatives(integrator.grid, stencil)
    return SpectralDerivatives(integrator.grid)


def has_stencil(method: Method, equation: Equation, grid: Grid) -> bool:
    """Tell whether an integrator works with finite differences."""
    return getattr(build(method, equation, grid, 1e-12), "stencil", None) is not None


def fewest_stable_steps(equation: Equation, method: Method, grid: Grid, total: float, at_least: int) -> int:
    """Return the number of steps, an even one, from which on the integrator accepts its time step."""
    steps = 2 * ((at_least + 1) // 2)
    while True:
        try:
            build(method, equation, grid, total / steps)
        except StabilityError:
            if steps > _LARGEST_NUMBER_OF_STEPS:
                raise
            steps = 2 * (int(steps * 1.2) // 2 + 1)
        else:
            return steps


def _errors_in_time(
    problem: Problem, method: Method, grid: Grid, state: Tensor, total: float, num_steps: int
) -> tuple[Sequence[float], Sequence[float]]:
    """Time steps and errors at the end of a run."""
    fewest = fewest_stable_steps(problem.equation, method, grid, total, num_steps)
    solver = build(method, problem.equation, grid, total / fewest)
    exact = reference_solution(problem.equation, derivatives_of(solver), state, total)
    counts = [fewest * factor // 2 for factor in (2, 3, 4, 6)]
    errors = []
    for count in counts:
        last = build(method, problem.equation, grid, total / count).march(state, count)
        errors.append(largest_difference(last, exact, problem.amplitude))
    return [total / count for count in counts], errors
