"""What has been measured, and what follows from it."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

BARE: Final = "its gate removed"
WOUNDED: Final = "30 % of the cells zeroed"
BEFORE: Final = "before"


@dataclass(frozen=True)
class Measured:
    """One measurement.

    Arguments:
        key: what was measured: part, model, seed and so on.
        found: its numbers by name.
    """

    key: Mapping[str, Any]
    found: Mapping[str, Any]


def part_of(results: Sequence[Measured], part: str) -> list[Measured]:
    """Return the measurements of one part."""
    return [item for item in results if item.key["part"] == part]


def backward_transfer(own: Sequence[Measured], scheme: str) -> list[float]:
    """Return how many points of accuracy on digits each seed gains, which mostly are losses."""
    found = {
        (item.key["model"], item.key["seed"]): percent(item.found, "judge")
        for item in own
        if item.key["data"] == "mnist"
    }
    return [
        after - found[BEFORE, seed]
        for (model, seed), after in found.items()
        if model == scheme and (BEFORE, seed) in found
    ]


def percent(found: Mapping[str, Any], judge: str) -> float:
    """Return what a judge tells right, in percent."""
    share: float = found["verdicts"][judge]["accuracy"]
    return 100 * share


def spread(values: Sequence[float], form: str) -> str:
    """Return the median, with several the smallest and largest beside it."""
    if not values:
        return ""
    middle = form.format(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} [{form.format(min(values))}, {form.format(max(values))}]"
