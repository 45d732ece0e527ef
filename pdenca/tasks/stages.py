"""From the settings of a training stage to its objective and its fitter."""

import torch

from pdenca.automaton import Automaton
from pdenca.training import (
    DerivativeMatching,
    FirstOrder,
    Fitter,
    LevenbergMarquardt,
    Objective,
    PreconditionedLBFGS,
    PropagatedPairs,
    RolloutMatching,
    step_generator,
)
from pdenca.training.fitters import normal_equations

from .settings import EmulationSettings, StageSettings
from .training_data import DataScales, TrainingWindows
from .validation import NUM_GIVEN

INTERPOLATION_POINTS = 8
FIRST_MATCHED = 2  # earliest start of an interpolation window: its matched frame is three later


def build_stage(
    automaton: Automaton,
    *,
    number: int,
    item: StageSettings,
    windows: TrainingWindows,
    scales: DataScales,
    settings: EmulationSettings,
) -> tuple[Objective, Fitter]:
    """Build what a stage minimises and what minimises it, for the automaton as it is when the stage begins.

    Arguments:
        automaton: the model.
        number: of the stage; with the seed it decides which windows are drawn.
        item: the stage's settings.
        windows: the training data.
        scales: of the training data.
        settings: of the whole run, for the seed.
    """
    objective: Objective
    seed = int(torch.randint(2**31, (1,), generator=step_generator(settings.seed, "stage", number)))
    like = next(automaton.parameters())
    if item.objective == "derivative":
        objective = _derivative(automaton, item, windows, scales, seed)
    elif item.objective == "rollout":
        frames, context = windows.draw(
            item.num_windows,
            item.horizon + 1,
            step_generator(seed, "windows"),
            first=NUM_GIVEN - 2,
            early_share=item.early_share,
            early_frames=item.early_frames,
        )
        objective = RolloutMatching(
            automaton,
            frames,
            context,
            windows.grid,
            field_std=like.new_tensor(scales.field_std),
            low=like.new_tensor(scales.field_low),
            high=like.new_tensor(scales.field_high),
            batch_size=item.batch_size,
            noise=item.noise,
            overflow_weight=item.overflow_weight,
            seed=seed,
        )
    else:
        frames, context = windows.trajectories()
        objective = PropagatedPairs(
            automaton,
            frames,
            context,
            windows.grid,
            field_std=like.new_tensor(scales.field_std),
            low=min(scales.field_low),
            high=max(scales.field_high),
            batch_size=item.batch_size or len(frames) * (frames.shape[1] - 1),
            noise=item.noise,
            overflow_weight=item.overflow_weight,
            seed=seed,
        )
    fitter: Fitter
    if item.fitter == "levenberg-marquardt":
        fitter = LevenbergMarquardt(automaton)
    elif item.fitter == "lbfgs":
        rates = _derivative(automaton, item, windows, scales, seed)
        fitter = PreconditionedLBFGS(automaton, normal_equations(automaton, rates, rates.batch(0))[0])
    else:
        fitter = FirstOrder(
            automaton,
            optimizer=item.optimizer,
            learning_rate=item.learning_rate,
            schedule=item.schedule,
            num_steps=item.num_steps,
            gradient=item.gradient,
        )
    return objective, fitter


def _derivative(
    automaton: Automaton, item: StageSettings, windows: TrainingWindows, scales: DataScales, seed: int
) -> DerivativeMatching:
    generator = step_generator(seed, "rates")
    frames, context = windows.draw(
        item.num_windows,
        INTERPOLATION_POINTS,
        generator,
        first=FIRST_MATCHED,
        early_share=item.early_share,
        early_frames=item.early_frames,
    )
    return DerivativeMatching(
        automaton,
        frames,
        context,
        windows.grid,
        cells_per_window=item.cells_per_window,
        frame_interval=scales.frame_interval,
        rate_scale=frames.new_tensor(scales.rate_scale),
        generator=generator,
    )
