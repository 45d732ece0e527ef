"""Restorers that learn nothing: to compare with, and to tell what a trained one is worth."""

import math
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.datasets.digits import SIDE, Digits

from .damage import Damage

_AT_ONCE: Final = 256  # images: few enough for the caches, and 60 MB of weights for 60,000 memories
_MEMORIES: Final = 4096  # at once, so that their squares take 13 MB
# Best for all 28 x 28 cells unknown, with zeros around them. What a mask leaves is a part of these, for
# which it is too large rather than too small: errors still shrink to ω - 1 = 0.81 a sweep.
_RELAXATION: Final = 2 / (1 + math.sin(math.pi / (SIDE + 1)))

Images = Float[Tensor, "batch 28 28"]


@dataclass(frozen=True)
class MaskedInput:
    """The damaged image as it is."""

    def __call__(self, damaged: Images, known: Images) -> Images:
        """Return the damaged images.

        Arguments:
            damaged: grey values.
            known: 1 where they are true, else 0.

        Raises:
            BadInputError: if the shapes differ, or ``known`` holds anything but 0 and 1.
        """
        _require_mask(damaged, known)
        return damaged


@dataclass(frozen=True)
class LaplaceFill:
    """Harmonic fill: an unknown cell is the mean of its four neighbours, known cells are kept,

        u = (up + down + left + right) / 4 where unknown,   u = damaged where known.

    Beyond the edge is paper, 0: around a digit there always is. Where no cell is known, as after noise, this
    makes an empty image. Solved by successive over-relaxation, the cells coloured like a chess board.
    Whatever the mask, a sweep leaves about 0.81 of the error, and 200 only rounding.

    Arguments:
        num_iterations: sweeps.

    Raises:
        BadInputError: for fewer than one sweep.

    Source: Young, Trans. Am. Math. Soc. 76 (1954) 92.
    """

    num_iterations: int = 200

    def __post_init__(self) -> None:
        if self.num_iterations < 1:
            raise BadInputError(
                f"got {self.num_iterations} iterations; expected 1 or more; usual cure: 200, the default"
            )

    def __call__(self, damaged: Images, known: Images) -> Images:
        """Return the images filled.

        Arguments:
            damaged: grey values; those of unknown cells do not matter.
            known: 1 where they are true, else 0.

        Raises:
            BadInputError: if the shapes differ, or ``known`` holds anything but 0 and 1.
        """
        _require_mask(damaged, known)
        pieces = zip(damaged.split(_AT_ONCE), known.split(_AT_ONCE), strict=True)
        return torch.cat([self._fill(*piece) for piece in pieces])

    def _fill(self, damaged: Images, known: Images) -> Images:
        cells = torch.arange(SIDE, device=damaged.device)
        black = (cells[:, None] + cells) % 2
        shares = [_RELAXATION * (1 - known) * colour for colour in (black, 1 - black)]
        filled = torch.nn.functional.pad(damaged * known, (1, 1, 1, 1))
        inside = filled[:, 1:-1, 1:-1]
        for _ in range(self.num_iterations):
            for share in shares:
                around = filled[:, :-2, 1:-1] + filled[:, 2:, 1:-1]
                around += filled[:, 1:-1, :-2]
                around += filled[:, 1:-1, 2:]
                inside += share * (around / 4 - inside)
        return torch.where(known > 0, damaged, inside)


@dataclass(frozen=True, eq=False)
class Hopfield:
    """Retrieval from a modern Hopfield network: the mean of stored images, weighted by their likeness,

        softmax_m(-beta Σ_observed (damaged - memory_m)²) · memories,

    where the sum is over an image's known cells, or over all of them if it has none, as after noise. At large
    beta it is the nearest memory. For normal noise of standard deviation s, not clipped, beta = 1 / (2 s²)
    makes it the mean of the posterior, were the memories all images there are.

    Arguments:
        memories: the stored images, grey values from 0 to 1.
        beta: inverse temperature, per squared grey value. The default is best on held-out training digits of
            MNIST with 70 % of the pixels blanked; with fewer known cells a larger one is better.
        keep_known: keep known cells as they are.

    Raises:
        BadInputError: without memories, or for a beta that is not positive and finite.

    Source: Ramsauer et al., Hopfield networks is all you need, arXiv 2008.02217, eq. 3, with squared
    distances in place of scalar products, which for memories of one length is the same at half their beta.
    """

    memories: Float[Tensor, "memory 28 28"]
    beta: float = 1.0
    keep_known: bool = True

    def __post_init__(self) -> None:
        if not len(self.memories):
            raise BadInputError("got 0 memories; expected 1 or more; usual cure: the training digits")
        if not 0 < self.beta < math.inf:
            raise BadInputError(
                f"got beta = {self.beta}; expected a positive finite number; usual cure: the default"
            )

    def __call__(self, damaged: Images, known: Images) -> Images:
        """Return what the network recalls.

        Arguments:
            damaged: grey values.
            known: 1 where they are true, else 0.

        Raises:
            BadInputError: if the shapes differ, or ``known`` holds anything but 0 and 1.
        """
        _require_mask(damaged, known)
        found = [
            self._recall(some.flatten(1), where.flatten(1))
            for some, where in zip(damaged.split(_AT_ONCE), known.split(_AT_ONCE), strict=True)
        ]
        recalled = torch.cat(found).view_as(damaged)
        return torch.where(known > 0, damaged, recalled) if self.keep_known else recalled

    def _recall(
        self, damaged: Float[Tensor, "query cell"], known: Float[Tensor, "query cell"]
    ) -> Float[Tensor, "query cell"]:
        observed = torch.where(known.any(1, keepdim=True), known, 1.0)
        seen = damaged * observed
        # |seen|² is the same for all memories, so the softmax does not see it
        likeness = [
            2 * (seen @ memories.T) - observed @ memories.square().T for memories in self._parts(damaged)
        ]
        weights = torch.softmax(self.beta * torch.cat(likeness, 1), 1).split(_MEMORIES, 1)
        recalled = torch.zeros_like(damaged)
        for weight, memories in zip(weights, self._parts(damaged), strict=True):
            recalled += weight @ memories
        return recalled

    def _parts(self, like: Tensor) -> list[Float[Tensor, "memory cell"]]:
        return [part.flatten(1).to(like) for part in self.memories.split(_MEMORIES)]


def _require_mask(damaged: Tensor, known: Tensor) -> None:
    if damaged.shape != known.shape:
        raise BadInputError(
            f"got images of shape {tuple(damaged.shape)} and a mask of {tuple(known.shape)}; expected the "
            "same shape; usual cure: both as Damage returns them"
        )
    if not bool(((known == 0) | (known == 1)).all()):
        raise BadInputError(
            "got a mask with values other than 0 and 1; expected 1 where a cell is known and 0 elsewhere; "
            "usual cure: the mask that Damage returns"
        )


def training_free(digits: Digits, damage: Damage) -> dict[str, MaskedInput | LaplaceFill | Hopfield]:
    """Return those that make sense for a damage, by the names of their rows.

    Arguments:
        digits: the training split, which the Hopfield network stores.
        damage: after noise no cell is known, so that there is nothing to fill from.
    """
    found: dict[str, MaskedInput | LaplaceFill | Hopfield] = {"damaged input": MaskedInput()}
    if damage.kind != "noise":
        found["Laplace fill"] = LaplaceFill()
    return {**found, "Hopfield retrieval": Hopfield(digits.images.float() / 255)}
