"""Which examples a rule is trained on, and which ones its networks are judged by."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import torch

from pdenca.core import BadInputError
from pdenca.datasets.digits import SIDE
from pdenca.datasets.digits.families import load_family
from pdenca.datasets.tables import Examples, flattened, iris, stratified_folds

from .settings import Data, MetaSettings

FOLDS: Final = 5
NUM_OF_FLOWER: Final = 4
"""Numbers that are known of an iris."""
NUM_CLASSES: Final = {"iris": 3, "letters": 26}
"""Where they are not ten."""
IMAGES: Final[Mapping[str, tuple[str, int]]] = {
    "mnist": ("mnist", SIDE),
    "mnist-14": ("mnist", SIDE // 2),
    "fashion-mnist": ("fashion-mnist", SIDE),
    "fashion-mnist-14": ("fashion-mnist", SIDE // 2),
    "letters": ("letters", SIDE),
    "letters-14": ("letters", SIDE // 2),
}
"""Data -> which images, and how many cells a side."""


def load_examples(
    settings: MetaSettings,
    split: Literal["train", "test"],
    folder: Path | None = None,
    *,
    sample: bool = False,
) -> Examples:
    """Return the examples of a split, not standardised.

    With a fold they are cut out of all there are, four fifths to train on; else MNIST's own splits.

    Arguments:
        settings: which data, and which fold.
        split: ``train`` or ``test``.
        folder: of MNIST's files; see :func:`~pdenca.datasets.digits.families.load_family`.
        sample: the small part of MNIST that comes with pdenca.
    """
    if settings.data == "iris":
        examples = iris()
    else:
        parts = [split] if settings.fold is None else ["train", "test"]
        family, side = IMAGES[settings.data]
        found = [flattened(load_family(family, part, folder, sample=sample), side) for part in parts]
        examples = Examples(
            torch.cat([part.inputs for part in found]),
            torch.cat([part.labels for part in found]),
            found[0].classes,
            found[0].image_shape,
        )
        if settings.fold is None:
            return examples
    assert settings.fold is not None, "the settings have made sure"
    held_out = stratified_folds(examples.labels, FOLDS, seed=0)[settings.fold]
    if split == "test":
        return examples.select(held_out)
    kept = torch.ones(len(examples), dtype=torch.bool)
    kept[held_out] = False
    return examples.select(kept.nonzero()[:, 0])


def of_other_data(settings: MetaSettings, data: Data) -> MetaSettings:
    """Return settings of the same rule for other data, with networks of the same hidden layers.

    Raises:
        BadInputError: if the rule is told where pixels are and these data have none, or the other way round.
    """
    shape: tuple[int, ...] = image_shape_of(settings)
    other: tuple[int, ...] = (IMAGES[data][1],) * 2 if data in IMAGES else ()
    if settings.rule.codes == "positions" and bool(shape) != bool(other):
        raise BadInputError(
            f"this rule is told places of {'pixels' if shape else 'inputs without places'}, {data} has "
            f'{"pixels" if other else "none"}; usual cure: a rule with rule.codes = "layers"'
        )
    inputs = math.prod(other) if other else NUM_OF_FLOWER
    outputs = NUM_CLASSES.get(data.removesuffix("-14"), 10)
    names = ["-".join(map(str, (inputs, *widths[1:-1], outputs))) for widths in settings.widths]
    fold = 0 if data == "iris" else None
    return settings.replace(data=data, fold=fold, networks=tuple(names))


def image_shape_of(settings: MetaSettings) -> tuple[int, ...]:
    """Return height and width of the inputs, () for rows that are no images."""
    if settings.data not in IMAGES:
        return ()
    side = IMAGES[settings.data][1]
    return side, side
