"""Training a restorer of digits. Wiring only."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from pdenca.datasets.digits import Digits, split_digits
from pdenca.training import Fitter, Objective, Restoration, Stage, Training, TrainingProgress, step_generator

from ..judging import judging, pieces
from ..runs import RunKind, build_fitter
from .models import Restorer, build_restorer
from .settings import RestorationSettings

KIND: Final = RunKind(RestorationSettings, "a restorer of digits", "pdenca digits restore train")


def train_restorer(
    digits: Digits,
    run: Path,
    settings: RestorationSettings,
    *,
    resume: bool = False,
    progress: Callable[[TrainingProgress], None] | None = None,
    checkpoint_seconds: float = 5.0,
) -> Path:
    """Train a restorer, choosing the best by its mean squared error on a held-out part of the digits.

    Arguments:
        digits: the training split; the test split is not seen here.
        run: the run's folder: settings, which data, environment, metrics table, checkpoints.
        settings: model, damage, training, seed.
        resume: continue a run that was cut short; the result is that of an undisturbed run.
        progress: called after every training step.
        checkpoint_seconds: least time between two checkpoints.

    Returns:
        The run's folder.

    Raises:
        BadInputError: if the run exists and ``resume`` is not set, or is resumed with other settings or data;
            or the digits are too few for the settings.
        FormatError: if a checkpoint is damaged.
        NonFiniteError: if training keeps diverging.
    """
    training_part, held_out = split_digits(digits, settings.num_valid, settings.seed)
    model = build_restorer(settings.model, settings.seed)

    def build(model: Restorer) -> tuple[Objective, Fitter]:
        objective = Restoration(
            model,
            training_part.images,
            settings.damage,
            batch_size=settings.batch_size,
            noise=settings.noise,
            num_judged_steps=settings.num_judged_steps,
            seed=settings.seed,
        )
        return objective, build_fitter(model, settings.num_steps, settings)

    build(model)  # refuses what does not fit before the run's folder is touched
    KIND.prepare(run, settings, digits, resume)
    stage = Stage("restoration", settings.num_steps, build, validate_every=settings.validate_every)
    Training(
        model,
        [stage],
        lambda now: mean_squared_error(now, held_out, settings),
        run,
        progress,
        checkpoint_seconds,
        settings.max_seconds,
    ).run(resume)
    return run


def load_restorer(run: Path) -> tuple[Restorer, RestorationSettings]:
    """Return the best model of a run, and the run's settings.

    Raises:
        FormatError: if the folder holds no run of this kind, or a damaged one.
    """
    settings = KIND.read(run)
    return KIND.load_best(run, build_restorer(settings.model, settings.seed)), settings


def mean_squared_error(model: Restorer, digits: Digits, settings: RestorationSettings) -> float:
    """Return the mean squared error on digits that are damaged the same way every time."""
    generator = step_generator(settings.seed, "validation damage")
    total = 0.0
    with judging(model):
        for whole, _ in pieces(digits):
            damaged, known = settings.damage(whole, generator)
            total += float((model(damaged, known) - whole).square().mean((1, 2)).sum())
    return total / len(digits)
