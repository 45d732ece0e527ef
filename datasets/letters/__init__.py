"""Synthetic letters: capital A to Z in many faces, drawn at random in MNIST's format."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch

from pdenca.core import BadInputError
from pdenca.datasets.digits import Digits

from .drawing import draw
from .faces import LETTERS, faces_of, find_faces
from .glyphs import Foundry

__all__ = ["LETTERS", "VERSION", "families_of", "left_out", "make_letters"]

VERSION: Final = 1
"""Of what is drawn: another one makes other letters of the same arguments."""
_VARIANTS: Final = 6  # of the ends of strokes
_AT_ONCE: Final = 256  # letters


def families_of(split: str, fonts: Path | None = None) -> tuple[str, ...]:
    """Return the families that the letters of a split are drawn in.

    Arguments:
        split: ``train`` or ``test``.
        fonts: a folder with outline fonts of one's own.

    Raises:
        BadInputError: as :func:`make_letters`.
    """
    _check_split(split)
    return tuple(faces_of(split, find_faces(fonts)[0]))


def left_out(fonts: Path) -> dict[str, str]:
    """Return the files of a folder with fonts that are not used: name -> what is wrong with it.

    Raises:
        BadInputError: as :func:`make_letters`.
    """
    return find_faces(fonts)[1]


def make_letters(
    split: str,
    num_per_class: int,
    seed: int = 0,
    fonts: Path | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Digits:
    """Draw capital letters in the format of MNIST.

    They are synthetic: stroke fonts by Hershey, whose strokes' ends are moved as a hand moves them, and
    outline fonts, each letter turned, sheared, scaled, warped and drawn with a pen of its own. They are good
    to learn something after digits, and to try things out; nobody has written them, and they are no
    substitute for EMNIST.

    The split is by families of faces, never by images: no letter of the test is in a family that the training
    has seen. Of those that come with the packages Hershey Times, DejaVu Sans and STIX are for the test, and
    Hershey Sans, Hershey Script, DejaVu Serif and Computer Modern (roman, sans, typewriter, calligraphic) for
    training; of others a hash of the family's name decides, as it did of these. Weights and slants of a
    family, and a face for typewriters named like it, belong to it. Families are drawn equally often, and
    within one its faces.

    Arguments:
        split: ``train`` or ``test``.
        num_per_class: images of each letter.
        seed: of all that is random, at least 0.
        fonts: a folder with TrueType, OpenType or WOFF files, which are used as well.
        progress: told how many images are done, of how many.

    Returns:
        The letters, in the order A to Z again and again: 0 for A to 25 for Z. A function of the arguments and
        of the versions of fonts and libraries.

    Raises:
        BadInputError: for another split, too small a number, a folder without usable fonts, or without the
            package that has Hershey's fonts.

    Source of the stroke fonts: Wolcott and Hilsenrath, A contribution to computer typesetting techniques:
    tables of coordinates for Hershey's repertory of occidental type fonts and graphic symbols, NBS special
    publication 424 (1976).
    """
    _check_split(split)
    if num_per_class < 1 or seed < 0:
        raise BadInputError(
            f"letters are drawn at least once each, from a seed of at least 0; got {num_per_class} of each "
            f"and the seed {seed}"
        )
    families = list(faces_of(split, find_faces(fonts)[0]).values())
    own_seed = int.from_bytes(hashlib.sha256(f"{seed}/{split}".encode()).digest()[:6])
    generator, foundry = torch.Generator().manual_seed(own_seed), Foundry(own_seed)
    labels = torch.arange(len(LETTERS) * num_per_class) % len(LETTERS)
    images = []
    for part in labels.split(_AT_ONCE):
        glyphs = []
        for label, chosen in zip(
            part.tolist(), torch.rand(len(part), 3, generator=generator).tolist(), strict=True
        ):
            faces = families[int(chosen[0] * len(families))]
            face = faces[int(chosen[1] * len(faces))]
            glyphs.append(foundry.glyph(face, LETTERS[label], int(chosen[2] * _VARIANTS)))
        images.append(draw(glyphs, generator))
        if progress is not None:
            progress(sum(map(len, images)), len(labels))
    return Digits(torch.cat(images), labels, LETTERS)


def _check_split(split: str) -> None:
    if split not in ("train", "test"):
        raise BadInputError(f"letters have the splits train and test, got {split!r}")
