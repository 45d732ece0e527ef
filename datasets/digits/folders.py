"""A split of images as files: two IDX files, and a list of the classes where they are not the ten digits."""

from pathlib import Path
from typing import Final

import torch
from jaxtyping import UInt8
from torch import Tensor

from pdenca.core import BadInputError, FormatError, write_text

from .idx import read_idx, write_idx
from .images import DIGIT_NAMES, SIDE, Digits
from .places import FILES

CLASSES_FILE: Final = "classes.txt"
_MOST: Final = 256  # labels are bytes


def read_classes(folder: Path) -> tuple[str, ...]:
    """Return the names of the classes of a folder: those of its ``classes.txt``, or else the ten digits.

    Arguments:
        folder: with IDX files; ``classes.txt`` holds one name per line, in UTF-8.

    Raises:
        FormatError: if the file cannot be read, has no names, an empty one, one twice, or more than 256.
    """
    path = folder / CLASSES_FILE
    if not path.exists():
        return DIGIT_NAMES
    try:
        names = tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(
            f"{path} cannot be read ({error}); expected names of classes in UTF-8; usual cure: write it again"
        ) from None
    if not 0 < len(names) <= _MOST or not all(names) or len(set(names)) < len(names):
        twice = next((name for name in names if name and names.count(name) > 1), None)
        what = (
            f"{len(names)} names"
            if not 0 < len(names) <= _MOST
            else f"an empty name in line {names.index('') + 1}"
            if not all(names)
            else f"the name {twice!r} twice"
        )
        raise FormatError(
            f"{path} has {what}, expected 1 to {_MOST} different names, one per line; usual cure: write it "
            "again"
        )
    return names


def read_split(images_path: Path, labels_path: Path, classes: tuple[str, ...]) -> Digits:
    """Read the two files of a split.

    Arguments:
        images_path: of the images, packed or not.
        labels_path: of the labels, packed or not.
        classes: what the labels stand for.

    Raises:
        FormatError: as :func:`check_split`, or if a file is damaged.
    """
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    return check_split(images, labels, classes, str(images_path), str(labels_path))


def check_split(
    images: UInt8[Tensor, "..."],
    labels: UInt8[Tensor, "..."],
    classes: tuple[str, ...],
    images_name: str,
    labels_name: str,
) -> Digits:
    """Put images and labels together.

    Arguments:
        images: grey values, 28 x 28 cells each.
        labels: numbers of the classes, from 0.
        classes: their names.
        images_name: where the images are from, for errors.
        labels_name: where the labels are from, for errors.

    Raises:
        FormatError: if the images have another size, there are more or fewer of them than labels, or a label
            stands for no class.
    """
    if tuple(images.shape[1:]) != (SIDE, SIDE):
        raise FormatError(
            f"{images_name} has images of {images.shape[1]} x {images.shape[2]}, expected {SIDE} x {SIDE}"
        )
    if len(images) != len(labels):
        raise FormatError(
            f"{images_name} has {len(images)} images but {labels_name} has {len(labels)} labels; "
            "usual cure: files of the same data set"
        )
    if len(labels) and int(labels.max()) >= len(classes):
        raise FormatError(
            f"{labels_name} has the label {int(labels.max())}, expected 0 to {len(classes) - 1}; usual cure: "
            f"a {CLASSES_FILE} beside it that names all classes, one per line"
        )
    return Digits(images, labels.long(), classes)


def write_folder(folder: Path, splits: dict[str, Digits]) -> list[Path]:
    """Write a folder in MNIST's format, with ``classes.txt``; every file is whole or not there.

    Arguments:
        folder: made if need be.
        splits: ``train`` and ``test``, of the same classes.

    Returns:
        The files, in the order in which they were written.

    Raises:
        BadInputError: for other splits, splits of different classes, or if one of the files is there already.
    """
    if set(splits) != {"train", "test"} or len({digits.classes for digits in splits.values()}) != 1:
        raise BadInputError(
            f"a folder has the splits train and test of the same classes, got {', '.join(splits) or 'none'}"
        )
    refuse_full(folder)
    written = [folder / CLASSES_FILE]
    write_text(written[0], "".join(f"{name}\n" for name in splits["train"].classes))
    for split, digits in splits.items():
        for kind, values in (("images", digits.images), ("labels", digits.labels.to(torch.uint8))):
            written.append(folder / f"{FILES[split, kind]}.gz")
            write_idx(written[-1], values)
    return written


def refuse_full(folder: Path) -> None:
    """Make sure that nothing would be written over.

    Raises:
        BadInputError: if the folder has a file of this format already.
    """
    names = [CLASSES_FILE, *(f"{name}{end}" for name in FILES.values() for end in ("", ".gz"))]
    there = [name for name in names if (folder / name).exists()]
    if there:
        raise BadInputError(
            f"{folder} already holds {', '.join(there)}; usual cure: another folder, or remove them"
        )
