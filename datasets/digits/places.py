"""Where the files of digits and their like are: a folder, the cache, or a public mirror."""

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Source:
    """A published data set of four IDX files.

    Arguments:
        name: of the data set, for errors.
        checksums: name of a file without ``.gz`` -> SHA-256 of what it holds, unpacked.
        mirrors: addresses that the files' names, with ``.gz``, are put behind.
        kept: folder of the files inside ``pdenca`` in the user's cache.
        otherwise: what else one can do without the files, for errors.
        installed: where a package of the system puts them; None: nowhere.
    """

    name: str
    checksums: Mapping[str, str]
    mirrors: tuple[str, ...]
    kept: str
    otherwise: str = ""
    installed: Path | None = None

    @property
    def cache(self) -> Path:
        """Where downloaded files are kept."""
        return cache_folder().parent / self.kept


def cache_folder() -> Path:
    """Return where downloaded digits are kept: ``pdenca/digits`` in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "pdenca" / "digits"


MNIST: Final = Source(
    "MNIST", CHECKSUMS, MIRRORS, "digits", ", or --sample for the digits that come with pdenca"
)


def find_in(folder: Path, name: str) -> Path | None:
    """Return a file of this name, packed or not, or None."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def own_folder(data_dir: Path | None, family: str | None = None) -> tuple[Path, str] | None:
    """Return the folder of one's own to look in and a remark who named it, for errors; None without one.

    Arguments:
        data_dir: a folder that was told.
        family: the name of a folder that comes first where PDENCA_DATA has one: a family whose files have the
            same names as MNIST's.
    """
    if data_dir is not None:
        return data_dir, ""
    told = os.environ.get(DATA_VARIABLE)
    if not told:
        return None
    folder = Path(told).expanduser()
    if family is not None and (folder / family).is_dir():
        folder = folder / family
    return folder, f", which {DATA_VARIABLE} names,"


def locate(name: str, data_dir: Path | None, source: Source = MNIST) -> Path:
    """Return a file of digits, fetching it where it must be.

    Looked for in ``data_dir``, or else in the folder that the variable PDENCA_DATA names; if neither is
    given, where the system has it and in the cache, which is filled from the public mirrors. What is in a
    folder of one's own may be any data in this format and has no checksum to obey; all else does.

    Arguments:
        name: of the file, without ``.gz``.
        data_dir: a folder of one's own.
        source: the data set.

    Raises:
        BadInputError: if the folder lacks the file, or it is in no cache and no mirror can be reached.
        FormatError: if what a mirror sends, or the cache holds, is not this data set.
    """
    own = own_folder(data_dir, None if source is MNIST else source.kept)
    if own is not None:
        found = find_in(own[0], name)
        if found is None:
            raise BadInputError(
                f"the folder {own[0]}{own[1]} has no {name} or {name}.gz; usual cure: the folder with "
                f"{source.name}'s four files in IDX format{source.otherwise}"
            )
        return found
    installed = None if source.installed is None else find_in(source.installed, name)
    if installed is not None:
        _verify(installed.read_bytes(), name, str(installed), "usual cure: --data-dir", source)
        return installed
    found = find_in(source.cache, name)
    if found is None:
        found = source.cache / f"{name}.gz"
        packed = download(name, read_url, source)
        with atomic_path(found) as temporary:
            temporary.write_bytes(packed)
    else:
        cure = "usual cure: remove it, to have it fetched again"
        _verify(found.read_bytes(), name, str(found), cure, source)
    return found


def download(name: str, read: Callable[[str], bytes], source: Source = MNIST) -> bytes:
    """Return the packed file from the first mirror that has it, verified.

    Arguments:
        name: of the file, without ``.gz``.
        read: url -> what is there; raises OSError.
        source: the data set.

    Raises:
        FormatError: if a mirror answered, but none with the right data.
        BadInputError: if none answered.
    """
    wrong, silent = None, []
    for mirror in source.mirrors:
        try:
            packed = read(f"{mirror}{name}.gz")
            cure = "usual cure: another network, or --data-dir"
            _verify(packed, name, f"{mirror}{name}.gz", cure, source)
        except FormatError as error:
            wrong = error
        except (OSError, HTTPException) as error:
            silent.append(f"{mirror}: {getattr(error, 'reason', None) or error}")
        else:
            return packed
    if wrong is not None:
        raise wrong
    raise BadInputError(
        f"{source.name} is not on this machine and no mirror answered ({'; '.join(silent)}); usual cure: "
        f"--data-dir DIR or {DATA_VARIABLE}=DIR with the four files of {source.name}{source.otherwise}"
    )


def read_url(url: str) -> bytes:
    """Return what is at an address.

    Raises:
        OSError: if it cannot be reached.
    """
    # only addresses of the mirrors; what they send is compared with checksums
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
        content: bytes = answer.read()
    return content


def _verify(packed: bytes, name: str, place: str, cure: str, source: Source) -> None:
    found, expected = hashlib.sha256(unpack(packed, place)).hexdigest(), source.checksums[name]
    if found != expected:
        raise FormatError(
            f"{place} is not {source.name}'s file: its SHA-256 is {found[:12]}..., expected "
            f"{expected[:12]}...; {cure}"
        )
