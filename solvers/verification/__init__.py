"""Proof that equations and integrators are right: measurements that work for any of them.

Each returns a :class:`Measurement`: a number and the interval in which it must lie. All of an equation, ours
or your own, in one go:

    for name, measure in MEASUREMENTS.items():
        for measurement in measure(my_equation, Scope()):
            print(measurement)
"""

from .convergence import KnownSolution, ManufacturedSolution, order_of_convergence
from .everything import MEASUREMENTS, Scope
from .exact_derivatives import ExactDerivatives
from .exact_solutions import EXACT_SOLUTIONS, ExactSolution
from .forcing import Forced
from .formulas import SHAPES, Formula, Shape
from .growth import fastest_wavenumber, growth_rate_of_wave
from .in_time import (
    Method,
    agreement_with_scipy,
    error_beside_tolerance,
    order_in_time,
    reference_solution,
)
from .invariants import balance_of_mean, rise_of_free_energy, rough_state
from .measurement import Measurement, fitted_order
from .problem import Problem, problem_of
from .pypde import SHARED_CASES, SharedCase, compare_with_pypde
from .space import decay_of_spectral_error, order_in_space, shapes_for
from .square_symmetry import defect_of_symmetry, is_isotropic, symmetries
from .turing import TURING_POINTS, growth_beside_threshold

__all__ = [
    "EXACT_SOLUTIONS",
    "MEASUREMENTS",
    "SHAPES",
    "SHARED_CASES",
    "TURING_POINTS",
    "ExactDerivatives",
    "ExactSolution",
    "Forced",
    "Formula",
    "KnownSolution",
    "ManufacturedSolution",
    "Measurement",
    "Method",
    "Problem",
    "Scope",
    "Shape",
    "SharedCase",
    "agreement_with_scipy",
    "balance_of_mean",
    "compare_with_pypde",
    "decay_of_spectral_error",
    "defect_of_symmetry",
    "error_beside_tolerance",
    "fastest_wavenumber",
    "fitted_order",
    "growth_beside_threshold",
    "growth_rate_of_wave",
    "is_isotropic",
    "order_in_space",
    "order_in_time",
    "order_of_convergence",
    "problem_of",
    "reference_solution",
    "rise_of_free_energy",
    "rough_state",
    "shapes_for",
    "symmetries",
]
