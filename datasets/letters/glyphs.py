"""Glyphs as fields of distances: one picture of a letter, from which any size and any pen is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from .faces import Face, letter_mask, open_font, strokes_of

BODY: Final = 20.0
"""Cells that the longer side of a letter takes, before it is drawn at random."""
EXTENT: Final = 32.0
"""Cells along each side of a field: a letter and enough paper around it."""
_PER_CELL: Final = 3  # points of a field along each axis
_FINE: Final = 6  # pixels per cell in which outlines are drawn
_DIRECTIONS: Final = 16  # in which the outermost points of a letter are remembered
_DOUBLED: Final = frozenset({"rowmand", "timesr", "timesrb", "timesi", "timesib", "scriptc"})
_JITTER: Final = {False: 0.6, True: 0.25}  # cells; doubled strokes must stay side by side
_HALF_WIDTH: Final = {False: 0.0, True: 0.4}  # cells; doubled strokes are lines of some width already

Stroke = list[tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Glyph:
    """A letter of one face.

    Arguments:
        distance: to the nearest edge of the ink, positive inside (cells); of strokes: less the distance to
            the nearest one, so that the ink has no width yet. The letter's box is centred.
        half_width: of its lines (cells); 0 of single strokes.
        corners: its outermost points in some directions, from the centre (cells).
    """

    distance: Float[Tensor, "row column"]
    half_width: float
    corners: Float[Tensor, "direction 2"]


@dataclass(eq=False)
class Foundry:
    """Makes glyphs, each once.

    Arguments:
        seed: of how the ends of strokes are moved.
    """

    seed: int
    made: dict[tuple[Face, str, int], Glyph] = field(default_factory=dict)

    def glyph(self, face: Face, letter: str, variant: int) -> Glyph:
        """Return a letter.

        Arguments:
            face: one of those found.
            letter: a capital one.
            variant: with which ends of its strokes; outlines have one only.
        """
        key = (face, letter, variant if face.path is None else 0)
        if key not in self.made:
            if face.path is None:
                place = [self.seed, variant, *face.name.encode(), ord(letter)]
                strokes, doubled = self._strokes[face.name][letter], face.name in _DOUBLED
                self.made[key] = from_strokes(strokes, doubled, np.random.default_rng(place))
            else:
                self.made[key] = from_outline(face, letter)
        return self.made[key]

    @cached_property
    def _strokes(self) -> dict[str, dict[str, list[Stroke]]]:
        return dict(strokes_of())


def from_strokes(strokes: Sequence[Stroke], doubled: bool, generator: np.random.Generator) -> Glyph:
    """Return a glyph of strokes whose ends are moved at random; what lies between follows.

    Arguments:
        strokes: points x, y with y downwards, in any unit.
        doubled: whether two or three lie side by side to make one line.
        generator: source of randomness.
    """
    every = np.concatenate([np.asarray(stroke) for stroke in strokes])
    low, high = every.min(0), every.max(0)
    size = BODY / float((high - low).max())
    moved = []
    for stroke in strokes:
        points = (np.asarray(stroke) - (low + high) / 2) * size
        along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        way = (along / max(float(along[-1]), 1e-9))[:, None]  # 0 at the first end, 1 at the last
        first, last = generator.normal(0, _JITTER[doubled], (2, 2))
        moved.append(points + (1 - way) * first + way * last)
    # many points and pieces of lines: single numbers of half the size, one array per axis
    x, y = np.concatenate([points[:-1] for points in moved]).astype(np.float32).T
    along_x, along_y = np.concatenate([np.diff(points, axis=0) for points in moved]).astype(np.float32).T
    number = int(EXTENT) * _PER_CELL
    axis = (np.arange(number, dtype=np.float32) + 0.5) / _PER_CELL - EXTENT / 2
    right, down = np.tile(axis, number)[:, None] - x, np.repeat(axis, number)[:, None] - y
    # the nearest point of every piece, and the nearest of those
    share = (right * along_x + down * along_y) / np.maximum(along_x**2 + along_y**2, 1e-12)
    share = share.clip(0, 1)
    squared = (right - share * along_x) ** 2 + (down - share * along_y) ** 2
    nearest = np.sqrt(squared.min(-1)).reshape(number, number)
    return Glyph(torch.from_numpy(-nearest).float(), _HALF_WIDTH[doubled], _outermost(np.concatenate(moved)))


def from_outline(face: Face, letter: str) -> Glyph:
    """Return a glyph of an outline font."""
    assert face.path is not None, "strokes have no file"
    probe = letter_mask(open_font(face.path, 200), letter)
    mask = letter_mask(open_font(face.path, round(200 * BODY * _FINE / max(probe.size))), letter)
    ink = np.zeros((int(EXTENT) * _FINE,) * 2, bool)
    top, left = (len(ink) - mask.height) // 2, (len(ink) - mask.width) // 2
    ink[top : top + mask.height, left : left + mask.width] = np.asarray(mask) >= 128
    # a pixel's centre is half a pixel from its edge
    inside, outside = distance_transform_edt(ink), distance_transform_edt(~ink)
    distance = np.where(ink, inside - 0.5, 0.5 - outside) / _FINE
    # of a long line, what lies within a quarter of a cell of its edge is half a cell wide
    edge = float((np.abs(distance) < 0.25).sum()) / 0.5
    half_width = float(ink.sum()) / max(edge, 1.0)
    factor = _FINE // _PER_CELL
    coarse = distance.reshape(len(ink) // factor, factor, len(ink) // factor, factor).mean((1, 3))
    points = (np.argwhere(ink)[:, ::-1] + 0.5) / _FINE - EXTENT / 2
    return Glyph(torch.from_numpy(coarse).float(), half_width, _outermost(points))


def _outermost(points: np.ndarray) -> Float[Tensor, "direction 2"]:
    angles = np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS
    chosen = (points @ np.stack([np.cos(angles), np.sin(angles)])).argmax(0)
    return torch.from_numpy(points[chosen]).float()
