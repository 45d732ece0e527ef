"""Training a rule on series of images. Wiring only."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch

from pdenca.automaton import Automaton, FixedKernels, HiddenChannels, Increment, Leaky, PointwiseMLP
from pdenca.automaton.perception import spacing_of
from pdenca.core import BadInputError
from pdenca.training import (
    Fitter,
    Objective,
    SequenceMatching,
    Stage,
    Training,
    TrainingProgress,
    step_generator,
)
from pdenca.training.distances import as_unit, within

from ..runs import RunKind, build_fitter
from .course import follow
from .series import Series
from .settings import ImageSettings

KIND: Final = RunKind(ImageSettings, "a rule for a series of images", "pdenca images train")


def build_image_rule(settings: ImageSettings, series: Series) -> Automaton:
    """Build an automaton for these images, whose rule proposes nothing yet.

    Arguments:
        settings: of the rule, and the seed.
        series: whose channels it observes.

    Raises:
        BadInputError: for a kernel that is unknown.
    """
    rule, observed = settings.rule, len(series.channels)
    channels = observed + rule.num_hidden
    perception = FixedKernels(channels, rule.kernels, series.grid.num_dims)
    local = PointwiseMLP(
        perception.num_features,
        0,
        channels,
        rule.num_units,
        activation=rule.activation,
        skip=False,
        spread=rule.spread,
        generator=torch.Generator().manual_seed(settings.seed),
    )
    return Automaton(
        perception,
        local,
        Leaky(rule.leak, rule.fire_rate) if rule.leak else Increment(rule.fire_rate),
        HiddenChannels(observed, rule.num_hidden),
        steps_per_frame=settings.steps_per_interval,
    )


def train_images(
    series: Series,
    run: Path,
    settings: ImageSettings,
    *,
    resume: bool = False,
    progress: Callable[[TrainingProgress], None] | None = None,
    checkpoint_seconds: float = 5.0,
) -> Path:
    """Train a rule, and keep the one that is best at going through the frames and holding the last.

    There is one truth and nothing to hold out: what is kept is chosen by the roll-out from the first frame,
    with firing masks that are not those of training, far beyond the steps that training takes at once.

    Arguments:
        series: the images.
        run: the run's folder: settings, which images, environment, metrics table, checkpoints.
        settings: rule, training, seed.
        resume: continue a run that was cut short; the result is that of an undisturbed run.
        progress: called after every training step.
        checkpoint_seconds: least time between two checkpoints.

    Returns:
        The run's folder.

    Raises:
        BadInputError: if the run exists and ``resume`` is not set, or is resumed with other settings or
            images; or the settings do not fit the images.
        FormatError: if a checkpoint is damaged.
        NonFiniteError: if training keeps diverging.
    """
    model = build_image_rule(settings, series)

    def build(model: Automaton) -> tuple[Objective, Fitter]:
        return build_objective(model, series, settings), build_fitter(model, settings.num_steps, settings)

    build(model)  # refuses what does not fit before the run's folder is touched
    KIND.prepare(run, settings, series.facts(), resume)
    stage = Stage("series", settings.num_steps, build, validate_every=settings.validate_every)

    def error(model: Automaton) -> float:
        course = follow(
            model,
            series,
            settings.steps_per_interval,
            hold=(settings.validated_hold // 2, settings.validated_hold) if settings.hold_steps else (),
            generator=step_generator(settings.seed, "validation"),
        )
        return course.mean_error

    Training(model, [stage], error, run, progress, checkpoint_seconds, settings.max_seconds).run(resume)
    return run


def build_objective(model: Automaton, series: Series, settings: ImageSettings) -> SequenceMatching:
    """Return the objective of a run.

    Raises:
        BadInputError: for counts that do not fit, cells that are not square, or images that the distance
            cannot compare or takes to be the same where its unit is asked for.
    """
    spacing_of(series.grid)  # kernels are in units of cells
    distance = settings.distance.build()
    if series.mask is not None:
        distance = within(distance, series.mask)
    low, high = float(series.frames.min()), float(series.frames.max())
    distance.require(series.frames[:, 0])
    damaged = settings.damaged if settings.hold_steps else 0.0
    durations = series.num_steps(settings.steps_per_interval)
    weight = settings.overflow_weight
    if settings.overflow_unit == "first-distance" and weight:
        weight *= as_unit(distance, series.frames[:, 0], series.frames[:, 1])
    seen = [series.seen(-1, item) for item in range(len(series.frames))] if damaged else []
    return SequenceMatching(
        model,
        series.frames,
        durations,
        {},
        series.grid,
        distance=distance,
        num_copies=settings.num_copies,
        batch_size=settings.batch_size,
        hold_steps=settings.hold_steps,
        arrival=settings.arrival,
        reset=settings.reset,
        noise=settings.noise,
        damaged=damaged,
        most_damage=settings.most_damage,
        live=torch.stack(seen) if seen else None,
        overflow_weight=weight,
        low=low,
        high=high,
        seed=settings.seed,
    )


def load_image_run(run: Path, series: Series) -> tuple[Automaton, ImageSettings]:
    """Return the best rule of a run and its settings.

    Arguments:
        run: its folder.
        series: images with the channels that it was trained on.

    Raises:
        FormatError: if the folder holds no run of this kind, or a damaged one.
        BadInputError: for images of other channels.
    """
    settings = KIND.read(run)
    told = KIND.data(run)
    if told.get("channels") != ", ".join(series.channels):
        raise BadInputError(
            f"{run} was trained on the channels {told.get('channels')}, {series.name} has "
            f"{', '.join(series.channels)}; usual cure: images with the same channels"
        )
    return KIND.load_best(run, build_image_rule(settings, series)), settings
