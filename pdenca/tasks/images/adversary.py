"""The start that is changed least and breaks the outcome, and the one that is changed most and does not."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.automaton import Automaton
from pdenca.core import BadInputError
from pdenca.training import step_generator

from .series import Series

Goal = Literal["break", "keep"]
GOALS: Final[tuple[Goal, ...]] = ("break", "keep")
LARGEST: Final = 4.0
"""Times the norm of the true start: no change is looked for beyond, so more may be kept than is found."""


@dataclass(frozen=True, eq=False)
class Change:
    """A change of the first frame.

    Arguments:
        goal: ``break``: as small as could be found, with the outcome broken; ``keep``: as large as could be
            found, with the outcome kept. Neither is proven to be the smallest or the largest there is.
        start: the changed first frame.
        size: ‖change‖ / ‖true first frame‖, at most :data:`LARGEST`; infinite if nothing up to there broke
            it, 0 if nothing could be kept.
        error: mean squared error over the box of the last frame, in the end.
        again: the same with other firing masks, mean of several; as ``error`` for a rule that always fires.
        random: the same for a random change of that size, mean of several.
    """

    goal: Goal
    start: Float[Tensor, " observed *space"]
    size: float
    error: float
    again: float
    random: float


def find_change(
    automaton: Automaton,
    series: Series,
    steps_per_interval: int,
    goal: Goal = "break",
    *,
    hold: int = 0,
    threshold: float = 0.02,
    num_steps: int = 20,
    num_halvings: int = 6,
    num_again: int = 4,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Change:
    """Look for an extreme start by projected gradients, with the same firing masks throughout.

    For a size r, the error E of the outcome is raised (``break``) or lowered (``keep``) over the changes d of
    that size, d ← r (d ± s ∇E/‖∇E‖) / ‖...‖; r itself is halved in an interval until it is known to a factor
    of 4^(1 / 2^n), n = ``num_halvings``.

    Arguments:
        automaton: the rule.
        series: the frames; of several series the first.
        steps_per_interval: automaton steps of the shortest time between two frames.
        goal: see :class:`Change`.
        hold: steps after the last frame's time until the outcome is looked at.
        threshold: error above which the outcome is broken.
        num_steps: of the gradient, for each size.
        num_halvings: sizes that are tried between the extremes.
        num_again: other firing masks, and random changes, to compare with.
        seed: of masks and directions.
        progress: called with (sizes tried, all).

    Raises:
        BadInputError: for another goal, or if the unchanged start does not lead to the outcome.

    Source: the projected gradients of Madry et al., arXiv:1706.06083 (2017), on a sphere; the question is
    that of Richardson et al., PLOS Comput. Biol. 20 (2024) e1011589.
    """
    if goal not in GOALS:
        raise BadInputError(f"expected a goal out of {', '.join(GOALS)}, got {goal!r}")
    first = series.frames[:1, 0]
    total = sum(series.num_steps(steps_per_interval)) + hold

    def outcome(change: Tensor, masks_seed: int) -> Tensor:
        state = automaton.codec.lift((first + change)[:, None])
        generator = step_generator(seed, "masks", masks_seed)
        masks = automaton.sample_masks(total, 1, series.grid, generator, state)
        end = automaton.advance(state, {}, series.grid, total, masks)
        return series.error(automaton.codec.observe(end), -1)[0]

    with torch.no_grad():
        unchanged = float(outcome(torch.zeros_like(first), 0))
    if not unchanged <= threshold:
        raise BadInputError(
            f"the unchanged start leads to an error of {unchanged:.3g}, above the threshold of "
            f"{threshold:g}: there is no outcome to break; usual cure: more training, or a larger threshold"
        )
    length = float(first.norm())
    breaks = goal == "break"

    def best_of_size(size: float) -> tuple[Tensor, float]:
        generator = step_generator(seed, "direction")
        change = torch.randn(first.shape, generator=generator, dtype=torch.float64).to(first)
        change = change * (size * length / change.norm())
        best, error = change, math.nan
        for number in range(num_steps):
            varied = change.detach().requires_grad_()
            value = outcome(varied, 0)
            (slope,) = torch.autograd.grad(value, varied)
            found = float(value.detach())
            better = math.isnan(error) or (found > error if breaks else found < error)
            if better:
                best, error = change, found
            # where the outcome attracts, slopes fade to numbers whose squares float32 does not know
            steepness = float(slope.double().norm())
            if (error > threshold) == breaks or steepness == 0:
                break
            step = 0.5 * (1 - number / num_steps) * size * length
            change = change + (step if breaks else -step) * (slope.double() / steepness).to(slope)
            change = change * (size * length / change.norm())
        return best, error

    low, high = 0.0, LARGEST  # broken above, kept below
    kept, broken = (torch.zeros_like(first), unchanged), None
    size = high
    for tried in range(num_halvings + 1):
        change, error = best_of_size(size)
        if error > threshold or math.isnan(error):
            high, broken = size, (change, error)
        else:
            low, kept = size, (change, error)
        if low == LARGEST:
            break
        # sizes differ by orders of magnitude: halve the interval of their logarithms once it has two ends
        size = math.sqrt(low * high) if low else high / 4
        if progress:
            progress(tried + 1, num_halvings + 1)
    found, size = (broken, high) if breaks else (kept, low)
    if found is None:
        return Change(goal, series.frames[0, 0], math.inf, unchanged, unchanged, unchanged)
    change, error = found
    again, random = [], []
    with torch.no_grad():
        for number in range(num_again):
            again.append(float(outcome(change, 1 + number)))
            other = torch.randn(
                first.shape, generator=step_generator(seed, "random", number), dtype=torch.float64
            ).to(first)
            random.append(float(outcome(other * (size * length / other.norm()), 0)))
    return Change(goal, (first + change)[0], size, error, _mean(again), _mean(random))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan
