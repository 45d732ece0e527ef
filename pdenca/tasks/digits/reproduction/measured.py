"""What has been measured, and what follows from it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...measuring import Measured, of_part

BARE: Final = "its gate removed"
WOUNDED: Final = "30 % of the cells zeroed"
BEFORE: Final = "before"


def change_of_digits(own: Sequence[Measured], scheme: str, before: str = BEFORE) -> dict[int, float]:
    """Return how many points of accuracy on digits are gained over what was before, which mostly are losses.

    Arguments:
        own: measurements of one family that is learned after digits.
        scheme: how it is learned, and by what.
        before: the same model before it.

    Returns:
        Seed -> points.
    """
    found = {
        (item.key["model"], item.key["seed"]): percent(item.found, "judge")
        for item in own
        if item.key["data"] == "mnist"
    }
    return {
        seed: after - found[before, seed]
        for (model, seed), after in found.items()
        if model == scheme and (before, seed) in found
    }


def percent(found: Mapping[str, Any], judge: str) -> float:
    """Return what a judge tells right, in percent."""
    share: float = found["verdicts"][judge]["accuracy"]
    return 100 * share


def by_seed(
    results: Sequence[Measured], model: str, variant: str | None = None
) -> dict[int, Mapping[str, Any]]:
    """Return what was measured of a restored model, by the seed of its training."""
    return {
        item.key["seed"]: item.found
        for item in of_part(results, "models")
        if (item.key["model"], item.key.get("variant")) == (model, variant) and "seed" in item.key
    }


def families(results: Sequence[Measured]) -> dict[str, list[Measured]]:
    """Return what was measured of every family that is learned after digits."""
    found: dict[str, list[Measured]] = {}
    for item in of_part(results, "letters"):
        found.setdefault(item.key["family"], []).append(item)
    return found


def at_rest(kinds: Mapping[str, int]) -> float:
    """Return the share of ends that are fixed or periodic."""
    still = sum(count for kind, count in kinds.items() if kind in ("fixed", "periodic"))
    return still / max(sum(kinds.values()), 1)
