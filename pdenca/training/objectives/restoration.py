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
        self,
        damaged: Tensor,
        known: Tensor,
        last: int | None = None,
        *,
        watch: Callable[[Tensor, Tensor], None] | None = None,
    ) -> Float[Tensor, "image step height width"]:
        """Return the answers after each of the ``last`` steps; show the states around each to ``watch``."""
        ...


class Restoration(Stateless):
    """The mean squared error of restored images:

        loss = mean over images, the last k steps, pixels of (restored - target)²
             + rest · mean over the last k steps of ‖z_t - z_t-1‖² / ‖z_t‖²

    The target of an image is the image itself, unless another is given. Every batch is damaged afresh;
    images, damage, noise and what a model drops out are a function of the seed and the step alone. Part of
    every batch may be drawn from other images, which an earlier training has seen: replay, against
    forgetting.

    Arguments:
        restorer: the model.
        images: whole ones, grey values 0 to 255.
        damage: what is done to them.
        batch_size: images per step.
        noise: standard deviation of noise on the damaged images.
        num_judged_steps: k, at least 1.
        rest: how much it matters that the state z comes to rest.
        targets: what every image is to become, grey values 0 to 255; the images by default.
        replayed: (other images, their targets), in a batch in proportion to ``replay``.
        replay: share of a batch; at least one image of each kind is in it.
        seed: of order, damage and noise.

    Raises:
        BadInputError: for batches larger than the data, no step to judge, or a share of nothing.
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
        rest: float = 0.0,
        targets: Tensor | None = None,
        replayed: tuple[Tensor, Tensor] | None = None,
        replay: float = 0.0,
        seed: int = 0,
    ) -> None:
        if num_judged_steps < 1:
            raise BadInputError(f"at least one step is judged, got {num_judged_steps}")
        if bool(replay) != (replayed is not None) or (replay and batch_size < 2):
            raise BadInputError(
                f"got a share of {replay:g} of every {batch_size} images for replay and "
                f"{'no' if replayed is None else len(replayed[0])} images to replay; usual cure: both or "
                "neither, and batches of at least 2"
            )
        self.restorer, self.damage = restorer, damage
        repeated = min(batch_size - 1, max(1, round(replay * batch_size))) if replay else 0
        self.sources = [(images, images if targets is None else targets)]
        self.epochs = [Epochs(len(images), batch_size - repeated, seed)]
        if replayed is not None:
            self.sources.append(replayed)
            self.epochs.append(Epochs(len(replayed[0]), repeated, seed))
        self.noise, self.num_judged_steps, self.rest, self.seed = noise, num_judged_steps, rest, seed

    def batch(self, step: int) -> Batch:
        """Return damaged images, what is known, targets, and the number of the step."""
        drawn = []
        for (images, targets), epochs in zip(self.sources, self.epochs, strict=True):
            rows = epochs.chosen(step)
            drawn.append((images[rows], targets[rows]))
        whole, target = (torch.cat(parts).float() / _BRIGHTEST for parts in zip(*drawn, strict=True))
        generator = step_generator(self.seed, "damage", step)
        damaged, known = self.damage(whole, generator)
        if self.noise:
            damaged = damaged + self.noise * torch.randn(damaged.shape, generator=generator)
        return damaged, known, target, step

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean squared error, and how far the state is from rest."""
        damaged, known, target, step = batch
        motions: list[Tensor] = []

        def watch(before: Tensor, after: Tensor) -> None:
            motions.append((after - before).square().mean() / after.square().mean())

        # dropout draws from the global generator
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(step_generator(self.seed, "dropout", step).initial_seed())
            told = {"watch": watch} if self.rest else {}
            restored = self.restorer.film(damaged, known, self.num_judged_steps, **told)
        error = (restored - target[:, None]).square().mean()
        return error + self.rest * torch.stack(motions).mean() if motions else error
