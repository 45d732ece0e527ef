"""What the training loop asks of an optimiser."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from pdenca.core import Learned


@dataclass(frozen=True)
class FitReport:
    """What one step of a fitter did.

    Attributes:
        loss: the loss on the batch, before the step for first-order fitters, after it for the others.
        rate: learning rate, or damping for Levenberg-Marquardt.
        converged: nothing more to gain on this objective.
    """

    loss: float
    rate: float
    converged: bool = False


class SmallGains:
    """Tells a minimum from a single step that went badly: so many small relative gains in a row.

    Arguments:
        tolerance: a smaller relative gain counts as small.
        enough: how many of them in a row make a minimum.

    Attributes:
        count: how many there were in a row.
    """

    def __init__(self, tolerance: float, enough: int = 3) -> None:
        self.tolerance, self.enough, self.count = tolerance, enough, 0

    def add(self, before: float, after: float) -> bool:
        """Hear of a step that lowered the loss; return whether the minimum is reached."""
        self.count = self.count + 1 if before - after < self.tolerance * before else 0
        return self.count >= self.enough


@runtime_checkable
class Fitter(Protocol):
    """Changes the parameters of an automaton so that an objective falls."""

    def step(self, objective: Any, batch: Any) -> FitReport:  # noqa: ANN401
        """Take one step on the batch."""
        ...

    def lower_rate(self) -> None:
        """Become more careful after a divergence."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what must be saved to resume: a tree of tensors and plain values."""
        ...

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore :meth:`state`."""
        ...


def trainable(model: nn.Module | Learned) -> dict[str, Tensor]:
    """Return the learned parameters by name."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def flatten(values: Iterable[Tensor]) -> Tensor:
    """Put tensors into one vector."""
    return torch.cat([value.reshape(-1) for value in values])


def unflatten(vector: Tensor, like: dict[str, Tensor]) -> dict[str, Tensor]:
    """Cut a vector into tensors with the names and shapes of ``like``."""
    parts = torch.split(vector, [value.numel() for value in like.values()])
    return {name: part.view(value.shape) for (name, value), part in zip(like.items(), parts, strict=True)}


def assign(model: nn.Module, vector: Tensor) -> None:
    """Write a vector into the learned parameters."""
    like = trainable(model)
    with torch.no_grad():
        for name, part in unflatten(vector, like).items():
            like[name].copy_(part)
