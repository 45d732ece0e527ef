"""Building attractors: automata that come to rest in a picture, two ways to train them, and their basins."""

from .basin import Growth, Rest, grow, rest_of, return_probabilities, return_probability
from .building import (
    MODES,
    AttractorSettings,
    Mode,
    build_automaton,
    objective_of,
    picture,
    relative_error,
    seed_state,
    train,
)

__all__ = [
    "MODES",
    "AttractorSettings",
    "Growth",
    "Mode",
    "Rest",
    "build_automaton",
    "grow",
    "objective_of",
    "picture",
    "relative_error",
    "rest_of",
    "return_probabilities",
    "return_probability",
    "seed_state",
    "train",
]
