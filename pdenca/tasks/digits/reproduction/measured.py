"""What has been measured, and what follows from it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...measuring import Measured

BARE: Final = "its gate removed"
WOUNDED: Final = "30 % of the cells zeroed"
BEFORE: Final = "before"


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
