"""The training loop, its objectives and fitters; the only place that calls an optimiser."""

from .distances import DISTANCES, Distance, DistanceSettings, within
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
    SequenceMatching,
    erase,
    step_generator,
)

__all__ = [
    "DISTANCES",
    "FITTERS",
    "AttractorMatching",
    "Classification",
    "DerivativeMatching",
    "Distance",
    "DistanceSettings",
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
    "SequenceMatching",
    "Stage",
    "Training",
    "TrainingProgress",
    "erase",
    "step_generator",
    "within",
]
