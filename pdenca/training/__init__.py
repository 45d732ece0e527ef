"""The training loop, its objectives and fitters; the only place that calls an optimiser."""

from .fitters import (
    FITTERS,
    FirstOrder,
    FitReport,
    Fitter,
    GaussNewton,
    LevenbergMarquardt,
    PreconditionedLBFGS,
)
from .loop import Stage, Training, TrainingProgress
from .objectives import (
    Classification,
    DerivativeMatching,
    EquilibriumMatching,
    Objective,
    PropagatedPairs,
    RolloutMatching,
    step_generator,
)

__all__ = [
    "FITTERS",
    "Classification",
    "DerivativeMatching",
    "EquilibriumMatching",
    "FirstOrder",
    "FitReport",
    "Fitter",
    "GaussNewton",
    "LevenbergMarquardt",
    "Objective",
    "PreconditionedLBFGS",
    "PropagatedPairs",
    "RolloutMatching",
    "Stage",
    "Training",
    "TrainingProgress",
    "step_generator",
]
