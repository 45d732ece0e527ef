"""A disk that is full, told in one sentence that says what is lost: nothing but the file being written."""

import errno
import os
import shutil
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


def require_room(target: Path, num_bytes: int) -> None:
    """Find out whether a file will fit, without HDF5, which a write that fails can bring down.

    Arguments:
        target: the file that will be written.
        num_bytes: its size.

    Raises:
        OSError: if there is no room for it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if not hasattr(os, "posix_fallocate"):  # macOS
        if shutil.disk_usage(target.parent).free < num_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        return
    trial = target.with_name(f".{target.name}.{os.getpid()}.room.partial")
    try:
        with trial.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, num_bytes)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # a file system that cannot reserve
            raise
    finally:
        trial.unlink(missing_ok=True)
