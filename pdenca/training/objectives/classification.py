"""Telling classes apart: cross-entropy on mini-batches."""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pdenca.core import BadInputError

from .base import Stateless, step_generator
from .epochs import Epochs

Batch = tuple[Float[Tensor, "image ..."], Int[Tensor, " image"]]
Augmentation = Callable[[Tensor, torch.Generator], Tensor]
"""(images, source of randomness) -> images of the same shape."""

_BRIGHTEST: Final = 255.0


class Classification(Stateless):
    """The mean cross-entropy of a classifier:

        loss = -mean over images of Σ_k q_k log softmax(classifier(image))_k,
        q = 1 - s + s/K for the right one of K classes, s/K for the others.

    Batches are those of :class:`Epochs`. Images and their augmentation are a function of the seed and the
    step alone.

    What the classifier remembers beside its parameters, its buffers, is this objective's state: a resumed run
    finds them as they were.

    Arguments:
        classifier: images (grey values 0 to 1) -> scores of the classes.
        images: grey values 0 to 255, or other inputs.
        labels: numbers of the classes, from 0.
        batch_size: images per step.
        augment: changes the images of a batch; None: as they are.
        label_smoothing: s, at least 0 and below 1.
        brightest: what inputs are divided by; 1 for such that are no grey values.
        seed: of order and augmentation.

    Raises:
        BadInputError: for batches larger than the data, a smoothing out of range, or no positive brightest.
    """

    def __init__(
        self,
        classifier: nn.Module,
        images: Tensor,
        labels: Int[Tensor, " image"],
        *,
        batch_size: int,
        augment: Augmentation | None = None,
        label_smoothing: float = 0.0,
        brightest: float = _BRIGHTEST,
        seed: int = 0,
    ) -> None:
        if not brightest > 0:
            raise BadInputError(f"inputs are divided by a positive number, got {brightest}")
        if not 0 <= label_smoothing < 1:
            raise BadInputError(f"label_smoothing must be at least 0 and below 1, got {label_smoothing}")
        self.classifier, self.images, self.labels = classifier, images, labels
        self.epochs = Epochs(len(images), batch_size, seed)
        self.augment, self.label_smoothing, self.seed = augment, label_smoothing, seed
        self.brightest = brightest

    @property
    def steps_per_epoch(self) -> int:
        """Batches that go once through all images."""
        return self.epochs.steps_per_epoch

    def batch(self, step: int) -> Batch:
        """Return images, augmented, and labels of this step."""
        chosen = self.epochs.chosen(step)
        images = self.images[chosen].float() / self.brightest
        if self.augment is not None:
            images = self.augment(images, step_generator(self.seed, "augmentation", step))
        return images, self.labels[chosen]

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean cross-entropy."""
        images, labels = batch
        return nn.functional.cross_entropy(
            self.classifier(images), labels, label_smoothing=self.label_smoothing
        )

    def state(self) -> dict[str, Tensor]:
        """Return the classifier's buffers."""
        return {name: value.detach().clone() for name, value in self.classifier.named_buffers()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Put the buffers back."""
        for name, value in self.classifier.named_buffers():
            value.copy_(state[name])
