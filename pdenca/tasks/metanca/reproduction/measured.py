"""What follows from measurements of rules that write networks."""

import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ...measuring import Measured
from ..course import NEAR
from .plan import BETWEEN, RIVALS


def by_network(own: Sequence[Measured]) -> dict[str, list[Mapping[str, Any]]]:
    """Return what was found of every network, one measurement after another."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for item in own:
        for network in item.found["networks"]:
            found.setdefault(network["network"], []).append(network)
    return found


def depth_of(name: str) -> int:
    """Return how many layers of weights a network has."""
    return len(name.split("-")) - 1


def held_out(own: Sequence[Measured]) -> list[str]:
    """Return the networks that no rule was trained on, the same for all that are compared."""
    rules = [item for item in own if item.key["model"] not in RIVALS]
    return [name for name, group in by_network(rules).items() if not any(one["trained"] for one in group)]


def seed_means(own: Sequence[Measured], names: Collection[str]) -> list[float]:
    """Return the mean accuracy over some networks in percent, of every measurement."""
    found = [
        [100 * network["accuracy"] for network in item.found["networks"] if network["network"] in names]
        for item in own
    ]
    return [statistics.mean(right) for right in found if right]


def least_and_stay(course: Mapping[str, Any]) -> tuple[int, int]:
    """Return after how many updates the cross-entropy is least, and how many more it stays near that.

    Of the mean over all samples, as training has it: cells that are updated by chance make that of one sample
    jump about.
    """
    updates, losses = course["updates"], course["cross_entropy"]
    best = last = losses.index(min(losses))
    while last + 1 < len(losses) and losses[last + 1] <= NEAR * losses[best]:
        last += 1
    return updates[best], updates[last] - updates[best]


def lost(course: Mapping[str, Any]) -> float:
    """Return the points of accuracy from before the first zero-out to the worst recovery of all."""
    right = [100 * value for value in course["accuracy"]]
    worst: float = min(right[place + BETWEEN] for place in course["zero_outs"])
    before: float = right[course["zero_outs"][0]]
    return before - worst
