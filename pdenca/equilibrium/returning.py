"""Does a state come back after a push?"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdenca.core import BadInputError

from .neutral import NullModes, neutral_basis, without
from .rows import Map, RowMap, scaled, sizes


@dataclass(frozen=True, eq=False)
class PerturbedRollout:
    """Distances from a fixed point after a random push, relative to the push.

    Arguments:
        ratios: distance at the end over that at the start; infinite where the state is not finite.
        largest: the largest ratio on the way: above 1 a non-normal J, or an instability, was at work.
        returned: whether the ratio at the end is below ``within``.
        num_steps: applications.
    """

    ratios: Float[Tensor, " batch"]
    largest: Float[Tensor, " batch"]
    returned: Bool[Tensor, " batch"]
    num_steps: int


@torch.no_grad()
def perturbed_rollout(
    step: Map,
    state: Float[Tensor, " batch *shape"],
    *,
    num_steps: int = 200,
    amplitude: float = 1e-3,
    within: float = 0.5,
    null_modes: NullModes | None = None,
    generator: torch.Generator | None = None,
) -> PerturbedRollout:
    """Push fixed points by white noise, iterate z ← f(z), and see whether they come back.

    The plain check that needs no derivative, and sees what happens beyond the linear: an unstable fixed point
    does not return, however small its residual. The distance is measured after removing what lies along the
    null modes, to first order in the push.

    Arguments:
        step: f.
        state: its fixed points.
        num_steps: applications; a mode of spectral radius ρ needs log(within) / log(ρ) of them.
        amplitude: of the noise, relative to the root mean square of the state (of a zero state: absolute).
        within: ratio that counts as having returned.
        null_modes: state -> neutral directions.
        generator: of the noise.

    Raises:
        BadInputError: for numbers out of range.
    """
    if num_steps < 1 or not 0 < amplitude < float("inf") or not 0 < within < float("inf"):
        raise BadInputError(
            "expected num_steps >= 1, amplitude > 0 and within > 0, got "
            f"{num_steps}, {amplitude} and {within}"
        )
    map = RowMap(step, state)
    rows = map.rows(state)
    basis = None if null_modes is None else neutral_basis(null_modes, map, state)
    device = rows.device if generator is None else generator.device
    noise = torch.randn(rows.shape, generator=generator, dtype=rows.dtype, device=device).to(rows.device)
    noise = without(noise, basis)
    wanted = amplitude * sizes(rows)
    wanted = torch.where(wanted > 0, wanted, amplitude * rows.shape[1] ** 0.5)
    points = rows + scaled(noise, wanted / sizes(noise))
    first = sizes(without(points - rows, basis))
    largest = torch.ones_like(first)
    ratios = largest
    for _ in range(num_steps):
        points = map(points)
        ratios = (sizes(without(points - rows, basis)) / first).nan_to_num(torch.inf, posinf=torch.inf)
        largest = torch.maximum(largest, ratios)
    return PerturbedRollout(ratios, largest, ratios < within, num_steps)
