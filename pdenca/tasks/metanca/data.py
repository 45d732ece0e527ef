"""Which examples a rule is trained on, and which ones its networks are judged by."""

from pathlib import Path
from typing import Final, Literal

import torch

from pdenca.datasets.digits import SIDE
from pdenca.datasets.digits.families import load_family
from pdenca.datasets.tables import Examples, flattened, iris, stratified_folds

from .settings import MetaSettings

FOLDS: Final = 5
SIDES: Final = {"mnist": SIDE, "mnist-14": SIDE // 2}


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
        found = [
            flattened(load_family("mnist", part, folder, sample=sample), SIDES[settings.data])
            for part in parts
        ]
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


def image_shape_of(settings: MetaSettings) -> tuple[int, ...]:
    """Return height and width of the inputs, () for rows that are no images."""
    side = SIDES.get(settings.data)
    return () if side is None else (side, side)
