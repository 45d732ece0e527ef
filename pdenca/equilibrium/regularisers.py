"""Terms of a loss that keep a learned map well-behaved at, and on the way to, its fixed point."""

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError

from .rows import Map, RowMap


def jacobian_penalty(
    step: Map,
    state: Float[Tensor, " batch *shape"],
    *,
    num_probes: int = 1,
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    """Estimate ‖J‖²_F per entry of the state, differentiable in the map's parameters.

        mean over samples and random signs v of ‖Jᵀv‖² / n,   E ‖Jᵀv‖² = ‖J‖²_F

    A small value means few iterations and a stable fixed point, at the price of an expressive map: (‖J‖²_F /
    n)^½ is the root mean square of J's singular values. Weigh it lightly and, to save time, apply it in some
    training steps only.

    Arguments:
        step: f.
        state: where, usually the fixed point; taken as a constant.
        num_probes: v per sample.
        generator: of the signs.

    Returns:
        The penalty, 0 for a map that does not look at its state.

    Raises:
        BadInputError: if ``num_probes`` is below 1.

    Source: Bai et al., Stabilizing equilibrium models by Jacobian regularization (ICML 2021), eq. 6;
    Hutchinson, Commun. Stat. 19 (1990) 433.
    """
    if num_probes < 1:
        raise BadInputError(f"num_probes must be at least 1, got {num_probes}")
    map = RowMap(step, state)
    with torch.enable_grad():
        leaf = map.rows(state.detach().clone()).requires_grad_()
        values = map(leaf)
        total = values.new_zeros(())
        for _ in range(num_probes if values.requires_grad else 0):
            device = values.device if generator is None else generator.device
            signs = torch.randint(0, 2, values.shape, generator=generator, device=device)
            probe = (2 * signs - 1).to(values)
            (pulled,) = torch.autograd.grad(
                values, leaf, probe, create_graph=True, allow_unused=True, materialize_grads=True
            )
            total = total + pulled.square().sum()
    return total / (num_probes * values.numel())


def attached_iterates(
    step: Map, start: Float[Tensor, " batch *shape"], at: Sequence[int]
) -> list[Float[Tensor, " batch *shape"]]:
    """Return some iterates of z ← f(z), each attached to the graph by its last application only.

    Memory grows with the number of iterates kept, not with their numbers.

    Arguments:
        step: f.
        start: z₀.
        at: which iterates, 1 being f(z₀), in rising order.

    Raises:
        BadInputError: for numbers that do not rise from at least 1.
    """
    if not at or at[0] < 1 or any(later <= former for former, later in itertools.pairwise(at)):
        raise BadInputError(
            f"iterates are counted from 1 upwards, got {list(at)}; usual cure: sorted(set(at))"
        )
    map, kept = RowMap(step, start), []
    points = map.rows(start.detach())
    for number in range(1, at[-1] + 1):
        if number in at:
            values = map(points)
            kept.append(map.states(values))
            points = values.detach()
        else:
            with torch.no_grad():
                points = map(points)
    return kept


def fixed_point_correction(
    loss: Callable[[Tensor], Tensor], iterates: Sequence[Tensor], discount: float = 0.8
) -> Float[Tensor, ""]:
    """Sum a loss over iterates on the way to the fixed point, the last one counting most.

        Σ_k discount^(n - k) loss(z_k),   k = 1 ... n

    Makes the search short and straight: an iterate that stops early is already a fair answer.

    Arguments:
        loss: state -> a single number.
        iterates: z_1 ... z_n, the last one the result of the search; see :func:`attached_iterates`.
        discount: of each step back from the end, above 0 and at most 1.

    Raises:
        BadInputError: for no iterates or a discount out of range.

    Source: Bai et al., Deep equilibrium optical flow estimation (CVPR 2022), section 3.3.
    """
    if not iterates or not (0 < discount <= 1 and math.isfinite(discount)):
        raise BadInputError(
            f"expected at least one iterate and 0 < discount <= 1, got {len(iterates)} and {discount}"
        )
    terms = [discount ** (len(iterates) - k) * loss(z) for k, z in enumerate(iterates, 1)]
    return torch.stack(terms).sum()
