"""How sure a pooled score is: resampling whole trajectories, the only independent units in a dataset."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError


class Estimate(NamedTuple):
    """Pooled scores with their intervals, one entry per column.

    Attributes:
        value: the score of all trajectories together; NaN or infinite if one of them is.
        low: lower end of the interval; NaN where there is none.
        high: upper end of the interval; NaN where there is none.
    """

    value: Float[Tensor, " column"]
    low: Float[Tensor, " column"]
    high: Float[Tensor, " column"]


def pooled_estimate(
    numerator: Float[Tensor, "trajectory column"],
    denominator: Float[Tensor, "trajectory column"],
    num_bootstrap: int,
    seed: int,
    confidence: float = 0.95,
    transform: Callable[[Tensor], Tensor] = torch.clone,
) -> Estimate:
    """Ratio of sums over trajectories, with a percentile bootstrap interval.

    value = transform( sum_i numerator_i / sum_i denominator_i ). Each of ``num_bootstrap`` resamples draws
    as many trajectories as there are, with replacement, and pools their numerators and denominators as
    pairs; the interval spans the central ``confidence`` of the resampled values. The draws depend on the
    seed and the number of trajectories alone, so that models scored on the same trajectories are resampled
    alike.

    There is no interval for one trajectory (its spread is unknown, not zero) nor for a value that is not
    finite. Resamples whose denominators sum to zero, in which nothing is defined, are left out. With fewer
    than about ten trajectories the interval is too narrow.

    Arguments:
        numerator: what each trajectory adds to the numerator.
        denominator: what it adds to the denominator.
        num_bootstrap: number of resamples, at least 1.
        seed: of the draws.
        confidence: share of the resampled values inside the interval.
        transform: applied to each ratio, e.g. ``torch.sqrt``.

    Returns:
        Value, low and high of every column, in float64 on the CPU.

    Raises:
        BadInputError: if there is no trajectory.
    """
    num_trajectories = numerator.shape[0]
    if num_trajectories == 0:
        raise BadInputError("no trajectory to pool, got an empty batch; expected at least one")
    numerator, denominator = numerator.double().cpu(), denominator.double().cpu()
    value = transform(numerator.sum(dim=0) / denominator.sum(dim=0))
    nothing = torch.full_like(value, torch.nan)
    if num_trajectories == 1:
        return Estimate(value, nothing, nothing.clone())
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randint(num_trajectories, (num_bootstrap, num_trajectories), generator=generator)
    counts = torch.zeros(num_bootstrap, num_trajectories, dtype=torch.float64)
    counts.scatter_add_(1, draws, torch.ones_like(draws, dtype=torch.float64))
    pooled_denominator = counts @ denominator
    resampled = transform(counts @ numerator / pooled_denominator)
    resampled = torch.where(pooled_denominator == 0, torch.nan, resampled)
    tail = (1 - confidence) / 2
    low, high = torch.nanquantile(resampled, torch.tensor([tail, 1 - tail], dtype=torch.float64), dim=0)
    finite = value.isfinite()
    return Estimate(value, torch.where(finite, low, nothing), torch.where(finite, high, nothing))
