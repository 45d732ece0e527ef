"""Training a restorer of digits. Wiring only."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from jaxtyping import UInt8
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.datasets.digits import Digits, split_digits
from pdenca.training import Fitter, Objective, Restoration, Stage, Training, TrainingProgress, step_generator
from pdenca.training.checkpoint import load_tree, save_tree

from ...runs import RunKind, build_fitter
from ..data_facts import facts_of
from ..judging import judging, pieces
from .models import Restorer, build_restorer
from .settings import RestorationSettings

START: Final = "start.safetensors"
"""All parameters that a run began with, if those of another."""
KIND: Final = RunKind(RestorationSettings, "a restorer of digits", "pdenca digits restore train")


def train_restorer(
    digits: Digits,
    run: Path,
    settings: RestorationSettings,
    *,
    start: Path | None = None,
    replayed: Digits | None = None,
    resume: bool = False,
    progress: Callable[[TrainingProgress], None] | None = None,
    checkpoint_seconds: float = 5.0,
) -> Path:
    """Train a restorer, choosing the best by its mean squared error on a held-out part of the digits.

    Arguments:
        digits: the training split; the test split is not seen here.
        run: the run's folder: settings, which data, environment, metrics table, checkpoints.
        settings: model, damage, training, seed.
        start: a run whose best parameters to begin with, of the same model; by default random ones.
        replayed: the training split of what is not to be forgotten, if the settings ask for ``replay``; the
            error that decides is then the mean of both, weighted like the batches.
        resume: continue a run that was cut short; the result is that of an undisturbed run.
        progress: called after every training step.
        checkpoint_seconds: least time between two checkpoints.

    Returns:
        The run's folder.

    Raises:
        BadInputError: if the run exists and ``resume`` is not set, or is resumed with other settings or data;
            or the digits are too few for the settings; if ``start`` holds another model; for ``replay``
            without ``replayed`` or the reverse, or a gate trained alone from nothing.
        FormatError: if a checkpoint is damaged.
        NonFiniteError: if training keeps diverging.
    """
    if settings.trained == "gate" and start is None:
        raise BadInputError(
            "a gate alone can be trained on an automaton that is trained already; usual cure: --start RUN"
        )
    model = build_restorer(settings.model, settings.seed)
    if start is not None:
        model = _begun(start, settings)
    parts = [_Part.of(digits, settings)] + ([] if replayed is None else [_Part.of(replayed, settings)])
    weights = (1 - settings.replay, settings.replay)[: len(parts)]

    def build(model: Restorer) -> tuple[Objective, Fitter]:
        objective = Restoration(
            model,
            parts[0].images,
            settings.damage,
            batch_size=settings.batch_size,
            noise=settings.noise,
            num_judged_steps=settings.num_judged_steps,
            rest=settings.rest,
            targets=parts[0].targets,
            replayed=None if replayed is None else (parts[1].images, parts[1].targets),
            replay=settings.replay,
            seed=settings.seed,
        )
        return objective, build_fitter(model, settings.num_steps, settings)

    def error(model: Restorer) -> float:
        own = [mean_squared_error(model, part.held_out, settings, part.held_out_targets) for part in parts]
        return sum(weight * value for weight, value in zip(weights, own, strict=True))

    build(model)  # refuses what does not fit before the run's folder is touched
    KIND.prepare(run, settings, facts_of(digits, start, replayed), resume)
    if start is not None:
        save_tree(run / START, {"parameters": dict(model.named_parameters())})
    stage = Stage("restoration", settings.num_steps, build, validate_every=settings.validate_every)
    Training(model, [stage], error, run, progress, checkpoint_seconds, settings.max_seconds).run(resume)
    return run


@dataclass(frozen=True)
class _Part:
    """A training split, cut in two, and what its images are to become."""

    images: Tensor
    targets: Tensor
    held_out: Digits
    held_out_targets: Tensor

    @staticmethod
    def of(digits: Digits, settings: RestorationSettings) -> "_Part":
        kept, held_out = split_digits(digits, settings.num_valid, settings.seed)
        if settings.target == "image":
            return _Part(kept.images, kept.images, held_out, held_out.images)
        stand_ins = prototypes(kept)
        return _Part(kept.images, stand_ins[kept.labels], held_out, stand_ins[held_out.labels])


def prototypes(digits: Digits) -> UInt8[Tensor, "class 28 28"]:
    """Return the image of every class that is nearest to the mean of the class.

    A real image, not the mean, which looks like none of them.

    Raises:
        BadInputError: if a class has no image.
    """
    found = []
    for number, name in enumerate(digits.classes):
        own = digits.images[digits.labels == number]
        if not len(own):
            raise BadInputError(
                f"no image of class {name} is among those to train on; usual cure: more data, or a smaller "
                "num_valid"
            )
        values = own.float()
        found.append(own[(values - values.mean(0)).square().sum((1, 2)).argmin()])
    return torch.stack(found)


def load_restorer(run: Path) -> tuple[Restorer, RestorationSettings]:
    """Return the best model of a run, and the run's settings.

    Raises:
        FormatError: if the folder holds no run of this kind, or a damaged one.
    """
    settings = KIND.read(run)
    model = build_restorer(settings.model, settings.seed)
    if settings.trained == "gate":  # the checkpoint holds what was trained, the start the rest
        for name, value in load_tree(run / START)["parameters"].items():
            model.get_parameter(name).data.copy_(value)
        _freeze_all_but_gate(model)
    return KIND.load_best(run, model).requires_grad_(True), settings


def _begun(start: Path, settings: RestorationSettings) -> Restorer:
    """Return the model of another run, ready to be trained on."""
    model, before = load_restorer(start)
    if before.model != settings.model:
        raise BadInputError(
            f"{start} holds another model than the settings ask for; usual cure: --model with the experiment "
            "that it was trained with, and the same --set model...."
        )
    if settings.trained == "gate":
        _freeze_all_but_gate(model)
    return model.train()


def _freeze_all_but_gate(model: Restorer) -> None:
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("body.gate."))


def mean_squared_error(
    model: Restorer, digits: Digits, settings: RestorationSettings, targets: UInt8[Tensor, "image 28 28"]
) -> float:
    """Return the mean squared error on digits that are damaged the same way every time.

    Arguments:
        model: the restorer.
        digits: whole ones.
        settings: of the damage and its seed.
        targets: what they are to become.
    """
    generator = step_generator(settings.seed, "validation damage")
    total, done = 0.0, 0
    with judging(model):
        for whole, _ in pieces(digits):
            damaged, known = settings.damage(whole, generator)
            target = targets[done : done + len(whole)].float() / 255
            total += float((model(damaged, known) - target).square().mean((1, 2)).sum())
            done += len(whole)
    return total / len(digits)
