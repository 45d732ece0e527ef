"""The largest Lyapunov exponent: how fast two almost equal states part."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError, NonFiniteError


@dataclass(frozen=True, eq=False)
class LyapunovExponent:
    """What :func:`largest_lyapunov_exponent` found.

    Arguments:
        exponent: mean growth rate of a small difference, (batch,) (1/time).
        standard_error: of that mean, from the scatter of ten blocks in time, (batch,).
        growth: of each interval between rescalings, (batch, interval) (1/time).
        duration: time over which the mean was taken.
    """

    exponent: Float[Tensor, " batch"]
    standard_error: Float[Tensor, " batch"]
    growth: Float[Tensor, "batch interval"]
    duration: float


def largest_lyapunov_exponent(
    step: Callable[[Tensor], Tensor],
    state: Float[Tensor, "batch channel *space"],
    *,
    num_intervals: int,
    time_step: float,
    steps_per_interval: int = 1,
    num_discarded: int = 0,
    separation: float = 1e-7,
    seed: int = 0,
) -> LyapunovExponent:
    """Follow a twin that starts ``separation`` away and is brought back to that distance in every interval.

        λ = <log(|δ after| / |δ before|)> / interval

    A positive λ, beyond its error, is chaos. A steady state has λ < 0, or 0 if something shifts freely; an
    oscillation and a travelling wave have λ = 0, as their twin lags behind for ever.

    Arguments:
        step: advances ``"batch channel *space"`` by ``time_step``; any deterministic Step will do.
        state: where to begin, float64, on the attractor.
        num_intervals: rescalings; at least 10.
        time_step: of ``step`` (time).
        steps_per_interval: steps between rescalings; the difference must stay small between them.
        num_discarded: first intervals that do not count: the twin needs them to turn to the direction that
            grows most.
        separation: distance of the twin, rms relative to that of the state.
        seed: of the direction in which it starts.

    Returns:
        The exponent of each trajectory with its standard error.

    Raises:
        BadInputError: for counts that are too small, a separation out of (0, 1) or a state that is not
            float64.
        NonFiniteError: if state or twin leaves the finite numbers.

    References:
        G. Benettin, L. Galgani, J.-M. Strelcyn, Phys. Rev. A 14 (1976) 2338.
    """
    if num_intervals < 10 or steps_per_interval < 1 or num_discarded < 0 or not time_step > 0:
        raise BadInputError(
            "expected num_intervals >= 10, steps_per_interval >= 1, num_discarded >= 0 and time_step > 0, "
            f"got {num_intervals}, {steps_per_interval}, {num_discarded} and {time_step}"
        )
    if not 0 < separation < 1 or state.dtype != torch.float64:
        raise BadInputError(
            f"expected a separation in (0, 1) and a float64 state, got {separation} and {state.dtype}; usual "
            "cure: state.double()"
        )
    shape = (-1,) + (1,) * (state.ndim - 1)
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(state.shape, generator=generator, dtype=torch.float64).to(state.device)
    distance = separation * _size(state).clamp(min=1e-300)
    twin = state + direction * (distance / _size(direction)).reshape(shape)
    interval = steps_per_interval * time_step
    rows = []
    for count in range(num_discarded + num_intervals):
        before = _size(twin - state)  # rounding makes it differ a little from `distance`
        for _ in range(steps_per_interval):
            state, twin = step(state), step(twin)
        after = _size(twin - state)
        if not (torch.isfinite(state).all() and torch.isfinite(twin).all()):
            raise NonFiniteError(
                f"the state is not finite after {count + 1} intervals; usual cure: a smaller time step"
            )
        if count >= num_discarded:
            rows.append((after.clamp(min=1e-300) / before.clamp(min=1e-300)).log() / interval)
        distance = separation * _size(state).clamp(min=1e-300)
        scale = torch.where(after > 0, distance / after.clamp(min=1e-300), 0.0)
        # a twin that rounding has merged with the state starts anew
        fresh = direction * (distance / _size(direction)).reshape(shape)
        away = torch.where((after > 0).reshape(shape), (twin - state) * scale.reshape(shape), fresh)
        twin = state + away
    growth = torch.stack(rows, 1)
    blocks = torch.stack([block.mean(1) for block in growth.tensor_split(10, 1)], 1)
    return LyapunovExponent(
        exponent=growth.mean(1),
        standard_error=blocks.std(1) / math.sqrt(10),
        growth=growth,
        duration=num_intervals * interval,
    )


def _size(state: Tensor) -> Tensor:
    """The rms of each trajectory."""
    return state.flatten(1).pow(2).mean(1).sqrt()
