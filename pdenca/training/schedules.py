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


def one_cycle(step: int, num_steps: int) -> float:
    """Rise along half a cosine from 1/25 to 1 in the first 30 % of the steps, then fall along one to 0.

    Source: Smith and Topin, Super-convergence (2018); the shape of ``torch.optim.lr_scheduler.OneCycleLR``.
    """
    place, peak = min(step / max(num_steps, 1), 1.0), 0.3
    if place < peak:
        return 1 - (1 - 1 / 25) * (1 + math.cos(math.pi * place / peak)) / 2
    return (1 + math.cos(math.pi * (place - peak) / (1 - peak))) / 2


SCHEDULES: Final[dict[str, Callable[[int, int], float]]] = {
    "constant": constant,
    "cosine": cosine,
    "exponential": exponential,
    "one-cycle": one_cycle,
}
