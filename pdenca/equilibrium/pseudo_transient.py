"""Pseudo-transient continuation: the way of a roll-out, in implicit steps that grow as it slows down."""

from collections.abc import Callable
from typing import Final, final

import torch
from pydantic import Field
from torch import Tensor

from .gmres import gmres
from .linearisation import Linearisation
from .method import Method
from .preconditioning import Learning, Preconditioned
from .rows import PerSample, RowMap, Rows, sizes
from .search import Search

_SAFETY: Final = 0.8
_LEAST, _MOST = 0.2, 5.0  # by which a step may shrink and grow
_LONGEST: Final = 1e9  # applications: Newton's method by then
# an error this many times over the accuracy is not accepted
_TOO_FAR: Final = 4.0


@final
class PseudoTransient(Method):
    """(1/δ + I - J) s = f(z) - z,   z ← z + s:   linearly implicit Euler steps of z' = f(z) - z, δ long.

    As long as the state moves, δ (in applications of f) is chosen so that a step's error in time is about
    ``accuracy`` of the state's largest size so far; near rest nothing changes any more, δ grows without
    bound, and the steps are Newton's. The systems are solved by GMRES on products J v; a step that is
    :class:`~pdenca.equilibrium.Preconditioned` makes them cheap.

    It goes the way of a roll-out, to within its accuracy: where that passes close by a saddle or by the
    border of two basins, this may end in the saddle or on the other side. Ask ``stability_of``; a smaller
    ``accuracy`` helps.

    Arguments:
        accuracy: tolerated error of a step relative to the state's largest size so far.
        first_step: δ in the beginning (applications).
        max_products: products J v per step, also the size of the basis.
        forcing: relative residual of the linear systems.

    Source: Kelley and Keyes, SIAM J. Numer. Anal. 35 (1998) 508; the error of a step is that of
    second-order Taylor, ½ δ |s/δ - (s/δ) before|.
    """

    accuracy: float = Field(default=0.01, gt=0)
    first_step: float = Field(default=2.0, gt=0)
    max_products: int = Field(default=150, ge=1)
    forcing: float = Field(default=0.1, gt=0, lt=1)

    def run(self, search: Search) -> None:
        """Iterate."""
        points = search.fed
        values = search.evaluate(points)
        step = torch.full_like(search.best_residual, self.first_step)
        slope = torch.full_like(points, torch.nan)  # s / δ of the last accepted step
        scale = sizes(points)  # the largest so far: a state may well tend to zero
        while bool(search.active.any()):
            chosen = search.active.nonzero()[:, 0]
            direction = self._direction(search, points, values - points, step, chosen)
            active = search.active
            trial = torch.where(active[:, None], points + direction, search.fed)
            error = step / 2 * sizes(direction / step[:, None] - slope) / scale
            # the first step has none before it to compare with; a start at 0 no size
            error = torch.where(slope.isnan().any(1), self.accuracy, error).nan_to_num(nan=0.0)
            found = search.evaluate(trial, active, forgiven=active)
            fine = active & (error <= _TOO_FAR * self.accuracy) & found.isfinite().all(1)
            slope = torch.where(fine[:, None], direction / step[:, None], slope)
            points = torch.where(fine[:, None], trial, points)
            values = torch.where(fine[:, None], found, values)
            scale = torch.maximum(scale, sizes(points))
            factor = _SAFETY * (self.accuracy / error).sqrt().clamp(max=_MOST / _SAFETY)
            factor = torch.where(active & ~fine, factor.clamp(max=0.5), factor).clamp(_LEAST, _MOST)
            step = torch.where(active, step * factor, step).clamp(max=_LONGEST)

    def _direction(
        self, search: Search, points: Rows, residual: Rows, step: PerSample, chosen: Tensor
    ) -> Rows:
        """Return s of the samples ``chosen``, 0 for the others."""
        part = search.map.part(chosen)
        here, shift = points[chosen], 1 / step[chosen]
        linear = Linearisation(part, here)
        solve, cost, told = _preconditioner(part, here, shift)
        solved = gmres(
            lambda v: _shifted(linear, solve(v), shift),
            residual[chosen],
            self.forcing,
            max_products=self.max_products,
            basis_size=self.max_products,
        )
        search.products[chosen] += solved.products + cost
        told(solved.products)
        direction = torch.zeros_like(points)
        direction[chosen] = solve(solved.solution)
        return direction


def _shifted(linear: Linearisation, vectors: Rows, shift: PerSample) -> Rows:
    return (1 + shift)[:, None] * vectors - linear.times(vectors)


def _preconditioner(
    map: RowMap, points: Rows, shift: PerSample
) -> tuple[Callable[[Rows], Rows], int | Tensor, Callable[[Tensor], None]]:
    """Return rows ↦ about (shift + I - J)⁻¹ rows, the products it cost, and who is told what solving took.

    If the step has none, it does nothing.
    """
    if not isinstance(map.step, Preconditioned):
        return lambda rows: rows, 0, lambda products: None
    made = map.step.preconditioner(map.states(points))
    told = made.told if isinstance(made, Learning) else lambda products: None
    return lambda rows: map.rows(made(map.states(rows), shift)), made.products, told
