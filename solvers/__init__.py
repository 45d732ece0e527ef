"""Reference solvers for reaction-diffusion equations."""

if __name__ != "pdenca.solvers":
    raise ImportError(
        f"import this folder as pdenca.solvers, not as {__name__!r}; usual cure: pip install -e ."
    )

from .boundary import BOUNDARIES, pad
from .equation import Equation, Factored, Parameter
from .equations import EQUATIONS, REGIMES, GrayScott, Heat, Regime, equation_from_name
from .grid import Grid
from .initial_conditions import INITIAL_CONDITIONS
from .integrators import (
    EULER,
    INTEGRATORS,
    MIDPOINT,
    RK4,
    Integrator,
    RungeKutta,
    SpectralETDRK4,
    Tableau,
    largest_stable_step,
)
from .simulate import simulate
from .spectral import interpolate, restrict, wavenumbers
from .stencils import STENCILS, Stencil, laplacian

__all__ = [
    "BOUNDARIES",
    "EQUATIONS",
    "EULER",
    "INITIAL_CONDITIONS",
    "INTEGRATORS",
    "MIDPOINT",
    "REGIMES",
    "RK4",
    "STENCILS",
    "Equation",
    "Factored",
    "GrayScott",
    "Grid",
    "Heat",
    "Integrator",
    "Parameter",
    "Regime",
    "RungeKutta",
    "SpectralETDRK4",
    "Stencil",
    "Tableau",
    "equation_from_name",
    "interpolate",
    "laplacian",
    "largest_stable_step",
    "pad",
    "restrict",
    "simulate",
    "wavenumbers",
]
