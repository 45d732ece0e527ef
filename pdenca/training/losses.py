"""Penalties that roll-outs add to their errors."""

from jaxtyping import Float
from torch import Tensor


def overflow(
    state: Float[Tensor, "*cells channel"], low: Float[Tensor, " range"], high: Float[Tensor, " range"]
) -> Float[Tensor, ""]:
    """Mean distance by which values leave [low, high]: mean(relu(low - z) + relu(z - high)).

    Arguments:
        state: channels last.
        low, high: the range, one number per channel or one for all.

    Source: the state regulariser of Richardson et al., PLOS Comput. Biol. 20 (2024) e1011589.
    """
    # the nearest value in the range does not move with a value that has left it
    return (state - state.detach().clamp(low, high)).abs().mean()
