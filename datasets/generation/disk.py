"""A disk that is full, told in one sentence that says what is lost: nothing but the file being written."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pdenca.core import StorageError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_SIGNS = ("No space left on device", "Disk quota exceeded", "File too large")


@contextmanager
def full_disk_is_told(path: Path) -> Iterator[None]:
    """Turn what a full disk raises inside the block into a StorageError that names ``path``.

    HDF5 reports it as an OSError or a RuntimeError, with the reason only in the text.
    """
    try:
        yield
    except StorageError:
        raise
    except (OSError, RuntimeError) as error:
        sign = next((text for text in _SIGNS if text in str(error)), None)
        if sign is None and getattr(error, "errno", None) not in FULL:
            raise
        raise StorageError(
            f"{path} cannot be written ({sign or error}); only the unfinished file is removed; "
            "usual cure: free some space, then run the same command again, which goes on where it stopped"
        ) from error
