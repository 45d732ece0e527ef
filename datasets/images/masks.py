"""Where there is tissue: an image or array of one frame that goes beside the trajectories."""

from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float32, Shaped
from torch import Tensor

from pdenca.core import BadInputError

from .series import ALPHA, ImageSeries

NAME: Final = "mask"
"""What the file calls it: a parameter that varies in space, 1 where there is tissue and 0 elsewhere."""


def mask_values(image: ImageSeries) -> Shaped[np.ndarray, "row column"]:
    """Return an image as truth values: whatever is not 0 in a channel other than alpha."""
    if image.num_frames != 1:
        raise BadInputError(f"the mask {image.name} has {image.num_frames} frames, expected one image")
    colours = [index for index, name in enumerate(image.channels) if name != ALPHA]
    return np.asarray((image.frames[0, colours] != 0).any(axis=0))


def mask_array(mask: np.ndarray | Tensor) -> Shaped[np.ndarray, "row column"]:
    """Return an array as truth values: whatever is not 0."""
    values = mask.detach().cpu().numpy() if isinstance(mask, Tensor) else mask
    if values.ndim != 2:
        raise BadInputError(f"the mask has {values.ndim} axes, expected 2 (row, column)")
    return np.asarray(values != 0)


def settle_mask(
    inside: Shaped[np.ndarray, "row column"], series: ImageSeries, source: Path | str
) -> Float32[np.ndarray, "row column"]:
    """Return a mask that fits the frames, as 0 and 1.

    Arguments:
        inside: truth values.
        series: the frames.
        source: where it is from, for errors.

    Raises:
        BadInputError: if it has another size, or is empty.
    """
    if inside.shape != series.frames.shape[2:]:
        raise BadInputError(
            f"the mask {source} has {inside.shape[1]} x {inside.shape[0]} pixels, the frames of "
            f"{series.name} have {series.size}; usual cure: a mask drawn on one of the frames"
        )
    if not inside.any():
        raise BadInputError(f"the mask {source} is 0 everywhere; expected other values where there is tissue")
    return inside.astype(np.float32)
