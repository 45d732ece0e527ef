"""Growth at the Turing threshold, known in closed form for two equations."""

import dataclasses
import math
from collections.abc import Callable
from typing import Final

from ..equation import Equation
from ..equations import Brusselator, Schnakenberg
from .growth import growth_rate_of_wave
from .in_time import Method
from .measurement import Measurement
from .problem import problem_of


def brusselator(excess: float) -> tuple[Equation, float]:
    """Return B = excess · (1 + A √(D_u / D_v))² and the critical k, k² = A / √(D_u D_v)."""
    a, du, dv = 4.5, 2.0, 16.0
    equation = Brusselator(a, excess * (1 + a * math.sqrt(du / dv)) ** 2, du, dv)
    return equation, math.sqrt(a / math.sqrt(du * dv))


def schnakenberg(excess: float) -> tuple[Equation, float]:
    """Return D_v / D_u = excess · ((a + b) (1 + √(1 + s)) / s)², s = (b - a) / (a + b), and the critical k.

    That is the ratio at which d s - (a + b)² = 2 √d (a + b); there k² = (a + b) / √(D_u D_v).
    """
    a, b, du = 0.1, 0.9, 1.0
    s = (b - a) / (a + b)
    critical = ((a + b) * (1 + math.sqrt(1 + s)) / s) ** 2
    return Schnakenberg(a, b, du, excess * critical * du), math.sqrt((a + b) / (du * math.sqrt(critical)))


TURING_POINTS: Final[dict[str, Callable[[float], tuple[Equation, float]]]] = {
    "brusselator": brusselator,
    "schnakenberg": schnakenberg,
}
"""Name of an equation -> function(excess), which returns it at this multiple of its threshold, and k."""


def growth_beside_threshold(name: str, excess: float = 1.0, method: Method = "etdrk4") -> Measurement:
    """Measure the growth of the critical wave at or near the Turing threshold.

    Arguments:
        name: a key of :data:`TURING_POINTS`.
        excess: the parameter in units of its threshold; 1 for the threshold itself.
        method: which integrator.

    Returns:
        The growth rate, which passes near that of linear theory; at the threshold near zero, by the closed
        formula of the literature.
    """
    equation, wavenumber = TURING_POINTS[name](excess)
    state = equation.homogeneous_states()[0]
    label = f"{excess:g} × Turing threshold, k = {wavenumber:.4g}"
    found = growth_rate_of_wave(problem_of(equation), state, wavenumber, method, label=label)
    if excess != 1:
        return found
    allowed = (found.high - found.low) / 2
    return dataclasses.replace(found, low=-allowed, high=allowed)
