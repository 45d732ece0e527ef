"""The letters of EMNIST: from a folder of its files, or from the archive that they are published in."""

import hashlib
import zipfile
from pathlib import Path
from typing import Final

from jaxtyping import UInt8
from torch import Tensor

from pdenca.core import BadInputError, FormatError

from .folders import check_split
from .idx import parse_idx, read_idx, unpack
from .images import Digits
from .places import DATA_VARIABLE, find_in, own_folder

ARCHIVE: Final = "gzip.zip"
ADDRESS: Final = f"https://biometrics.nist.gov/cs_links/EMNIST/{ARCHIVE}"
ARCHIVE_CHECKSUM = "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e"
"""SHA-256 of the archive."""
LETTER_NAMES: Final = tuple("abcdefghijklmnopqrstuvwxyz")
_CURE: Final = f"usual cure: fetch {ARCHIVE} (536 MB) from {ADDRESS} and pass its folder with --data-dir"


def load_emnist_letters(split: str, data_dir: Path | None) -> Digits:
    """Read EMNIST's split "letters": handwritten letters, capital and small ones as one class.

    The files number the letters from 1 and hold the images transposed; both is undone here.

    Arguments:
        split: ``train`` (124,800 images) or ``test`` (20,800).
        data_dir: a folder with ``emnist-letters-*`` files, with a folder ``gzip`` that has them, or with
            ``gzip.zip``; None: the folder that PDENCA_DATA names.

    Returns:
        The letters in the order of the file, upright, 0 for a to 25 for z.

    Raises:
        BadInputError: if there is no such file: the archive is too large to be fetched unasked.
        FormatError: if a file is damaged, the archive is not EMNIST's, or images and labels do not fit.

    Source: Cohen, Afshar, Tapson and van Schaik, EMNIST: an extension of MNIST to handwritten letters,
    arXiv:1702.05373 (2017).
    """
    own = own_folder(data_dir)
    if own is None:
        raise BadInputError(f"EMNIST is not fetched unasked; {_CURE}, or name it with {DATA_VARIABLE}")
    images, images_name = _read(own, f"emnist-letters-{split}-images-idx3-ubyte", 3)
    labels, labels_name = _read(own, f"emnist-letters-{split}-labels-idx1-ubyte", 1)
    if len(labels) and not 1 <= int(labels.min()) <= int(labels.max()) <= len(LETTER_NAMES):
        raise FormatError(
            f"{labels_name} has labels from {int(labels.min())} to {int(labels.max())}, expected 1 to "
            f"{len(LETTER_NAMES)}; usual cure: the file of EMNIST's split 'letters'"
        )
    upright = images.transpose(1, 2).contiguous()
    return check_split(upright, labels - 1, LETTER_NAMES, images_name, labels_name)


def _read(own: tuple[Path, str], name: str, num_axes: int) -> tuple[UInt8[Tensor, "..."], str]:
    """Return what a file holds, and where it was found."""
    folder, remark = own
    for place in (folder, folder / "gzip"):
        found = find_in(place, name)
        if found is not None:
            return read_idx(found, num_axes), str(found)
    archive = folder / ARCHIVE
    if not archive.is_file():
        raise BadInputError(
            f"the folder {folder}{remark} has no {name}, packed or not, no gzip/{name}.gz and no {ARCHIVE}; "
            f"{_CURE}"
        )
    content = _member(archive, f"gzip/{name}.gz")
    told = f"{archive}: {name}"
    return parse_idx(unpack(content, told), told, num_axes), told


def _member(archive: Path, name: str) -> bytes:
    try:
        with archive.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != ARCHIVE_CHECKSUM:
                raise FormatError(
                    f"{archive} is not EMNIST's archive: its SHA-256 is {found[:12]}..., expected "
                    f"{ARCHIVE_CHECKSUM[:12]}...; usual cure: fetch it again from {ADDRESS}"
                )
            with zipfile.ZipFile(file) as packed:
                return packed.read(name)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise FormatError(
            f"{archive}: {name} cannot be read ({error}); usual cure: fetch it again from {ADDRESS}"
        ) from None
