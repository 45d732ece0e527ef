"""Training and judging a classifier of digits. Wiring only."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from pdenca.core import BadInputError
from pdenca.datasets.digits import Digits, split_digits
from pdenca.training import Classification, Fitter, Objective, Stage, Training, TrainingProgress

from ..runs import RunKind, build_fitter
from .augmentation import Jitter
from .classifier import DigitClassifier
from .data_facts import facts_of
from .judging import Judgement, cross_entropy, judge
from .settings import ClassifierSettings

KIND: Final = RunKind(ClassifierSettings, "a digit classifier", "pdenca digits classify train")


def train_classifier(
    digits: Digits,
    run: Path,
    settings: ClassifierSettings,
    *,
    resume: bool = False,
    progress: Callable[[TrainingProgress], None] | None = None,
    checkpoint_seconds: float = 5.0,
) -> Path:
    """Train a classifier, choosing the best by its cross-entropy on a held-out part of the digits.

    Arguments:
        digits: the training split; the test split is not seen here.
        run: the run's folder: settings, which data, environment, metrics table, checkpoints.
        settings: network, training, seed.
        resume: continue a run that was cut short; the result is that of an undisturbed run.
        progress: called after every training step.
        checkpoint_seconds: least time between two checkpoints.

    Returns:
        The run's folder.

    Raises:
        BadInputError: if the run exists and ``resume`` is not set, or is resumed with other settings or data;
            or the digits are too few for the settings, or of another number of classes.
        FormatError: if a checkpoint is damaged.
        NonFiniteError: if training keeps diverging.
    """
    if len(digits.classes) != settings.num_classes:
        raise BadInputError(
            f"the training digits are of {len(digits.classes)} classes, the settings say "
            f"{settings.num_classes}; usual cure: --set num_classes={len(digits.classes)}"
        )
    training_part, held_out = split_digits(digits, settings.num_valid, settings.seed)
    model = DigitClassifier(settings.network, settings.seed, settings.num_classes)

    def build(model: DigitClassifier) -> tuple[Objective, Fitter]:
        return build_objective(model, training_part, settings), build_fitter(model, num_steps, settings)

    steps_per_epoch = build_objective(model, training_part, settings).steps_per_epoch
    num_steps = settings.num_epochs * steps_per_epoch
    KIND.prepare(run, settings, facts_of(digits), resume)
    stage = Stage("classification", num_steps, build, validate_every=steps_per_epoch)
    Training(
        model,
        [stage],
        lambda now: cross_entropy(now, held_out),
        run,
        progress,
        checkpoint_seconds,
        settings.max_seconds,
    ).run(resume)
    return run


def with_classes_of(digits: Digits, settings: ClassifierSettings) -> ClassifierSettings:
    """Return the settings with the number of classes of these digits, unless it was told."""
    if "num_classes" in settings.model_fields_set:
        return settings
    return settings.replace(num_classes=len(digits.classes))


def build_objective(model: DigitClassifier, digits: Digits, settings: ClassifierSettings) -> Classification:
    """Return the objective of a run."""
    jitter = Jitter(settings.shift, settings.rotation, settings.scale)
    return Classification(
        model,
        digits.images,
        digits.labels,
        batch_size=settings.batch_size,
        augment=None if jitter == Jitter() else jitter,
        label_smoothing=settings.label_smoothing,
        seed=settings.seed,
    )


def load_classifier(run: Path) -> DigitClassifier:
    """Return the best model of a run.

    Raises:
        FormatError: if the folder holds no run of this kind, or a damaged one.
    """
    settings = KIND.read(run)
    return KIND.load_best(run, DigitClassifier(settings.network, settings.seed, settings.num_classes))


def evaluate_classifier(
    run: Path,
    digits: Digits,
    *,
    num_spectra: int = 4,
    progress: Callable[[int, int], None] | None = None,
) -> Judgement:
    """Judge the best model of a run: see :func:`~pdenca.tasks.digits.judging.judge`."""
    return judge(load_classifier(run), digits, num_spectra=num_spectra, progress=progress)
