"""What is minimised: rates of change cell by cell, roll-outs, the founding paper's propagated pairs,
equilibria against steady states, growth towards an attractor, series of frames whose last one is held, how
badly classes are told apart, also by networks that a rule has written, or how far what was restored is from
what was damaged.

An objective owns its data and its randomness: ``batch(step)`` depends on the seed and the step number alone,
so a resumed run sees exactly the batches it would have seen. Squared errors are in units of the training
standard deviation.
"""

from .attractor import AttractorMatching
from .base import LeastSquares, Objective, Residuals, step_generator
from .classification import Classification
from .derivative import DerivativeMatching, interpolation_weights
from .equilibrium import EquilibriumMatching
from .growth import PooledGrowth, erase
from .propagation import PropagatedPairs
from .restoration import Restoration
from .rollout import RolloutMatching
from .sequence import SequenceMatching
from .task_networks import LocalSteps, TaskNetworks, zero_out

__all__ = [
    "AttractorMatching",
    "Classification",
    "DerivativeMatching",
    "EquilibriumMatching",
    "LeastSquares",
    "LocalSteps",
    "Objective",
    "PooledGrowth",
    "PropagatedPairs",
    "Residuals",
    "Restoration",
    "RolloutMatching",
    "SequenceMatching",
    "TaskNetworks",
    "erase",
    "interpolation_weights",
    "step_generator",
    "zero_out",
]
