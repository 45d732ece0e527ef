"""Everything that advances an equation in time."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Final

from pdenca.core.errors import BadInputError

from .adaptive import DORMAND_PRINCE, AdaptiveRungeKutta, StepHistory
from .etdrk2 import SpectralETDRK2
from .etdrk4 import SpectralETDRK4
from .integrator import Integrator
from .runge_kutta import BACKENDS, EULER, MIDPOINT, RK4, RungeKutta, Tableau, largest_stable_step
from .semi_implicit import SemiImplicit

INTEGRATORS: Final[dict[str, Callable[..., Integrator]]] = {
    "euler": partial(RungeKutta, tableau=EULER),
    "midpoint": partial(RungeKutta, tableau=MIDPOINT),
    "rk4": partial(RungeKutta, tableau=RK4),
    "etdrk2": SpectralETDRK2,
    "etdrk4": SpectralETDRK4,
    "semi-implicit": SemiImplicit,
    "adaptive": AdaptiveRungeKutta,
}
"""Name -> constructor(equation, grid, time_step, ...)."""


def options_of(method: str) -> tuple[str, ...]:
    """Return the names of the options that a method has beside equation, grid and time_step.

    Arguments:
        method: a key of :data:`INTEGRATORS`, or "auto".

    Raises:
        BadInputError: for an unknown method.
    """
    if method == "auto":
        return ("tolerance",)
    if method not in INTEGRATORS:
        raise BadInputError(f"method {method!r} is unknown; expected one of {', '.join(INTEGRATORS)}, auto")
    constructor = INTEGRATORS[method]
    fixed = constructor.keywords if isinstance(constructor, partial) else {}
    names = tuple(inspect.signature(constructor).parameters)[3:]
    return tuple(name for name in names if name not in fixed)


__all__ = [
    "BACKENDS",
    "DORMAND_PRINCE",
    "EULER",
    "INTEGRATORS",
    "MIDPOINT",
    "RK4",
    "AdaptiveRungeKutta",
    "Integrator",
    "RungeKutta",
    "SemiImplicit",
    "SpectralETDRK2",
    "SpectralETDRK4",
    "StepHistory",
    "Tableau",
    "largest_stable_step",
    "options_of",
]
