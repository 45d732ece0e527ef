"""How a learning rate changes in the course of a stage: factor(step, num_steps)."""

import math
from collections.abc import Callable
from typing import Final


def constant(step: int, num_steps: int) -> float:
    """Return 1."""
    return 1.0


def cosine(step: int, num_steps: int) -> float:
    """Fall from 1 to 0 along half a cosine: (1 + cos(π step / num_steps)) / 2."""
    return (1 + math.cos(math.pi * min(step / max(num_steps, 1), 1.0))) / 2


def exponential(step: int, num_steps: int) -> float:
    """Fall from 1 to 1/100: 100^(-step / num_steps)."""
    return float(100.0 ** (-step / max(num_steps, 1)))


SCHEDULES: Final[dict[str, Callable[[int, int], float]]] = {
    "constant": constant,
    "cosine": cosine,
    "exponential": exponential,
}
