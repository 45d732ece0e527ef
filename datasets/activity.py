"""When does a trajectory die (become homogeneous) or come to rest?

Dead and stationary trajectories are honest results of the equation, but every ratio metric and every
statistic that averages over them is distorted, so each file says which they are and from which frame on.
"""

import numpy as np
from jaxtyping import Float32, Int

HOMOGENEOUS_STD = 1e-4
"""A frame is homogeneous when the standard deviation over space of every channel is below this value."""

STATIONARY_RMS = 1e-5
"""A trajectory rests where the RMS change of every channel per stored frame is below this value."""


def homogeneous_from(data: Float32[np.ndarray, "batch time channel *space"]) -> Int[np.ndarray, " batch"]:
    """Return for each trajectory the first frame from which on all frames are homogeneous, or -1.

    Arguments:
        data: ``(trajectory, time, channel, *space)``.
    """
    space = tuple(range(3, data.ndim))
    flat = data.std(axis=space, dtype=np.float64).max(axis=2) < HOMOGENEOUS_STD
    return _from_when_on(flat)


def stationary_from(data: Float32[np.ndarray, "batch time channel *space"]) -> Int[np.ndarray, " batch"]:
    """Return for each trajectory the first frame from which on nothing changes until the end, or -1.

    Arguments:
        data: ``(trajectory, time, channel, *space)``; with a single frame nothing can be said, the answer is
            -1.
    """
    if data.shape[1] < 2:
        return np.full(data.shape[0], -1)
    space = tuple(range(3, data.ndim))
    still = np.empty((data.shape[0], data.shape[1] - 1), dtype=bool)
    for frame in range(data.shape[1] - 1):  # frame by frame: no second copy of a large block
        change = data[:, frame + 1].astype(np.float64) - data[:, frame]
        rms = np.sqrt((change**2).mean(axis=tuple(axis - 1 for axis in space)))
        still[:, frame] = rms.max(axis=1) < STATIONARY_RMS
    return _from_when_on(still)


def _from_when_on(mask: np.ndarray) -> np.ndarray:
    """Return per row the start of the run of True values that reaches the end, or -1."""
    trailing = np.flip(np.logical_and.accumulate(np.flip(mask, 1), axis=1), 1)
    return np.where(trailing[:, -1], trailing.argmax(axis=1), -1)
