"""The rows of the study of steady patterns: where rules, networks and solvers come to rest."""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from equilibrium_memory import Kept
from torch import Tensor

from pdenca.core import peak_memory
from pdenca.datasets import load_split
from pdenca.equilibrium import stability_of
from pdenca.solvers import INITIAL_CONDITIONS, REGIMES, Grid, find_steady_state
from pdenca.solvers.derivatives import StencilDerivatives
from pdenca.tasks.emulation import build_model, load_run
from pdenca.tasks.pretrained import load_pretrained
from pdenca.tasks.settings import EmulationSettings
from pdenca.tasks.stages import build_stage
from pdenca.tasks.steady import (
    Pattern,
    SettleSettings,
    one_step,
    settle,
    steady_of_equation,
    steady_of_rule,
    translations,
)
from pdenca.tasks.steady.of_rule import reference_rates
from pdenca.tasks.steady.one_shot import one_shot_errors, train_one_shot
from pdenca.tasks.steady.starts import Starts, load_starts
from pdenca.tasks.training_data import TrainingWindows, measure_scales
from pdenca.tasks.validation import pooled_squares

NUM_COMPARED = 3  # starts of a split from which a rule rolls out alone, too
LONGER = 5.0  # times as long may that take
STAGES = 4  # evaluations of the rate in a step of etdrk4, which marches
CONTROL_CELLS, CONTROL_STARTS, CONTROL_TIME = 48, 4, 4000.0


def rule_rows(
    data: Path, run: Path, split: str, search: SettleSettings, most: int | None, compare: bool
) -> list[Pattern]:
    """Let a rule settle from the starts of a split; also roll out alone from the first few of them.

    Here and below ``most`` is how many starts of each file; None for all.
    """
    patterns = list(
        steady_of_rule(load_run(run), data, split, settings=search, num_trajectories=most).patterns
    )
    if compare:
        longer = search.replace(max_time=LONGER * search.max_time)
        few = steady_of_rule(
            load_run(run), data, split, settings=longer, num_trajectories=NUM_COMPARED, compare_rollout=True
        )
        told = {pattern.name: pattern for pattern in few.patterns}
        patterns = [told.get(pattern.name, pattern) for pattern in patterns]
    return patterns


def held_rows(data: Path, run: Path, split: str, search: SettleSettings, most: int | None) -> list[Pattern]:
    """Let a rule settle from the steady states of a split themselves, as stencils do."""
    found = steady_of_rule(load_run(run), data, split, settings=search, num_trajectories=most, from_last=True)
    return list(found.patterns)


def network_rows(
    data: Path, run: Path, settings: Any, place: Path, split: str, most: int | None
) -> list[Pattern]:
    """Ask a network trained on ``data`` for the pattern of every start of a split."""
    model = train_one_shot(data, run, settings, resume=True)
    errors = one_shot_errors(model, place, split, measure_scales(data), most)
    return [
        Pattern(name=str(row), verdict="undecided", reason="one shot", rate=math.nan, error=float(error))
        for row, error in enumerate(errors)
    ]


def stencil_rows(
    data: Path, split: str, stencil: str, std: Tensor, step: float, max_time: float, most: int | None
) -> list[Pattern]:
    """Solve the true equations with a stencil from every steady state of a split: where it moves them.

    What did not come to rest is no steady state of the stencil, so that it has no error.
    """
    rows = []
    for starts in load_starts(data, split, num_trajectories=most):
        kept = starts.settled.nonzero()[:, 0]
        target = starts.last[kept]
        equation = _equation_of(starts, kept)
        began = time.perf_counter()
        found = find_steady_state(
            equation,
            starts.grid,
            target,
            time_step=step,
            max_time=max_time,
            tolerance=1e-9,
            derivatives=StencilDerivatives(starts.grid, stencil),
            newton_below=1.0,
        )
        seconds = time.perf_counter() - began
        errors = pooled_squares(found.state - target, target, std).sqrt()
        rates = reference_rates(equation, starts.grid, found.state)
        rows += [
            Pattern(
                name=f"{starts.name}/{row}",
                verdict="undecided" if found.converged[row] else "unsettled",
                reason=f"{found.reasons[row]}; {seconds:.1f} s for {len(target)}",
                rate=float(found.relative_rate[row]),
                reference_rate=float(rates[row]) if found.converged[row] else math.nan,
                error=float(errors[row]) if found.converged[row] else math.nan,
            )
            for row in range(len(target))
        ]
    return rows


def solver_rows(data: Path, max_time: float, std: Tensor, step: float, most: int | None) -> list[Pattern]:
    """Let the reference solver find the steady state from every start, and tell what it took."""
    rows = []
    for starts in load_starts(data, "test", num_trajectories=most):
        equation = _equation_of(starts, torch.arange(len(starts.first)))
        found = find_steady_state(
            equation, starts.grid, starts.first, time_step=step, max_time=max_time, tolerance=1e-8
        )
        errors = pooled_squares(found.state - starts.last, starts.last, std).sqrt()
        rows += [
            Pattern(
                name=f"{starts.name}/{row}",
                verdict="undecided" if found.converged[row] else "unsettled",
                reason=found.reasons[row],
                rate=float(found.relative_rate[row]),
                reference_rate=float(found.relative_rate[row]),
                error=float(errors[row]),
                evaluations=STAGES * float(found.time[row]) / step,
                products=float(found.products[row]),
                time=float(found.time[row]),
            )
            for row in range(len(starts.first))
        ]
    return rows


def _equation_of(starts: Starts, kept: Tensor) -> Any:
    assert starts.equation is not None
    if not starts.context:
        return starts.equation
    return starts.equation.with_parameters({name: value[kept] for name, value in starts.context.items()})


def time_step_of(data: Path, split: str) -> float:
    """Return the step of the solver that made a split."""
    header = load_split(data, split)[0][0]
    return float(json.loads(header.provenance["settings"])["time_step"])


def training_cost(data: Path, settings: EmulationSettings) -> Mapping[str, float]:
    """Return seconds and bytes kept by autograd of one gradient in the last stage, batch and all.

    The model is a new one: what is kept does not depend on what it knows.
    """
    scales = measure_scales(data)
    model = build_model(settings, scales, torch.float32)
    windows = TrainingWindows(data, None, torch.float32)
    number = len(settings.stages) - 1
    objective, _ = build_stage(
        model, number=number, item=settings.stages[-1], windows=windows, scales=scales, settings=settings
    )
    kept, began = Kept(), time.perf_counter()
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, kept.unpack):
        objective.loss(objective.batch(0)).backward()
    return {"bytes": kept.peak, "seconds": time.perf_counter() - began}


def search_cost(data: Path, run: Path, search: SettleSettings) -> Mapping[str, float]:
    """Return what the first test start takes, part by part: seconds, evaluations, products, peak memory.

    ``step``: one evaluation of the rule, timed over 200 of them; times the evaluations that rolling out took
    it is the roll-out's time.
    """
    starts = next(load_starts(data, "test", num_trajectories=1))
    emulator = load_run(run)
    step = one_step(emulator, starts.grid, starts.context)
    first = emulator.codec.lift(starts.first[:, None])
    began = time.perf_counter()
    with torch.no_grad():
        state = first
        for _ in range(200):
            state = step(state)
    per_step = (time.perf_counter() - began) / 200
    began = time.perf_counter()
    found = settle(step, first, search.replace(check_stability=False))
    searching = time.perf_counter() - began
    began = time.perf_counter()
    stability_of(
        one_step(emulator, starts.grid, starts.context),
        found.state,
        num_eigenvalues=4,
        null_modes=translations(starts.grid),
    )
    judging = time.perf_counter() - began
    began = time.perf_counter()
    reference = find_steady_state(
        _equation_of(starts, torch.arange(1)),
        starts.grid,
        starts.first,
        time_step=time_step_of(data, "test"),
        max_time=LONGER * search.max_time,
        tolerance=1e-8,
    )
    return {
        "step": per_step,
        "search": searching,
        "stability": judging,
        "evaluations": float(found.evaluations[0]),
        "products": float(found.products[0]),
        "reference": time.perf_counter() - began,
        "reference_time": float(reference.time[0]),
        "memory": float(peak_memory()),
    }


def control_rows(regime: str) -> list[tuple[str, Pattern]]:
    """Let the pretrained rule and the equation settle from the same starts on a torus; (model, pattern)."""
    emulator = load_pretrained("gray-scott", torch.float64)
    grid = Grid.uniform(CONTROL_CELLS, emulator.scales.spacing)
    make = INITIAL_CONDITIONS["gaussian-blobs"]
    starts = torch.cat([make(grid, torch.Generator().manual_seed(seed), 1) for seed in range(CONTROL_STARTS)])
    values = REGIMES[regime]
    context = {
        name: torch.full((len(starts),), getattr(values, name), dtype=torch.float64)
        for name in ("feed_rate", "kill_rate")
    }
    search = SettleSettings(first_time=200.0, max_time=CONTROL_TIME)
    found = settle(one_step(emulator, grid, context), starts, search)
    rows = [
        ("rule", Pattern(name=f"seed {row}", verdict=verdict, reason=reason, rate=float(found.rates[row])))
        for row, (verdict, reason) in enumerate(zip(found.verdicts, found.reasons, strict=True))
    ]
    changes = {
        "num_cells": CONTROL_CELLS,
        "spacing": emulator.scales.spacing,
        "initial_condition": "gaussian-blobs",
        "initial_options": {},
    }
    report = steady_of_equation(
        "gray-scott", regime, changes=changes, num_starts=CONTROL_STARTS, max_time=CONTROL_TIME
    )
    return rows + [("equation", pattern) for pattern in report.patterns]
