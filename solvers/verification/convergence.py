"""Order at which an integrator approaches a known solution that moves in space and time."""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from torch import Tensor

from ..equation import Equation
from ..grid import Grid
from ..stencils import Stencil, as_stencil
from .forcing import Forced
from .formulas import Formula
from .in_time import EXACT, Method, build, fewest_stable_steps, name_of
from .measurement import Measurement, fitted_order, largest_difference
from .problem import Problem
from .space import derivatives_of_highest_order


class KnownSolution(ABC):
    """A solution known at all points and times, and where to look at it.

    Attributes:
        label: what tables call it, boundary included.
        boundary: kind of the boundary of every axis.
        duration: time span of a run.
        amplitude: size of the variations, one value per field.
        num_cells: cells per axis of the grids to refine over, the finest last.
        is_steady: whether it stays as it is, so that steps make no error of their own.
    """

    label: str
    boundary: str
    duration: float
    amplitude: tuple[float, ...]
    num_cells: tuple[int, ...]
    is_steady: bool = False

    @abstractmethod
    def grid(self, num_cells: int) -> Grid:
        """Return a grid on its domain."""

    @abstractmethod
    def equation_on(self, grid: Grid) -> Equation:
        """Return the equation that it solves."""

    @abstractmethod
    def state(self, grid: Grid, time: float) -> Tensor:
        """Return the solution at the cell centres, ``"1 channel *space"``."""


@dataclass(frozen=True, eq=False)
class ManufacturedSolution(KnownSolution):
    """A formula made the solution of an equation by :class:`Forced`.

    Arguments:
        problem: what is solved.
        boundary: "periodic", "no-flux" or "dirichlet".
        num_cells: cells per axis of the grids to refine over, the finest last.
    """

    problem: Problem
    boundary: str
    num_cells: tuple[int, ...] = (10, 12, 16)
    label: str = field(init=False)
    duration: float = field(init=False)
    amplitude: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", f"{self.boundary}, {self.problem.num_dims}-D")
        object.__setattr__(self, "duration", self.problem.duration)
        object.__setattr__(self, "amplitude", (*self.problem.amplitude, self.problem.duration))

    def grid(self, num_cells: int) -> Grid:
        """Return a grid on the problem's domain."""
        return self.problem.grid(num_cells, self.boundary)

    def equation_on(self, grid: Grid) -> Equation:
        """Return the equation with its source."""
        return Forced(Formula(self.problem, self.boundary), grid)

    def state(self, grid: Grid, time: float) -> Tensor:
        """Return the formula and the clock."""
        return Forced(Formula(self.problem, self.boundary), grid).solution(time)


def order_of_convergence(solution: KnownSolution, method: Method) -> Measurement:
    """Fit the order at which an integrator approaches a known solution.

    With finite differences cells and step are refined together. Let p be the order of the stencil, q that of
    the integrator and m the highest derivative: the step shrinks as h^(p/q), or as h^m if that is less, like
    the stability limit, and the expected order is min(p, m q); p for a steady solution. Spectral methods
    resolve the solution on its finest grid, and only the step is refined.

    Arguments:
        solution: what is known.
        method: which integrator.

    Returns:
        The order, which passes from 0.4 below to 0.5 above the expected one; for an integrator that solves
        the equation exactly whatever its step, the error instead, which passes below 1e-11.

    Raises:
        BadInputError: if the integrator does not work with this boundary or this equation.
    """
    began = time.perf_counter()
    grid = solution.grid(solution.num_cells[-1])
    equation = solution.equation_on(grid)
    most = fewest_stable_steps(equation, method, grid, solution.duration, 48)
    solver = build(method, equation, grid, solution.duration / most)
    stencil: str | Stencil | None = getattr(solver, "stencil", None)
    if stencil is None:
        order: float = solver.order
        runs = [(solution.num_cells[-1], count) for count in (most // 2, 3 * most // 4, most)]
    else:
        highest = max(1, derivatives_of_highest_order(equation, grid.num_dims))
        of_stencil = as_stencil(stencil).order
        power = min(highest, of_stencil / solver.order)
        order = of_stencil if solution.is_steady else power * solver.order
        runs = [(cells, round(most * (cells / grid.shape[0]) ** power)) for cells in solution.num_cells]
    errors = [_error(solution, method, cells, count) for cells, count in runs]
    sizes = [1 / count if stencil is None else 1 / cells for cells, count in runs]
    what = "order of manufactured solution"
    if not isinstance(solution, ManufacturedSolution):
        what = "order of exact solution"
    value, low, high = fitted_order(sizes, errors), order - 0.4, order + 0.5
    if max(errors) < EXACT:
        what, value, low, high = what.replace("order", "error"), max(errors), 0.0, EXACT
    name = equation.inner.name if isinstance(equation, Forced) else equation.name
    setting = f"{name_of(method)}, {solution.label}"
    return Measurement(what, name, setting, value, low, high, time.perf_counter() - began)


def _error(solution: KnownSolution, method: Method, num_cells: int, num_steps: int) -> float:
    grid = solution.grid(num_cells)
    solver = build(method, solution.equation_on(grid), grid, solution.duration / num_steps)
    last = solver.march(solution.state(grid, 0.0), num_steps)
    return largest_difference(last, solution.state(grid, solution.duration), solution.amplitude)
