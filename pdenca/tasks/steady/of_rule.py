"""The steady patterns of a trained automaton, beside those of the data."""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.automaton import Automaton, BoundAutomaton
from pdenca.core import BadInputError, Context, peak_memory
from pdenca.evaluation.patterns import DISTANCES, midpoints, pattern_distances, summarise_patterns
from pdenca.solvers import Equation, Grid
from pdenca.solvers.steady.operator import reference_derivatives
from pdenca.solvers.transform import is_spectral

from ..models import NeuralEmulator
from ..validation import pooled_squares
from .cells import CellStep
from .report import Pattern, SteadyReport
from .settle import SettleSettings, settle
from .starts import Starts, load_starts


def steady_of_rule(
    emulator: NeuralEmulator,
    data: Path,
    split: str = "test",
    *,
    settings: SettleSettings | None = None,
    regimes: Sequence[str] | None = None,
    num_trajectories: int | None = None,
    compare_rollout: bool = False,
    from_last: bool = False,
    progress: Callable[[float, float], None] | None = None,
) -> SteadyReport:
    """Let a trained automaton settle from the first frames of a split, and compare with its last frames.

    Arguments:
        emulator: the automaton, in float64 unless rates of 1e-6 will do.
        data: the dataset's folder; made by a ``steady-*`` recipe, its last frames are steady states.
        split: of the dataset, or ``ood_rotation_90``; see :func:`load_starts`.
        settings: of the search.
        regimes: which files; all by default.
        num_trajectories: the first so many of each file; all by default.
        compare_rollout: roll the same automaton out from the same starts until it rests as far, too.
        from_last: begin with the last frames: how far the automaton moves a steady state, whichever of many
            it is.
        progress: called with the time rolled out in a file, and the most that there can be.

    Raises:
        BadInputError: for a network, an automaton that draws random numbers, or cells of another size than
            those of its training.
        FormatError: if a file is damaged.
    """
    settings = SettleSettings() if settings is None else settings
    rolling = settings.replace(method="picard", check_stability=False)
    std = torch.tensor(emulator.scales.field_std, dtype=torch.float64)
    patterns: list[Pattern] = []
    states: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    seconds = 0.0

    def told(now: float) -> None:
        if progress:
            progress(now, settings.max_time)

    for starts in load_starts(data, split, regimes, num_trajectories):
        step = one_step(emulator, starts.grid, starts.context)
        first = starts.last if from_last else starts.first
        start, target = emulator.codec.lift(first[:, None]), starts.last
        began = time.perf_counter()
        found = settle(step, start, settings, progress=told)
        seconds += time.perf_counter() - began
        state = emulator.codec.observe(found.state)
        errors = pooled_squares(state - target, target, std).sqrt()
        numbers = {
            "error": torch.where(starts.settled, errors, math.nan),
            "contrast": _spread(state, std) / _spread(target, std),
            **_statistics(state, target, starts, std),
            "reference_rate": reference_rates(starts.equation, starts.grid, state),
            "rate": found.rates,
            "growth_rate": found.growth_rates,
            "evaluations": found.evaluations.double(),
            "products": found.products.double(),
            "time": found.times,
        }
        if compare_rollout:
            alone = settle(step, start, rolling, progress=told)
            apart = state - emulator.codec.observe(alone.state)
            numbers["rollout_error"] = pooled_squares(apart, target, std).sqrt()
            numbers["rollout_evaluations"] = torch.where(alone.found, alone.evaluations.double(), math.inf)
        for row in range(len(state)):
            patterns.append(
                Pattern(
                    name=f"{starts.name}/{row}",
                    verdict=found.verdicts[row],
                    reason=found.reasons[row],
                    **{name: float(values[row]) for name, values in numbers.items()},
                )
            )
            states.append(state[row].numpy())
            targets.append(target[row].numpy())
    return SteadyReport(
        f"{emulator.name} on {data.name}, {split}",
        tuple(patterns),
        tuple(states),
        tuple(targets),
        emulator.scales.field_names,
        seconds,
        peak_memory(),
    )


def one_step(emulator: NeuralEmulator, grid: Grid, context: Context) -> BoundAutomaton | CellStep:
    """Return the map whose fixed points are the rule's equilibria: one automaton step.

    With a preconditioner where the grid has waves.

    Raises:
        BadInputError: for a network, or cells of another size than those of the training.
    """
    if not isinstance(emulator.automaton, Automaton):
        raise BadInputError(
            f"{emulator.name} is a network that predicts whole frames; usual cure: a run that trained an "
            "automaton"
        )
    if not math.isclose(grid.spacing[0], emulator.scales.spacing, rel_tol=1e-6):
        raise BadInputError(
            f"{emulator.name} was trained on cells of {emulator.scales.spacing:g}, the data have "
            f"{grid.spacing[0]:g}; usual cure: data with the same cells"
        )
    bound = emulator.automaton.bind(grid, context, num_steps=1)
    return CellStep(bound) if is_spectral(grid) else bound


def reference_rates(
    equation: Equation | None, grid: Grid, state: Float[Tensor, "batch channel *space"]
) -> Float[Tensor, " batch"]:
    """Return the largest rms of ∂u/∂t of a field over the rms of that field, with exact derivatives (1/time).

    NaN without an equation.
    """
    if equation is None:
        return torch.full((len(state),), math.nan, dtype=torch.float64)
    with torch.no_grad():
        rate = equation.rate(state, reference_derivatives(grid))
    sizes = state.flatten(2).square().mean(2).sqrt().clamp_min(1e-300)
    return (rate.flatten(2).square().mean(2).sqrt() / sizes).amax(1)


def _statistics(
    state: Float[Tensor, "batch channel *space"],
    target: Float[Tensor, "batch channel *space"],
    starts: Starts,
    std: Float[Tensor, " channel"],
) -> dict[str, Tensor]:
    """Return how far patterns are from the data's as statistics; NaN without one or without waves."""
    unknown = torch.full((len(state),), math.nan, dtype=torch.float64)
    if not is_spectral(starts.grid):
        return dict.fromkeys(DISTANCES, unknown)
    level = midpoints(target[:, None])
    ours, data = (summarise_patterns(item[:, None], starts.grid, std, level) for item in (state, target))
    found = pattern_distances(ours, data).diagonal(dim1=1, dim2=2)
    return {
        name: torch.where(starts.settled, values, unknown)
        for name, values in zip(DISTANCES, found, strict=True)
    }


def _spread(state: Tensor, std: Tensor) -> Float[Tensor, " batch"]:
    return (state.flatten(2).std(2, correction=0) / std).square().mean(1).sqrt()
