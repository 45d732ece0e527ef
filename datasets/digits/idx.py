"""IDX files: the format of MNIST and of all that imitates it, plain or packed by gzip."""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from jaxtyping import UInt8
from torch import Tensor

from pdenca.core import BadInputError, FormatError, atomic_path

_UNSIGNED_BYTE: Final = 8


def unpack(packed: bytes, name: str) -> bytes:
    """Return the bytes of a file that may be packed by gzip.

    Arguments:
        packed: the file's content.
        name: of the file, for errors.

    Raises:
        FormatError: for gzip data that are damaged or end too early.
    """
    if packed[:2] != b"\x1f\x8b":
        return packed
    try:
        return gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(f"{name} is damaged gzip ({error}); usual cure: copy or fetch it again") from None


def parse_idx(content: bytes, name: str, num_axes: int) -> UInt8[Tensor, "..."]:
    """Read an array of unsigned bytes.

    The header is two zero bytes, the type 8, the number of axes, and the length of each axis as a big-endian
    32-bit integer; the values follow, last axis fastest.

    Arguments:
        content: of the file, unpacked.
        name: of the file, for errors.
        num_axes: how many axes there must be: 3 of images, 1 of labels.

    Returns:
        The array.

    Raises:
        FormatError: for another magic number, another number of axes, or fewer or more values than promised.

    Source: LeCun, Cortes and Burges, The MNIST database, "File formats".
    """
    magic = bytes((0, 0, _UNSIGNED_BYTE, num_axes))
    if content[:4] != magic:
        raise FormatError(
            f"{name} is no IDX file of unsigned bytes with {num_axes} axes: it begins with "
            f"{content[:4].hex() or 'nothing'}, expected {magic.hex()}; usual cure: the right file under "
            "this name"
        )
    start = 4 + 4 * num_axes
    if len(content) < start:
        raise FormatError(f"{name} ends inside its header; usual cure: copy or fetch it again")
    shape = struct.unpack(f">{num_axes}I", content[4:start])
    promised, found = math.prod(shape), len(content) - start
    if promised != found:
        kind = "is truncated" if found < promised else "is longer than its header says"
        raise FormatError(
            f"{name} {kind}: {found} values, expected {' x '.join(map(str, shape))} = {promised}; usual "
            "cure: copy or fetch it again"
        )
    if not promised:
        return torch.zeros(shape, dtype=torch.uint8)
    return torch.frombuffer(bytearray(content[start:]), dtype=torch.uint8).view(shape)


def read_idx(path: Path, num_axes: int) -> UInt8[Tensor, "..."]:
    """Read an IDX file, plain or packed.

    Raises:
        FormatError: as :func:`parse_idx` and :func:`unpack`, or if the file cannot be read.
    """
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path} cannot be read ({error.strerror or error})") from None
    return parse_idx(unpack(packed, str(path)), str(path), num_axes)


def write_idx(path: Path, values: UInt8[Tensor, "..."]) -> None:
    """Write an IDX file, whole or not at all; packed if its name ends in ``.gz``.

    Packed files hold neither time nor name, so equal values make equal files.

    Raises:
        BadInputError: for an array without axes or with more than 255.
    """
    if not 1 <= values.ndim <= 255:
        raise BadInputError(f"an IDX file holds 1 to 255 axes, got {values.ndim}")
    header = bytes((0, 0, _UNSIGNED_BYTE, values.ndim)) + _lengths(values.shape)
    content = header + values.contiguous().numpy().tobytes()
    if path.suffix == ".gz":
        content = gzip.compress(content, compresslevel=9, mtime=0)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _lengths(shape: Sequence[int]) -> bytes:
    return struct.pack(f">{len(shape)}I", *shape)
