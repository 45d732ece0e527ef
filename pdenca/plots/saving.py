"""Figures to bytes and files: whole or absent, and the same bytes for the same figure."""

import io
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from pdenca.core import BadInputError, atomic_path

from .arrays import Number
from .style import styled

FORMATS: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None},
    "svg": {"Date": None},
}
"""File suffix without its dot -> metadata switched off, so that a figure made again has equal bytes."""


def to_bytes(figure: Figure, file_format: str, dpi: Number = 300) -> bytes:
    """Draw a figure in one of the formats of :data:`FORMATS`.

    Arguments:
        figure: any matplotlib figure.
        file_format: "png", "pdf" or "svg".
        dpi: dots per inch of pictures, also of the ones inside a vector file.

    Returns:
        The content of the file; equal for equal figures (same matplotlib, same fonts).

    Raises:
        BadInputError: for another format.
    """
    if file_format not in FORMATS:
        raise BadInputError(f"cannot draw a figure as {file_format!r}; expected one of png, pdf, svg")
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format=file_format, dpi=dpi, metadata=FORMATS[file_format])
    return buffer.getvalue()


def save(figure: Figure, path: Path | str, dpi: Number = 300) -> Path:
    """Write a figure to a file, whole or not at all, in the format that the suffix names.

    Arguments:
        figure: any matplotlib figure.
        path: ends in .png, .pdf or .svg (in either case); missing folders are made.
        dpi: dots per inch of pictures, also of the ones inside a vector file.

    Returns:
        The path.

    Raises:
        BadInputError: for another suffix or none.
    """
    path = Path(path)
    file_format = path.suffix.removeprefix(".").lower()
    if file_format not in FORMATS:
        raise BadInputError(
            f"{path.name!r} has the suffix {path.suffix!r}; figures are saved as .png, .pdf or .svg"
        )
    content = to_bytes(figure, file_format, dpi)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return path
