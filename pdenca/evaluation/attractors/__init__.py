"""A census of the attractors of any deterministic step.

    ends = follow_to_end(step, starts, num_steps=2000)        # at rest, in a cycle, or neither
    valleys = group_ends(ends.states, drift=ends.drift)       # which of them are the same
    shares = basin_stability(valleys.labels)                  # how many starts fall into each
    curve = return_curve(step, ends.states, is_back, num_steps=500, generator=generator)

Nothing here knows what the states mean: classes, if there are any, are numbers to compare with.
"""

from .agreement import normalised_mutual_information, num_classes_with_valley, purity, silhouette
from .basins import Share, basin_stability, return_curve, zero_cells
from .cycles import in_phase
from .ends import KINDS, Ends, follow_to_end
from .lyapunov import leading_lyapunov_exponent
from .principal import Principal, matched_noise, principal_components
from .valleys import Valleys, group_by_density, group_ends, null_model

__all__ = [
    "KINDS",
    "Ends",
    "Principal",
    "Share",
    "Valleys",
    "basin_stability",
    "follow_to_end",
    "group_by_density",
    "group_ends",
    "in_phase",
    "leading_lyapunov_exponent",
    "matched_noise",
    "normalised_mutual_information",
    "null_model",
    "num_classes_with_valley",
    "principal_components",
    "purity",
    "return_curve",
    "silhouette",
    "zero_cells",
]
