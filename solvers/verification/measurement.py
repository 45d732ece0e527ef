"""What a measurement hands back: a number, where it should lie, and how long it took."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pdenca.core.errors import BadInputError


@dataclass(frozen=True)
class Measurement:
    """One number that says whether a solver is right.

    Arguments:
        what: the quantity, "order in time" for example.
        equation: name of the equation.
        setting: integrator, stencil and boundary, as far as they matter.
        measured: the number.
        low: the smallest value that passes.
        high: the largest value that passes.
        seconds: time the measurement took.
    """

    what: str
    equation: str
    setting: str
    measured: float
    low: float
    high: float
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the number lies in the interval; a NaN never does."""
        return self.low <= self.measured <= self.high

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "FAILED"
        return (
            f"{self.what}, {self.equation} ({self.setting}): {self.measured:.4g} in [{self.low:.4g}, "
            f"{self.high:.4g}]: {verdict}, {self.seconds:.2f} s"
        )


def measure(
    what: str, equation: str, setting: str, interval: tuple[float, float], work: Callable[[], float]
) -> Measurement:
    """Time a function that returns the number, and put both into a record.

    Arguments:
        what: the quantity.
        equation: name of the equation.
        setting: integrator, stencil and boundary.
        interval: smallest and largest value that passes.
        work: makes the number.
    """
    began = time.perf_counter()
    value = float(work())
    return Measurement(what, equation, setting, value, *interval, time.perf_counter() - began)


def fitted_slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the slope of the least-squares line through the points (x, y).

    Raises:
        BadInputError: for fewer than two different x.
    """
    if len(x) != len(y) or len(set(x)) < 2:
        raise BadInputError(f"a slope needs at least two points, got x = {list(x)} and y = {list(y)}")
    mean_x, mean_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    above = math.fsum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return above / math.fsum((a - mean_x) ** 2 for a in x)


def fitted_order(sizes: Sequence[float], errors: Sequence[float]) -> float:
    """Return the slope of log error against log size: the order of accuracy.

    An error that is exactly zero, or not finite, has no order: the result is NaN, which passes nowhere.
    """
    if not all(math.isfinite(error) and error > 0 for error in errors):
        return math.nan
    return fitted_slope([math.log(size) for size in sizes], [math.log(error) for error in errors])


def largest_difference(state: Tensor, exact: Tensor, amplitude: Sequence[float]) -> float:
    """Return max |state - exact|, each field in units of its amplitude; NaN if anything is."""
    scale = torch.tensor(amplitude, dtype=torch.float64).reshape(-1, *(1,) * (state.ndim - 2))
    return float(((state - exact).abs() / scale.to(state)).max())
