"""Examples as rows of numbers: what ordinary classifiers are trained on."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdenca.core import BadInputError

from .digits import SIDE, Digits

_BRIGHTEST = 255.0


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs and the classes they belong to.

    Arguments:
        inputs: one row per example.
        labels: 0 to the number of classes less one.
        classes: their names.
        image_shape: if inputs are the cells of an image row by row, its height and width; else ().
    """

    inputs: Float[Tensor, "example input"]
    labels: Int[Tensor, " example"]
    classes: tuple[str, ...]
    image_shape: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.inputs)

    def select(self, chosen: Int[Tensor, " chosen"]) -> "Examples":
        """Return some of the examples, in this order."""
        return Examples(self.inputs[chosen], self.labels[chosen], self.classes, self.image_shape)

    def to(self, device: torch.device) -> "Examples":
        """Return the same examples on a device."""
        return Examples(self.inputs.to(device), self.labels.to(device), self.classes, self.image_shape)


@dataclass(frozen=True, eq=False)
class Standardising:
    """x ↦ (x - mean) / deviation, input by input; inputs that never change become 0.

    Arguments:
        mean, deviation: of every input.
    """

    mean: Float[Tensor, " input"]
    deviation: Float[Tensor, " input"]

    @staticmethod
    def of(examples: Examples, common: bool = False) -> "Standardising":
        """Measure some examples; ``common``: one mean and deviation for all inputs, as for images."""
        values = examples.inputs.double()
        if common:
            width = examples.inputs.shape[1]
            mean, deviation = values.mean().expand(width), values.std(correction=0).expand(width)
        else:
            mean, deviation = values.mean(0), values.std(0, correction=0)
        return Standardising(mean.float(), deviation.float())

    def __call__(self, examples: Examples) -> Examples:
        """Return the examples with standardised inputs."""
        size = torch.where(self.deviation > 0, self.deviation, 1)
        scaled = torch.where(self.deviation > 0, (examples.inputs - self.mean) / size, 0)
        return Examples(scaled, examples.labels, examples.classes, examples.image_shape)


def iris() -> Examples:
    """Return Fisher's irises: 150 flowers of three species, four lengths each (cm).

    Raises:
        BadInputError: if scikit-learn, which brings them, is not installed.

    Source: Fisher, Annals of Eugenics 7 (1936) 179.
    """
    try:
        from sklearn.datasets import load_iris
    except ImportError as error:
        raise BadInputError(
            f"the irises come with scikit-learn ({error}); usual cure: pip install 'pdenca[digits]'"
        ) from None
    found = load_iris()
    return Examples(
        torch.tensor(found.data, dtype=torch.float32),
        torch.tensor(found.target, dtype=torch.int64),
        tuple(str(name) for name in found.target_names),
    )


def flattened(digits: Digits, side: int = SIDE) -> Examples:
    """Return images as rows of grey values from 0 to 1, each the mean over a block of cells.

    Arguments:
        digits: images of 28 x 28 cells.
        side: cells along each side of what is made of them: 28, 14, 7 or 4.

    Raises:
        BadInputError: for a side that does not divide 28.
    """
    if side < 1 or SIDE % side:
        raise BadInputError(
            f"an image of {SIDE} cells a side cannot be cut into {side} blocks; expected 28 or 14"
        )
    values = digits.images.float()[:, None] / _BRIGHTEST
    small = torch.nn.functional.avg_pool2d(values, SIDE // side)
    return Examples(small.flatten(1), digits.labels, digits.classes, (side, side))


def stratified_folds(
    labels: Int[Tensor, " example"], count: int, seed: int
) -> list[Int[Tensor, " held_out"]]:
    """Return which examples each fold holds out: every example once, every class spread evenly.

    Arguments:
        labels: classes of the examples.
        count: folds, at least 2.
        seed: of the order within a class.

    Raises:
        BadInputError: for fewer than two folds, or a class with fewer examples than folds.
    """
    smallest = int(labels.bincount()[labels.unique()].min()) if len(labels) else 0
    if not 2 <= count <= smallest:
        raise BadInputError(
            f"expected 2 folds or more, and no more than the smallest class has examples, {smallest}, got "
            f"{count}"
        )
    generator = torch.Generator().manual_seed(seed)
    parts: list[list[Tensor]] = [[] for _ in range(count)]
    dealt = 0
    for label in labels.unique():
        own = (labels == label).nonzero()[:, 0]
        own = own[torch.randperm(len(own), generator=generator)]
        for number, example in enumerate(own):
            parts[(dealt + number) % count].append(example)
        dealt += len(own)
    return [torch.stack(part).sort().values for part in parts]
