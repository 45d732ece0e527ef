"""One measurement, and what is said of several."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Key = dict[str, str | int]
"""What is measured: its part, the model, the seed and so on."""


@dataclass(frozen=True)
class Measured:
    """One measurement.

    Arguments:
        key: what was measured: part, model, seed and so on.
        found: its numbers by name.
    """

    key: Mapping[str, Any]
    found: Mapping[str, Any]


def of_part(results: Sequence[Measured], part: str) -> list[Measured]:
    """Return the measurements of one part."""
    return [item for item in results if item.key["part"] == part]


def worst(values: Sequence[int | float]) -> int | float:
    """Return the largest value; what is not a number is larger than any."""
    return max(values, key=_rank)


def spread(values: Sequence[int | float], form: str) -> str:
    """Return the median, with several the smallest and largest beside it; what is no number has diverged."""
    if not values:
        return ""
    ordered = sorted(values, key=_rank)
    half = len(ordered) // 2
    # the mean of two middle ones, of which neither is hidden by the other
    middle = statistics.median(ordered) if not math.isnan(worst(ordered)) else ordered[half]
    told = ["diverged" if math.isnan(value) else form.format(value) for value in (middle, *ordered)]
    return told[0] if len(ordered) == 1 else f"{told[0]} [{told[1]}, {told[-1]}]"


def _rank(value: int | float) -> tuple[bool, int | float]:
    return math.isnan(value), value


def by_model(own: Sequence[Measured], order: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
    """Return what was found of every model.

    Arguments:
        own: the measurements.
        order: of all models there may be.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for item in sorted(own, key=lambda item: order.index(item.key["model"])):
        found.setdefault(item.key["model"], []).append(item.found)
    return found
