"""From the first frame through all others, and on: how far a rule is from what it should show."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.automaton import Automaton

from .series import Series, cut


@dataclass(frozen=True, eq=False)
class Course:
    """A roll-out beside the frames of a series.

    Arguments:
        steps: automaton steps until each look.
        wanted: the frame that should be seen then; the last one from its time on.
        errors: mean squared error over the smallest box around what is seen in that frame, largest over the
            series.
        whole: likewise over all cells.
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
    """Return the mean squared error over the box of what is seen in a frame, largest over the series."""
    missing = (shown - series.frames[:, frame]).square()
    boxes = [cut(missing[item], series.box(frame, item)).mean() for item in range(len(missing))]
    return float(torch.stack(boxes).max())


def still_errors(series: Series) -> tuple[float, ...]:
    """Return the errors of the first frame at the times of all others: those of doing nothing."""
    return tuple(box_error(series, series.frames[:, 0], frame) for frame in range(1, series.frames.shape[1]))


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
        whole.append(float((seen - series.frames[:, frame]).square().flatten(1).mean(1).max()))
        shown.append(seen[0])
        if progress:
            progress(done, total)
    return Course(tuple(steps), tuple(wanted), tuple(errors), tuple(whole), torch.stack(shown), state)
