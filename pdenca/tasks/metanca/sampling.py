"""Ordinary networks out of a rule."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from pdenca.core import BadInputError, atomic_path
from pdenca.datasets.tables import Examples, Standardising
from pdenca.training import step_generator

from .data import image_shape_of
from .model import writer
from .settings import MetaSettings
from .training import CPU, load_meta_run


@dataclass(frozen=True, eq=False)
class SampledNetworks:
    """Networks that a rule has written.

    Arguments:
        modules: linear layers and activations.
        scale: what inputs are to be standardised with.
        activation: between layers.
    """

    modules: Sequence[nn.Sequential]
    scale: Standardising
    activation: str


def sample_networks(
    run: Path,
    widths: tuple[int, ...],
    num_samples: int = 100,
    *,
    num_steps: int | None = None,
    lesson: Callable[[MetaSettings], Examples] | None = None,
    seed: int = 0,
    device: torch.device = CPU,
) -> SampledNetworks:
    """Let the best rule of a run write a network, as often as asked for, without a gradient step.

    Arguments:
        run: folder of the rule.
        widths: of the network, inputs first.
        num_samples: how many.
        num_steps: local steps; by default as many as in training.
        lesson: (settings of the run) -> examples that a rule which learns is shown some of, not standardised.
            Called only for such a rule.
        seed: of starts and firing.
        device: where to do it; the networks are on the processor.

    Raises:
        FormatError: if the folder holds no run of this kind, or a damaged one.
        BadInputError: for widths that are no network, or that the images of the run do not go into; or a
            rule that learns without a lesson.
    """
    model, settings, scale = load_meta_run(run, device)
    bound = writer(model, settings.rule, (widths,), image_shape_of(settings))
    if settings.rule.lesson_size:
        if lesson is None:
            raise BadInputError("this rule learns from examples while it writes; usual cure: a lesson")
        bound = bound.shown(scale(lesson(settings)), seed)
    states = bound.write(num_samples, step_generator(seed, "samples"), num_steps)
    return SampledNetworks(bound.modules(states, 0), scale, settings.rule.task_activation)


def save_networks(networks: SampledNetworks, path: Path) -> None:
    """Write networks to a safetensors file, whole or not at all.

    Tensors are named ``k.layer.weight`` and ``k.layer.bias`` for sample k; the metadata hold the activation,
    and mean and deviation of the inputs as JSON.
    """
    tensors = {
        f"{number}.{name}": value.contiguous()
        for number, module in enumerate(networks.modules)
        for name, value in module.state_dict().items()
    }
    told = {
        "activation": networks.activation,
        "mean": json.dumps(networks.scale.mean.tolist()),
        "deviation": json.dumps(networks.scale.deviation.tolist()),
    }
    with atomic_path(path) as partial:
        safetensors.torch.save_file(tensors, partial, metadata=told)
