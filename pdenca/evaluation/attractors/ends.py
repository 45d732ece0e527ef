"""How the roll-outs of a deterministic step end: at rest, in a cycle, or neither."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdenca.core import BadInputError, Step
from pdenca.equilibrium import RowMap

from .batches import batches

KINDS: Final = ("fixed", "periodic", "moving", "not finite")
"""How a roll-out can end, see :func:`follow_to_end`."""


@dataclass(frozen=True, eq=False)
class Ends:
    """Where some roll-outs end, one entry per start.

    Arguments:
        states: after the last step, as they are.
        kinds: of :data:`KINDS`.
        settled_after: step from which on the residual stays at or below the tolerance; None unless fixed.
        periods: steps; 1 where fixed, None where neither fixed nor periodic.
        residuals: ‖f(z) - z‖ / ‖f(z)‖ of every step, the first one being that of the start.
        falling: share of the steps in which the residual fell, of those before it settled; NaN if it never
            was above the tolerance, or if a state was not finite.
        largest_rise: largest ratio of one residual to the one before, among the same steps; at most 1 where
            it never rose. NaN likewise.
        drift: rms distance over all entries, in the unit of the state, that the state moved in the last
            ``stretch`` steps; of a cycle in the last whole number of periods.
        stretch: number of last steps by which an end is judged.
        tolerance: of the residual and of the recurrence.
    """

    states: Float[Tensor, "start channel *space"]
    kinds: tuple[str, ...]
    settled_after: tuple[int | None, ...]
    periods: tuple[int | None, ...]
    residuals: Float[Tensor, "step start"]
    falling: Float[Tensor, " start"]
    largest_rise: Float[Tensor, " start"]
    drift: Float[Tensor, " start"]
    stretch: int
    tolerance: float

    def are(self, *kinds: str) -> Bool[Tensor, " start"]:
        """Return which starts end in one of these kinds.

        Raises:
            BadInputError: for a kind that there is not.
        """
        unknown = set(kinds) - set(KINDS)
        if unknown:
            raise BadInputError(f"got the kinds {sorted(unknown)}; expected some of {KINDS}")
        return torch.tensor([kind in kinds for kind in self.kinds], dtype=torch.bool)


@torch.no_grad()
def follow_to_end(
    step: Step,
    starts: Float[Tensor, "start channel *space"],
    *,
    num_steps: int,
    tolerance: float = 1e-5,
    max_period: int = 16,
    batch_size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> Ends:
    """Roll out every start and say how it ends, by its relative residual r = ‖f(z) - z‖ / ‖f(z)‖.

    In this order:

    1. *not finite*: a state on the way has a NaN or an infinity.
    2. *fixed*: r <= tolerance in each of the last ``max_period`` steps, at least; so many that no cycle of
       that length is taken for rest.
    3. *periodic*: for the smallest k from 2 to ``max_period`` with ‖z(s + m k) - z(s)‖ <= tolerance ‖z(s)‖
       for every m that fits into the last stretch. It begins at s and is a quarter of all steps long, or
       twice ``max_period`` if that is more. A spiral comes near to itself after one turn, but not after all
       turns of the stretch, as these distances add up.
    4. *moving*: all else: slow approaches, drifts, tori, chaos, longer cycles.

    r is no Lyapunov function: it may rise on the way to rest, also where some energy falls. ``falling`` and
    ``largest_rise`` tell whether it did. r is 0 where nothing moves, also for a state of zeros, and infinite
    where a step makes zeros of something.

    Arguments:
        step: z -> f(z), deterministic.
        starts: one state each.
        num_steps: of each roll-out, more than the stretch.
        tolerance: relative; above the rounding of the states' type, some 1e-7 in float32.
        max_period: longest cycle that is looked for (steps), at least 2.
        batch_size: starts that are rolled out together; this alone decides how much memory it takes.
        progress: told how many steps are done, of how many, all batches counted.

    Raises:
        BadInputError: for numbers out of range, a step that draws random numbers or changes its argument, or
            no starts.

    Limits of validity: what moves less than the tolerance in a step counts as fixed, however far it gets in
    the end: look at ``drift``. A spiral that closes in by less than the tolerance in the whole stretch
    counts as periodic. For stored frames, travelling patterns and chaos see
    :func:`pdenca.solvers.steady.classify_end`.
    """
    stretch = max(2 * max_period, num_steps // 4)
    if max_period < 2 or num_steps <= stretch:
        raise BadInputError(
            f"got max_period {max_period} and num_steps {num_steps}; expected max_period >= 2 and num_steps "
            "above twice that; usual cure: more steps"
        )
    if not 0 < tolerance < 1:
        raise BadInputError(f"got the tolerance {tolerance}; expected it in (0, 1); usual cure: 1e-5")
    parts = []
    num_batches = -(-len(starts) // max(batch_size, 1))
    for number, (chosen, map) in enumerate(batches(step, starts, batch_size)):

        def told(count: int, done: int = number * num_steps) -> None:
            if progress is not None:
                progress(done + count, num_batches * num_steps)

        parts.append(_followed(map, starts[chosen], num_steps, stretch, told))
    states, residuals, distances, finite = zip(*parts, strict=True)
    return _judged(
        torch.cat(states),
        torch.cat(residuals, 1).cpu(),
        torch.cat(distances, 1).cpu(),
        torch.cat(finite).cpu(),
        tolerance,
        max_period,
    )


def _followed(
    map: RowMap, starts: Tensor, num_steps: int, stretch: int, told: Callable[[int], None]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return last states, residuals, distances and sizes within the stretch, and what stayed finite.

    The distances are those from the state with which the stretch begins; its own size is the first row.
    """
    rows = map.rows(starts)
    finite = rows.isfinite().all(1)
    residuals, distances, reference = [], [], rows
    for number in range(1, num_steps + 1):
        following = map(rows)
        moved = _size(following - rows)
        # nothing moved: also where all is zero, and the quotient has no value
        residuals.append(torch.where(moved == 0, moved, moved / _size(following)))
        rows = following
        finite = finite & rows.isfinite().all(1)
        if number == num_steps - stretch:
            reference = rows
            distances.append(_size(reference))
        elif number > num_steps - stretch:
            distances.append(_size(rows - reference))
        told(number)
    return map.states(rows), torch.stack(residuals), torch.stack(distances), finite


def _judged(
    states: Tensor, residuals: Tensor, distances: Tensor, finite: Tensor, tolerance: float, max_period: int
) -> Ends:
    size, distances = distances[0], distances[1:]
    low = residuals <= tolerance
    returned = distances <= tolerance * size
    stretch = len(distances)
    kinds, settled_after, periods, last = [], [], [], []
    for start in range(len(finite)):
        kind, settled, period = "moving", None, None
        if not finite[start]:
            kind = "not finite"
        elif low[-max_period:, start].all():
            high = (~low[:, start]).nonzero().flatten().tolist()
            kind, settled, period = "fixed", high[-1] + 2 if high else 1, 1
        else:
            back = returned[:, start]
            period = next((k for k in range(2, max_period + 1) if back[k - 1 :: k].all()), None)
            kind = "moving" if period is None else "periodic"
        kinds.append(kind)
        settled_after.append(settled)
        periods.append(period)
        last.append(stretch // (period or 1) * (period or 1) - 1)
    falling, largest_rise = _falls(residuals, tolerance)
    moved = distances.gather(0, torch.tensor(last)[None])[0]
    return Ends(
        states=states,
        kinds=tuple(kinds),
        settled_after=tuple(settled_after),
        periods=tuple(periods),
        residuals=residuals,
        falling=torch.where(finite, falling, torch.nan),
        largest_rise=torch.where(finite, largest_rise, torch.nan),
        drift=moved / states[0].numel() ** 0.5,
        stretch=stretch,
        tolerance=tolerance,
    )


def _falls(residuals: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    """Return the share of steps in which each residual fell, and its largest rise.

    At or below the tolerance it goes up and down by rounding, which is not counted.
    """
    before, after = residuals[:-1], residuals[1:]
    counted = torch.maximum(before, after) > tolerance
    share = ((after < before) & counted).sum(0).double() / counted.sum(0)
    rise = torch.where(counted, after / before, -torch.inf).amax(0)
    return share, torch.where(counted.any(0), rise, torch.nan)


def _size(rows: Tensor) -> Tensor:
    size: Tensor = torch.linalg.vector_norm(rows.double(), dim=1)
    return size
