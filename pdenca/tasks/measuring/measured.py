"""One measurement, and what is said of several."""

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


def spread(values: Sequence[int | float], form: str) -> str:
    """Return the median, with several the smallest and largest beside it."""
    if not values:
        return ""
    middle = form.format(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} [{form.format(min(values))}, {form.format(max(values))}]"


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
