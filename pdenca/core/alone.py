"""Whose folder it is: one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import BadInputError


@contextmanager
def alone(folder: Path, doing: str) -> Iterator[None]:
    """Hold a lock on a folder, made if missing, that the system releases even if the process is killed.

    Arguments:
        folder: the folder.
        doing: what whoever holds the lock is doing there, for the sentence that the next one gets.

    Raises:
        BadInputError: if it is a file, or another process holds the lock.
    """
    if folder.exists() and not folder.is_dir():
        raise BadInputError(f"{folder} is a file, expected a folder")
    folder.mkdir(parents=True, exist_ok=True)
    opened = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInputError(
                f"another process is {doing} in {folder}; usual cure: wait for it, or choose another folder"
            ) from None
        yield
    finally:
        os.close(opened)
