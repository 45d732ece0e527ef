"""Fitters: everything that calls an optimiser."""

from typing import Final

from .base import FitReport, Fitter
from .first_order import FirstOrder
from .gauss_newton import GaussNewton
from .lbfgs import PreconditionedLBFGS
from .levenberg_marquardt import LevenbergMarquardt, normal_equations

FITTERS: Final[dict[str, type]] = {
    "levenberg-marquardt": LevenbergMarquardt,
    "gauss-newton": GaussNewton,
    "lbfgs": PreconditionedLBFGS,
    "first-order": FirstOrder,
}

__all__ = [
    "FITTERS",
    "FirstOrder",
    "FitReport",
    "Fitter",
    "GaussNewton",
    "LevenbergMarquardt",
    "PreconditionedLBFGS",
    "normal_equations",
]
