"""Between the time a model's step takes and the time between the frames it is asked for."""

import dataclasses
import math
from typing import Protocol, Self, runtime_checkable

import torch

from pdenca.core import BadInputError, Context, Emulator, Repeated, Step

from .settings import Case


@runtime_checkable
class Retimed(Protocol):
    """An emulator that can advance other times than a stored frame."""

    def at_interval(self, frame_interval: float) -> Self:
        """Return the same emulator whose step takes ``frame_interval``.

        Raises:
            BadInputError: if that is no whole number of its inner steps.
        """
        ...


def bind_to_interval(
    name: str, emulator: Emulator, case: Case, context: Context, generator: torch.Generator | None
) -> Step:
    """Bind an emulator to a case so that one step takes the case's frame interval.

    A shorter step that fits a whole number of times is repeated, so that a model crosses a longer interval
    the way it was made for. Else an emulator that can be told another interval is: one that is
    :class:`Retimed`, or a dataclass with a field ``frame_interval``, as solvers and baselines are.

    Raises:
        BadInputError: if neither works, the emulator refuses the case, or its step would be repeated but its
            state is several frames, which the case gives too far apart.
        StabilityError: if the emulator refuses the case.
    """
    step = emulator.bind(case.grid, context, generator)
    times = case.frame_interval / step.time_step
    count = round(times)
    if count == 1 and math.isclose(times, 1, rel_tol=1e-6):
        return step
    if count > 1 and math.isclose(times, count, rel_tol=1e-6):
        num_read = getattr(emulator.codec, "num_given", 1)
        if num_read > 1:
            raise BadInputError(
                f"{name!r} reads {num_read} frames {step.time_step:g} time units apart, "
                f"{case.split}/{case.regime} gives one every {case.frame_interval:g}; usual cure: a model "
                "that sees one frame"
            )
        return Repeated(step, count)
    other: Emulator | None = None
    if isinstance(emulator, Retimed):
        other = emulator.at_interval(case.frame_interval)
    elif (
        dataclasses.is_dataclass(emulator)
        and not isinstance(emulator, type)
        and any(item.name == "frame_interval" and item.init for item in dataclasses.fields(emulator))
    ):
        other = dataclasses.replace(emulator, frame_interval=case.frame_interval)
    if other is not None:
        step = other.bind(case.grid, context, generator)
        if math.isclose(step.time_step, case.frame_interval, rel_tol=1e-6):
            return step
    raise BadInputError(
        f"{name!r} advances {step.time_step:g} time units a step but {case.split}/{case.regime} stores a "
        f"frame every {case.frame_interval:g}; usual cure: data whose interval is a whole number of its steps"
    )
