"""Which ends of roll-outs are the same: the valleys that starts fall into."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from torch import Tensor

from pdenca.core import BadInputError, NonFiniteError

from .agreement import (
    normalised_mutual_information,
    num_classes_with_valley,
    purity,
    silhouette,
    valley_entropy,
)
from .principal import flat, principal_components


@dataclass(frozen=True, eq=False)
class Valleys:
    """Groups of ends that are the same.

    Arguments:
        labels: valley of each start, 0 the one with most starts; -1: in no group of ``least`` or more.
        sizes: starts in each valley.
        method: "linkage" or "density".
        least: starts that make a valley.
        tolerance: distance within which ends are linked, relative to their rms; None for "density".
        same_between: tolerances from the first up to, and without, the second link the same ends; the wider
            apart they are, the less the count depends on the tolerance. None for "density".
        num_components: principal components that density is looked for in; None for "linkage".
        silhouette: mean over the starts in valleys, see :func:`~.agreement.silhouette`.
        entropy: of how starts spread over the valleys (nats), see :func:`~.agreement.valley_entropy`.
        purity: share of all starts of the most frequent class of their valley; None without classes.
        mutual_information: of labels and classes, normalised to 0 to 1; None without classes.
        num_classes_with_valley: classes that are more than half of some valley; None without classes.
    """

    labels: Int[Tensor, " start"]
    sizes: tuple[int, ...]
    method: str
    least: int
    tolerance: float | None
    same_between: tuple[float, float] | None
    num_components: int | None
    silhouette: float
    entropy: float
    purity: float | None = None
    mutual_information: float | None = None
    num_classes_with_valley: int | None = None

    @property
    def num_valleys(self) -> int:
        """Number of groups of ``least`` or more starts."""
        return len(self.sizes)

    @property
    def num_outside(self) -> int:
        """Number of starts in no valley."""
        return len(self.labels) - sum(self.sizes)


def group_ends(
    states: Float[Tensor, "start channel *space"],
    *,
    tolerance: float | None = None,
    drift: Float[Tensor, " moved"] | None = None,
    factor: float = 10.0,
    floor: float = 1e-3,
    least: int = 2,
    classes: Int[Tensor, " given"] | None = None,
) -> Valleys:
    """Link ends that are nearer than a tolerance, and those linked to the same end: single linkage.

    The distance of two ends is the rms of their difference over the rms of all states. Without a tolerance
    it is taken from how much the ends still move, the only scale that a census has of its own:

        tolerance = max(floor, factor · median(drift) / rms)

    Arguments:
        states: ends, finite; of roll-outs that settled, or the count means little.
        tolerance: relative.
        drift: rms distance that each state moved in its last stretch (unit of the states), as
            ``Ends.drift``; used if there is no tolerance.
        factor: how many drifts apart ends may be and still be the same.
        floor: least tolerance that is taken from a drift.
        least: starts that make a valley.
        classes: of each start, to compare with.

    Raises:
        BadInputError: for neither tolerance nor drift, fewer than two states, or numbers out of range.
        NonFiniteError: if a state or the median drift is not finite.

    Limits of validity: a chain of ends, each within the tolerance of the next, is one valley however long it
    is, which is right for a line of fixed points and wrong for valleys with stragglers in between: see
    ``same_between``, and :func:`group_by_density`. Two phases of one cycle are two ends.
    """
    rows = flat(states)
    if least < 1:
        raise BadInputError(f"got least {least}; expected at least 1; usual cure: 2")
    _check_one_each(rows, classes, "classes")
    scale = float(rows.square().mean().sqrt()) or 1.0  # zeros throughout are all alike
    if tolerance is None:
        _check_one_each(rows, drift, "drifts")
        tolerance = _from_drift(drift, scale, factor, floor)
    if not 0 <= tolerance < math.inf:
        raise BadInputError(f"got the tolerance {tolerance}; expected a finite one, not below 0")
    distances = pdist(rows.numpy()) / (math.sqrt(rows.shape[1]) * scale)
    links = linkage(distances, "single")
    heights = links[:, 2]
    below, above = heights[heights <= tolerance], heights[heights > tolerance]
    return _told(
        fcluster(links, tolerance, "distance"),
        squareform(distances),
        least,
        classes,
        method="linkage",
        tolerance=tolerance,
        same_between=(float(below.max(initial=0.0)), float(above.min(initial=math.inf))),
        num_components=None,
    )


def group_by_density(
    states: Float[Tensor, "start channel *space"],
    *,
    least: int = 5,
    num_components: int = 50,
    classes: Int[Tensor, " given"] | None = None,
) -> Valleys:
    """Group ends where they lie densely, by HDBSCAN on principal components: an opinion without a tolerance.

    One single group is allowed, so that ends without structure are one valley and not two.

    Arguments:
        states: ends, finite.
        least: starts that make a valley, at least 2.
        num_components: at most so many principal components; fewer if the states have fewer.
        classes: of each start, to compare with.

    Raises:
        BadInputError: if scikit-learn is not installed, for fewer states than ``least``, or ``least`` < 2.
        NonFiniteError: if a state is not finite.

    Source: Campello, Moulavi and Sander, PAKDD 2013, LNCS 7819, 160.
    """
    hdbscan = _hdbscan()
    rows = flat(states)
    _check_one_each(rows, classes, "classes")
    if not 2 <= least <= len(rows) or num_components < 1:
        raise BadInputError(
            f"got least {least} and num_components {num_components} for {len(rows)} states; expected least "
            "from 2 to the number of states, and at least 1 component; usual cure: more starts"
        )
    scores = principal_components(states).scores[:, :num_components].numpy()
    raw = hdbscan(min_cluster_size=least, allow_single_cluster=True, copy=True).fit_predict(scores)
    scale = float(rows.square().mean().sqrt()) or 1.0
    return _told(
        raw,
        squareform(pdist(rows.numpy())) / (math.sqrt(rows.shape[1]) * scale),
        least,
        classes,
        method="density",
        tolerance=None,
        same_between=None,
        num_components=num_components,
    )


def null_model(
    valleys: Valleys,
    null_states: Float[Tensor, "null channel *space"],
    classes: Int[Tensor, " given"] | None = None,
) -> Valleys:
    """Group states that should have no valleys in the same way, with the same numbers.

    Arguments:
        valleys: what was found.
        null_states: such as the ends of an untrained network, or :func:`~.principal.matched_noise`. A
            tolerance is taken relative to their own rms.
        classes: of each null state, to compare with.

    Raises:
        BadInputError, NonFiniteError: as the method does that is used.
    """
    if valleys.num_components is not None:
        return group_by_density(
            null_states, least=valleys.least, num_components=valleys.num_components, classes=classes
        )
    return group_ends(null_states, tolerance=valleys.tolerance, least=valleys.least, classes=classes)


def _check_one_each(rows: Tensor, values: Tensor | None, name: str) -> None:
    if values is not None and len(values) != len(rows):
        raise BadInputError(
            f"got {len(values)} {name} for {len(rows)} states; expected one for each; usual cure: leave the "
            "same starts out of both"
        )


def _from_drift(drift: Tensor | None, scale: float, factor: float, floor: float) -> float:
    if drift is None:
        raise BadInputError(
            "got neither a tolerance nor a drift; expected one of them; usual cure: drift=ends.drift, of the "
            "same starts"
        )
    middle = float(drift.double().median())
    if not math.isfinite(middle):
        raise NonFiniteError(
            f"got drifts with the median {middle}; expected a finite one; usual cure: group only starts that "
            "stayed finite"
        )
    if not (0 < factor < math.inf and 0 <= floor < math.inf):
        raise BadInputError(
            f"got factor {factor} and floor {floor}; expected both finite, factor > 0 and floor >= 0"
        )
    return max(factor * middle / scale, floor)


def _told(
    raw: NDArray[Any],
    distances: NDArray[np.float64],
    least: int,
    classes: Tensor | None,
    *,
    method: str,
    tolerance: float | None,
    same_between: tuple[float, float] | None,
    num_components: int | None,
) -> Valleys:
    """Number the groups by falling size, then by their first start, and describe them."""
    groups, firsts, counts = np.unique(raw, return_index=True, return_counts=True)
    order = sorted(range(len(groups)), key=lambda at: (-counts[at], firsts[at]))
    kept = [at for at in order if groups[at] >= 0 and counts[at] >= least]
    labels = torch.full((len(raw),), -1)
    for label, at in enumerate(kept):
        labels[torch.from_numpy(raw == groups[at])] = label
    told = None if classes is None else classes.cpu()
    return Valleys(
        labels=labels,
        sizes=tuple(int(counts[at]) for at in kept),
        method=method,
        least=least,
        tolerance=tolerance,
        same_between=same_between,
        num_components=num_components,
        silhouette=silhouette(distances, labels),
        entropy=valley_entropy(labels),
        purity=None if told is None else purity(labels, told),
        mutual_information=None if told is None else normalised_mutual_information(labels, told),
        num_classes_with_valley=None if told is None else num_classes_with_valley(labels, told),
    )


def _hdbscan() -> Callable[..., Any]:
    try:
        from sklearn.cluster import HDBSCAN
    except ImportError as error:
        raise BadInputError(
            f"grouping by density needs scikit-learn ({error}); usual cure: pip install 'pdenca[digits]'"
        ) from None
    found: Callable[..., Any] = HDBSCAN
    return found
