"""Texture: which edges and spots of which sizes and directions there are, wherever they are."""

import math
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdenca.core import BadInputError

from .base import Distance, require_not_negative, require_positive
from .cell_by_cell import Euclidean

SOFTENING: Final = 1e-3  # where a response is fainter than this, its strength starts as a square


@final
@dataclass(frozen=True)
class Texture(Distance):
    """The difference of the moments of a bank of filters, which nobody has to train or to download:

        d = √ mean over all pairs of features of (G(u) - G(v))²,   G_fg(u) = mean over cells of u_f u_g.

    The features of an image are 1, its channels, and for every channel, every scale σ and every direction n
    the responses to the first and second derivatives of a Gaussian (edges and lines)

        u₁ = σ n·∇ (g_σ ∗ u),    u₂ = (σ n·∇)² (g_σ ∗ u),

    and how strong they are together, √(u₁² + u₂²). So G holds the means, the covariances and, through these
    strengths, which structures come together: that is where it sees more than a spectrum. First moments are
    in the unit of the images, second ones in its square. On one axis, where there is one direction, or two.

    With a ``euclidean_weight`` that share of the Euclidean distance is added, which sees where things are.

    Limits: without a ``euclidean_weight`` blind to circular shifts, exactly, and so to where the pattern is.
    Not blind to rotation or to size, within the scales. Images are taken to be periodic; on others the jump
    from edge to edge is a feature too. Where an image is far from the texture, the squares in G make a long
    gradient.

    Arguments:
        scales: σ of the Gaussians (cells).
        num_orientations: directions between 0° and 180°.
        euclidean_weight: of the Euclidean distance beside it, a far larger number: the norm of all cells.

    Raises:
        BadInputError: for images on three axes, or numbers out of range.

    Source: the joint moments of Portilla and Simoncelli, Int. J. Comput. Vis. 40 (2000) 49, in the form of
    the Gram matrices of Gatys, Ecker and Bethge, NIPS 2015; steerable filters: Freeman and Adelson, IEEE
    Trans. Pattern Anal. 13 (1991) 891.
    """

    scales: tuple[float | int, ...] = (1.0, 2.0, 4.0)
    num_orientations: int = 4
    euclidean_weight: float | int = 0.0

    def __post_init__(self) -> None:
        require_not_negative("euclidean_weight", self.euclidean_weight)
        if not self.scales:
            raise BadInputError("texture needs at least one scale, got none")
        for scale in self.scales:
            require_positive("scales", scale)
        require_positive("num_orientations", self.num_orientations)

    def require(self, images: Float[Tensor, "batch channel *space"]) -> None:
        """Refuse images on three axes, where directions do not lie evenly on half a circle."""
        super().require(images)
        if images.ndim > 4:
            raise BadInputError(
                f"textures are told on one axis or two, got images on {images.ndim - 2}; usual cure: the "
                "distance spectral, which is blind to shifts too"
            )

    def measure(
        self, found: Float[Tensor, "batch channel *space"], wanted: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, " batch"]:
        """Return the root mean square difference of the moments, and the share of the Euclidean distance."""
        difference = self.moments(found) - self.moments(wanted)
        distance: Tensor = torch.linalg.vector_norm(difference.flatten(1), dim=1) / difference.shape[-1]
        if self.euclidean_weight:
            distance = distance + self.euclidean_weight * Euclidean().measure(found, wanted)
        return distance

    def moments(
        self, images: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch feature feature"]:
        """Return G."""
        axes = tuple(range(-(images.ndim - 2), 0))
        waves = torch.fft.fftn(images, dim=axes)[:, :, None]
        first, second = (torch.fft.ifftn(waves * bank, dim=axes).real for bank in self._banks(images))
        strength = (first.square() + second.square() + SOFTENING**2).sqrt() - SOFTENING
        parts = (torch.ones_like(images[:, :1]), images, first, second, strength)
        features = torch.cat([part.flatten(-len(axes)).flatten(1, -2) for part in parts], 1)
        return features @ features.mT / features.shape[-1]

    def _banks(
        self, images: Float[Tensor, "batch channel *space"]
    ) -> tuple[Complex[Tensor, " filter *space"], Complex[Tensor, " filter *space"]]:
        """Return what the first and the second derivatives multiply every wave by."""
        counts = images.shape[2:]
        turns = [2 * math.pi * torch.fft.fftfreq(count, dtype=torch.float64) for count in counts]
        wave = torch.stack(torch.meshgrid(*turns, indexing="ij"))
        if len(counts) == 1:
            directions = torch.ones(1, 1, dtype=torch.float64)
        else:
            angles = torch.arange(self.num_orientations, dtype=torch.float64) * (
                math.pi / self.num_orientations
            )
            directions = torch.stack((angles.cos(), angles.sin()), 1)
        along = 1j * torch.einsum("na,a...->n...", directions, wave)
        square = wave.square().sum(0)
        smooth = [(scale, (-(scale**2) * square / 2).exp()) for scale in self.scales]
        first = torch.cat([scale * along * gaussian for scale, gaussian in smooth])
        second = torch.cat([(scale * along) ** 2 * gaussian for scale, gaussian in smooth])
        kind = torch.complex64 if images.dtype == torch.float32 else torch.complex128
        return first.to(images.device, kind), second.to(images.device, kind)
