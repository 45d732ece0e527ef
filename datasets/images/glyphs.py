"""Small coloured pictures drawn by formulas, sharp at any size: what a growing rule may learn to draw."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdenca.core import BadInputError

_FINE: Final = 8  # points along each side of a cell whose mean is the cell's value

Plane = Float[np.ndarray, "x y"]
Layer = tuple[Bool[np.ndarray, "x y"], tuple[float, float, float]]
"""Where to paint, and in what colour (red, green, blue from 0 to 1)."""


def _smiley(x: Plane, y: Plane) -> list[Layer]:
    radius = np.hypot(x, y)
    dark = (0.25, 0.15, 0.05)
    eyes = ((np.abs(x) - 0.3) / 0.1) ** 2 + ((y - 0.25) / 0.16) ** 2 < 1
    mouth = (np.abs(np.hypot(x, y - 0.05) - 0.5) < 0.07) & (y < -0.1)
    return [
        (radius < 0.92, (0.85, 0.55, 0.05)),
        (radius < 0.84, (1.0, 0.82, 0.15)),
        (eyes | mouth, dark),
    ]


def _heart(x: Plane, y: Plane) -> list[Layer]:
    across, up = 1.3 * x, 1.3 * y + 0.1
    inside = (across**2 + up**2 - 1) ** 3 < across**2 * up**3
    shine = ((x + 0.42) / 0.16) ** 2 + ((y - 0.42) / 0.11) ** 2 < 1
    return [(inside, (0.86, 0.08, 0.18)), (inside & shine, (1.0, 0.6, 0.65))]


def _star(x: Plane, y: Plane) -> list[Layer]:
    # fold the plane onto one half of one of five points, whose edge is then a straight line
    sector = np.pi / 5
    turned = np.abs((np.arctan2(x, y) + sector) % (2 * sector) - sector)
    along, across = np.hypot(x, y) * np.cos(turned), np.hypot(x, y) * np.sin(turned)
    tip, notch = 0.95, (0.38 * np.cos(sector), 0.38 * np.sin(sector))
    inside = (along - tip) * notch[1] < (notch[0] - tip) * across
    return [(inside, (1.0, 0.72, 0.1)), (inside & (np.hypot(x, y) < 0.3), (1.0, 0.86, 0.4))]


def _leaf(x: Plane, y: Plane) -> list[Layer]:
    along, across = (x + y) / np.sqrt(2), (x - y) / np.sqrt(2)
    blade = np.hypot(along - 0.1, np.abs(across) + 0.6) < 1.05
    stem = (np.abs(across) < 0.05) & (along > -1.1) & (along < 0.1)
    ribs = (np.abs(across) < 0.04) | (np.abs((along - np.abs(across)) % 0.34 - 0.17) < 0.025)
    return [
        (stem, (0.35, 0.25, 0.08)),
        (blade, (0.18, 0.6, 0.2)),
        (blade & ribs & (np.abs(along - 0.1) < 0.75), (0.55, 0.8, 0.4)),
    ]


GLYPHS: Final[Mapping[str, Callable[[Plane, Plane], list[Layer]]]] = {
    "smiley": _smiley,
    "heart": _heart,
    "star": _star,
    "leaf": _leaf,
}
"""Name -> what is painted over what, on the square from -1 to 1 with y upwards."""


def draw_glyph(name: str, size: int) -> Float[Tensor, "4 x y"]:
    """Draw a glyph.

    Arguments:
        name: one of ``GLYPHS``.
        size: cells along each side.

    Returns:
        Red, green, blue and alpha from 0 to 1. Colours are multiplied by alpha, so that nothing is 0 in all
        channels; edges are the mean over each cell. x runs to the right and y upwards:
        :func:`pdenca.datasets.images.to_images` makes an image of it.

    Raises:
        BadInputError: for an unknown name, or no cells.
    """
    if name not in GLYPHS or size < 1:
        raise BadInputError(
            f"the glyph {name!r} of {size} cells cannot be drawn; expected one of {', '.join(GLYPHS)} of 1 "
            "cell or more"
        )
    points = (np.arange(size * _FINE) + 0.5) * 2 / (size * _FINE) - 1
    x, y = np.meshgrid(points, points, indexing="ij")
    painted = np.zeros((4, *x.shape))
    for where, colour in GLYPHS[name](x, y):
        painted[:, where] = np.array([*colour, 1.0])[:, None]
    cells = painted.reshape(4, size, _FINE, size, _FINE).mean((2, 4))
    return torch.from_numpy(cells).float()
