"""The book that every method keeps: what was tried, what was best, which samples are done and why."""

from typing import Final

import torch
from jaxtyping import Int
from torch import Tensor

from .result import REASONS, FixedPoint
from .rows import Mask, PerSample, RowMap, Rows, replaced, scaled, sizes

CONVERGED, MAX_EVALUATIONS, NOT_FINITE, STAGNATED, DIVERGED, NOT_REPEATABLE = range(len(REASONS))
_RUNNING: Final = -1


class Search:
    """One search for the fixed points of a batch.

    A sample whose search has ended is frozen: its row is fed to the map as the best state it had, and nothing
    is recorded for it. A relative residual can be small for no better reason than that the state has become
    huge (z -> z + 1). So where the state has grown by more than ``GROWN`` over the start, the absolute
    residual ‖f(z) - z‖ must also have fallen to ``FALLEN`` of that at the start; a search that begins at
    noise far smaller than the solution has to go on a little longer for that.

    Attributes:
        best: the row of smallest residual; of a start that is not finite, that start.
        best_value: f there.
        fed: ``best``, but finite whatever the start was: where methods begin.

    Arguments:
        map: f on rows.
        start: one row per sample.
        tolerance: of the relative residual.
        rate_tolerance: of the relative residual per time; None: no such demand.
        time_step: time that one application takes (time).
        max_evaluations: of f and per sample.
        floor: root mean square of a state that cannot be told from zero (unit of the state).
        patience: evaluations in which the residual must fall by a tenth; 0: for ever.
    """

    GROWN: Final = 2.0
    FALLEN: Final = 0.1
    DIVERGED: Final = 1e8

    def __init__(
        self,
        map: RowMap,
        start: Rows,
        *,
        tolerance: float,
        rate_tolerance: float | None,
        time_step: float | None,
        max_evaluations: int,
        floor: float,
        patience: int,
    ) -> None:
        self.map, self.time_step, self.max_evaluations, self.patience = (
            map,
            time_step,
            max_evaluations,
            patience,
        )
        self.tolerance = tolerance
        if rate_tolerance is not None and time_step is not None:
            self.tolerance = min(tolerance, rate_tolerance * time_step)
        batch, num_entries = start.shape
        self._floor = floor * num_entries**0.5
        fine = start.isfinite().all(1)
        self.best = start.clone()
        self.fed = torch.where(fine[:, None], start, torch.zeros_like(start))
        self.best_value = self.fed.clone()
        self.best_residual = start.new_full((batch,), torch.inf)
        self._reason = torch.full((batch,), _RUNNING, device=start.device)
        self.evaluations = torch.zeros(batch, dtype=torch.int64, device=start.device)
        self.products = torch.zeros_like(self.evaluations)
        self._history: list[tuple[PerSample, Int[Tensor, " batch"]]] = []
        self._scale = start.new_zeros(batch)
        self._first_change = start.new_zeros(batch)
        self._mark = self.best_residual.clone()
        self._stale = torch.zeros_like(self.evaluations)
        self.finish(~fine, NOT_FINITE)

    @property
    def active(self) -> Mask:
        """Which samples are still being searched for."""
        return self._reason == _RUNNING

    def finish(self, mask: Mask, reason: int) -> None:
        """End the search of those samples of ``mask`` that are still active."""
        self._reason = torch.where(mask & self.active, reason, self._reason)

    def evaluate(self, points: Rows, mask: Mask | None = None, forgiven: Mask | None = None) -> Rows:
        """Evaluate f where samples are active, record the residuals and end the searches that are over.

        Arguments:
            points: one row per sample.
            mask: the rows that take part, all by default.
            forgiven: rows where a value that is huge or not finite is no reason to end: the method knows how
                to go on.

        Returns:
            f at these points; where a sample does not take part, the best value it had.
        """
        taking_part = self.active if mask is None else self.active & mask
        values = self.map.at(points, taking_part, self.fed)
        # always a copy: a step may hand out the same memory again and again
        values = torch.where(taking_part[:, None], values, self.best_value)
        change, size = sizes(values - points), sizes(values)
        finite = change.isfinite() & size.isfinite()
        residual = torch.where(finite, change / (size + self._floor), torch.inf)
        self.evaluations += taking_part
        self._history.append((residual, torch.where(taking_part, self.evaluations, 0)))

        first = taking_part & (self.evaluations == 1)
        self._scale = torch.where(first, torch.maximum(sizes(points), size), self._scale)
        self._first_change = torch.where(first, change, self._first_change)
        # far out, what is left of the residual may be no more than rounding
        surely = change + 4 * torch.finfo(values.dtype).eps * size
        allowed = (size <= self.GROWN * self._scale) | (surely <= self.FALLEN * self._first_change)
        converged = taking_part & finite & (residual <= self.tolerance) & allowed
        better = taking_part & finite & ((residual < self.best_residual) | converged)
        self.best = replaced(self.best, better, points)
        self.fed = replaced(self.fed, better, points)
        self.best_value = replaced(self.best_value, better, values)
        self.best_residual = torch.where(better, residual, self.best_residual)

        strict = taking_part if forgiven is None else taking_part & ~forgiven
        self.finish(converged, CONVERGED)
        self.finish(strict & ~finite, NOT_FINITE)
        self.finish(strict & (size > self.DIVERGED * self._scale), DIVERGED)
        self._count_stale(taking_part)
        self.finish(taking_part & (self.evaluations >= self.max_evaluations), MAX_EVALUATIONS)
        return values

    def _count_stale(self, taking_part: Mask) -> None:
        fell = self.best_residual < 0.9 * self._mark
        self._mark = torch.where(fell, self.best_residual, self._mark)
        self._stale = torch.where(fell, 0, self._stale + taking_part)
        if self.patience:
            self.finish(taking_part & (self._stale >= self.patience), STAGNATED)

    def backtrack(
        self, points: Rows, values: Rows, direction: Rows, mask: Mask, halvings: int = 8
    ) -> tuple[Rows, Rows, Mask]:
        """Go along ``direction`` by 1, 1/2, 1/4 ... of it until the residual ‖f(z) - z‖ falls.

        Returns:
            New points and their values, and the mask of samples for which no length would do; these stay.
        """
        size = sizes(values - points)
        length = torch.ones_like(size)
        pending = self.active & mask & direction.isfinite().all(1)
        failed = self.active & mask & ~pending
        for _ in range(halvings + 1):
            if not bool(pending.any()):
                break
            trial = points + scaled(torch.where(pending[:, None], direction, 0), length)
            found = self.evaluate(trial, pending, forgiven=pending)
            # a NaN compares as false
            fell = pending & (sizes(found - trial) <= (1 - 1e-4 * length) * size)
            points = torch.where(fell[:, None], trial, points)
            values = torch.where(fell[:, None], found, values)
            pending = pending & ~fell & self.active
            length = length / 2
        return points, values, failed | pending

    def result(self) -> FixedPoint:
        """Verify the best states by a fresh evaluation and return all that is known."""
        fine = self.best_residual.isfinite()
        values = self.map.at(self.best, fine, self.fed)
        change, size = sizes(values - self.best), sizes(values)
        residuals = change / (size + self._floor)
        residuals = torch.where(fine & residuals.isfinite(), residuals, torch.inf)
        claimed = self._reason == CONVERGED
        converged = claimed & (residuals <= self.tolerance)
        reason = torch.where(claimed & ~converged, NOT_REPEATABLE, self._reason)
        return FixedPoint(
            state=self.map.states(self.best),
            converged=converged,
            residuals=residuals,
            rates=None if self.time_step is None else residuals / self.time_step,
            history=self._ordered_history(),
            evaluations=self.evaluations,
            products=self.products,
            reason=tuple(REASONS[code] for code in reason.tolist()),
        )

    def _ordered_history(self) -> Tensor:
        """Residuals by each sample's own count; in rounds that it sat out, a sample writes into row 0."""
        most = int(self.evaluations.max())
        history = self.best_residual.new_full((most + 1, len(self.best)), torch.nan)
        columns = torch.arange(len(self.best), device=history.device)
        for residual, count in self._history:
            history[count, columns] = residual
        return history[1:]


class Caution:
    """When to leave an accelerated method's path: the residual ‖F‖ has grown too much over the best one.

    The sample is then put back to its best iterate and takes plain steps, one the first time, twice as many
    each time it happens again: the same step from the same place would only fail again.

    Attributes:
        bold: samples that may take the method's own steps.

    Arguments:
        search: the book.
    """

    GROWTH: Final = 10.0
    MOST_PLAIN: Final = 64

    def __init__(self, search: Search) -> None:
        self._search = search
        self._penalty = torch.ones_like(search.evaluations)
        self._plain = torch.ones_like(search.evaluations)

    @property
    def bold(self) -> Mask:
        """Samples whose next step is the method's own; the others take a plain one."""
        return self._plain == 0

    def grew(self, residual: Rows) -> Mask:
        """Tell which samples must go back, given F at the newest points; a NaN is as bad as can be."""
        best = sizes(self._search.best_value - self._search.fed)
        grew = self._search.active & self.bold & ~(sizes(residual) <= self.GROWTH * best)
        self._plain = torch.where(grew, self._penalty, (self._plain - 1).clamp(min=0))
        self._penalty = torch.where(grew, (2 * self._penalty).clamp(max=self.MOST_PLAIN), self._penalty)
        return grew
