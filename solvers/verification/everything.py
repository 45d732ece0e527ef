"""All measurements of an equation, sorted by what they are about; for tests and tables."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ..derivatives import SpectralDerivatives
from ..equation import Equation
from ..integrators import INTEGRATORS
from ..stencils import STENCILS
from .convergence import ManufacturedSolution, order_of_convergence
from .exact_solutions import EXACT_SOLUTIONS
from .growth import fastest_wavenumber, growth_rate_of_wave
from .in_time import (
    agreement_with_scipy,
    chooses_its_steps,
    error_beside_tolerance,
    has_stencil,
    order_in_time,
    supports,
)
from .invariants import balance_of_mean, rise_of_free_energy, rough_state
from .measurement import Measurement
from .problem import problem_of
from .space import decay_of_spectral_error, order_in_space, shapes_for
from .square_symmetry import defect_of_symmetry
from .turing import TURING_POINTS, growth_beside_threshold


@dataclass(frozen=True, eq=False)
class Scope:
    """How much to measure.

    Arguments:
        methods: keys of ``INTEGRATORS``.
        boundaries: of "periodic", "no-flux", "dirichlet"; a method skips those it does not work with.
        stencils: keys of ``STENCILS``.
        num_dims: axes of space for the orders; symmetry is always about squares.
    """

    methods: Sequence[str] = tuple(INTEGRATORS)
    boundaries: Sequence[str] = ("periodic", "no-flux", "dirichlet")
    # on the grids used here errors of higher orders are soon rounding
    stencils: Sequence[str] = tuple(name for name, stencil in STENCILS.items() if stencil.order <= 6)
    num_dims: int = 1


def measure_space(equation: Equation, scope: Scope) -> Iterator[Measurement]:
    """Yield the order of every stencil at every boundary, and the decay of spectral errors."""
    problem = problem_of(equation, num_dims=scope.num_dims)
    cells = (16, 20, 24, 32) if scope.num_dims == 1 else (14, 16, 20)
    for stencil in scope.stencils:
        for shape in shapes_for(equation, scope.num_dims):
            if shape.split(",")[0] in scope.boundaries:
                yield order_in_space(problem, stencil, shape, num_cells=cells)
    if scope.num_dims == 1:
        yield decay_of_spectral_error(problem)


def measure_time(equation: Equation, scope: Scope) -> Iterator[Measurement]:
    """Yield the order in time of every integrator, or its error beside its tolerance."""
    problem = problem_of(equation, num_dims=scope.num_dims)
    for method, boundary in _pairs(scope):
        if not supports(method, equation, problem.grid(12, boundary)):
            continue
        if chooses_its_steps(method):
            yield error_beside_tolerance(problem, method, boundary)
        else:
            yield order_in_time(problem, method, boundary)


def measure_independently(equation: Equation, scope: Scope) -> Iterator[Measurement]:
    """Yield the difference from SciPy of runs in two dimensions."""
    problem = problem_of(equation, num_dims=2)
    for method, boundary in _pairs(scope):
        if supports(method, equation, problem.grid(8, boundary)):
            yield agreement_with_scipy(problem, method, boundary, num_cells=8)


def measure_manufactured(equation: Equation, scope: Scope) -> Iterator[Measurement]:
    """Yield the order at which every integrator approaches a chosen solution.

    Spectral methods are left out where the nonlinear term stands under derivatives (see ``Forced``).
    """
    problem = problem_of(equation, num_dims=scope.num_dims)
    for method, boundary in _pairs(scope):
        solution = ManufacturedSolution(problem, boundary)
        grid = solution.grid(solution.num_cells[0])
        if supports(method, solution.equation_on(grid), grid):
            yield order_of_convergence(solution, method)


def measure_exact(equation: Equation, scope: Scope) -> Iterator[Measurement]:
    """Yield the order at which every integrator approaches the solutions in closed form."""
    for make in EXACT_SOLUTIONS.values():
        solution = make()
        if (
            type(solution.equation) is not type(equation)
            or solution.boundary.split("(")[0] not in scope.boundaries
        ):
            continue
        for method in scope.methods:
            if supports(method, solution.equation, solution.grid(solution.num_cells[0])):
                yield order_of_convergence(solution, method)


def measure_invariants(equation: Equation, scope: Scope) -> Iterator[Measurement]:
    """Yield the balance of the mean and the fall of the free energy, if the equation has them."""
    problem = problem_of(equation, num_dims=scope.num_dims)
    grid = problem.grid(12)
    state = rough_state(problem, grid)
    has_energy = equation.free_energy(state, SpectralDerivatives(grid)) is not None
    has_budget = equation.budget(state) is not None
    for method, boundary in _pairs(scope):
        if boundary == "dirichlet" or not supports(method, equation, problem.grid(12, boundary)):
            continue
        if has_budget:
            yield balance_of_mean(problem, method, boundary)
        if has_energy:
            yield rise_of_free_energy(problem, method, boundary)


def measure_symmetry(equation: Equation, scope: Scope) -> Iterator[Measurement]:
    """Yield how well every integrator commutes with the symmetries of the square."""
    problem = problem_of(equation, num_dims=2)
    for method, boundary in _pairs(scope):
        if supports(method, equation, problem.grid(10, boundary)):
            yield defect_of_symmetry(problem, method, boundary)


def measure_growth(equation: Equation, scope: Scope) -> Iterator[Measurement]:
    """Yield the growth rate of the fastest wave on every homogeneous state, by the spectral methods.

    Where the Turing threshold is known in closed form, that of the critical wave around it too.
    """
    problem = problem_of(equation)
    for method in scope.methods:
        grid = problem.grid(16)
        if not supports(method, equation, grid) or has_stencil(method, equation, grid):
            continue
        for number, state in enumerate(equation.homogeneous_states()):
            wavenumber = fastest_wavenumber(equation, state, problem)
            label = f"state {number}, k = {wavenumber:.4g}"
            yield growth_rate_of_wave(problem, state, wavenumber, method, label=label)
        if equation.name in TURING_POINTS:
            for excess in (0.98, 1.0, 1.02, 1.2):
                yield growth_beside_threshold(equation.name, excess, method)


MEASUREMENTS: Final[dict[str, Callable[[Equation, Scope], Iterator[Measurement]]]] = {
    "space": measure_space,
    "time": measure_time,
    "manufactured": measure_manufactured,
    "exact": measure_exact,
    "scipy": measure_independently,
    "invariants": measure_invariants,
    "symmetry": measure_symmetry,
    "growth": measure_growth,
}
"""What about -> function(equation, scope) that yields measurements."""


def _pairs(scope: Scope) -> Iterator[tuple[str, str]]:
    return itertools.product(scope.methods, scope.boundaries)
