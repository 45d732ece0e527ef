"""Restoring what was damaged: mean squared error on mini-batches."""

from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError

from .base import Stateless, step_generator
from .epochs import Epochs

Batch = tuple[Tensor, Tensor, Tensor, int]
Damaging = Callable[[Tensor, torch.Generator], tuple[Tensor, Tensor]]
"""(whole images, source of randomness) -> damaged images, and 1 where a pixel is known, else 0."""

_BRIGHTEST: Final = 255.0


@runtime_checkable
class Restoring(Protocol):
    """What can be trained to restore: it tells what it would answer after each of its last steps."""

    def film(
        self, damaged: Tensor, known: Tensor, last: int | None = None
    ) -> Float[Tensor, "image step height width"]:
        """Return the answers after each of the ``last`` steps."""
        ...


class Restoration(Stateless):
    """The mean squared error of restored images:

        loss = mean over images, the last k steps, pixels of (restored - whole)²

    Every batch is damaged afresh; images, damage, noise and what a model drops out are a function of the seed
    and the step alone.

    Arguments:
        restorer: the model.
        images: whole ones, grey values 0 to 255.
        damage: what is done to them.
        batch_size: images per step.
        noise: standard deviation of noise on the damaged images.
        num_judged_steps: k, at least 1.
        seed: of order, damage and noise.

    Raises:
        BadInputError: for batches larger than the data, or no step to judge.
    """

    def __init__(
        self,
        restorer: Restoring,
        images: Tensor,
        damage: Damaging,
        *,
        batch_size: int,
        noise: float = 0.0,
        num_judged_steps: int = 1,
        seed: int = 0,
    ) -> None:
        if num_judged_steps < 1:
            raise BadInputError(f"at least one step is judged, got {num_judged_steps}")
        self.restorer, self.images, self.damage = restorer, images, damage
        self.epochs = Epochs(len(images), batch_size, seed)
        self.noise, self.num_judged_steps, self.seed = noise, num_judged_steps, seed

    def batch(self, step: int) -> Batch:
        """Return damaged images, what is known, whole images, and the number of the step."""
        whole = self.images[self.epochs.chosen(step)].float() / _BRIGHTEST
        generator = step_generator(self.seed, "damage", step)
        damaged, known = self.damage(whole, generator)
        if self.noise:
            damaged = damaged + self.noise * torch.randn(damaged.shape, generator=generator)
        return damaged, known, whole, step

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean squared error."""
        damaged, known, whole, step = batch
        # dropout draws from the global generator
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(step_generator(self.seed, "dropout", step).initial_seed())
            restored = self.restorer.film(damaged, known, self.num_judged_steps)
        return (restored - whole[:, None]).square().mean()
