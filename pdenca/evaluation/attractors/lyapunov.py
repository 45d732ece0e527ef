"""How fast the twin of a state parts from it, or joins it, on the way of a deterministic step."""

import math
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, Step
from pdenca.equilibrium import RowMap
from pdenca.equilibrium.rows import scaled, sizes
from pdenca.solvers.steady import LyapunovExponent

_NUM_BLOCKS: Final = 10
# a state that has shrunk below this share of its start is as good as zero, and gives no scale any more
_AS_GOOD_AS_ZERO: Final = 1e-6


@torch.no_grad()
def leading_lyapunov_exponent(
    step: Step,
    states: Float[Tensor, "start channel *space"],
    *,
    num_steps: int,
    discarded: int = 0,
    separation: float = 1e-7,
    generator: torch.Generator,
) -> LyapunovExponent:
    """Follow every state and a twin next to it, which is brought back to its distance after every step.

        λ = <log(‖δ after‖ / ‖δ before‖)> / time_step

    λ < 0: the states near by fall onto the same orbit, and for a fixed point λ is the logarithm of the
    spectral radius of its Jacobian, per unit of time. λ = 0: a cycle of a flow, a free shift. λ > 0, beyond
    its error: chaos.

    Unlike :func:`pdenca.solvers.steady.largest_lyapunov_exponent`, one state that diverges does not end the
    count for the others, and a state that dies away to zero has its exponent.

    Arguments:
        step: deterministic, and able to take float64, in which all is done; a time step of 0 counts as 1.
        states: where to begin.
        num_steps: that count, at least 10.
        discarded: steps before them: the state finds its attractor, the twin the direction that grows most.
        separation: of the twin, relative to the norm of the state, or to a millionth of that of the start if
            the state shrinks below it; absolute for a state of zeros.
        generator: of the direction in which the twin starts.

    Returns:
        The exponents (1/time, of steps if the time step is 0), their standard errors, and the growth in each
        step, by state. An exponent is NaN where state or twin leaves the finite numbers, and minus infinity
        where they become one, as behind a step that forgets everything; the error is NaN in both cases.

    Raises:
        BadInputError: for numbers out of range, a step that draws random numbers, or one that does not
            return float64 for float64.

    Limits of validity: an exponent of finite time, along one orbit. Contractions beyond ``separation`` /
    1e-16 in one step are lost in rounding.

    Source: Benettin, Galgani, Giorgilli and Strelcyn, Meccanica 15 (1980) 9.
    """
    if num_steps < _NUM_BLOCKS or discarded < 0 or not 0 < separation < 1:
        raise BadInputError(
            f"got num_steps {num_steps}, discarded {discarded} and separation {separation}; expected at "
            f"least {_NUM_BLOCKS}, at least 0, and within (0, 1); usual cure: more steps, separation 1e-7"
        )
    time_step = step.time_step or 1.0
    if not 0 < time_step < math.inf:
        raise BadInputError(
            f"got a step of time_step {step.time_step}; expected a finite one that is not negative; usual "
            "cure: 0, which counts the exponent per step"
        )
    states = states.double()
    map = RowMap(step, states)
    rows = map.rows(states)
    drawn = torch.randn(rows.shape, generator=generator, dtype=torch.float64, device=generator.device).to(
        rows.device
    )
    direction = scaled(drawn, 1 / sizes(drawn))
    least = _AS_GOOD_AS_ZERO * sizes(rows)
    least = torch.where(least > 0, least, 1.0)
    twin = rows + scaled(direction, separation * torch.maximum(sizes(rows), least))
    finite = rows.isfinite().all(1)
    growth = []
    for number in range(discarded + num_steps):
        before = sizes(twin - rows)  # rounding makes it differ a little from what was asked
        rows, twin = map(rows), map(twin)
        finite = finite & rows.isfinite().all(1) & twin.isfinite().all(1)
        after = sizes(twin - rows)
        if number >= discarded:
            growth.append((after / before).log() / time_step)
        distance = separation * torch.maximum(sizes(rows), least)
        # a twin that has become one with the state starts anew
        away = torch.where((after == 0)[:, None], direction, scaled(twin - rows, 1 / after))
        twin = rows + scaled(away, distance)
    every = torch.where(finite[:, None], torch.stack(growth, 1), torch.nan)
    means = torch.stack([block.mean(1) for block in every.tensor_split(_NUM_BLOCKS, 1)], 1)
    return LyapunovExponent(
        exponent=every.mean(1),
        standard_error=means.std(1) / math.sqrt(_NUM_BLOCKS),
        growth=every,
        duration=num_steps * time_step,
    )
