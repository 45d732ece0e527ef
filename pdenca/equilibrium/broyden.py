"""Broyden's method with a limited memory."""

from typing import Final, final

import torch
from pydantic import Field
from torch import Tensor

from .method import Method
from .rows import Rows, sizes
from .search import Caution, Search

_SINGULAR: Final = 1e-10


@final
class Broyden(Method):
    """Quasi-Newton on F(z) = f(z) - z, with an inverse Jacobian H that is learned on the way.

        z ← z - H F,   H ← H + (s - H y) sᵀH / (sᵀH y),   s = Δz, y = ΔF,   H₀ = -I,

    Broyden's first ("good") method; the first step is therefore a plain one. H is -I plus the last ``memory``
    updates. An update whose denominator vanishes is left out. A step after which the residual has grown
    ten-fold over the best is replaced by plain steps from the best iterate, from where H is learned anew.

    Arguments:
        memory: updates that are kept.
        line_search: whether steps are halved until the residual falls, which costs evaluations and makes far
            starts safer.

    Source: Broyden, Math. Comp. 19 (1965) 577; Kelley, Iterative Methods (1995), section 7.3.
    """

    memory: int = Field(default=20, ge=1)
    line_search: bool = False

    def run(self, search: Search) -> None:
        """Iterate."""
        points = search.fed
        left = points.new_zeros(len(points), self.memory, points.shape[1])
        right = torch.zeros_like(left)
        values = search.evaluate(points)
        caution = Caution(search)
        number = 0
        while bool(search.active.any()):
            active = search.active
            points = torch.where(active[:, None], points, search.fed)
            residual = torch.where(active[:, None], values - points, 0)
            direction = _apply(left, right, residual).neg()
            bold = caution.bold & direction.isfinite().all(1)
            direction = torch.where(bold[:, None], direction, residual)
            if self.line_search:
                new, found, stuck = search.backtrack(points, values, direction, active)
                # no length would do: take the plain step, whatever it brings, and learn
                if bool(stuck.any()):
                    new = torch.where(stuck[:, None], values, new)
                    found = torch.where(stuck[:, None], search.evaluate(new, stuck), found)
                grew = torch.zeros_like(active)
            else:
                new = points + direction
                found = search.evaluate(new, forgiven=caution.bold)
                grew = caution.grew(found - new)
            keep = (search.active & ~grew)[:, None]
            move = torch.where(keep, new - points, 0)
            change = torch.where(keep, found - new - residual, 0)
            # a change that is rounding only tells nothing
            told = sizes(change) > 2 * torch.finfo(points.dtype).eps * sizes(points)
            change = torch.where(told[:, None], change, 0)
            _update(left, right, move, change, number % self.memory)
            left[grew], right[grew] = 0, 0
            points = torch.where(keep, new, search.fed)
            values = torch.where(keep, found, search.best_value)
            number += 1


def _apply(left: Tensor, right: Tensor, row: Rows) -> Rows:
    """H x = -x + Σ_j left_j (right_j · x); with left and right exchanged, Hᵀ x."""
    weights = right @ row[:, :, None]
    return (left.mT @ weights)[:, :, 0] - row


def _update(left: Tensor, right: Tensor, move: Rows, change: Rows, slot: int) -> None:
    """Put the newest pair in the place of the oldest."""
    left[:, slot], right[:, slot] = 0, 0
    image = _apply(left, right, change)
    row = _apply(right, left, move)
    denominator = (row * change).sum(1)
    fine = denominator.abs() > _SINGULAR * sizes(row) * sizes(change)
    fine &= denominator.isfinite() & image.isfinite().all(1)
    factor = torch.where(fine, 1 / denominator, 0)
    left[:, slot] = torch.where(fine[:, None], (move - image) * factor[:, None], 0)
    right[:, slot] = torch.where(fine[:, None], row, 0)
