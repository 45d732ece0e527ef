"""From the settings of a training stage to its objective and its fitter."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.automaton import Automaton
from pdenca.core import BadInputError, Trainable
from pdenca.equilibrium import EquilibriumSettings
from pdenca.evaluation.turned import require_symmetric
from pdenca.solvers.grid import Grid
from pdenca.symmetry import GROUPS
from pdenca.training import (
    DerivativeMatching,
    EquilibriumMatching,
    FirstOrder,
    Fitter,
    GaussNewton,
    LevenbergMarquardt,
    Objective,
    PreconditionedLBFGS,
    PropagatedPairs,
    RolloutMatching,
    step_generator,
)
from pdenca.training.distances import as_unit
from pdenca.training.fitters import normal_equations

from .augmentation import cut_at_random, require_cuttable, turned_at_random
from .settings import NUM_GIVEN, EmulationSettings
from .stage_settings import StageSettings
from .training_data import DataScales, TrainingWindows

INTERPOLATION_POINTS = 8
LEAST_UNIT = 0.02  # of the standard deviation of all data: where all is still, nothing counts for much
EQUILIBRIUM_TOLERANCE = 1e-6  # of the map; float32 goes no further
BACKWARD_TOLERANCE = 1e-4
FIRST_MATCHED = 2  # earliest start of an interpolation window: its matched frame is three later


def require_data_for(stages: Sequence[StageSettings], windows: TrainingWindows, model: Trainable) -> None:
    """Refuse stages that the training data cannot serve, before the first of them has cost its time.

    Arguments:
        stages: of the whole run.
        windows: the training data.
        model: says how many frames it is given.

    Raises:
        BadInputError: if the trajectories are too short, a crop does not fit the frames, windows cannot be
            moved by the group of ``augment``, or a distance cannot compare the frames.
    """
    for number, item in enumerate(stages):
        needed = {
            "derivative": FIRST_MATCHED + INTERPOLATION_POINTS,
            "rollout": _first_start(model) + model.codec.num_given + item.horizon,
            "propagation": 2,
            "equilibrium": 1,
        }[item.objective]
        if needed > windows.num_frames:
            raise BadInputError(
                f"stage {number} ({item.objective}) needs trajectories of {needed} frames, the data have "
                f"{windows.num_frames}; usual cure: longer trajectories (--frames), or a shorter horizon"
            )
        if item.crop:
            require_cuttable(windows.grid, item.crop)
        if item.augment:
            group = GROUPS[item.augment]
            num_dims = group.elements[0].num_dims
            if num_dims != windows.grid.num_dims:
                raise BadInputError(
                    f"stage {number}: augment = {item.augment!r} turns {num_dims} axes, the data have "
                    f"{windows.grid.num_dims}; usual cure: another group, or none"
                )
            for element in group:
                require_symmetric(windows.grid, element)
        if item.distance:
            try:
                item.distance.build().require(windows.trajectories()[0].flatten(0, 1))
            except BadInputError as error:
                raise BadInputError(f"stage {number} (distance {item.distance.name}): {error}") from None


def _first_start(model: Trainable) -> int:
    """Return the earliest frame at which a roll-out's window may start."""
    return max(0, NUM_GIVEN - 1 - model.codec.num_given)


def build_stage(
    model: Trainable,
    *,
    number: int,
    item: StageSettings,
    windows: TrainingWindows,
    scales: DataScales,
    settings: EmulationSettings,
) -> tuple[Objective, Fitter]:
    """Build what a stage minimises and what minimises it, for the model as it is when the stage begins.

    Arguments:
        model: an automaton, or a network for the objective rollout and the fitter first-order.
        number: of the stage; with the seed it decides which windows are drawn.
        item: the stage's settings.
        windows: the training data.
        scales: of the training data.
        settings: of the whole run, for the seed.
    """
    objective: Objective
    seed = int(torch.randint(2**31, (1,), generator=step_generator(settings.seed, "stage", number)))
    if item.objective == "derivative":
        objective = _derivative(_automaton(model), item, windows, scales, seed)
    elif item.objective == "rollout":
        frames, context, starts = windows.draw(
            item.num_windows,
            model.codec.num_given + item.horizon,
            step_generator(seed, "windows"),
            first=_first_start(model),
            early_share=item.early_share,
            early_frames=item.early_frames,
        )
        grid = windows.grid
        if item.augment:
            frames, context = turned_at_random(
                frames, context, grid, GROUPS[item.augment], step_generator(seed, "turns")
            )
        if item.crop:
            frames, context = cut_at_random(frames, context, grid, item.crop, step_generator(seed, "cuts"))
            grid = Grid.uniform(item.crop, grid.spacing[0], num_dims=grid.num_dims)
        objective = RolloutMatching(
            model,
            frames,
            context,
            grid,
            margin=item.crop_margin if item.crop else 0,
            field_std=_unit(frames, starts, item, windows, scales),
            low=frames.new_tensor(scales.field_low),
            high=frames.new_tensor(scales.field_high),
            batch_size=item.batch_size,
            noise=item.noise,
            overflow_weight=item.overflow_weight,
            seed=seed,
        )
    elif item.objective == "equilibrium":
        frames, context = windows.trajectories()
        kept = windows.settled()
        if not kept.any():
            raise BadInputError(
                "no training trajectory ends in a steady state; usual cure: a longer max_settle_time, or a "
                "steady-* recipe whose patterns rest"
            )
        objective = EquilibriumMatching(
            _automaton(model),
            frames[kept, -1],
            {name: value[kept] for name, value in context.items()},
            windows.grid,
            field_std=frames.new_tensor(scales.field_std),
            settings=EquilibriumSettings(
                method=item.search,
                tolerance=EQUILIBRIUM_TOLERANCE,
                max_evaluations=item.max_evaluations,
                gradient=item.adjoint,
                backward_tolerance=BACKWARD_TOLERANCE,
            ),
            map_steps=item.map_steps,
            jacobian_weight=item.jacobian_weight,
            batch_size=item.batch_size,
            seed=seed,
        )
    else:
        frames, context = windows.trajectories()
        frames = frames[:, : windows.num_frames]
        objective = PropagatedPairs(
            _automaton(model),
            frames,
            context,
            windows.grid,
            field_std=frames.new_tensor(scales.field_std),
            low=min(scales.field_low),
            high=max(scales.field_high),
            batch_size=item.batch_size or len(frames) * (frames.shape[1] - 1),
            noise=item.noise,
            uniform_noise=item.uniform_noise,
            overflow_weight=item.overflow_weight * _overflow_unit(frames, item, scales),
            distance=item.distance.build() if item.distance else None,
            seed=seed,
        )
    fitter: Fitter
    if item.fitter == "levenberg-marquardt":
        fitter = LevenbergMarquardt(_automaton(model))
    elif item.fitter == "gauss-newton":
        metric = None
        automaton = _automaton(model)
        if automaton.has_rates:
            metric = _metric(automaton, item, windows, scales, seed)
        fitter = GaussNewton(automaton, metric=metric, seed=seed)
    elif item.fitter == "lbfgs":
        automaton = _automaton(model)
        fitter = PreconditionedLBFGS(automaton, _metric(automaton, item, windows, scales, seed))
    else:
        fitter = first_order(model, item)
    return objective, fitter


def first_order(model: Trainable, item: StageSettings) -> FirstOrder:
    """Build the first-order fitter of a stage."""
    return FirstOrder(
        model,
        optimizer=item.optimizer,
        learning_rate=item.learning_rate,
        schedule=item.schedule,
        num_steps=item.num_steps,
        gradient=item.gradient,
    )


def _automaton(model: Trainable) -> Automaton:
    if not isinstance(model, Automaton):
        raise BadInputError(
            f"only automata are trained this way, got a {type(model).__name__}; usual cure: objective "
            "'rollout' and fitter 'first-order'"
        )
    return model


def _unit(
    frames: Float[Tensor, "window time channel *space"],
    starts: Sequence[int],
    item: StageSettings,
    windows: TrainingWindows,
    scales: DataScales,
) -> Float[Tensor, "*window channel"]:
    """Return what errors and noise are counted in, one per channel, or one per window and channel."""
    of_all = frames.new_tensor(scales.field_std)
    if item.unit == "dataset":
        return of_all
    variance = windows.spread().square()
    own = torch.stack([variance[start : start + frames.shape[1]].mean(0).sqrt() for start in starts])
    return own.minimum(of_all).maximum(LEAST_UNIT * of_all)


def _overflow_unit(
    frames: Float[Tensor, "trajectory time channel *space"], item: StageSettings, scales: DataScales
) -> float:
    """Return what the penalty is counted in: 1, or how far the second frames are from the first ones."""
    if item.overflow_unit == "absolute" or not item.overflow_weight:
        return 1.0
    unit = frames.new_tensor(scales.field_std).view(-1, *(1,) * scales.num_dims)
    before, after = frames[:, 0] / unit, frames[:, 1] / unit
    distance = _root_mean_square if item.distance is None else item.distance.build()
    return as_unit(distance, before, after)


def _root_mean_square(found: Tensor, wanted: Tensor) -> Tensor:
    return (found - wanted).square().flatten(1).mean(1).sqrt()


def _metric(
    automaton: Automaton, item: StageSettings, windows: TrainingWindows, scales: DataScales, seed: int
) -> Tensor:
    """Return the normal matrix of derivative matching, as the automaton is now."""
    rates = _derivative(automaton, item, windows, scales, seed)
    return normal_equations(automaton, rates, rates.batch(0))[0]


def _derivative(
    automaton: Automaton, item: StageSettings, windows: TrainingWindows, scales: DataScales, seed: int
) -> DerivativeMatching:
    generator = step_generator(seed, "rates")
    frames, context, starts = windows.draw(
        item.num_windows,
        INTERPOLATION_POINTS,
        generator,
        first=FIRST_MATCHED,
        early_share=item.early_share,
        early_frames=item.early_frames,
    )
    if item.augment:
        frames, context = turned_at_random(frames, context, windows.grid, GROUPS[item.augment], generator)
    unit = _unit(frames, starts, item, windows, scales)
    return DerivativeMatching(
        automaton,
        frames,
        context,
        windows.grid,
        cells_per_window=item.cells_per_window,
        frame_interval=scales.frame_interval,
        # an error in the rate becomes one in the field, counted in the field's unit
        rate_scale=frames.new_tensor(scales.rate_scale) * unit / frames.new_tensor(scales.field_std),
        generator=generator,
        noise=item.noise * unit if item.noise else None,
    )
