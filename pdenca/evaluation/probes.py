"""What is measured on a model's step itself, beside its roll-outs: sensitivity and symmetry."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, NonFiniteError, Step
from pdenca.core.field import Kind
from pdenca.solvers.steady import largest_lyapunov_exponent
from pdenca.symmetry import equivariance_residuals

from .settings import Case, EvaluationSettings
from .turned import symmetries_of


def lyapunov_pair(
    step: Step, state: Float[Tensor, "batch channel *space"], settings: EvaluationSettings
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """Largest Lyapunov exponent of every trajectory (1/time), as numerator and denominator of a mean.

    Two states a relative 1e-7 apart are followed and brought back to that distance after every frame, see
    :func:`pdenca.solvers.steady.largest_lyapunov_exponent`. That of an emulator is to be compared with that
    of a solver in the same table: a positive one sets the time after which no model can follow the truth.
    Over so few frames it is an exponent of finite time: transients and slow drifts count too.

    Arguments:
        step: advances one frame; deterministic.
        state: lifted from the given frames, float64.
        settings: how many frames count and how many before are passed over.

    Returns:
        NaN where a state leaves the finite numbers; a denominator of 0, that is no row, for a step that draws
        random numbers.
    """
    one = torch.ones(len(state), dtype=torch.float64)
    if not step.deterministic:
        return torch.zeros_like(one), torch.zeros_like(one)
    try:
        found = largest_lyapunov_exponent(
            step,
            state,
            num_intervals=settings.lyapunov_frames,
            time_step=step.time_step,
            num_discarded=settings.lyapunov_discarded,
            seed=settings.seed,
        )
    except NonFiniteError:
        return one * torch.nan, one
    return found.exponent.cpu(), one


def equivariance_pair(
    step: Step,
    state: Float[Tensor, "batch channel *space"],
    case: Case,
    num_frames: int,
    kinds: Sequence[Kind] | None = None,
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]] | None:
    """Largest equivariance residual over the symmetries of the grid, as a pair for pooling.

    max over g of max |step(g x) - g step(x)| / max |step(x)| after ``num_frames`` frames, of all trajectories
    of the case together (each gets the same number); see :func:`pdenca.symmetry.equivariance_residuals`. The
    larger the exponent of the dynamics, the more of it is amplified rounding.

    Arguments:
        step: advances one frame.
        state: where it starts.
        case: for the grid, the parameters and how its fields transform.
        num_frames: at least 1.
        kinds: how the channels of the state transform; None: those of the case, hidden channels as scalars.

    Returns:
        None where it means nothing: for a step that draws random numbers, parameters that vary in space, a
        flat state or a box in three dimensions that is no cube; NaN if the step leaves the finite numbers.
    """
    if any(value.ndim > 1 for value in case.context.values()) or not step.deterministic:
        return None
    one = torch.ones(len(state), dtype=torch.float64)
    if kinds is None and case.kinds is not None:
        widths = [case.grid.num_dims if kind == "vector" else 1 for kind in case.kinds]
        hidden = state.shape[1] - sum(widths)
        scalar: Kind = "scalar"
        kinds = [*case.kinds, *(scalar for _ in range(hidden))]
    try:
        residuals = equivariance_residuals(step, symmetries_of(case.grid), state, kinds, num_frames)
    except NonFiniteError:
        return one * torch.nan, one
    except BadInputError:
        return None
    return one * max(residuals.values()), one
