"""Families of images of 28 x 28 cells by name: MNIST, and what can take its place."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pdenca.core import BadInputError, FormatError
from pdenca.datasets.letters import LETTERS, VERSION, make_letters

from . import load_digits
from .emnist import load_emnist_letters
from .folders import CLASSES_FILE, read_classes, read_split
from .idx import unpack, write_idx
from .images import Digits
from .places import CHECKSUMS, FILES, Source, cache_folder, locate

FASHION_CHECKSUMS: Final = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
"""SHA-256 of Fashion-MNIST's files, unpacked."""

FASHION: Final = Source(
    "Fashion-MNIST",
    FASHION_CHECKSUMS,
    ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    "fashion-mnist",
    installed=Path("/usr/share/datasets/fashion-mnist"),  # of Debian's dataset-fashion-mnist
)
CLOTHES: Final = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
LETTERS_PER_CLASS: Final = {"train": 600, "test": 100}
"""Synthetic letters that are made on first use."""
SAMPLE_PER_CLASS: Final = {"train": 20, "test": 10}


def load_family(name: str, split: str, data_dir: Path | str | None = None, *, sample: bool = False) -> Digits:
    """Read a split of a family of images.

    Arguments:
        name: ``mnist``: see :func:`~pdenca.datasets.digits.load_digits`; ``fashion-mnist``: ten kinds of
            clothes, looked for like MNIST (and below PDENCA_DATA in a folder ``fashion-mnist`` first);
            ``emnist-letters``: see :func:`~pdenca.datasets.digits.emnist.load_emnist_letters`; ``letters``:
            synthetic capital letters, see :func:`~pdenca.datasets.letters.make_letters`, 15,600 to train on
            and 2,600 to test, made on first use and kept in the cache.
        split: ``train`` or ``test``.
        data_dir: a folder with the files; for ``letters`` one that ``pdenca digits letters`` has made.
        sample: a small part instead: the digits that come with the package, or 520 and 260 letters that are
            made on the spot.

    Returns:
        Images, labels and the names of the classes.

    Raises:
        BadInputError: for another name or split, if the family has no sample, or if there are no files.
        FormatError: if a file is damaged or not of this family.

    Source of Fashion-MNIST: Xiao, Rasul and Vollgraf, arXiv:1708.07747 (2017).
    """
    if name not in FAMILIES:
        raise BadInputError(f"no family of images {name!r}; expected one of {', '.join(FAMILIES)}")
    if (split, "images") not in FILES:
        raise BadInputError(f"{name} has the splits train and test, got {split!r}")
    return FAMILIES[name](split, None if data_dir is None else Path(data_dir), sample)


def _mnist(split: str, data_dir: Path | None, sample: bool) -> Digits:
    return load_digits("train" if split == "train" else "test", data_dir, sample=sample)


def _fashion(split: str, data_dir: Path | None, sample: bool) -> Digits:
    _refuse_sample("fashion-mnist", sample)
    paths = {kind: locate(FILES[split, kind], data_dir, FASHION) for kind in ("images", "labels")}
    # the files have the same names, and nothing else would tell digits from clothes
    labels = unpack(paths["labels"].read_bytes(), str(paths["labels"]))
    if hashlib.sha256(labels).hexdigest() == CHECKSUMS[FILES[split, "labels"]]:
        raise FormatError(
            f"{paths['labels']} has the labels of MNIST, not of {FASHION.name}; usual cure: its own folder"
        )
    return read_split(paths["images"], paths["labels"], CLOTHES)


def _emnist(split: str, data_dir: Path | None, sample: bool) -> Digits:
    _refuse_sample("emnist-letters", sample)
    return load_emnist_letters(split, data_dir)


def _letters(split: str, data_dir: Path | None, sample: bool) -> Digits:
    if sample:
        return make_letters(split, SAMPLE_PER_CLASS[split])
    if data_dir is None:
        return _kept_letters(split)
    paths = {kind: locate(FILES[split, kind], data_dir, _OWN_LETTERS) for kind in ("images", "labels")}
    classes = read_classes(data_dir)
    if classes != LETTERS:
        raise FormatError(
            f"{data_dir / CLASSES_FILE} does not name the letters A to Z; usual cure: a folder made by "
            "`pdenca digits letters --out DIR`"
        )
    return read_split(paths["images"], paths["labels"], classes)


def _kept_letters(split: str) -> Digits:
    """Read the letters in the cache, making them where they are not."""
    folder, start = cache_folder().parent / "letters", f"letters-v{VERSION}-{split}"
    images, labels = folder / f"{start}-images-idx3-ubyte.gz", folder / f"{start}-labels-idx1-ubyte.gz"
    if not (images.is_file() and labels.is_file()):
        made = make_letters(split, LETTERS_PER_CLASS[split])
        write_idx(images, made.images)
        write_idx(labels, made.labels.to(made.images.dtype))  # last: where it is, both are
    try:
        return read_split(images, labels, LETTERS)
    except FormatError as error:
        raise FormatError(f"{error}, or remove both files of {start}, to have them made again") from None


def _refuse_sample(name: str, sample: bool) -> None:
    if sample:
        raise BadInputError(
            f"no sample of {name} comes with pdenca; usual cure: --data-dir with its files, or the sample of "
            "mnist or letters"
        )


_OWN_LETTERS: Final = Source("the letters", {}, (), "letters", ", made by `pdenca digits letters --out DIR`")

FAMILIES: Final[dict[str, Callable[[str, Path | None, bool], Digits]]] = {
    "mnist": _mnist,
    "fashion-mnist": _fashion,
    "emnist-letters": _emnist,
    "letters": _letters,
}
"""name -> (split, folder, sample) -> images, labels and classes."""
