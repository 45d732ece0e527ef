"""Errors as PDEBench defines them, for comparison with its tables.

Reference: Takamoto et al., PDEBench, NeurIPS 2022 (datasets and benchmarks), appendix on metrics, and the
code that goes with it, where the two differ.
"""

import math
from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from .metrics import mean_squared_error, require_same_shape

BANDS: Final[dict[str, tuple[int, int | None]]] = {"low": (0, 4), "middle": (4, 12), "high": (12, None)}
"""Name -> first shell and the one after the last; shell b holds b <= |k| < b + 1, k in waves per box."""


def pdebench_nrmse(
    prediction: Float[Tensor, "batch time channel *space"], truth: Float[Tensor, "batch time channel *space"]
) -> Float[Tensor, "batch time channel"]:
    """NRMSE as PDEBench defines it: sqrt(<(u - v)^2>) / sqrt(<v^2>) of every frame and field.

    The benchmark's number is the plain mean of these over samples, times and fields. It differs from
    :func:`~pdenca.evaluation.well_nrmse` only by the 1e-7 that The Well adds under its root; where the truth
    is zero it is infinite, or NaN for an exact prediction.
    """
    return mean_squared_error(prediction, truth).sqrt() / truth.square().flatten(3).mean(dim=-1).sqrt()


def bands_of(space: Sequence[int]) -> tuple[str, ...]:
    """Return which bands of :data:`BANDS` a grid of so many cells per axis has shells of."""
    count = space[0] // 2 + 1 if len(space) == 1 else min(space) // 2
    return tuple(name for name, (first, _) in BANDS.items() if first < count)


def fourier_rmse(
    prediction: Float[Tensor, "batch time channel *space"], truth: Float[Tensor, "batch time channel *space"]
) -> Float[Tensor, "batch time channel band"]:
    """PDEBench's fRMSE: the error in three bands of wavenumbers, low, middle and high.

        band = mean over the shells b of the band of sqrt( sum over k in shell b of |F_k|^2 ) / N,

    F the discrete Fourier transform (no factor in front) of u - v, N the number of cells, k = (k_1, ..., k_d)
    in waves per box. Shell b holds floor(|k|) = b; the bands are b = 0..3, 4..11 and 12 up to the largest
    shell. In two and three dimensions only k with 0 <= k_i < n_i / 2 on every axis count, a quarter (an
    eighth) of all waves, and only shells b < min(n_i) / 2; in one dimension k = 0..n/2. So does the
    benchmark's code, and reflecting one axis of a field therefore changes the value. The sides of the box are
    taken as 1, as in its evaluation.

    PDEBench takes the mean over samples below the root, here every trajectory has its own root, so that
    trajectories can be resampled; for a single one both agree, else the mean over trajectories is not larger.

    Arguments:
        prediction: u, in the unit of each field.
        truth: v, of the same shape.

    Returns:
        One number per band in the order of :data:`BANDS`, in the unit of each field; NaN for a band of which
        the grid has no shell.
    """
    require_same_shape(prediction, truth)
    space = tuple(prediction.shape[3:])
    modes = torch.fft.rfftn(prediction - truth, dim=tuple(range(3, prediction.ndim)))
    kept = (space[0] // 2 + 1,) if len(space) == 1 else tuple(cells // 2 for cells in space)
    if not all(kept):  # an axis of one cell has no waves
        return prediction.new_full((*prediction.shape[:3], len(BANDS)), torch.nan)
    for axis, cells in enumerate(kept, start=3):
        modes = modes.narrow(axis, 0, cells)
    power = (modes.real.square() + modes.imag.square()).flatten(3)
    squares = sum(
        torch.arange(cells).square().view(*(-1 if axis == other else 1 for other in range(len(kept))))
        for axis, cells in enumerate(kept)
    )
    assert isinstance(squares, Tensor)
    shell = squares.double().sqrt().floor().long().flatten().to(power.device)
    count = min(kept)
    energy = power.new_zeros((*power.shape[:3], int(shell.max()) + 1)).index_add_(-1, shell, power)
    amplitude = energy[..., :count].sqrt() / math.prod(space)
    return torch.stack([amplitude[..., first:last].mean(dim=-1) for first, last in BANDS.values()], dim=-1)
