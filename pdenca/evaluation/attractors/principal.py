"""Principal components of states, and noise that has the same ones."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, NonFiniteError


class Principal(NamedTuple):
    """States by their principal components, the largest first.

    Attributes:
        mean: of the states.
        axes: orthonormal.
        spreads: standard deviation along each axis (unit of the states), with n - 1.
        scores: of each state along each axis (unit of the states).
    """

    mean: Float[Tensor, " entry"]
    axes: Float[Tensor, "component entry"]
    spreads: Float[Tensor, " component"]
    scores: Float[Tensor, "start component"]


def flat(states: Float[Tensor, "start channel *space"]) -> Float[Tensor, "start entry"]:
    """Return states as rows in float64 on the processor.

    Raises:
        BadInputError: for fewer than two.
        NonFiniteError: if one is not finite.
    """
    if len(states) < 2:
        raise BadInputError(f"got {len(states)} states; expected at least 2; usual cure: more starts")
    rows = states.detach().double().cpu().flatten(1)
    wrong = int((~rows.isfinite().all(1)).sum())
    if wrong:
        raise NonFiniteError(
            f"got {wrong} of {len(rows)} states that are not finite; expected finite ones; usual cure: leave "
            "them out, and say how many: ends.states[~ends.are('not finite')]"
        )
    return rows


def principal_components(states: Float[Tensor, "start channel *space"]) -> Principal:
    """Return all principal components of some states, at most as many as there are states or entries.

    Arguments:
        states: at least two.

    Raises:
        BadInputError: for fewer than two.
        NonFiniteError: if one is not finite.
    """
    rows = flat(states)
    mean = rows.mean(0)
    left, values, axes = torch.linalg.svd(rows - mean, full_matrices=False)
    return Principal(mean, axes, values / (len(rows) - 1) ** 0.5, left * values)


def matched_noise(
    states: Float[Tensor, "start channel *space"],
    generator: torch.Generator,
    num_states: int | None = None,
) -> Float[Tensor, "noise channel *space"]:
    """Draw Gaussian noise with the mean and the covariance of some states: a null model without valleys,

        z = mean + Σ over components of spread · ξ · axis,   ξ ~ N(0, 1).

    Whatever grouping is found in it comes from mean and covariance alone.

    Arguments:
        states: at least two.
        generator: of ξ.
        num_states: how many to draw; None: as many as there are.

    Returns:
        The noise, of the type and on the device of the states.

    Raises:
        BadInputError: for fewer than two states, or none to draw.
        NonFiniteError: if a state is not finite.

    Limits of validity: the covariance is that of the sample, so that noise of fewer states than entries
    stays in the space that the states span.
    """
    number = len(states) if num_states is None else num_states
    if number < 1:
        raise BadInputError(f"got num_states {num_states}; expected at least 1; usual cure: None")
    found = principal_components(states)
    drawn = torch.randn(
        number, len(found.spreads), generator=generator, dtype=torch.float64, device=generator.device
    ).cpu()
    noise = found.mean + (drawn * found.spreads) @ found.axes
    return noise.to(states).reshape(number, *states.shape[1:])
