"""Derivative matching: the change over one automaton step, cell by cell, without unrolling."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call

from pdenca.automaton import Automaton
from pdenca.automaton.perception import Gathered, spacing_of
from pdenca.core import BadInputError, Context
from pdenca.solvers.grid import Grid

from .base import Stateless


def interpolation_weights(offset: float, num_points: int) -> Float[Tensor, " point"]:
    """Weights of the polynomial through frames 1 - n/2 ... n/2 at a time ``offset`` (frames) after frame 0.

    Arguments:
        offset: between 0 and 1.
        num_points: n, even.
    """
    nodes = torch.arange(num_points, dtype=torch.float64) - (num_points // 2 - 1)
    weights = torch.ones(num_points, dtype=torch.float64)
    for number in range(num_points):
        others = torch.cat((nodes[:number], nodes[number + 1 :]))
        weights[number] = ((offset - others) / (nodes[number] - others)).prod()
    return weights


class DerivativeMatching(Stateless):
    """Fit the change over one automaton step to time differences of the data, cell by cell, no unrolling.

    The state one automaton step δ after a stored frame comes from the polynomial through the ``num_points``
    frames around it; the target of cell x is (z(x, t + δ) - z(x, t)) / δ, the proposal that takes the true
    state there in one step. Everything learned is pointwise once the neighbourhoods are gathered, so a sample
    is a cell and its Jacobian costs one backward pass per channel.

    With noise, z(x, t) is the stored frame plus white noise while z(x, t + δ) stays clean. Data hold next to
    no waves as short as the cells, so that nothing keeps kernels from amplifying them; noise does, at a cost
    of the order of its square where the data do tell.

    Limits: the interpolation needs frames close enough together for the dynamics; the earliest frames after
    sharp starts are left to the roll-out objective.

    Arguments:
        automaton: the model, deterministic and without hidden channels.
        windows: ``num_points`` consecutive frames each.
        context: parameters of each window.
        grid: the domain.
        cells_per_window: random cells taken from each window.
        frame_interval: time between frames.
        rate_scale: unit of the residuals, one per channel, or one per window and channel (field units per
            time).
        generator: chooses the cells, and draws the noise.
        noise: standard deviation of the noise, one per channel, or one per window and channel (field units);
            None: without.

    Raises:
        BadInputError: if the automaton has hidden channels or fires at random: its next state is not data.
    """

    def __init__(
        self,
        automaton: Automaton,
        windows: Float[Tensor, "window point channel *space"],
        context: Context,
        grid: Grid,
        *,
        cells_per_window: int,
        frame_interval: float,
        rate_scale: Float[Tensor, "*window channel"],
        generator: torch.Generator,
        noise: Float[Tensor, "*window channel"] | None = None,
    ) -> None:
        if not automaton.has_rates:
            raise BadInputError(
                "derivative matching needs a deterministic automaton without hidden channels; "
                "usual cure: train this model by roll-outs or propagation"
            )
        self.automaton = automaton
        self.spacing = spacing_of(grid)
        num_points = windows.shape[1]
        now = windows[:, num_points // 2 - 1]
        weights = interpolation_weights(automaton.time_step / frame_interval, num_points).to(windows)
        later = torch.einsum("p,wp...->w...", weights, windows)
        if noise is not None:
            drawn = torch.randn(now.shape, generator=generator, dtype=torch.float64).to(now)
            now = now + noise.view(*noise.shape, *(1,) * grid.num_dims) * drawn
        target = ((later - now) / automaton.time_step).movedim(1, -1)
        gathered = automaton.perception.gather(now.movedim(1, -1).contiguous(), grid)
        parameters = automaton.stack_context(context, now, grid)
        if parameters.shape[-1]:
            parameters = parameters.expand(*target.shape[:-1], -1)
        else:
            parameters = target.new_zeros(*target.shape[:-1], 0)
        count = min(cells_per_window, grid.num_cells)
        picks = [torch.randperm(grid.num_cells, generator=generator)[:count] for _ in range(windows.shape[0])]

        def pick(values: Tensor) -> Tensor:
            flat = values.reshape(values.shape[0], grid.num_cells, values.shape[-1])
            return torch.cat([flat[number, chosen] for number, chosen in enumerate(picks)])

        units = rate_scale.view(-1, *(1,) * grid.num_dims, rate_scale.shape[-1]).expand_as(target)
        self.samples = (pick(target), pick(units), pick(parameters), *(pick(part) for part in gathered))

    def batch(self, step: int) -> tuple[Tensor, ...]:
        """Return all samples: (target, its unit, parameters, gathered ...), first axis the cell."""
        return self.samples

    def sample_residuals(self, parameters: Mapping[str, Tensor], *sample: Tensor) -> Tensor:
        """Return the error of the proposed rate in units of ``rate_scale``; works on one cell or many."""
        target, unit, told, gathered = sample[0], sample[1], sample[2], tuple(sample[3:])
        proposal: Tensor = functional_call(
            self.automaton, dict(parameters), (gathered, told, self.spacing), strict=False
        )
        return (proposal - target) / unit

    def residuals(self, parameters: Mapping[str, Tensor], batch: tuple[Tensor, ...]) -> Tensor:
        """Return the residuals of all samples."""
        return self.sample_residuals(parameters, *batch).flatten()

    def loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean squared residual."""
        target, unit, told = batch[:3]
        gathered: Gathered = tuple(batch[3:])
        proposal = self.automaton(gathered, told, self.spacing)
        mean: Tensor = ((proposal - target) / unit).square().mean()
        return mean
