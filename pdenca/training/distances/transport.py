"""Optimal transport, which the package POT solves: what it costs to turn one image into the other."""

import math
from dataclasses import dataclass
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, IncompleteError

from .base import Distance, require_not_negative, require_positive, root
from .distributions import OfDistributions

MOST_CELLS: Final = 1024
"""Cells of the largest images that Sinkhorn's algorithm is given: 32 x 32."""


@final
@dataclass(frozen=True)
class SlicedWasserstein(Distance):
    """The sliced Wasserstein distance between the sets of an image's cells, each a point in colour space:

        d = √ mean over directions θ of W₂²(θ·x, θ·y),

    x and y the vectors of all channels in a cell, of the cells of either image, all of the same weight, and
    W₂² the mean squared difference of sorted numbers. With a ``position_weight`` w every vector is
    lengthened by w times the place of its cell, from 0 to 1 along the longest axis: moving a colour across
    the image then costs as much as changing it by w. In the unit of the images. On one axis, two or three.

    Limits: without positions it is blind to where anything is: it compares histograms of colours, and any
    rearrangement of the cells is the same image. With positions it is not, and edges are edges: the way round
    a periodic grid counts as long. The directions are the same in every call; few of them miss differences
    across all of them; of one channel without positions there is only one. Takes some 20 · directions ·
    cells numbers of memory per image, and sorts them.

    Arguments:
        num_projections: directions, drawn evenly from the sphere.
        position_weight: w, in the unit of the images.
        seed: of the directions.

    Raises:
        BadInputError: for numbers out of range, or if POT is not installed.

    Source: Bonneel, Rabin, Peyré and Pfister, J. Math. Imaging Vis. 51 (2015) 22; for the sets of features of
    two images, Heitz et al., CVPR 2021, 9412.
    """

    num_projections: int = 32
    position_weight: float | int = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        require_positive("num_projections", self.num_projections)
        require_not_negative("position_weight", self.position_weight)
        require_not_negative("seed", self.seed)

    def require(self, images: Float[Tensor, "batch channel *space"]) -> None:
        """Refuse to start without POT."""
        super().require(images)
        _transport()

    def measure(
        self, found: Float[Tensor, "batch channel *space"], wanted: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, " batch"]:
        """Return the root of the mean over the directions."""
        squares: Tensor = _transport().wasserstein_1d(self._projected(found), self._projected(wanted), p=2)
        return root(squares.view(len(found), -1).mean(1))

    def _projected(self, images: Tensor) -> Float[Tensor, "cell projection"]:
        """Return all cells seen along all directions, those of one image side by side."""
        vectors = images.flatten(2).transpose(1, 2)
        if self.position_weight:
            places = self.position_weight * _places(images) / max(images.shape[2:])
            vectors = torch.cat((vectors, places.to(images).expand(len(images), -1, -1)), 2)
        generator = torch.Generator().manual_seed(self.seed)
        shape = vectors.shape[2], self.num_projections if vectors.shape[2] > 1 else 1
        directions = torch.randn(shape, generator=generator, dtype=torch.float64)
        directions = directions / directions.norm(dim=0)
        projected: Tensor = vectors @ directions.to(vectors)
        return projected.transpose(0, 1).flatten(1)


@final
@dataclass(frozen=True)
class Sinkhorn(OfDistributions):
    """The Sinkhorn divergence of images read as distributions p, q of mass over the cells:

        d = mean over channels of  T(p, q) - ½ T(p, p) - ½ T(q, q),
        T(p, q) = min over plans π from p to q of  Σ |x - y|² π(x, y) + 2 blur² KL(π | p q).

    In squared cells: all of a mass moved by n cells makes n². The terms T(p, p) take away what the entropy
    adds, so that equal images are at 0. Solved by Sinkhorn's iteration in double precision whatever the
    images are in; its potentials are the gradient, so that no iteration is kept for the way back.

    Cost: every iteration takes 6 · cells² exponentials for each channel of each image, and there are ten to
    some hundreds of them, the more the narrower the blur and the more cells: on one core about 0.1 s per
    channel of 16 x 16 cells, and several seconds for one of 32 x 32. Larger images are refused. Images are
    solved one by one, so that only one needs its cells² numbers of memory, a few times over.

    Limits: for images without negative values, see :class:`OfDistributions`. Blind to the amplitude. What is
    finer than the blur is compared smoothed; a blur of less than a cell takes thousands of iterations. Edges
    are edges: the way round a periodic grid counts as long.

    Arguments:
        floor, negative: see :class:`OfDistributions`.
        blur: width of the Gaussian in which the plan may spread mass (cells).
        tolerance: norm of what may be missing of p in the end.
        max_iterations: at most so many.

    Raises:
        BadInputError: for images of more than 1024 cells, numbers out of range, or if POT is not installed.
        IncompleteError: if the iteration has not come to an end in ``max_iterations``.

    Source: Feydy et al., AISTATS 2019, eq. 3 and theorem 1; Cuturi, NIPS 2013.
    """

    blur: float | int = 2.0
    tolerance: float | int = 1e-6
    max_iterations: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("blur", "tolerance", "max_iterations"):
            require_positive(name, getattr(self, name))

    def require(self, images: Float[Tensor, "batch channel *space"]) -> None:
        """Refuse large images, and to start without POT."""
        super().require(images)
        if math.prod(images.shape[2:]) > MOST_CELLS:
            raise BadInputError(
                f"every cell is weighed against every other: at most {MOST_CELLS} cells (32 x 32), got "
                f"{' x '.join(map(str, images.shape[2:]))}; usual cure: smaller images, or the distance "
                "sliced-wasserstein with a position_weight"
            )
        _transport()

    def measure(
        self, found: Float[Tensor, "batch channel *space"], wanted: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, " batch"]:
        """Return the mean over the channels."""
        places = _places(found)
        squares = (places[:, None] - places).square().sum(-1).to(found.device)
        pairs = zip(self.shares(found.double()), self.shares(wanted.double()), strict=True)
        return torch.stack([self._divergence(one, other, squares) for one, other in pairs]).to(found)

    def _divergence(
        self,
        found: Float[Tensor, "channel cell"],
        wanted: Float[Tensor, "channel cell"],
        squares: Float[Tensor, "cell cell"],
    ) -> Float[Tensor, ""]:
        """Return the divergence of one image."""
        if not bool((found.isfinite() & wanted.isfinite()).all()):
            return (found - wanted).sum() * torch.nan  # no iteration would come to an end
        with torch.no_grad():
            of_found, of_wanted = self._potentials(found, wanted, squares)
            # apart from the way across, which may need more iterations
            selves = torch.cat((found, wanted))
            there, back = self._potentials(selves, selves, squares)
            own_found, own_wanted = ((there + back) / 2).chunk(2)
        # at an optimum the derivative by the masses is the potentials, whatever these depend on
        parts = (found * (of_found - own_found)).sum(1) + (wanted * (of_wanted - own_wanted)).sum(1)
        return parts.mean()

    def _potentials(
        self,
        source: Float[Tensor, "channel cell"],
        target: Float[Tensor, "channel cell"],
        squares: Float[Tensor, "cell cell"],
    ) -> tuple[Float[Tensor, "channel cell"], Float[Tensor, "channel cell"]]:
        """Return f and g of T(p, q) = Σ f p + Σ g q."""
        width = 2 * self.blur**2
        solved = _transport().batch.bregman_log_projection_batch(
            (-squares / width).expand(len(source), -1, -1),
            source,
            target,
            max_iter=self.max_iterations,
            tol=self.tolerance,
        )
        missing = float((solved["T"].sum(2) - source).norm(dim=1).max())
        if not missing < self.tolerance:
            raise IncompleteError(
                f"after {self.max_iterations} of Sinkhorn's iterations {missing:.2g} of the mass is not "
                f"where it should be, expected less than {self.tolerance:g}; usual cure: a wider blur than "
                f"{self.blur:g} cells, or more max_iterations"
            )
        # POT's are those of the plan relative to no mass at all, these relative to both masses
        left, right = solved["potentials"]
        return width * (left - source.log()), width * (right - target.log())


def _places(images: Tensor) -> Float[Tensor, "cell axis"]:
    """Return the centres of all cells, in cells."""
    axes = [torch.arange(count, dtype=torch.float64) + 0.5 for count in images.shape[2:]]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2)


def _transport() -> Any:  # noqa: ANN401  # a package without types
    try:
        import ot
        import ot.batch
    except ImportError as error:
        raise BadInputError(
            f"optimal transport needs POT ({error}); usual cure: pip install 'pdenca[images]'"
        ) from None
    return ot
