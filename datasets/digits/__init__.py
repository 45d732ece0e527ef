"""Handwritten digits: MNIST, or data in its format, as tensors of bytes."""

from pathlib import Path
from typing import Literal

import torch

from pdenca.core import BadInputError

from .folders import read_classes, read_split
from .idx import parse_idx, read_idx, write_idx
from .images import CLASSES, SIDE, Digits
from .places import CHECKSUMS, DATA_VARIABLE, FILES, MIRRORS, SAMPLES, cache_folder, locate

__all__ = [
    "CHECKSUMS",
    "CLASSES",
    "DATA_VARIABLE",
    "MIRRORS",
    "SIDE",
    "Digits",
    "cache_folder",
    "load_digits",
    "parse_idx",
    "read_idx",
    "split_digits",
    "write_idx",
]


def load_digits(
    split: Literal["train", "test"], data_dir: Path | str | None = None, *, sample: bool = False
) -> Digits:
    """Read MNIST: 60,000 digits to train on and 10,000 to test.

    Looked for in ``data_dir``, or in the folder that the variable PDENCA_DATA names; without either in the
    cache (``~/.cache/pdenca/digits``, or below XDG_CACHE_HOME), which is filled from public mirrors on first
    use. What comes from the mirrors must have MNIST's checksums. A folder of one's own may hold any data in
    the same format, such as Fashion-MNIST, so there only shapes and labels are checked; a file
    ``classes.txt`` there, one name per line in UTF-8, names other classes than the ten digits. Other families
    by name: :func:`pdenca.datasets.digits.families.load_family`.

    Arguments:
        split: ``train`` or ``test``.
        data_dir: a folder with the files, packed by gzip or not.
        sample: read the 1,000 training and 500 test digits that come with the package instead.

    Returns:
        The digits in the order of the file.

    Raises:
        BadInputError: if there is no such split, the folder lacks a file, or nothing is on this machine and
            no mirror can be reached.
        FormatError: if a file is damaged, not MNIST's (from cache or mirror), or images, labels and classes
            do not fit together.

    Source: LeCun, Cortes and Burges, The MNIST database of handwritten digits (1998).
    """
    if (split, "images") not in FILES:
        raise BadInputError(f"digits have the splits train and test, got {split!r}")
    folder = SAMPLES if sample else None if data_dir is None else Path(data_dir)
    paths = {kind: locate(FILES[split, kind], folder) for kind in ("images", "labels")}
    return read_split(paths["images"], paths["labels"], read_classes(paths["images"].parent))


def split_digits(digits: Digits, num_valid: int, seed: int) -> tuple[Digits, Digits]:
    """Hold a part of the training digits out, to choose models by.

    Arguments:
        digits: the training split.
        num_valid: how many are held out.
        seed: which ones; a function of it and the number of digits alone.

    Returns:
        (those to train on, those held out), each in the order of the file.

    Raises:
        BadInputError: if nothing would be held out, or nothing left.
    """
    if not 0 < num_valid < len(digits):
        raise BadInputError(
            f"of {len(digits)} digits 1 to {len(digits) - 1} can be held out, got {num_valid}; usual cure: a "
            "smaller num_valid"
        )
    order = torch.randperm(len(digits), generator=torch.Generator().manual_seed(seed))
    held_out, rest = order[:num_valid].sort().values, order[num_valid:].sort().values
    return digits.select(rest), digits.select(held_out)
