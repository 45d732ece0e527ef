"""Distances that compare every cell with the same cell."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from .base import Distance


@final
@dataclass(frozen=True)
class Euclidean(Distance):
    """The founding paper's own: the norm over space and channels,

        d = √ Σ over channels and cells of (u - v)².

    In the unit of the images, and growing with the root of their size. Limits: a pattern that is right but a
    cell too far to the left is as wrong as another pattern.

    Source: the default of Richardson et al., PLOS Comput. Biol. 20 (2024) e1011589, Methods.
    """

    def measure(
        self, found: Float[Tensor, "batch channel *space"], wanted: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, " batch"]:
        """Return the norm of the difference."""
        # torch gives a norm the derivative 0 where it vanishes
        norm: Tensor = torch.linalg.vector_norm((found - wanted).flatten(1), dim=1)
        return norm


@final
@dataclass(frozen=True)
class MeanSquared(Distance):
    """The mean squared error,

        d = mean over channels and cells of (u - v)².

    In the squared unit of the images, whatever their size. Limits: as of :class:`Euclidean`; smooth at
    equality, where its gradient fades, while that of a norm keeps its length.
    """

    def measure(
        self, found: Float[Tensor, "batch channel *space"], wanted: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, " batch"]:
        """Return the mean square of the difference."""
        return (found - wanted).square().flatten(1).mean(1)
