"""The steady pattern of an equation itself, by march and Newton's method."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from pdenca.core import BadInputError, peak_memory
from pdenca.solvers import Grid, equation_class, find_steady_state, initial_state_of, stability_of

from ..simulation import starting_values
from .report import Pattern, SteadyReport

LEAST_CONTRAST = 1e-3


def steady_of_equation(
    equation: str,
    preset: str | None = None,
    *,
    parameters: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | None = None,
    num_starts: int = 1,
    max_time: float = 10_000.0,
    tolerance: float = 1e-10,
    seed: int = 0,
    progress: Callable[[float, float], None] | None = None,
) -> SteadyReport:
    """Find the steady pattern that an equation tends to from the starts of a preset, and judge its stability.

    Arguments:
        equation: a key of ``EQUATIONS``, or "module:Class".
        preset: a name of the equation's presets; its first one if None.
        parameters: constants of the equation to change, name -> number, or one per axis.
        changes: other values of the preset to change: num_cells, spacing, time_step, boundary, num_dims,
            initial_condition, initial_options.
        num_starts: initial states, of seeds ``seed``, ``seed`` + 1, ...
        max_time: when to give up the march (time).
        tolerance: relative rate that counts as steady (1/time).
        seed: of the first initial state.
        progress: called with the number of starts done and of all.

    Raises:
        BadInputError: for an unknown name or a value out of range.
        NonFiniteError: if the solution blows up.
    """
    if num_starts < 1:
        raise BadInputError(f"expected at least one start, got {num_starts}")
    known = equation_class(equation)
    name = preset or next(iter(known.presets), "")
    values = starting_values(equation, preset, changes)
    solved = known.from_parameters({**values.parameters, **(parameters or {})})
    grid = Grid.uniform(values.num_cells, values.spacing, values.boundary, values.num_dims)
    patterns, states = [], []
    began = time.perf_counter()
    for number in range(num_starts):
        start = initial_state_of(values, grid, torch.Generator().manual_seed(seed + number), 1)
        found = find_steady_state(
            solved, grid, start, time_step=values.time_step, max_time=max_time, tolerance=tolerance
        )
        verdict, reason, growth = "unsettled", found.reasons[0], math.nan
        size = found.state.square().mean().sqrt()
        deviation = found.state.flatten(2).std(2, correction=0)[0]
        contrast = float(deviation.square().mean().sqrt() / size)
        if found.converged[0] and contrast < LEAST_CONTRAST:
            verdict = "dead"
        elif found.converged[0]:
            judged = stability_of(solved, grid, found.state)
            verdict = {"stable": "steady"}.get(judged.verdict, judged.verdict)
            reason = f"{reason}; {judged.reason}"
            others = [
                float(value.real)
                for value, kind in zip(judged.eigenvalues, judged.kinds, strict=True)
                if kind != "neutral"
            ]
            growth = max(others, default=math.nan)
        elif found.travelling[0]:
            verdict = "travelling"
        patterns.append(
            Pattern(
                name=f"{solved.name} {name}, seed {seed + number}",
                verdict=verdict,
                reason=reason,
                rate=float(found.relative_rate[0]),
                contrast=contrast,
                growth_rate=growth,
                time=float(found.time[0]),
            )
        )
        states.append(found.state[0].numpy())
        if progress:
            progress(number + 1, num_starts)
    return SteadyReport(
        f"{solved.name}, {name}: {' x '.join(map(str, grid.shape))} cells of {grid.spacing[0]:g}, "
        f"{', '.join(dict.fromkeys(grid.boundaries))}",
        tuple(patterns),
        tuple(states),
        (),
        tuple(field.name for field in solved.fields),
        time.perf_counter() - began,
        peak_memory(),
    )
