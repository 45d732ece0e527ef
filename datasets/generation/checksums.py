"""``SHA256SUMS``: one line per data file, as `sha256sum --check` reads it, so that no flipped bit passes."""

import hashlib
from pathlib import Path

from pdenca.core import write_text

FILE_NAME = "SHA256SUMS"


def checksum_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_checksums(dataset: Path) -> dict[str, str]:
    """Return path inside the dataset's folder -> checksum; empty if none were written."""
    path = dataset / FILE_NAME
    if not path.is_file():
        return {}
    pairs = (line.split("  ", 1) for line in path.read_text("utf-8", errors="replace").splitlines())
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


def add_checksum(dataset: Path, path: Path) -> None:
    """Note the checksum of a file that was just written."""
    table = {**read_checksums(dataset), path.relative_to(dataset).as_posix(): checksum_of(path)}
    write_text(dataset / FILE_NAME, "".join(f"{table[name]}  {name}\n" for name in sorted(table)))
