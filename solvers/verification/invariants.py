"""What an equation conserves, balances or only ever loses, along the trajectories of an integrator."""

import itertools
import math

import torch
from torch import Tensor

from ..grid import Grid
from .formulas import Formula
from .in_time import Method, build, derivatives_of, fewest_stable_steps, name_of
from .measurement import Measurement, measure
from .problem import Problem

_BOOLE = (7, 32, 12, 32)  # closed quadrature of sixth order, in units of 2/45 of the step


def balance_of_mean(
    problem: Problem, method: Method, boundary: str = "periodic", *, num_cells: int = 12
) -> Measurement:
    """Compare the change of the mean of Σ_i u_i with the time integral of the equation's ``budget``.

    Arguments:
        problem: its equation has a budget.
        method: which integrator.
        boundary: "periodic" or "no-flux", on every axis.
        num_cells: cells per axis.

    Returns:
        The largest difference over the run in units of the amplitude. A conserved mean passes below 1e-11,
        a budget below what the integrator's order promises for its step: 5 (Δt / duration)^order, but 1e-8
        for the quadrature. NaN if the equation has no budget.
    """
    grid = problem.grid(num_cells, boundary)
    total = 2 * problem.duration
    num_steps = 4 * math.ceil(fewest_stable_steps(problem.equation, method, grid, total, 64) / 4)
    solver = build(method, problem.equation, grid, total / num_steps)
    start = rough_state(problem, grid)
    conserved = _is_zero(problem.equation.budget(start))

    def work() -> float:
        state, means, budgets = start, [], []
        for step in range(num_steps + 1):
            if step > 0:
                state = solver(state)
            budget = problem.equation.budget(state)
            if budget is None:
                return math.nan
            means.append(float(state.flatten(2).mean(2).sum(1)))
            budgets.append(float(budget))
        worst = gained = 0.0
        for first in range(0, num_steps, 4):
            part = sum(w * b for w, b in zip(_BOOLE, budgets[first : first + 4], strict=True))
            gained += 2 / 45 * (part + 7 * budgets[first + 4]) * total / num_steps
            worst = max(worst, abs(means[first + 4] - means[0] - gained))
        return worst / max(problem.amplitude)

    bound = 1e-11 if conserved else max(1e-8, 5 * (total / num_steps / problem.duration) ** solver.order)
    what = "change of a conserved mean" if conserved else "change of the mean beside its budget"
    return measure(what, problem.equation.name, f"{name_of(method)}, {boundary}", (0.0, bound), work)


def rise_of_free_energy(
    problem: Problem, method: Method, boundary: str = "periodic", *, num_cells: int = 12
) -> Measurement:
    """Follow the free energy of a rough start, which must fall and never rise.

    Arguments:
        problem: its equation has a free energy.
        method: which integrator.
        boundary: "periodic" or "no-flux", on every axis.
        num_cells: cells per axis.

    Returns:
        The largest rise from one step to the next in units of the whole fall, which passes below 1e-9; NaN
        if the energy does not fall, or the equation has none.
    """
    grid = problem.grid(num_cells, boundary)
    total = 2 * problem.duration
    num_steps = 2 * fewest_stable_steps(problem.equation, method, grid, total, 64)
    solver = build(method, problem.equation, grid, total / num_steps)

    def work() -> float:
        state, energies = rough_state(problem, grid), []
        for step in range(num_steps + 1):
            if step > 0:
                state = solver(state)
            energy = problem.equation.free_energy(state, derivatives_of(solver))
            if energy is None:
                return math.nan
            energies.append(float(energy))
        fall = energies[0] - energies[-1]
        rise = max(later - earlier for earlier, later in itertools.pairwise(energies))
        return max(0.0, rise) / fall if fall > 0 else math.nan

    setting = f"{name_of(method)}, {boundary}"
    return measure("rise of the free energy", problem.equation.name, setting, (0.0, 1e-9), work)


def rough_state(problem: Problem, grid: Grid, seed: int = 0) -> Tensor:
    """Return a smooth state without symmetry around the centre, and noise, ``"1 channel *space"``.

    The noise is a tenth of the amplitude. The state fits periodic and no-flux walls.
    """
    points = [x[None] for x in torch.meshgrid(*grid.coordinates(), indexing="ij")]
    shape = "periodic" if grid.is_periodic else "no-flux"
    smooth = Formula(problem, shape)(points, 0.0)
    generator = torch.Generator().manual_seed(seed)
    noise = 2 * torch.rand(smooth.shape, generator=generator, dtype=smooth.dtype) - 1
    scale = torch.tensor(problem.amplitude, dtype=smooth.dtype).reshape(-1, *(1,) * grid.num_dims)
    return smooth + 0.1 * scale * noise


def _is_zero(budget: Tensor | None) -> bool:
    return budget is not None and bool((budget == 0).all())
