"""Example series made by code, written as if they had been imported."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.datasets.images import branching, draw_glyph, import_images, microscopy, to_images

_ORDER = ("smiley", "heart", "star", "leaf")


def _pictures(num_frames: int, num_cells: int, seed: int) -> Float[Tensor, "time channel x y"]:
    """Glyphs in the middle of a lattice, one after the other, from the seed-th on."""
    size = round(0.7 * num_cells)
    margin = num_cells - size
    frames = torch.zeros(num_frames, 4, num_cells, num_cells)
    for frame in range(num_frames):
        place = slice(margin // 2, margin // 2 + size)
        frames[frame, :, place, place] = draw_glyph(_ORDER[(seed + frame) % len(_ORDER)], size)
    return frames


def _sprout(num_frames: int, num_cells: int, seed: int) -> Float[Tensor, "time channel x y"]:
    """Glyphs after a single cell."""
    frames = _pictures(num_frames, num_cells, seed - 1)
    frames[0] = 0
    frames[0, :, num_cells // 2, num_cells // 2] = 1
    return frames


def _microscope(num_frames: int, num_cells: int, seed: int) -> Float[Tensor, "time channel x y"]:
    """A branching pattern, noisy and drifting."""
    return microscopy(branching(num_frames, num_cells, seed), 0.05, 1.0, seed)


DRAWINGS: Final[dict[str, Callable[[int, int, int], Float[Tensor, "time channel x y"]]]] = {
    "pictures": _pictures,
    "sprout": _sprout,
    "branching": branching,
    "microscopy": _microscope,
}
"""Name -> (frames, cells along each side, seed) -> a series."""


def draw_series(
    name: str,
    out: Path,
    *,
    num_frames: int = 3,
    num_cells: int = 64,
    seed: int = 0,
    boundary: str = "zeros",
) -> Path:
    """Draw an example and write it as a file of image series.

    Arguments:
        name: a key of :data:`DRAWINGS`: ``pictures`` that turn into each other, ``sprout``: the same after a
            single cell, a ``branching`` pattern that grows, and the same as through a ``microscopy``.
        out: the file.
        num_frames: how many.
        num_cells: along each side.
        seed: of the pattern; of pictures: which comes first.
        boundary: of the grid, one of :data:`~pdenca.solvers.BOUNDARIES`.

    Raises:
        BadInputError: for an unknown name, too few frames or cells, or a file that is there already.
    """
    if name not in DRAWINGS:
        raise BadInputError(f"there is no drawing {name!r}; expected one of {', '.join(DRAWINGS)}")
    frames = DRAWINGS[name](num_frames, num_cells, seed)
    channels = ("red", "green", "blue", "alpha") if frames.shape[1] == 4 else ("intensity",)
    images = to_images(frames.numpy())
    import_images(images, out, interval=1.0, spacing=1.0, channels=channels, boundary=boundary, axes="TCYX")
    return out
