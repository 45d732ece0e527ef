"""Steady states: finding them, judging their stability, and telling how a trajectory ends."""

from .find import SearchRecord, SteadyState, find_steady_state
from .lyapunov import LyapunovExponent, largest_lyapunov_exponent
from .stability import Stability, stability_of

__all__ = [
    "LyapunovExponent",
    "SearchRecord",
    "Stability",
    "SteadyState",
    "find_steady_state",
    "largest_lyapunov_exponent",
    "stability_of",
]
