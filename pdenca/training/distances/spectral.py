"""The moduli of Fourier transforms: how strong every wave is, not where its crests are."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from .base import Distance, require_not_negative
from .cell_by_cell import Euclidean


@final
@dataclass(frozen=True)
class Spectral(Distance):
    """The difference of the moduli of the Fourier transforms, phases dropped, and part of the Euclidean one:

        d = √ Σ over channels and waves of (|û| - |v̂|)²  +  euclidean_weight · √ Σ (u - v)²,

    û the transform over all axes of space with the factor 1 / √cells. So both terms are in the unit of the
    images, and the first is never above the Euclidean distance. On one axis, two or three.

    Limits: the first term is blind to any circular shift, to reflection through a point, and to all else
    that moves waves against each other: most pictures with a given spectrum look like noise. A wave that is
    not there has no crest that could be raised, so its gradient is 0, and of an empty image all of it. Images
    are taken to be periodic; on others the jump from edge to edge is part of the spectrum.

    Arguments:
        euclidean_weight: of the second term, which sees phases; 1 is the founding paper's "spectral
            Euclidean".

    Source: Richardson et al., PLOS Comput. Biol. 20 (2024) e1011589, Methods. Their code leaves out the
    factor and one half of the waves, each of which a real image has twice.
    """

    euclidean_weight: float | int = 0.0

    def __post_init__(self) -> None:
        require_not_negative("euclidean_weight", self.euclidean_weight)

    def measure(
        self, found: Float[Tensor, "batch channel *space"], wanted: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, " batch"]:
        """Return the norm of the difference of moduli, and the share of the Euclidean distance."""
        distance = Euclidean().measure(_moduli(found), _moduli(wanted))
        if self.euclidean_weight:
            distance = distance + self.euclidean_weight * Euclidean().measure(found, wanted)
        return distance


def _moduli(images: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
    """Return how strong every wave is; torch gives the modulus the derivative 0 at 0."""
    waves: Tensor = torch.fft.fftn(images, dim=tuple(range(2, images.ndim)), norm="ortho")
    return waves.abs()
