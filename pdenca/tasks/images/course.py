"""From the first frame through all others, and on: how far a rule is from what it should show."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.automaton import Automaton
from pdenca.core import BadInputError
from pdenca.training import step_generator

from ..measuring import worst
from .series import Series
from .settings import ImageSettings

STEPS_AT_ONCE: Final = 100
"""Whose firing masks are in memory together."""


@dataclass(frozen=True, eq=False)
class Course:
    """A roll-out beside the frames of a series.

    Arguments:
        steps: automaton steps until each look.
        wanted: the frame that should be seen then; the last one from its time on.
        errors: mean squared error over the cells that count in the smallest box around what is seen in that
            frame, largest over the series.
        whole: likewise, not only in the box.
        absolute: mean size of the error over all cells that count, largest over the series.
        means: mean over these cells and all channels of what was seen, of the first series.
        wanted_means: the same of the frames that should be seen.
        peak: largest of the errors at *every* step from the last frame's time on, looked at or not.
        shown: what was seen, of the first series.
        state: of all series at the end.
    """

    steps: tuple[int, ...]
    wanted: tuple[int, ...]
    errors: tuple[float, ...]
    whole: tuple[float, ...]
    absolute: tuple[float, ...]
    means: tuple[float, ...]
    wanted_means: tuple[float, ...]
    peak: float
    shown: Float[Tensor, "look observed *space"]
    state: Float[Tensor, "series channel *space"]

    @property
    def mean_error(self) -> float:
        """Mean of the errors over the looks."""
        return sum(self.errors) / len(self.errors)

    def to_dict(self) -> dict[str, Any]:
        """Return its numbers."""
        told = asdict(self)
        return {name: value for name, value in told.items() if name not in ("shown", "state")}


def decades(hold: int) -> tuple[int, ...]:
    """Return the powers of ten up to so many steps, and their end."""
    return tuple(sorted({min(hold, 10**power) for power in range(1, len(str(hold)) + 1)}))


def box_error(series: Series, shown: Float[Tensor, "series observed *space"], frame: int) -> float:
    """Return the largest error over the series, see :meth:`~pdenca.tasks.images.Series.error`."""
    errors = [series.error(shown[item : item + 1], frame, item) for item in range(len(shown))]
    return float(torch.cat(errors).max())  # a NaN is larger than any


def still_errors(series: Series, num_held: int = 0) -> tuple[float, ...]:
    """Return the errors of doing nothing, at the times of all frames but the first, the last repeated.

    Raises:
        BadInputError: for a frame that shows nothing.
    """
    frames = range(1, series.frames.shape[1])
    errors = [box_error(series, series.frames[:, 0], frame) for frame in frames]
    return (*errors, *errors[-1:] * num_held)


@torch.no_grad()
def follow(
    automaton: Automaton,
    series: Series,
    steps_per_interval: int,
    *,
    start: Float[Tensor, "series observed *space"] | None = None,
    hold: Sequence[int] = (),
    generator: torch.Generator | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Course:
    """Roll out from the first frame and look at every frame's time, then now and then while the last is held.

    Arguments:
        automaton: the rule.
        series: the frames.
        steps_per_interval: automaton steps of the shortest time between two of them.
        start: other first frames.
        hold: steps after the last frame's time at which to look, increasing.
        generator: of the firing masks, for a rule that is stochastic.
        progress: called with (steps taken, all).
    """
    durations = [*series.num_steps(steps_per_interval)]
    durations += [after - before for before, after in zip((0, *hold), hold, strict=False)]
    last = series.frames.shape[1] - 1
    first = series.frames[:, 0] if start is None else start
    state = automaton.codec.lift(first[:, None])
    done, total, peak = 0, sum(durations), 0.0
    steps, wanted, shown = [], [], []
    errors, whole, absolute, means, wanted_means = [], [], [], [], []

    def watch(current: Tensor) -> None:
        nonlocal peak
        peak = worst((peak, box_error(series, automaton.codec.observe(current.movedim(-1, 1)), last)))

    for number, duration in enumerate(durations, 1):
        holds = number > last
        state = _advance(automaton, state, series, duration, generator, watch if holds else None)
        done += duration
        frame = min(number, last)
        seen = automaton.codec.observe(state)
        steps.append(done)
        wanted.append(frame)
        errors.append(box_error(series, seen, frame))
        if number == last:
            peak = errors[-1]
        missing = (seen - series.frames[:, frame])[..., series.counted]
        whole.append(float(missing.square().flatten(1).mean(1).max()))
        absolute.append(float(missing.abs().flatten(1).mean(1).max()))
        means.append(float(seen[0][..., series.counted].mean()))
        wanted_means.append(float(series.frames[0, frame][..., series.counted].mean()))
        shown.append(seen[0])
        if progress:
            progress(done, total)
    return Course(
        tuple(steps),
        tuple(wanted),
        tuple(errors),
        tuple(whole),
        tuple(absolute),
        tuple(means),
        tuple(wanted_means),
        peak,
        torch.stack(shown),
        state,
    )


@torch.no_grad()
def held_at(
    automaton: Automaton,
    series: Series,
    steps_per_interval: int,
    ages: Sequence[int],
    generator: torch.Generator | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "age channel *space"]:
    """Return the states of one roll-out of the first series, so many steps after the last frame's time.

    Arguments:
        automaton: the rule.
        series: the frames.
        steps_per_interval: automaton steps of the shortest time between two of them.
        ages: steps, in any order, also several times the same.
        generator: of the firing masks, for a rule that is stochastic.
        progress: called with (steps taken, all).

    Raises:
        BadInputError: for no age, or one below 0.
    """
    if not ages or min(ages) < 0:
        raise BadInputError(f"expected ages of 0 steps or more, at least one, got {list(ages)}")
    state = automaton.codec.lift(series.frames[:1, :1])
    arrival = sum(series.num_steps(steps_per_interval))
    found: dict[int, Tensor] = {}
    done = -arrival
    for age in sorted(set(ages)):
        state = _advance(automaton, state, series, age - done, generator)
        found[age], done = state, age
        if progress:
            progress(arrival + done, arrival + max(ages))
    return torch.cat([found[age] for age in ages])


def _advance(
    automaton: Automaton,
    state: Float[Tensor, "series channel *space"],
    series: Series,
    num_steps: int,
    generator: torch.Generator | None,
    watch: Callable[[Tensor], None] | None = None,
) -> Float[Tensor, "series channel *space"]:
    """Take steps; the masks of some at a time, which are the same numbers as those of all at once."""
    for begin in range(0, num_steps, STEPS_AT_ONCE):
        count = min(STEPS_AT_ONCE, num_steps - begin)
        masks = automaton.sample_masks(count, len(state), series.grid, generator, state)
        state = automaton.advance(state, {}, series.grid, count, masks, watch)
    return state


def follow_anew(
    automaton: Automaton,
    series: Series,
    settings: ImageSettings,
    hold: Sequence[int],
    progress: Callable[[int, int], None] | None = None,
    *,
    start: Float[Tensor, "series observed *space"] | None = None,
) -> Course:
    """Follow a trained rule with firing masks that are neither those of training nor those of validation."""
    return follow(
        automaton,
        series,
        settings.steps_per_interval,
        start=start,
        hold=hold,
        generator=step_generator(settings.seed, "study"),
        progress=progress,
    )
