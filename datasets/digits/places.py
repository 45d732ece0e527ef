"""Where the files of handwritten digits are: a folder, the cache, or a public mirror."""

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Final

from pdenca.core import BadInputError, FormatError, atomic_path

from .idx import unpack

FILES: Final = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}
"""(split, kind) -> name of the file, without ``.gz``."""

CHECKSUMS: Final = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of MNIST's files, unpacked: packing the same data again gives other bytes."""

MIRRORS: Final = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
SAMPLES: Final = Path(__file__).parent.parent / "samples" / "digits"
"""A small part of MNIST that comes with the package."""

DATA_VARIABLE: Final = "PDENCA_DATA"
_TIMEOUT: Final = 60.0  # seconds without an answer


def cache_folder() -> Path:
    """Return where downloaded digits are kept: ``pdenca/digits`` in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "pdenca" / "digits"


def find_in(folder: Path, name: str) -> Path | None:
    """Return a file of this name, packed or not, or None."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def locate(name: str, data_dir: Path | None) -> Path:
    """Return a file of digits, fetching it where it must be.

    Looked for in ``data_dir``, or else in the folder that the variable PDENCA_DATA names; if neither is
    given, in the cache, which is filled from the public mirrors. What is in a folder of one's own may be any
    data in this format, such as Fashion-MNIST, and has no checksum to obey; the cache and the mirrors do.

    Arguments:
        name: of the file, without ``.gz``.
        data_dir: a folder of one's own.

    Raises:
        BadInputError: if the folder lacks the file, or it is in no cache and no mirror can be reached.
        FormatError: if what a mirror sends, or the cache holds, is not MNIST.
    """
    named = os.environ.get(DATA_VARIABLE)
    own = data_dir if data_dir is not None else Path(named).expanduser() if named else None
    if own is not None:
        found = find_in(own, name)
        if found is None:
            told = "" if data_dir is not None else f", which {DATA_VARIABLE} names,"
            raise BadInputError(
                f"the folder {own}{told} has no {name} or {name}.gz; usual cure: the folder with MNIST's "
                "four files in IDX format, or --sample for the digits that come with pdenca"
            )
        return found
    folder = cache_folder()
    found = find_in(folder, name)
    if found is None:
        found = folder / f"{name}.gz"
        packed = download(name, read_url)
        with atomic_path(found) as temporary:
            temporary.write_bytes(packed)
    else:
        _verify(found.read_bytes(), name, str(found), "usual cure: remove it, to have it fetched again")
    return found


def download(name: str, read: Callable[[str], bytes]) -> bytes:
    """Return the packed file from the first mirror that has it, verified.

    Arguments:
        name: of the file, without ``.gz``.
        read: url -> what is there; raises OSError.

    Raises:
        FormatError: if a mirror answered, but none with the right data.
        BadInputError: if none answered.
    """
    wrong, silent = None, []
    for mirror in MIRRORS:
        try:
            packed = read(f"{mirror}{name}.gz")
            _verify(packed, name, f"{mirror}{name}.gz", "usual cure: another network, or --data-dir")
        except FormatError as error:
            wrong = error
        except (OSError, HTTPException) as error:
            silent.append(f"{mirror}: {getattr(error, 'reason', None) or error}")
        else:
            return packed
    if wrong is not None:
        raise wrong
    raise BadInputError(
        f"MNIST is not on this machine and no mirror answered ({'; '.join(silent)}); usual cure: --data-dir "
        f"DIR or {DATA_VARIABLE}=DIR with the four files of MNIST, or --sample for the digits that come with "
        "pdenca"
    )


def read_url(url: str) -> bytes:
    """Return what is at an address.

    Raises:
        OSError: if it cannot be reached.
    """
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:  # the mirrors above, all https
        content: bytes = answer.read()
    return content


def _verify(packed: bytes, name: str, place: str, cure: str) -> None:
    found = hashlib.sha256(unpack(packed, place)).hexdigest()
    if found != CHECKSUMS[name]:
        raise FormatError(
            f"{place} is not MNIST's file: its SHA-256 is {found[:12]}..., expected "
            f"{CHECKSUMS[name][:12]}...; {cure}"
        )
