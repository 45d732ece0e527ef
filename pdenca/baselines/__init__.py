"""What a model has to beat: doing nothing, the true equations on the same grid, a sparse fit, networks.

All are Emulators, so they go through the same evaluation as every model.
"""

from collections.abc import Callable
from typing import Final

from pdenca.core import Emulator

from .equations import EquationsOnGrid, SolverFrame, SpectralOnGrid
from .family import EquationFamily
from .schedules import ConvergedInTime, EqualEvaluations, FixedSteps, Schedule
from .sparse_polynomial import SparsePolynomial, Term, choose_fit, polynomial_library
from .trivial import Persistence, SpatialMean, Unchanged
from .usable_step import UsableStep, largest_usable_step

BASELINES: Final[dict[str, Callable[..., Emulator]]] = {
    "persistence": Persistence,
    "spatial-mean": SpatialMean,
    "equations": EquationsOnGrid.converged_in_time,
    "equations-equal-evaluations": EquationsOnGrid.equal_evaluations,
    "spectral": SpectralOnGrid,
}
"""Name -> constructor. The first two take (frame_interval), the others (equation, frame_interval, ...)."""

__all__ = [
    "BASELINES",
    "ConvergedInTime",
    "EqualEvaluations",
    "EquationFamily",
    "EquationsOnGrid",
    "FixedSteps",
    "Persistence",
    "Schedule",
    "SolverFrame",
    "SparsePolynomial",
    "SpatialMean",
    "SpectralOnGrid",
    "Term",
    "Unchanged",
    "UsableStep",
    "choose_fit",
    "largest_usable_step",
    "polynomial_library",
]
