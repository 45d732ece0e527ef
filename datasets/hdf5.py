"""Opening HDF5 files: whatever goes wrong is one sentence with the file's name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pdenca.core import BadInputError, FormatError

DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, IndexError)
"""What h5py raises on files that are not what they should be."""


@contextmanager
def open_hdf5(path: Path | str) -> Iterator[h5py.File]:
    """Open a file for reading; whatever HDF5 cannot read becomes one FormatError with the file's name."""
    path = Path(path)
    if not path.is_file():
        raise FormatError(
            f"{path} is not a file; usual cure: check the path, or make it with `pdenca generate`"
        )
    try:
        with h5py.File(path, "r") as file:
            yield file
    except DAMAGE as error:
        if isinstance(error, BadInputError):
            raise
        raise FormatError(
            f"{path} is damaged or not a trajectory file ({reason(error)}); usual cure: `pdenca repair` "
            "on the dataset's folder, then `pdenca generate` again, which remakes only what is missing"
        ) from error


def reason(error: BaseException) -> str:
    """Return the first line of an error, without quotes around it."""
    return (str(error).splitlines() or [type(error).__name__])[0].strip("'\"")


def plain(value: Any) -> Any:  # noqa: ANN401  # HDF5 attributes are of any type
    """Return an attribute as a plain Python value where there is one."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.generic):
        return value.item()
    return value
