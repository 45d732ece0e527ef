"""What networks are worth that no rule has written: trained by gradients, one by one."""

import copy
import itertools
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
class TrainedScore:
    """How good a network is that was trained by gradients.

    Arguments:
        network: its widths.
        accuracy: share of test examples that it tells right.
        cross_entropy: mean.
        num_steps: gradient steps.
    """

    network: str
    accuracy: float
    cross_entropy: float
    num_steps: int

    def to_dict(self) -> dict[str, Any]:
        """Return its numbers."""
        return asdict(self)


def train_by_gradients(
    examples: Examples,
    test: Examples,
    widths: tuple[int, ...],
    *,
    activation: str = "relu",
    num_epochs: int = 20,
    batch_size: int = 64,
    learning_rate: float = 3e-3,
    held_out: float = 0.2,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> TrainedScore:
    """Train one network by Adam with a one-cycle rate, and judge what was best on held-out examples.

    Arguments:
        examples: to train on.
        test: to judge by.
        widths: of the network.
        activation: between layers, ``tanh``, ``relu`` or ``silu``.
        num_epochs: passes through the examples that are not held out.
        batch_size: examples per step.
        learning_rate: the highest.
        held_out: share of the examples to choose by.
        seed: of weights, order and held-out examples.
        progress: called with (steps taken, all).

    Raises:
        BadInputError: for a network that does not fit the examples, or a batch larger than these.
    """
    check_networks((widths,), examples)
    own, chosen_by = split_examples(examples, held_out, seed)
    scale = Standardising.of(own, common=bool(examples.image_shape))
    own, chosen_by, test = scale(own), scale(chosen_by), scale(test)
    with torch.random.fork_rng(devices=[]):  # torch's layers draw from the global generator
        torch.manual_seed(seed)
        model = _network(widths, activation)
    batch_size = min(batch_size, len(own))
    task = Classification(model, own.inputs, own.labels, batch_size=batch_size, brightest=1.0, seed=seed)
    num_steps = num_epochs * task.steps_per_epoch
    fitter = FirstOrder(
        model, optimizer="adam", learning_rate=learning_rate, schedule="one-cycle", num_steps=num_steps
    )
    best, kept = float("inf"), copy.deepcopy(model)
    for step in range(num_steps):
        fitter.step(task, task.batch(step))
        if (step + 1) % max(1, num_steps // _LOOKS) == 0:
            loss, _ = _judged(model, chosen_by)
            if loss < best:
                best, kept = loss, copy.deepcopy(model)
        if progress:
            progress(step + 1, num_steps)
    loss, accuracy = _judged(kept, test)
    return TrainedScore("-".join(map(str, widths)), accuracy, loss, num_steps)


def _network(widths: tuple[int, ...], activation: str) -> nn.Sequential:
    parts: list[nn.Module] = []
    for sources, targets in itertools.pairwise(widths):
        parts += [nn.Linear(sources, targets), MODULES[activation]()]
    return nn.Sequential(*parts[:-1])


@torch.no_grad()
def _judged(model: nn.Module, examples: Examples) -> tuple[float, float]:
    scores = model(examples.inputs)
    loss = float(nn.functional.cross_entropy(scores, examples.labels))
    return loss, float((scores.argmax(-1) == examples.labels).double().mean())
