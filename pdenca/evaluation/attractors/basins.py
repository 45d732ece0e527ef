"""How large basins of attraction are, and how much damage a state recovers from."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdenca.core import BadInputError, Step

from .batches import batches


class Share(NamedTuple):
    """A share of independent trials.

    Attributes:
        share: S, of the trials.
        standard_error: √(S (1 - S) / N); 0 where all trials agree, when N alone says how much that means.
    """

    share: float
    standard_error: float

    @classmethod
    def of(cls, num_hits: int, num_trials: int) -> "Share":
        """Return the share of hits."""
        share = num_hits / num_trials
        return cls(share, math.sqrt(share * (1 - share) / num_trials))


def basin_stability(labels: Int[Tensor, " start"]) -> dict[int, Share]:
    """Return the share of the starts that fall into each valley, with its standard error,

        S = n / N,   √(S (1 - S) / N),

    an estimate of the volume of the valley's basin, measured by how the starts are drawn.

    Arguments:
        labels: valley of every start, of starts drawn independently. -1, starts in no valley, is counted like
            a valley.

    Returns:
        Label -> share, by rising label.

    Raises:
        BadInputError: for no starts.

    Limits of validity: a basin into which none of N starts falls is not seen; it may still hold about 3 / N
    of the volume.

    Source: Menck, Heitzig, Marwan and Kurths, Nature Physics 9 (2013) 89.
    """
    if not len(labels):
        raise BadInputError("got no labels; expected one for every start; usual cure: more starts")
    found, counts = labels.unique(return_counts=True)
    return {
        label: Share.of(count, len(labels))
        for label, count in zip(found.tolist(), counts.tolist(), strict=True)
    }


def zero_cells(
    states: Float[Tensor, "start channel *space"], share: float, generator: torch.Generator
) -> Float[Tensor, "start channel *space"]:
    """Set a share of the cells of every state to zero, in all channels.

    Exactly round(share · cells) of them, drawn anew for each state; others are as they were.

    Arguments:
        states: not changed.
        share: of the cells, 0 to 1.
        generator: of which cells.

    Raises:
        BadInputError: for a share out of range, or states without cells.
    """
    if not 0 <= share <= 1:
        raise BadInputError(f"got the share {share}; expected 0 to 1; usual cure: 0.3 for 30 %")
    if states.ndim < 3:
        raise BadInputError(
            f"got states of shape {tuple(states.shape)}; expected 'start channel *space'; usual cure: "
            "states[:, None] if the only axis is space"
        )
    num_cells = states[0, 0].numel()
    drawn = torch.rand(len(states), num_cells, generator=generator, device=generator.device)
    chosen = drawn.argsort(1)[:, : round(share * num_cells)].to(states.device)
    hit = torch.zeros(len(states), num_cells, dtype=torch.bool, device=states.device).scatter(1, chosen, True)
    return states.masked_fill(hit.reshape(len(states), 1, *states.shape[2:]), 0.0)


@torch.no_grad()
def return_curve(
    step: Step,
    states: Float[Tensor, "start channel *space"],
    is_back: Callable[[Tensor, Tensor], Tensor],
    *,
    shares: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
    num_steps: int,
    generator: torch.Generator,
    damage: Callable[[Tensor, float, torch.Generator], Tensor] = zero_cells,
    batch_size: int = 64,
) -> dict[float, Share]:
    """Damage every state once per share, roll out, and count how many are back.

    The share 0 is the yardstick: a state that does not stay where it is undamaged does not come back either.

    Arguments:
        step: deterministic.
        states: where undamaged roll-outs ended.
        is_back: (states after the roll-out, undamaged states of the same starts) -> a truth value for each;
            with the labels of valleys, whether both lie in the same one. A comparison with a NaN is false, so
            that a state that diverges is not back.
        shares: how much damage.
        num_steps: of the roll-out after the damage.
        generator: of the damage.
        damage: (states, share, generator) -> damaged states.
        batch_size: states that are rolled out together.

    Returns:
        Share -> probability of return over the states, with its standard error √(p (1 - p) / N).

    Raises:
        BadInputError: for no states or steps, or if ``is_back`` returns other than one truth value for each.

    Limits of validity: the standard error counts each state as an independent trial; states of one valley
    that are the same to rounding differ by their damage alone.

    Source: basin stability, Menck et al., Nature Physics 9 (2013) 89.
    """
    if num_steps < 1 or not len(states):
        raise BadInputError(
            f"got {len(states)} states and num_steps {num_steps}; expected at least one of each"
        )
    found = {}
    for share in shares:
        damaged = damage(states, share, generator)  # all at once: not to depend on the batches
        num_back = 0
        for chosen, map in batches(step, damaged, batch_size):
            rows = map.rows(damaged[chosen])
            for _ in range(num_steps):
                rows = map(rows)
            back = is_back(map.states(rows), states[chosen])
            if back.dtype != torch.bool or back.shape != (len(rows),):
                raise BadInputError(
                    f"got {tuple(back.shape)} of {back.dtype} from is_back; expected one truth value for "
                    f"each of {len(rows)} states; usual cure: flatten(1) before the mean"
                )
            num_back += int(back.sum())
        found[share] = Share.of(num_back, len(states))
    return found
