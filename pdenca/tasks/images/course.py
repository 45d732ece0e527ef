"""From the first frame through all others, and on: how far a rule is from what it should show."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.automaton import Automaton
from pdenca.training import step_generator

from .series import Series
from .settings import ImageSettings


@dataclass(frozen=True, eq=False)
class Course:
    """A roll-out beside the frames of a series.

    Arguments:
        steps: automaton steps until each look.
        wanted: the frame that should be seen then; the last one from its time on.
        errors: mean squared error over the cells that count in the smallest box around what is seen in that
            frame, largest over the series.
        whole: likewise, not only in the box.
        shown: what was seen, of the first series.
        state: of all series at the end.
    """

    steps: tuple[int, ...]
    wanted: tuple[int, ...]
    errors: tuple[float, ...]
    whole: tuple[float, ...]
    shown: Float[Tensor, "look observed *space"]
    state: Float[Tensor, "series channel *space"]

    @property
    def mean_error(self) -> float:
        """Mean of the errors over the looks."""
        return sum(self.errors) / len(self.errors)

    def to_dict(self) -> dict[str, Any]:
        """Return its numbers."""
        told = asdict(self)
        return {name: told[name] for name in ("steps", "wanted", "errors", "whole")}


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
    done, total = 0, sum(durations)
    steps, wanted, errors, whole, shown = [], [], [], [], []
    for number, duration in enumerate(durations, 1):
        state = automaton.bind(series.grid, {}, generator, num_steps=duration)(state)
        done += duration
        frame = min(number, last)
        seen = automaton.codec.observe(state)
        steps.append(done)
        wanted.append(frame)
        errors.append(box_error(series, seen, frame))
        missing = (seen - series.frames[:, frame]).square()[..., series.counted]
        whole.append(float(missing.flatten(1).mean(1).max()))
        shown.append(seen[0])
        if progress:
            progress(done, total)
    return Course(tuple(steps), tuple(wanted), tuple(errors), tuple(whole), torch.stack(shown), state)


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
