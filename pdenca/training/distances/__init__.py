"""Distances between images that a rule can be trained with: differentiable, one number per image.

Which one is right depends on what counts as the same: the same value in the same cell (``euclidean``), the
same mass not far away (``sinkhorn``), the same colours (``sliced-wasserstein``), waves (``spectral``) or
texture (``texture``) anywhere.
"""

from .base import Distance, as_unit
from .cell_by_cell import Euclidean, MeanSquared
from .distributions import Bhattacharyya, Hellinger
from .regions import within
from .settings import DISTANCES, DistanceSettings
from .spectral import Spectral
from .texture import Texture
from .transport import Sinkhorn, SlicedWasserstein

__all__ = [
    "DISTANCES",
    "Bhattacharyya",
    "Distance",
    "DistanceSettings",
    "Euclidean",
    "Hellinger",
    "MeanSquared",
    "Sinkhorn",
    "SlicedWasserstein",
    "Spectral",
    "Texture",
    "as_unit",
    "within",
]
