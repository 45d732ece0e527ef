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
    AttractorMatching,
    Classification,
    DerivativeMatching,
    EquilibriumMatching,
    Objective,
    PooledGrowth,
    PropagatedPairs,
    Restoration,
    RolloutMatching,
    erase,
    step_generator,
)

__all__ = [
    "FITTERS",
    "AttractorMatching",
    "Classification",
    "DerivativeMatching",
    "EquilibriumMatching",
    "FirstOrder",
    "FitReport",
    "Fitter",
    "GaussNewton",
    "LevenbergMarquardt",
    "Objective",
    "PooledGrowth",
    "PreconditionedLBFGS",
    "PropagatedPairs",
    "Restoration",
    "RolloutMatching",
    "Stage",
    "Training",
    "TrainingProgress",
    "erase",
    "step_generator",
]
