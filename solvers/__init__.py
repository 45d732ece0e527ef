"""Reference solvers for reaction-diffusion equations."""

if __name__ != "pdenca.solvers":
    raise ImportError(
        f"import this folder as pdenca.solvers, not as {__name__!r}; usual cure: pip install -e ."
    )

from .boundary import BOUNDARIES, Boundary, Dirichlet, Zeros, boundary_from_name
from .choice import Choice, choose_method
from .derivatives import Derivatives, SpectralDerivatives, StencilDerivatives
from .equation import Equation, Factored, Preset
from .equations import (
    EQUATIONS,
    PEARSON,
    REGIMES,
    AdvectionDiffusion,
    AllenCahn,
    Brusselator,
    CahnHilliard,
    ComplexGinzburgLandau,
    FisherKPP,
    FitzHughNagumo,
    GiererMeinhardt,
    GrayScott,
    Heat,
    Regime,
    Schnakenberg,
    SwiftHohenberg,
    equation_class,
    equation_from_name,
    preset_of,
)
from .function_equation import reaction_diffusion
from .grid import Grid
from .initial_conditions import INITIAL_CONDITIONS, initial_state_of
from .integrators import (
    BACKENDS,
    DORMAND_PRINCE,
    EULER,
    INTEGRATORS,
    MIDPOINT,
    RK4,
    AdaptiveRungeKutta,
    Integrator,
    RungeKutta,
    SemiImplicit,
    SpectralETDRK2,
    SpectralETDRK4,
    StepHistory,
    Tableau,
    largest_stable_step,
)
from .linear_stability import GrowingWave, dispersion, instability_threshold, most_unstable
from .padding import pad
from .parameters import Parameter
from .reaction_diffusion import Diffusivity, ReactionDiffusion
from .simulate import simulate
from .spectral import interpolate, restrict, wavenumbers
from .steady import (
    EndOfTrajectory,
    EndThresholds,
    LyapunovExponent,
    SearchRecord,
    Stability,
    SteadyState,
    classify_end,
    find_steady_state,
    largest_lyapunov_exponent,
    stability_of,
)
from .stencils import STENCILS, Stencil, laplacian
from .transform import SpectralTransform
from .waves import Waves, continuum_waves, fourier_waves, stencil_waves, waves_of

__all__ = [
    "BACKENDS",
    "BOUNDARIES",
    "DORMAND_PRINCE",
    "EQUATIONS",
    "EULER",
    "INITIAL_CONDITIONS",
    "INTEGRATORS",
    "MIDPOINT",
    "PEARSON",
    "REGIMES",
    "RK4",
    "STENCILS",
    "AdaptiveRungeKutta",
    "AdvectionDiffusion",
    "AllenCahn",
    "Boundary",
    "Brusselator",
    "CahnHilliard",
    "Choice",
    "ComplexGinzburgLandau",
    "Derivatives",
    "Diffusivity",
    "Dirichlet",
    "EndOfTrajectory",
    "EndThresholds",
    "Equation",
    "Factored",
    "FisherKPP",
    "FitzHughNagumo",
    "GiererMeinhardt",
    "GrayScott",
    "Grid",
    "GrowingWave",
    "Heat",
    "Integrator",
    "LyapunovExponent",
    "Parameter",
    "Preset",
    "ReactionDiffusion",
    "Regime",
    "RungeKutta",
    "Schnakenberg",
    "SearchRecord",
    "SemiImplicit",
    "SpectralDerivatives",
    "SpectralETDRK2",
    "SpectralETDRK4",
    "SpectralTransform",
    "Stability",
    "SteadyState",
    "Stencil",
    "StencilDerivatives",
    "StepHistory",
    "SwiftHohenberg",
    "Tableau",
    "Waves",
    "Zeros",
    "boundary_from_name",
    "choose_method",
    "classify_end",
    "continuum_waves",
    "dispersion",
    "equation_class",
    "equation_from_name",
    "find_steady_state",
    "fourier_waves",
    "initial_state_of",
    "instability_threshold",
    "interpolate",
    "laplacian",
    "largest_lyapunov_exponent",
    "largest_stable_step",
    "most_unstable",
    "pad",
    "preset_of",
    "reaction_diffusion",
    "restrict",
    "simulate",
    "stability_of",
    "stencil_waves",
    "wavenumbers",
    "waves_of",
]
