"""Images read as distributions over their cells, and the overlap of two distributions."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError

from .base import Distance, require_positive


@dataclass(frozen=True)
class OfDistributions(Distance):
    """A distance of images that are read, channel by channel, as distributions over the cells:

        p = (u + floor) / Σ over cells of (u + floor).

    The floor keeps the gradient finite where an image is empty, and makes an image that is zero everywhere
    the even distribution; the gradient there is of the order 1 / floor, since the shape of next to nothing
    changes with next to nothing.

    A distribution has no negative shares, so that images with negative values are refused: to cut these off
    or to turn them round unasked would be to train another rule than the one that runs. Where fields are
    empty, a rule in training does stray below zero, and so do solvers at sharp edges;
    ``negative = "magnitude"`` then reads |u| for u, as the founding paper's code does. A picture and its
    negative are then the same.

    Arguments:
        floor: what is added to every value, in the unit of the images.
        negative: ``refuse`` or ``magnitude``.

    Raises:
        BadInputError: for a floor that is not positive, another word, or images with negative values.
    """

    floor: float | int = 1e-9
    negative: str = "refuse"

    def __post_init__(self) -> None:
        require_positive("floor", self.floor)
        if self.negative not in ("refuse", "magnitude"):
            raise BadInputError(f"negative got {self.negative!r}, expected 'refuse' or 'magnitude'")

    def require(self, images: Float[Tensor, "batch channel *space"]) -> None:
        """Refuse negative values, unless their magnitude is asked for."""
        super().require(images)
        if self.negative == "refuse" and bool((images < 0).any()):
            raise BadInputError(
                "images read as distributions cannot have negative values, and the least of these is "
                f"{float(images.detach().min()):.3g}; usual cure: another distance, or negative = "
                "'magnitude' where values stray a little below zero"
            )

    def shares(self, images: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel cell"]:
        """Return the share of every cell, all of them positive, 1 in sum over each channel."""
        values = images if self.negative == "refuse" else images.abs()
        weights = values.flatten(2) + self.floor
        return weights / weights.sum(-1, keepdim=True)


@dataclass(frozen=True)
class Overlap(OfDistributions):
    """A distance that depends on the overlap Σ √(p q), with the amplitudes of the images or without them.

    Normalised, an image and its double are the same. With a the difference of the means of a channel over
    the cells, ``factor`` makes d · (1 + |a|) of its distance d, and ``term`` makes d + |a|.

    Arguments:
        amplitude: ``ignored``, ``factor`` or ``term``. A factor counts only where shapes differ: an image
            and its double stay the same. A term sees them.
        floor, negative: see :class:`OfDistributions`.
    """

    amplitude: str = "ignored"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.amplitude not in ("ignored", "factor", "term"):
            raise BadInputError(f"amplitude got {self.amplitude!r}, expected 'ignored', 'factor' or 'term'")

    def over_channels(
        self,
        distance: Float[Tensor, "batch channel"],
        found: Float[Tensor, "batch channel *space"],
        wanted: Float[Tensor, "batch channel *space"],
    ) -> Float[Tensor, " batch"]:
        """Return the mean over the channels, after the amplitudes have had their say."""
        if self.amplitude != "ignored":
            apart = (found.flatten(2).mean(-1) - wanted.flatten(2).mean(-1)).abs()
            distance = distance * (1 + apart) if self.amplitude == "factor" else distance + apart
        return distance.mean(1)


@final
@dataclass(frozen=True)
class Hellinger(Overlap):
    """The Hellinger distance of images read as distributions p, q over the cells,

        d = mean over channels of √(½ Σ over cells of (√p - √q)²),

    from 0 to 1, without a unit; 1 where no cell has a share of both. On one axis, two or three.

    Limits: for images without negative values, see :class:`OfDistributions`. Blind to the amplitude, unless
    asked. Where patterns do not touch, it says how little they overlap and not how far apart they are, so
    that the gradient does not lead one to the other.

    Arguments:
        floor, negative: see :class:`OfDistributions`.
        amplitude: see :class:`Overlap`; ``factor`` is the "modified" one of the founding paper's code.

    Source: Hellinger, J. reine angew. Math. 136 (1909) 210; in training, Richardson et al., PLOS Comput.
    Biol. 20 (2024) e1011589, Methods.
    """

    def measure(
        self, found: Float[Tensor, "batch channel *space"], wanted: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, " batch"]:
        """Return the mean over the channels."""
        difference = self.shares(found).sqrt() - self.shares(wanted).sqrt()
        distance: Tensor = torch.linalg.vector_norm(difference, dim=-1) / 2**0.5
        return self.over_channels(distance, found, wanted)


@final
@dataclass(frozen=True)
class Bhattacharyya(Overlap):
    """The Bhattacharyya distance of images read as distributions p, q over the cells,

        d = mean over channels of -log Σ over cells of √(p q),

    from 0 on, without a unit; -log(1 - H²) in terms of the Hellinger distance H of a channel. On one axis,
    two or three. Not a metric: the way round may be shorter.

    Limits: as of :class:`Hellinger`; where patterns do not overlap, its value is that of the floor.

    Arguments:
        floor, negative: see :class:`OfDistributions`.
        amplitude: see :class:`Overlap`; ``factor`` is the "modified" one of the founding paper's code.

    Source: Bhattacharyya, Bull. Calcutta Math. Soc. 35 (1943) 99; in training, Richardson et al., PLOS
    Comput. Biol. 20 (2024) e1011589, Methods.
    """

    def measure(
        self, found: Float[Tensor, "batch channel *space"], wanted: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, " batch"]:
        """Return the mean over the channels."""
        one, other = self.shares(found).sqrt(), self.shares(wanted).sqrt()
        lost = (one - other).square().sum(-1) / 2
        # two forms of the same: the sum loses its digits where the overlap is near 1, what is lost where it
        # is near 0
        alike = lost < 0.5
        distance = -torch.where(
            alike, torch.log1p(-torch.where(alike, lost, 0.0)), (one * other).sum(-1).log()
        )
        return self.over_channels(distance, found, wanted)
