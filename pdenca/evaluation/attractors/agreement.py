"""How well a grouping fits given classes, and how clear its groups are."""

import math

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

Labels = Int[Tensor, " start"]


def purity(labels: Labels, classes: Labels) -> float:
    """Return the share of starts whose class is the most frequent one of their valley,

        Σ over valleys of max over classes of n(valley, class) / N.

    Arguments:
        labels: valley of each start; those in no valley, -1, count as wrong, so that a grouping into many
            valleys of one start each, which would be pure, is not told from them by leaving starts out.
        classes: of each start.
    """
    table = contingency(labels, classes)[labels.unique() >= 0]
    return float(table.amax(1).sum()) / len(labels)


def normalised_mutual_information(labels: Labels, classes: Labels) -> float:
    """Return I(L; C) / ((H(L) + H(C)) / 2), 1 if valleys and classes are the same, 0 if independent.

    It is what scikit-learn computes by default, but NaN where there is only one valley and one class, when
    it has no value. Starts in no valley, -1, are one group among others. By chance alone it is above 0, the
    more so the more groups there are: compare with a null model.

    Arguments:
        labels: valley of each start.
        classes: of each start.
    """
    joint = contingency(labels, classes).double() / len(labels)
    rows, columns = joint.sum(1), joint.sum(0)
    mean = (_entropy(rows) + _entropy(columns)) / 2
    information = _entropy(rows) + _entropy(columns) - _entropy(joint.flatten())
    return math.nan if mean == 0 else max(0.0, information) / mean  # rounding may make it less than 0


def num_classes_with_valley(labels: Labels, classes: Labels) -> int:
    """Return how many classes have a valley of their own: more than half of its starts are of the class.

    Arguments:
        labels: valley of each start; -1 is none.
        classes: of each start.
    """
    table = contingency(labels, classes)[labels.unique() >= 0]
    most, which = table.max(1)
    return len(which[2 * most > table.sum(1)].unique())


def valley_entropy(labels: Labels) -> float:
    """Return the entropy -Σ p log p of how starts spread over the valleys (nats); NaN without a valley.

    Its exponential is the number of valleys of equal size that would have it.

    Arguments:
        labels: valley of each start; those in none, -1, are left out.
    """
    counts = labels[labels >= 0].unique(return_counts=True)[1]
    return _entropy(counts.double() / counts.sum()) if len(counts) else math.nan


def silhouette(distances: NDArray[np.float64], labels: Labels) -> float:
    """Return the mean over the starts in valleys of (b - a) / max(a, b), from -1 to 1.

    a is the mean distance to the others of its valley, b the least mean distance to the starts of another
    one. A start alone in its valley counts as 0. NaN for fewer than two valleys.

    Arguments:
        distances: of each pair of starts.
        labels: valley of each start; those in none, -1, are left out.

    Source: Rousseeuw, J. Comput. Appl. Math. 20 (1987) 53.
    """
    numbers = labels.numpy()
    inside = numbers >= 0
    valleys, own = np.unique(numbers[inside], return_inverse=True)
    if len(valleys) < 2:
        return math.nan
    member = np.eye(len(valleys))[own]
    sums, sizes, each = distances[np.ix_(inside, inside)] @ member, member.sum(0), np.arange(len(own))
    within = sums[each, own] / np.maximum(sizes[own] - 1, 1)
    others = sums / sizes
    others[each, own] = np.inf
    between = others.min(1)
    widest = np.maximum(within, between)
    values = np.where(
        (sizes[own] > 1) & (widest > 0), (between - within) / np.where(widest > 0, widest, 1), 0
    )
    return float(values.mean())


def contingency(labels: Labels, classes: Labels) -> Int[Tensor, "valley class"]:
    """Return how many starts each valley (rising label, -1 included) has of each class (rising)."""
    rows, row = labels.unique(return_inverse=True)
    columns, column = classes.unique(return_inverse=True)
    counts = torch.bincount(row * len(columns) + column, minlength=len(rows) * len(columns))
    return counts.reshape(len(rows), len(columns))


def _entropy(shares: Tensor) -> float:
    return abs(float(torch.special.xlogy(shares, shares).sum()))  # no term is positive, and 0 has no sign
