"""Everything that advances an equation in time."""

from collections.abc import Callable
from functools import partial
from typing import Final

from .etdrk4 import SpectralETDRK4
from .integrator import Integrator
from .runge_kutta import EULER, MIDPOINT, RK4, RungeKutta, Tableau, largest_stable_step

INTEGRATORS: Final[dict[str, Callable[..., Integrator]]] = {
    "euler": partial(RungeKutta, tableau=EULER),
    "midpoint": partial(RungeKutta, tableau=MIDPOINT),
    "rk4": partial(RungeKutta, tableau=RK4),
    "etdrk4": SpectralETDRK4,
}
"""Name -> constructor(equation, grid, time_step, ...)."""

__all__ = [
    "EULER",
    "INTEGRATORS",
    "MIDPOINT",
    "RK4",
    "Integrator",
    "RungeKutta",
    "SpectralETDRK4",
    "Tableau",
    "largest_stable_step",
]
