"""What networks are worth that no rule has written: trained by gradients, one by one."""

import copy
import itertools
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import torch
from torch import nn

from pdenca.datasets.tables import Examples, Standardising
from pdenca.training import FirstOrder
from pdenca.training.objectives import Classification

from .model import MODULES
from .training import check_networks, split_examples

_LOOKS: Final = 20
"""At the held-out examples, evenly spread over a training."""


@dataclass(frozen=True)
class NetworkScore:
    """How good one network is.

    Arguments:
        network: its widths.
        accuracy: share of test examples that it tells right.
        cross_entropy: mean.
    """

    network: str
    accuracy: float
    cross_entropy: float

    def to_dict(self) -> dict[str, Any]:
        """Return its numbers."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class TaskNetwork:
    """An ordinary network of the standardised inputs.

    Arguments:
        widths: its layers.
        layers: the modules.
        scale: how inputs are standardised.
        held_out: its mean cross-entropy on examples that it was chosen by; NaN: there were none.
    """

    widths: tuple[int, ...]
    layers: nn.Sequential
    scale: Standardising
    held_out: float

    def score(self, test: Examples) -> NetworkScore:
        """Judge it."""
        loss, accuracy = judged(self.layers, self.scale(test))
        return NetworkScore("-".join(map(str, self.widths)), accuracy, loss)

    def copied(self, widths: tuple[int, ...], activation: str = "relu", seed: int = 0) -> "TaskNetwork":
        """Return a random network of other widths that has these weights wherever both have such a weight.

        The last layer is taken for the last, the others for those of the same number; the neurons that both
        have are the first ones. What has no counterpart stays random.
        """
        other = random_network(widths, activation, seed)
        mine, theirs = (
            [part for part in layers if isinstance(part, nn.Linear)] for layers in (self.layers, other)
        )
        pairs = [*zip(mine[:-1], theirs[:-1], strict=False), (mine[-1], theirs[-1])]
        with torch.no_grad():
            for source, target in pairs:
                targets = min(source.out_features, target.out_features)
                sources = min(source.in_features, target.in_features)
                target.weight[:targets, :sources] = source.weight[:targets, :sources]
                target.bias[:targets] = source.bias[:targets]
        return TaskNetwork(widths, other, self.scale, float("nan"))


def random_network(widths: tuple[int, ...], activation: str = "relu", seed: int = 0) -> nn.Sequential:
    """Return a network as torch begins it.

    Arguments:
        widths: of its layers.
        activation: between them, ``tanh``, ``relu`` or ``silu``.
        seed: of its weights.
    """
    with torch.random.fork_rng(devices=[]):  # torch's layers draw from the global generator
        torch.manual_seed(seed)
        parts: list[nn.Module] = []
        for sources, targets in itertools.pairwise(widths):
            parts += [nn.Linear(sources, targets), MODULES[activation]()]
        return nn.Sequential(*parts[:-1])


def train_by_gradients(
    examples: Examples,
    widths: tuple[int, ...],
    *,
    activation: str = "relu",
    num_epochs: int = 20,
    batch_size: int = 64,
    learning_rate: float = 3e-3,
    held_out: float = 0.2,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> TaskNetwork:
    """Train one network by Adam with a one-cycle rate, and return what was best on held-out examples.

    Arguments:
        examples: to train on.
        widths: of the network.
        activation: between layers, ``tanh``, ``relu`` or ``silu``.
        num_epochs: passes through the examples that are not held out; 0: the random network.
        batch_size: examples per step.
        learning_rate: the highest.
        held_out: share of the examples to choose by; 0: none, and the last network is returned.
        seed: of weights, order and held-out examples.
        progress: called with (steps taken, all).

    Raises:
        BadInputError: for a network that does not fit the examples, or a batch larger than these.
    """
    check_networks((widths,), examples)
    own, chosen_by = split_examples(examples, held_out, seed) if held_out else (examples, None)
    scale = Standardising.of(own, common=bool(examples.image_shape))
    own, chosen_by = scale(own), None if chosen_by is None else scale(chosen_by)
    model = random_network(widths, activation, seed)
    batch_size = min(batch_size, len(own))
    task = Classification(model, own.inputs, own.labels, batch_size=batch_size, brightest=1.0, seed=seed)
    num_steps = num_epochs * task.steps_per_epoch
    best, kept = math.nan if chosen_by is None else judged(model, chosen_by)[0], copy.deepcopy(model)
    if not num_steps:
        return TaskNetwork(widths, kept, scale, best)
    fitter = FirstOrder(
        model, optimizer="adam", learning_rate=learning_rate, schedule="one-cycle", num_steps=num_steps
    )
    for step in range(num_steps):
        fitter.step(task, task.batch(step))
        if chosen_by is not None and (step + 1) % max(1, num_steps // _LOOKS) == 0:
            loss, _ = judged(model, chosen_by)
            if loss < best:
                best, kept = loss, copy.deepcopy(model)
        if progress:
            progress(step + 1, num_steps)
    return TaskNetwork(widths, model if chosen_by is None else kept, scale, best)


@torch.no_grad()
def judged(model: nn.Module, examples: Examples) -> tuple[float, float]:
    """Return mean cross-entropy and share told right of standardised examples."""
    scores = model(examples.inputs)
    loss = float(nn.functional.cross_entropy(scores, examples.labels))
    return loss, float((scores.argmax(-1) == examples.labels).double().mean())
