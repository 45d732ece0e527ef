"""Steady states: finding them, judging their stability, and telling how a trajectory ends."""

from .classify import EndOfTrajectory, EndThresholds, classify_end
from .find import SearchRecord, SteadyState, find_steady_state
from .lyapunov import LyapunovExponent, largest_lyapunov_exponent
from .stability import Stability, stability_of

__all__ = [
    "EndOfTrajectory",
    "EndThresholds",
    "LyapunovExponent",
    "SearchRecord",
    "Stability",
    "SteadyState",
    "classify_end",
    "find_steady_state",
    "largest_lyapunov_exponent",
    "stability_of",
]
