"""Training and judging a classifier of digits. Wiring only."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pdenca.core import BadInputError, FormatError, write_text
from pdenca.datasets.digits import Digits, split_digits
from pdenca.training import Classification, FirstOrder, Fitter, Objective, Stage, Training, TrainingProgress
from pdenca.training.checkpoint import load_tree
from pdenca.training.fitters.base import trainable
from pdenca.training.loop import BEST, LAST, METRICS

from ..emulation import environment
from .augmentation import Jitter
from .classifier import DigitClassifier
from .judging import Judgement, cross_entropy, judge
from .settings import ClassifierSettings

SETTINGS: Final = "settings.json"
DATA: Final = "data.json"


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
            or the digits are too few for the settings.
        FormatError: if a checkpoint is damaged.
        NonFiniteError: if training keeps diverging.
    """
    told = json.dumps({"num_digits": len(digits), "sha256": _fingerprint(digits)})
    if any((run / name).exists() for name in (LAST, BEST, METRICS)):
        if not resume:
            raise BadInputError(
                f"{run} already holds a training run; usual cure: --resume to continue it, or another --out"
            )
        before = _read_settings(run)
        same = before.replace(max_seconds=settings.max_seconds) == settings
        if not same or (run / DATA).read_text(encoding="utf-8") != told:
            raise BadInputError(
                f"{run} was made with other settings or data; usual cure: resume with the same ones, or "
                "another --out"
            )
    training_part, held_out = split_digits(digits, settings.num_valid, settings.seed)
    model = DigitClassifier(settings.network, settings.seed)

    def build(model: DigitClassifier) -> tuple[Objective, Fitter]:
        return build_objective(model, training_part, settings), build_fitter(model, num_steps, settings)

    steps_per_epoch = build_objective(model, training_part, settings).steps_per_epoch
    num_steps = settings.num_epochs * steps_per_epoch
    for left in run.glob(".*.partial"):  # of a sitting that was killed while it wrote
        left.unlink()
    write_text(run / SETTINGS, settings.to_json())
    write_text(run / DATA, told)
    write_text(run / "environment.json", json.dumps(environment(), indent=1))
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


def build_fitter(model: DigitClassifier, num_steps: int, settings: ClassifierSettings) -> FirstOrder:
    """Return the fitter of a run."""
    return FirstOrder(
        model,
        optimizer=settings.optimizer,
        learning_rate=settings.learning_rate,
        schedule=settings.schedule,
        num_steps=num_steps,
        gradient=settings.gradient,
        weight_decay=settings.weight_decay if settings.optimizer == "adamw" else None,
    )


def load_classifier(run: Path) -> DigitClassifier:
    """Return the best model of a run.

    Raises:
        FormatError: if the folder holds no run of this kind, or a damaged one.
    """
    settings = _read_settings(run)
    model = DigitClassifier(settings.network, settings.seed)
    parameters = load_tree(run / BEST)["parameters"]
    own = trainable(model)
    if own.keys() != parameters.keys() or any(own[n].shape != parameters[n].shape for n in own):
        raise FormatError(f"{run / BEST} does not fit {run / SETTINGS}; usual cure: train again")
    for name, value in parameters.items():
        own[name].data.copy_(value)
    return model.eval()


def evaluate_classifier(
    run: Path,
    digits: Digits,
    *,
    num_spectra: int = 4,
    progress: Callable[[int, int], None] | None = None,
) -> Judgement:
    """Judge the best model of a run: see :func:`~pdenca.tasks.digits.judging.judge`."""
    return judge(load_classifier(run), digits, num_spectra=num_spectra, progress=progress)


def _read_settings(run: Path) -> ClassifierSettings:
    path = run / SETTINGS
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise FormatError(
            f"{run} holds no run of a digit classifier; usual cure: `pdenca digits classify train "
            f"--out {run}`"
        ) from None
    try:
        return ClassifierSettings.from_json(text)
    except BadInputError as error:
        raise FormatError(f"{path} is not of a digit classifier ({error}); usual cure: another RUN") from None


def _fingerprint(digits: Digits) -> str:
    content = digits.images.numpy().tobytes() + digits.labels.numpy().tobytes()
    return hashlib.sha256(content).hexdigest()
