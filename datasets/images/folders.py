"""What is in a folder of images, in natural order, and the numbers in the names of files."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from pdenca.core import BadInputError

from . import pictures, tiff

SUFFIXES: Final = (*pictures.SUFFIXES, *tiff.SUFFIXES)

_LITTER: Final = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
"""What file managers leave behind; names that begin with a dot are such as well."""


_DATE: Final = 10_000_000  # a larger number is a date (20240501) or a time, which does not count evenly
_SPARSE: Final = 10  # so many times more frames would have to be there


@dataclass(frozen=True)
class Folder:
    """What is in a folder, in natural order.

    Arguments:
        images: files of a kind that is read.
        folders: those inside.
        left_out: names of other files.
    """

    images: tuple[Path, ...]
    folders: tuple[Path, ...]
    left_out: tuple[str, ...]


def look_into(folder: Path) -> Folder:
    """List a folder; hidden files and what file managers leave behind do not count."""
    found = sorted(
        (
            path
            for path in folder.iterdir()
            if not path.name.startswith(".") and path.name.lower() not in _LITTER
        ),
        key=lambda path: natural_key(path.name),
    )
    return Folder(
        images=tuple(path for path in found if path.is_file() and path.suffix.lower() in SUFFIXES),
        folders=tuple(path for path in found if path.is_dir()),
        left_out=tuple(path.name for path in found if path.is_file() and path.suffix.lower() not in SUFFIXES),
    )


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Return what to sort names by, so that numbers count: ``frame2`` comes before ``frame10``.

    >>> sorted(["frame10.png", "frame2.png", "b1.png"], key=natural_key)
    ['b1.png', 'frame2.png', 'frame10.png']
    """
    parts: list[str | int] = [int(part) if part.isdigit() else part for part in _parts(name)]
    return parts, name


def frame_numbers(files: Sequence[str]) -> tuple[int, ...]:
    """Return the number that counts the frames, of each file.

    It is the number in which the names differ; of several that never repeat, the first.

    Arguments:
        files: names of files in natural order.

    Raises:
        BadInputError: if names differ in words, have no such number, or share one.
    """
    cure = "usual cure: number the frames, or tell the times (--times), with names of files if need be"
    parts = [_split(Path(name).stem) for name in files]
    for name, (words, _) in zip(files, parts, strict=True):
        if words != parts[0][0]:
            raise BadInputError(
                f"{files[0]} and {name} differ in more than numbers, expected one name with one number that "
                f"counts the frames; {cure}"
            )
    columns = list(zip(*(numbers for _, numbers in parts), strict=True))
    varying = [column for column in columns if len(set(column)) > 1]
    if not varying:
        raise BadInputError(
            f"{files[0]} and {files[1]} have the same number or none, expected one each; {cure}"
        )
    for column in varying:
        if len(set(column)) < len(column):
            twice = next(value for value in column if column.count(value) > 1)
            first, second = [name for name, value in zip(files, column, strict=True) if value == twice][:2]
            others = "" if len(varying) == 1 else " while another number differs"
            raise BadInputError(
                f"{first} and {second} have the number {twice} both{others}, expected one number that counts "
                f"the frames of one series; {cure}"
            )
    return tuple(varying[0])


def missing_numbers(numbers: Sequence[int]) -> tuple[int, ...]:
    """Return the numbers that a regular count has and these have not.

    The count goes in steps of the largest number that divides all differences: 0, 10, 20, 40 lacks 30.

    Arguments:
        numbers: increasing, at least two.

    Raises:
        BadInputError: if they are so large, or so many are not there, that they count something else.

    >>> missing_numbers([1, 2, 4, 7])
    (3, 5, 6)
    """
    there, stride = set(numbers), stride_of(numbers)
    count = (numbers[-1] - numbers[0]) // stride + 1
    if numbers[-1] >= _DATE or count > _SPARSE * len(numbers):
        raise BadInputError(
            f"{len(numbers)} files have numbers {numbers[0]} to {numbers[-1]} in their names, expected a "
            "count of the frames, most of them there; usual cure: tell the times (--times), if they are dates"
        )
    return tuple(number for number in range(numbers[0], numbers[-1], stride) if number not in there)


def stride_of(numbers: Sequence[int]) -> int:
    """Return the largest number that divides all differences."""
    return math.gcd(*(later - number for number, later in pairwise(numbers)))


def _split(name: str) -> tuple[list[str], list[int]]:
    """Return the words of a name, in lower case, and the numbers between them."""
    parts = _parts(name)
    return parts[::2], [int(part) for part in parts[1::2]]


def _parts(name: str) -> list[str]:
    """Cut a name into words and numbers in turn; the first and the last are words, perhaps empty."""
    return re.split(r"([0-9]+)", name.casefold())
