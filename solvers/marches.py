"""From one stored frame to the next, by one method."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor

from pdenca.core.errors import BadInputError

from .equation import Equation
from .grid import Grid
from .integrators import INTEGRATORS, AdaptiveRungeKutta, Integrator, StepHistory, options_of


class March(ABC):
    """A way to advance the state from frame to frame."""

    @abstractmethod
    def advance(self, state: Tensor, number: int) -> Tensor:
        """Return frame ``number`` (1, 2, ...) from the one before."""

    @abstractmethod
    def summary(self) -> str:
        """Say in words what was done."""


@final
@dataclass(frozen=True, eq=False)
class FixedMarch(March):
    """Equal steps, with a step of its own for the first intervals.

    Arguments:
        method: a key of ``INTEGRATORS``.
        first: integrator of the first ``num_start_frames`` intervals, and its steps in one.
        later: the same for the others.
        num_start_frames: how many intervals are the first ones.
    """

    method: str
    first: tuple[Integrator, int]
    later: tuple[Integrator, int]
    num_start_frames: int

    def advance(self, state: Tensor, number: int) -> Tensor:
        """Return frame ``number`` from the one before."""
        integrator, num_steps = self.first if number <= self.num_start_frames else self.later
        return integrator.march(state, num_steps)

    def summary(self) -> str:
        """Say the method and its steps."""
        first, later = self.first[0].time_step, self.later[0].time_step
        start = f" ({first:g} in the first {self.num_start_frames} intervals)" if first != later else ""
        return f"{self.method}, time step {later:g}{start}"


@final
@dataclass(frozen=True, eq=False)
class AdaptiveMarch(March):
    """Steps chosen by their error.

    Arguments:
        integrator: of one frame interval.
    """

    integrator: AdaptiveRungeKutta
    histories: list[StepHistory] = field(default_factory=list)

    def advance(self, state: Tensor, number: int) -> Tensor:
        """Return frame ``number`` from the one before."""
        state, history = self.integrator.march_with_history(state, 1)
        self.histories.append(history)
        return state

    def summary(self) -> str:
        """Say how many steps were kept and tried, and how long they were."""
        if not self.histories:
            return f"adaptive, tolerance {self.integrator.tolerance:g}"
        kept = torch.stack([history.num_accepted for history in self.histories]).sum(0)
        again = torch.stack([history.num_rejected for history in self.histories]).sum(0)
        work = torch.stack([history.num_evaluations for history in self.histories]).sum(0)
        sizes = torch.cat([history.steps[history.accepted] for history in self.histories])
        return (
            f"adaptive, tolerance {self.integrator.tolerance:g}: {_range(kept)} steps kept and "
            f"{_range(again)} tried again per trajectory, {float(sizes.min()):.3g} to "
            f"{float(sizes.max()):.3g} long, {_range(work)} evaluations"
        )


def _range(counts: Tensor) -> str:
    least, most = int(counts.min()), int(counts.max())
    return str(least) if least == most else f"{least} to {most}"


def fixed_march(
    method: str,
    equation: Equation,
    grid: Grid,
    options: Mapping[str, Any],
    *,
    num_frames: int,
    frame_interval: float,
    time_step: float | None,
    start_time_step: float | None,
    num_start_frames: int,
) -> FixedMarch:
    """Return the march of a method of fixed step.

    Arguments:
        method, equation, grid: as for the constructors in ``INTEGRATORS``.
        options: the method's options.
        num_frames, frame_interval, time_step, start_time_step, num_start_frames: see ``simulate``.

    Raises:
        BadInputError: for a step that does not divide the interval between frames.
    """
    if time_step is None:
        raise BadInputError(
            f"method {method!r} needs a time_step; usual cure: that of the equation's preset, or "
            "method='auto'"
        )

    def build(step: float, name: str, num_intervals: int) -> tuple[Integrator, int]:
        num_steps = _steps_per_frame(frame_interval, step, name)
        # some methods compile what is worth it
        planned = (
            {"planned_steps": num_steps * num_intervals} if "planned_steps" in options_of(method) else {}
        )
        return INTEGRATORS[method](equation, grid, step, **planned, **options), num_steps

    later = build(time_step, "time_step", num_frames - 1)
    first = later
    if start_time_step is not None:
        first = build(start_time_step, "start_time_step", min(num_start_frames, num_frames - 1))
    return FixedMarch(method, first, later, num_start_frames)


def _steps_per_frame(frame_interval: float, time_step: float, name: str) -> int:
    if not (
        math.isfinite(frame_interval) and frame_interval > 0 and math.isfinite(time_step) and time_step > 0
    ):
        raise BadInputError(
            f"frame_interval and {name} must be positive times, got {frame_interval} and {time_step}"
        )
    num_steps = max(1, round(frame_interval / time_step))
    if not math.isclose(num_steps * time_step, frame_interval, rel_tol=1e-9):
        raise BadInputError(
            f"{name} {time_step:g} does not divide frame_interval {frame_interval:g}; the nearest that "
            f"does is {frame_interval / num_steps:.17g}"
        )
    return num_steps
