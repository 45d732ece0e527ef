"""Mini-batches that go through all samples, epoch by epoch."""

import torch
from jaxtyping import Int
from torch import Tensor

from pdenca.core import BadInputError

from .base import step_generator


class Epochs:
    """Every epoch goes once through all samples in an order of its own, a function of seed and step alone.

    What is left over at its end, less than a batch, is left out of it.

    Arguments:
        num_samples: how many there are.
        batch_size: samples per step.
        seed: of the orders.

    Raises:
        BadInputError: for batches larger than the data.
    """

    def __init__(self, num_samples: int, batch_size: int, seed: int) -> None:
        if not 1 <= batch_size <= num_samples:
            raise BadInputError(
                f"a batch holds 1 to {num_samples} images, as many as there are, got {batch_size}; usual "
                "cure: a smaller batch_size"
            )
        self.num_samples, self.batch_size, self.seed = num_samples, batch_size, seed
        self.steps_per_epoch = num_samples // batch_size
        self._epoch: int | None = None
        self._order = torch.empty(0, dtype=torch.int64)

    def chosen(self, step: int) -> Int[Tensor, " sample"]:
        """Return the samples of this step."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            generator = step_generator(self.seed, "epoch", epoch)
            self._epoch, self._order = epoch, torch.randperm(self.num_samples, generator=generator)
        return self._order[place * self.batch_size : (place + 1) * self.batch_size]
