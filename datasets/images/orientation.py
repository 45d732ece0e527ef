"""Which way is up: images have rows from the top down, grids have y upwards."""

import numpy as np
from jaxtyping import Shaped

CONVENTION = "x: columns, left to right; y: rows, bottom to top"
"""How images lie on a grid, as files tell it."""


def to_space(
    images: Shaped[np.ndarray, "*other row column"],
) -> Shaped[np.ndarray, "*other x y"]:
    """Lay images on a grid: x runs to the right, y upwards, as in every figure that pdenca draws."""
    return np.swapaxes(images, -1, -2)[..., ::-1]


def to_images(
    fields: Shaped[np.ndarray, "*other x y"],
) -> Shaped[np.ndarray, "*other row column"]:
    """Return fields on a grid as images with rows from the top down, to save or show: undoes ``to_space``."""
    return np.swapaxes(fields[..., ::-1], -1, -2)
