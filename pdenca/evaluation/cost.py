"""What a prediction costs, beside what a solver pays for the same."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pdenca.core import BadInputError, Step


@dataclass(frozen=True)
class CostPoint:
    """One method at one setting.

    Arguments:
        name: which method, which setting.
        milliseconds: time per stored frame and trajectory.
        error: its score; NaN if it diverged.
    """

    name: str
    milliseconds: float
    error: float


@dataclass(frozen=True)
class SolverComparison:
    """An emulator beside the solvers, at equal error and at equal time.

    Attributes:
        emulator: what is compared.
        cheapest: the fastest solver setting that is at least as accurate; None if none is.
        best: the most accurate one that is at least as fast; None if all are slower.
    """

    emulator: CostPoint
    cheapest: CostPoint | None
    best: CostPoint | None

    @property
    def speed_up(self) -> float:
        """How many times faster than a solver of equal error; infinite if no solver is as accurate."""
        return self.cheapest.milliseconds / self.emulator.milliseconds if self.cheapest else math.inf

    @property
    def error_ratio(self) -> float:
        """How many times a solver of equal time is worse; infinite if no solver is as fast."""
        return self.best.error / self.emulator.error if self.best else math.inf


def compare_costs(emulator: CostPoint, solvers: Sequence[CostPoint]) -> SolverComparison:
    """Find the solver baselines of an emulator at equal error and at equal time.

    Arguments:
        emulator: what is compared.
        solvers: settings measured on the same trajectories and machine; the finer the steps between them, the
            fairer. Those that diverged (an error that is not finite) are passed over.

    Returns:
        The fastest solver with at most the emulator's error, and the most accurate one within its time; of
        equal ones the first.

    Raises:
        BadInputError: without a solver, or for an emulator whose numbers are not finite.
    """
    if not solvers:
        raise BadInputError("no solver to compare with; expected at least one, with time and error")
    if not (math.isfinite(emulator.error) and math.isfinite(emulator.milliseconds)):
        raise BadInputError(
            f"{emulator.name} has error {emulator.error} and takes {emulator.milliseconds} ms; expected "
            "numbers; usual cure: a window in which it did not diverge"
        )
    sound = [point for point in solvers if math.isfinite(point.error)]
    accurate = [point for point in sound if point.error <= emulator.error]
    fast = [point for point in sound if point.milliseconds <= emulator.milliseconds]
    return SolverComparison(
        emulator,
        min(accurate, key=lambda point: point.milliseconds, default=None),
        min(fast, key=lambda point: point.error, default=None),
    )


def milliseconds_per_frame(
    step: Step,
    state: Tensor,
    *,
    num_repeats: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Measure how long a step takes, per trajectory: the median of some repeats after one to warm up.

    Arguments:
        step: advances one stored frame.
        state: where it starts, with its batch; a batch of one is what a single run pays.
        num_repeats: measurements.
        clock: returns seconds.
    """
    seconds = []
    with torch.no_grad():
        for number in range(num_repeats + 1):
            _wait(state)
            begin = clock()
            step(state)
            _wait(state)
            if number:
                seconds.append(clock() - begin)
    return 1000 * statistics.median(seconds) / len(state)


def _wait(state: Tensor) -> None:
    """A GPU works on after the call has returned."""
    if state.device.type == "cuda":
        torch.cuda.synchronize(state.device)
