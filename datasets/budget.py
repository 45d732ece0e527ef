"""Does a stored trajectory obey the budget of its equation?

For m(t) = <Σ_i u_i>, the spatial mean of the sum of the fields, diffusion drops out and dm/dt = b(u) is known
exactly, e.g. d<A + B>/dt = F (1 - <A>) - (F + k) <B> for Gray-Scott. So the change of m between two stored
frames, h apart, is compared with two quadratures of b, and the closer one counts:

    Hermite:  h/2 (b_0 + b_1) + h²/12 (b'_0 - b'_1) + O(h⁵), the corrected trapezoidal rule, where
              b' = ∂b/∂u · ∂u/∂t comes from the equation; it needs a grid that resolves the pattern;
    cubic:    h/24 (-b_-1 + 13 b_0 + 13 b_1 - b_2) + O(h⁵), through the four nearest frames (one-sided at the
              ends); it needs no resolution in space, but slower changes in time.

(Davis and Rabinowitz, Methods of Numerical Integration, 1984, section 2.9; Hairer, Nørsett and Wanner,
Solving Ordinary Differential Equations I, 1993, section III.1.)

The tolerance. Let M be the largest <Σ_i |u_i|> of the trajectory and E the largest h²/12 |b'_0 - b'_1| of the
interval and its two neighbours, a generous estimate of the quadrature error. The residual may be

    2·10⁻⁵ M + E       where E <= 10⁻³ M (the frames resolve the budget),
    2·10⁻⁵ M + 10 E    elsewhere, and always in the first interval, in which the initial state relaxes;
                           there E is at least the difference of the two quadratures.

Measured on honest Gray-Scott data (six regimes, both families of initial states, 8 to 64 cells per side, both
floating point types, with and without refinement): the residual is at most 0.25 of the tolerance at frame
interval 10 on grids that resolve the pattern, 0.64 on grids that do not (2 cells per wavelength), 0.74 at
intervals up to 100. At interval 10, from frame 6 on, a frame of a living trajectory scaled by 1.01 reaches 10
times the tolerance or more; two neighbouring frames exchanged reach 80 times in the median and are missed
only where they hardly differ. At intervals of 20 and more a scaled frame may be missed.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdenca.solvers import Equation, Grid, StencilDerivatives

FLOOR = 2e-5
RESOLVED = 1e-3
FACTOR_UNRESOLVED = 10.0
CELLS_PER_BLOCK = 2**20
CUBIC_START = (9.0, 19.0, -5.0, 1.0)
CUBIC_MIDDLE = (-1.0, 13.0, 13.0, -1.0)


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
    total, flow, slope, size = (torch.cat(parts) for parts in zip(*blocks, strict=True))
    correction = frame_interval**2 / 12 * (slope[:-1] - slope[1:])
    change = total.diff()
    residual = (change - frame_interval / 2 * (flow[:-1] + flow[1:]) - correction).abs()
    disagreement = torch.zeros_like(residual)
    if len(flow) >= len(CUBIC_START):
        other = (change - frame_interval * mean_flow(flow)).abs()
        disagreement = (residual - other).abs()
        residual = torch.minimum(residual, other)
    error = torch.nn.functional.max_pool1d(correction.abs()[None, None], 3, stride=1, padding=1)[0, 0]
    error[0] = torch.maximum(error[0], disagreement[0])
    scale = size.max()
    resolved = error <= RESOLVED * scale
    trusted = resolved.clone()
    trusted[0] = False  # no earlier frame shows how fast the initial state relaxes
    return residual, FLOOR * scale + torch.where(trusted, error, FACTOR_UNRESOLVED * error), resolved


def mean_flow(flow: Float[Tensor, "*batch frame"]) -> Float[Tensor, "*batch interval"]:
    """Return the mean of b over each interval, b interpolated by a cubic through four frames.

    Arguments:
        flow: b of at least four frames, the last axis.
    """
    start, middle = flow.new_tensor(CUBIC_START) / 24, flow.new_tensor(CUBIC_MIDDLE) / 24
    inner = flow.unfold(-1, 4, 1) @ middle
    first, last = flow[..., :4] @ start, flow[..., -4:].flip(-1) @ start
    return torch.cat([first[..., None], inner, last[..., None]], dim=-1)


def _balance(equation: Equation, grid: Grid, frames: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return m, b, b' = ∂b/∂u · ∂u/∂t and <Σ_i |u_i|> of some frames."""
    rate = equation.rate(frames, StencilDerivatives(grid, "order-4"))
    state = frames.clone().requires_grad_()
    with torch.enable_grad():
        flow = equation.budget(state)
    assert flow is not None, "an equation has a budget for every state or for none"
    slope = torch.zeros_like(flow)
    if flow.requires_grad:  # a frame's budget depends on that frame alone, so one gradient serves them all
        (gradient,) = torch.autograd.grad(flow.sum(), state)
        slope = (gradient * rate).flatten(1).sum(1)
    total, size = (values.sum(1).flatten(1).mean(1) for values in (frames, frames.abs()))
    return total, flow.detach(), slope.detach(), size
