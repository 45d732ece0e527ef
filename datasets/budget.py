"""Does a stored trajectory obey the budget of its equation?

For m(t) = <Σ_i u_i>, the spatial mean of the sum of the fields, diffusion drops out and dm/dt = b(u) is known
exactly, e.g. d<A + B>/dt = F (1 - <A>) - (F + k) <B> for Gray-Scott. Between two stored frames, h apart,

    m(t + h) - m(t) = h/2 (b(t) + b(t + h)) + h²/12 (b'(t) - b'(t + h)) + O(h⁵)

(Hermite quadrature, the corrected trapezoidal rule; Davis and Rabinowitz, Methods of Numerical Integration,
1984, section 2.9). The derivative b' = ∂b/∂u · ∂u/∂t comes from the equation too, so each interval is judged
by its two frames alone.

The tolerance. Let M be the largest |m| of the trajectory and E the largest correction h²/12 |b'(t) - b'(t +
h)| of the interval and its two neighbours, a generous estimate of the quadrature error. The residual may be

    2·10⁻⁵ M + E    where E <= 10⁻³ M    (the frames resolve the budget)
    2·10⁻⁵ M + 10 E elsewhere            (the first few frames of a trajectory, while the initial state
    relaxes)

Honest Gray-Scott data (all six regimes, both families of initial states, frame intervals 1 to 50, grids of 16
to 64 cells, either floating point type) stay below half of it; with frame_interval 10 a frame scaled by 1.01,
or swapped with its neighbour, exceeds it about tenfold from frame 6 on as long as the trajectory is alive.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdenca.solvers import STENCILS, Equation, Grid, laplacian

FLOOR = 2e-5
RESOLVED = 1e-3
FACTOR_UNRESOLVED = 10.0
CELLS_PER_BLOCK = 2**20


def budget_residual(
    equation: Equation, grid: Grid, frames: Float[Tensor, "time channel *space"], frame_interval: float
) -> tuple[Float[Tensor, " interval"], Float[Tensor, " interval"], Bool[Tensor, " interval"]] | None:
    """Compare the change of the total between frames with the quadrature of the equation's budget.

    Arguments:
        equation: the equation with its parameters.
        grid: the cells.
        frames: one trajectory, float64.
        frame_interval: time between frames.

    Returns:
        (absolute residual, tolerance, whether the frames resolve the budget) per interval between frames;
        None if the equation has no budget or there is only one frame.
    """
    if len(frames) < 2 or equation.budget(frames[:1]) is None:
        return None

    per_block = max(1, CELLS_PER_BLOCK // grid.num_cells)
    blocks = [_balance(equation, grid, block) for block in torch.split(frames, per_block)]
    total, flow, slope = (torch.cat(parts) for parts in zip(*blocks, strict=True))
    correction = frame_interval**2 / 12 * (slope[:-1] - slope[1:])
    quadrature = frame_interval / 2 * (flow[:-1] + flow[1:]) + correction
    residual = (total.diff() - quadrature).abs()
    error = torch.nn.functional.max_pool1d(correction.abs()[None, None], 3, stride=1, padding=1)[0, 0]
    scale = total.abs().max()
    resolved = error <= RESOLVED * scale
    return residual, FLOOR * scale + torch.where(resolved, error, FACTOR_UNRESOLVED * error), resolved


def _balance(equation: Equation, grid: Grid, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return m, b and b' = ∂b/∂u · ∂u/∂t of some frames."""
    rate = equation.rate(frames, laplacian(frames, grid, STENCILS["order-4"]))
    state = frames.clone().requires_grad_()
    with torch.enable_grad():
        flow = equation.budget(state)
    assert flow is not None, "an equation has a budget for every state or for none"
    slope = torch.zeros_like(flow)
    if flow.requires_grad:  # a frame's budget depends on that frame alone, so one gradient serves them all
        (gradient,) = torch.autograd.grad(flow.sum(), state)
        slope = (gradient * rate).flatten(1).sum(1)
    return frames.sum(1).flatten(1).mean(1), flow.detach(), slope.detach()
