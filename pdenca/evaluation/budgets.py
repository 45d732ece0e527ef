"""Does a prediction keep the budget of its equation?"""

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.datasets.budget import mean_flow
from pdenca.solvers.equation import Equation

LEAST_FRAMES = 4


def budget_terms(
    equation: Equation, state: Float[Tensor, "batch channel *space"]
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"], Float[Tensor, " batch"]] | None:
    """Return the terms of the budget of one frame: m = <Σ_i u_i>, its rate b(u), and <Σ_i |u_i|>.

    Arguments:
        equation: with one value per trajectory of each of its parameters, or numbers.
        state: u, float64.

    Returns:
        None if the equation has no budget.
    """
    flow = equation.budget(state)
    if flow is None:
        return None
    total, size = (values.sum(1).flatten(1).mean(1) for values in (state, state.abs()))
    return total, flow.expand_as(total), size


def relative_budget_residual(
    total: Float[Tensor, "batch frame"], flow: Float[Tensor, "batch frame"], size: Float[Tensor, " batch"]
) -> Float[Tensor, "batch interval"]:
    """Residual of the budget dm/dt = b(u) between consecutive frames, relative to the size of the fields.

        | m_1 - m_0 - h <b> | / M,

    <b> the mean of the cubic through the rates of the four nearest frames (see :mod:`pdenca.datasets.budget`)
    and M the largest <Σ_i |u_i|> of the truth. Diffusion drops out, so only a model's reactions and what it
    makes or loses at the walls count. Of a conserved mean b = 0 and the residual is the drift. What is left
    for an exact trajectory is the error of the quadrature, O(h⁴), largest while a sharp start relaxes.

    Arguments:
        total: m of the frames.
        flow: h b, the rate times the time between frames.
        size: M.

    Returns:
        One number per interval; NaN near a frame that is not finite.
    """
    return (total.diff(dim=-1) - mean_flow(flow)).abs() / size.clamp_min(torch.finfo(size.dtype).tiny)[
        :, None
    ]
