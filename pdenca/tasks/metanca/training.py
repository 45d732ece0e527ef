"""Training a rule that writes networks. Wiring only."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch

from pdenca.automaton import Automaton
from pdenca.core import BadInputError
from pdenca.datasets.tables import Examples, Standardising
from pdenca.training import Fitter, Objective, Stage, Training, TrainingProgress, step_generator
from pdenca.training.checkpoint import load_tree, save_tree
from pdenca.training.objectives import LocalSteps, TaskNetworks

from ..runs import RunKind, build_fitter
from .data import image_shape_of
from .model import Writer, build_rule, writer
from .settings import MetaSettings

KIND: Final = RunKind(MetaSettings, "a rule that writes networks", "pdenca metanca train")
SCALE: Final = "inputs.safetensors"
"""Mean and deviation that inputs are standardised with."""
CPU: Final = torch.device("cpu")
VALIDATED: Final = 8
"""Samples of every network in a validation."""


def train_meta(
    examples: Examples,
    run: Path,
    settings: MetaSettings,
    *,
    resume: bool = False,
    progress: Callable[[TrainingProgress], None] | None = None,
    checkpoint_seconds: float = 5.0,
    device: torch.device = CPU,
) -> Path:
    """Train a rule, choosing the best by the cross-entropy of fresh networks on held-out training examples.

    Arguments:
        examples: the training part; what is tested on is not seen here.
        run: the run's folder: settings, which data, environment, metrics table, checkpoints.
        settings: rule, networks, training, seed.
        resume: continue a run that was cut short; the result is that of an undisturbed run.
        progress: called after every training step.
        checkpoint_seconds: least time between two checkpoints.
        device: where to train. What is drawn at random is the same everywhere, rounding is not.

    Returns:
        The run's folder.

    Raises:
        BadInputError: if the run exists and ``resume`` is not set, or is resumed with other settings or data;
            or the networks do not fit the data.
        FormatError: if a checkpoint is damaged.
        NonFiniteError: if training keeps diverging.
    """
    check_networks(settings.widths, examples)
    own, held_out = split_examples(examples, settings.held_out, settings.seed)
    scale = Standardising.of(own, common=bool(examples.image_shape))
    own, held_out = scale(own).to(device), scale(held_out).to(device)
    model = build_rule(settings.rule, examples.image_shape, settings.seed).to(device)
    bound = writer(model, settings.rule, settings.widths, examples.image_shape)

    def build(model: Automaton) -> tuple[Objective, Fitter]:
        objective = TaskNetworks(
            model,
            bound.lattice,
            bound.context,
            bound.begin,
            own.inputs,
            own.labels,
            activation=bound.activation,
            local_steps=LocalSteps(settings.rule.num_steps, settings.grow_every),
            batch_size=min(settings.batch_size, len(own)),
            num_samples=settings.num_samples,
            pool_size=settings.pool_size,
            fresh_share=settings.fresh_share,
            num_damaged=settings.num_damaged,
            damage=settings.damage,
            networks_per_step=settings.networks_per_step,
            lesson_size=settings.rule.lesson_size,
            permuted=settings.permuted,
            seed=settings.seed,
        )
        return objective, build_fitter(model, settings.num_steps, settings)

    build(model)  # refuses what does not fit before the run's folder is touched
    KIND.prepare(run, settings, {"num_examples": len(examples), "sha256": _fingerprint(examples)}, resume)
    save_tree(run / SCALE, {"scale": {"mean": scale.mean, "deviation": scale.deviation}})
    stage = Stage("writing", settings.num_steps, build, validate_every=settings.validate_every)

    def error(model: Automaton) -> float:
        return cross_entropy(bound.shown(own, settings.seed), held_out, settings.seed)

    Training(model, [stage], error, run, progress, checkpoint_seconds, settings.max_seconds).run(resume)
    return run


def load_meta_run(run: Path, device: torch.device = CPU) -> tuple[Automaton, MetaSettings, Standardising]:
    """Return the best rule of a run on a device, its settings, and how inputs are standardised.

    Raises:
        FormatError: if the folder holds no run of this kind, or a damaged one.
    """
    settings = KIND.read(run)
    model = KIND.load_best(run, build_rule(settings.rule, image_shape_of(settings), settings.seed))
    scale = load_tree(run / SCALE)["scale"]
    return model.to(device), settings, Standardising(scale["mean"], scale["deviation"])


def split_examples(examples: Examples, share: float, seed: int) -> tuple[Examples, Examples]:
    """Return the examples to train on, and those held out.

    Raises:
        BadInputError: if one of the parts would be empty.
    """
    order = torch.randperm(len(examples), generator=step_generator(seed, "held out"))
    count = round(share * len(examples))
    if not 0 < count < len(examples):
        raise BadInputError(
            f"{share:g} of {len(examples)} examples cannot be held out; usual cure: another held_out"
        )
    return examples.select(order[count:]), examples.select(order[:count])


def check_networks(networks: tuple[tuple[int, ...], ...], examples: Examples) -> None:
    """Make sure that networks have as many inputs and outputs as the data.

    Raises:
        BadInputError: if not.
    """
    inputs, outputs = examples.inputs.shape[1], len(examples.classes)
    for widths in networks:
        if (widths[0], widths[-1]) != (inputs, outputs):
            raise BadInputError(
                f"the data have {inputs} inputs and {outputs} classes, got the network "
                f"{'-'.join(map(str, widths))}; usual cure: {inputs}-...-{outputs}"
            )


@torch.no_grad()
def cross_entropy(bound: Writer, examples: Examples, seed: int) -> float:
    """Return the mean cross-entropy of fresh networks, the same draws every time."""
    states = bound.write(VALIDATED, step_generator(seed, "validation"))
    losses = []
    for network in range(len(bound.lattice.networks)):
        scores = bound.scores(states, examples.inputs, network).flatten(0, 1)
        labels = examples.labels.repeat(VALIDATED)
        losses.append(float(torch.nn.functional.cross_entropy(scores, labels)))
    return sum(losses) / len(losses)


def _fingerprint(examples: Examples) -> str:
    content = examples.inputs.numpy().tobytes() + examples.labels.numpy().tobytes()
    return hashlib.sha256(content).hexdigest()
