"""Steady states: finding them, judging their stability, and telling how a trajectory ends."""

from .find import SearchRecord, SteadyState, find_steady_state

__all__ = ["SearchRecord", "SteadyState", "find_steady_state"]
