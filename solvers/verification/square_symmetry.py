"""Whether a solver commutes with the symmetries of the square (interval, cube)."""

import itertools
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..equation import Equation
from ..waves import continuum_waves
from .in_time import Method, build, fewest_stable_steps, name_of
from .invariants import rough_state
from .measurement import Measurement, largest_difference, measure
from .problem import Problem


def defect_of_symmetry(
    problem: Problem,
    method: Method,
    boundary: str = "periodic",
    *,
    num_cells: int = 10,
    isotropic: bool | None = None,
) -> Measurement:
    """Compare marching a turned or mirrored state with turning or mirroring the marched one.

    Arguments:
        problem: what is solved.
        method: which integrator.
        boundary: "periodic", "no-flux" or "dirichlet", on every axis.
        num_cells: cells per axis.
        isotropic: whether the equation has no preferred direction; asked of its linear part if None.

    Returns:
        The largest difference over all symmetries, in units of the amplitude. An isotropic equation passes
        below 1e-10, another one above 1e-3: that the defect is seen where there must be one shows that the
        measurement can see.
    """
    equation = problem.equation
    grid = problem.grid(num_cells, boundary)
    num_steps = fewest_stable_steps(equation, method, grid, problem.duration, 8)
    solver = build(method, equation, grid, problem.duration / num_steps)
    if isotropic is None:
        isotropic = is_isotropic(equation, problem.num_dims)

    def work() -> float:
        state = rough_state(problem, grid)
        turns = list(symmetries(problem.num_dims))
        starts = torch.cat([state, *(turn(state) for turn in turns)])
        after = solver.march(starts, num_steps)
        turned = torch.cat([turn(after[:1]) for turn in turns])
        return largest_difference(after[1:], turned, problem.amplitude)

    interval = (0.0, 1e-10) if isotropic else (1e-3, math.inf)
    what = "defect of symmetry" if isotropic else "defect of symmetry (must be seen)"
    setting = f"{name_of(method)}, {boundary}, {problem.num_dims}-D"
    return measure(what, equation.name, setting, interval, work)


def symmetries(num_dims: int) -> Iterator[Callable[[Tensor], Tensor]]:
    """Yield the maps of ``"batch channel *space"`` that permute and flip the axes, the identity left out."""
    for order in itertools.permutations(range(num_dims)):
        for flips in itertools.product((False, True), repeat=num_dims):
            if order == tuple(range(num_dims)) and not any(flips):
                continue
            axes = [axis + 2 for axis, flip in enumerate(flips) if flip]

            def turn(state: Tensor, order: tuple[int, ...] = order, axes: list[int] = axes) -> Tensor:
                return state.permute(0, 1, *(axis + 2 for axis in order)).flip(axes).contiguous()

            yield turn


def is_isotropic(equation: Equation, num_dims: int) -> bool:
    """Tell whether the linear part of an equation treats a wave and its mirror images and turns alike."""
    wave = torch.tensor([[1.0, 0.6, 0.3]], dtype=torch.float64)[:, :num_dims]
    images = [
        wave[:, list(order)] * torch.tensor(signs, dtype=torch.float64)
        for order in itertools.permutations(range(num_dims))
        for signs in itertools.product((1.0, -1.0), repeat=num_dims)
    ]
    symbols = equation.linear_symbol(continuum_waves(torch.cat(images)))
    return bool(torch.allclose(symbols, symbols[..., :1].expand_as(symbols), rtol=1e-12, atol=0))
