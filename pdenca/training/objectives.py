"""What is minimised: rates of change cell by cell, roll-outs, or the founding paper's propagated pairs.

An objective owns its data and its randomness: ``batch(step)`` depends on the seed and the step number alone,
so a resumed run sees exactly the batches it would have seen. Squared errors are in units of the training
standard deviation.
"""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from pdenca.automaton import Automaton
from pdenca.automaton.perception import Gathered, spacing_of
from pdenca.automaton.pool import PropagationPool
from pdenca.core import BadInputError, Context, Trainable
from pdenca.solvers.grid import Grid

from .losses import overflow


@runtime_checkable
class Objective(Protocol):
    """Something a Fitter can lower."""

    def batch(self, step: int) -> Any:  # noqa: ANN401  # each objective has its own kind of batch
        """Return the data of this step; a function of the seed and the step number only."""
        ...

    def loss(self, batch: Any) -> Tensor:  # noqa: ANN401
        """Return the differentiable loss."""
        ...

    def accept(self, batch: Any) -> None:  # noqa: ANN401
        """Hear that the step on this batch went well (a pool takes its new states now)."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Return what must be saved to resume."""
        ...

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore :meth:`state`."""
        ...


@runtime_checkable
class LeastSquares(Objective, Protocol):
    """An objective whose loss is the mean of squared residuals, one small vector per sample."""

    def sample_residuals(
        self, parameters: Mapping[str, Tensor], *sample: Tensor
    ) -> Float[Tensor, " residual"]:
        """Return the residuals of one sample under these parameters."""
        ...


@runtime_checkable
class Residuals(Objective, Protocol):
    """An objective whose loss is the mean of squared residuals, differentiable in the parameters."""

    def residuals(self, parameters: Mapping[str, Tensor], batch: Any) -> Float[Tensor, " residual"]:  # noqa: ANN401
        """Return the residuals of the batch under these parameters."""
        ...


def step_generator(seed: int, *where: int | str) -> torch.Generator:
    """Return a generator that depends on the seed and a place (stage, step) only."""
    import zlib

    return torch.Generator().manual_seed(zlib.crc32("/".join(map(str, (seed, *where))).encode()))


class _Stateless:
    """Objectives without memory between steps."""

    def accept(self, batch: Any) -> None:  # noqa: ANN401
        """Nothing to remember."""

    def state(self) -> dict[str, Tensor]:
        """Nothing to save."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Nothing to restore."""


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


class DerivativeMatching(_Stateless):
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
        rate_scale: unit of the residuals, one per channel (field units per time).
        generator: chooses the cells, and draws the noise.
        noise: standard deviation of the noise, one per channel (field units); None: without.

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
        rate_scale: Float[Tensor, " channel"],
        generator: torch.Generator,
        noise: Float[Tensor, " channel"] | None = None,
    ) -> None:
        if not automaton.has_rates:
            raise BadInputError(
                "derivative matching needs a deterministic automaton without hidden channels; "
                "usual cure: train this model by roll-outs or propagation"
            )
        self.automaton, self.rate_scale = automaton, rate_scale
        self.spacing = spacing_of(grid)
        num_points = windows.shape[1]
        now = windows[:, num_points // 2 - 1]
        weights = interpolation_weights(automaton.time_step / frame_interval, num_points).to(windows)
        later = torch.einsum("p,wp...->w...", weights, windows)
        if noise is not None:
            drawn = torch.randn(now.shape, generator=generator, dtype=torch.float64).to(now)
            now = now + noise.view(-1, *(1,) * grid.num_dims) * drawn
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

        self.samples = (pick(target), pick(parameters), *(pick(part) for part in gathered))

    def batch(self, step: int) -> tuple[Tensor, ...]:
        """Return all samples: (target, parameters, gathered ...), first axis the cell."""
        return self.samples

    def sample_residuals(self, parameters: Mapping[str, Tensor], *sample: Tensor) -> Tensor:
        """Return the error of the proposed rate in units of ``rate_scale``; works on one cell or many."""
        target, told, gathered = sample[0], sample[1], tuple(sample[2:])
        proposal: Tensor = functional_call(
            self.automaton, dict(parameters), (gathered, told, self.spacing), strict=False
        )
        return (proposal - target) / self.rate_scale

    def residuals(self, parameters: Mapping[str, Tensor], batch: tuple[Tensor, ...]) -> Tensor:
        """Return the residuals of all samples."""
        return self.sample_residuals(parameters, *batch).flatten()

    def loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean squared residual."""
        target, told = batch[0], batch[1]
        gathered: Gathered = tuple(batch[2:])
        proposal = self.automaton(gathered, told, self.spacing)
        mean: Tensor = ((proposal - target) / self.rate_scale).square().mean()
        return mean


class RolloutMatching(_Stateless):
    """Roll a model out over some frames and compare each with the data.

        loss = mean over windows, frames, channels, cells of ((prediction - truth) / field_std)²
               + overflow_weight · overflow(states)

    Arguments:
        automaton: the model, an automaton or a network.
        windows: as many given frames as the model's codec reads, then the frames to predict.
        context: parameters of each window.
        grid: the domain.
        field_std: training standard deviation of each field.
        batch_size: windows per step; None: all of them in every step, as line searches need.
        noise: standard deviation of noise added to the given frames, in units of ``field_std``.
        overflow_weight: weight of the penalty on leaving the data's range.
        low, high: the data's range per field, for the penalty.
        margin: cells along every edge of the grid that are not scored.
        seed: of batches, noise and firing masks.

    Raises:
        BadInputError: if a window holds no frame to predict.
    """

    def __init__(
        self,
        automaton: Trainable,
        windows: Float[Tensor, "window time channel *space"],
        context: Context,
        grid: Grid,
        *,
        field_std: Float[Tensor, " channel"],
        low: Float[Tensor, " channel"],
        high: Float[Tensor, " channel"],
        batch_size: int | None = None,
        noise: float = 0.0,
        overflow_weight: float = 0.0,
        margin: int = 0,
        seed: int = 0,
    ) -> None:
        self.num_given = automaton.codec.num_given
        if windows.shape[1] <= self.num_given:
            raise BadInputError(
                f"a window needs a frame to predict after {self.num_given} given, got "
                f"{windows.shape[1]} in all"
            )
        self.automaton, self.grid, self.context = automaton, grid, context
        axes = (1,) * grid.num_dims
        self._margin = margin
        self.windows, self.field_std = windows, field_std.view(-1, *axes)
        self.low, self.high = low.view(-1, *axes), high.view(-1, *axes)
        self.batch_size, self.noise, self.overflow_weight, self.seed = (
            batch_size,
            noise,
            overflow_weight,
            seed,
        )

    def batch(self, step: int) -> tuple[Tensor, Context, int]:
        """Return (windows, context, number of the step); the whole set if there is no batch size."""
        if self.batch_size is None:
            return self.windows, self.context, 0
        generator = step_generator(self.seed, "windows", step)
        chosen = torch.randperm(self.windows.shape[0], generator=generator)[: self.batch_size]
        return self.windows[chosen], {name: value[chosen] for name, value in self.context.items()}, step

    def residuals(self, parameters: Mapping[str, Tensor], batch: tuple[Tensor, Context, int]) -> Tensor:
        """Return the scaled errors of all predicted frames.

        Raises:
            BadInputError: with an overflow penalty, which is no square.
        """
        if self.overflow_weight:
            raise BadInputError(
                "a least-squares fitter cannot weigh an overflow penalty; usual cure: overflow_weight = 0, "
                "or a first-order fitter"
            )
        named = {f"automaton.{name}": value for name, value in parameters.items()}
        errors: Tensor = functional_call(_Rollout(self.automaton), named, (self, batch), strict=False)
        return errors

    def loss(self, batch: tuple[Tensor, Context, int]) -> Tensor:
        """Return the mean squared error over the predicted frames plus the penalty."""
        errors, penalty = self.roll(self.automaton, batch)
        return errors.square().mean() + penalty

    def roll(self, automaton: Trainable, batch: tuple[Tensor, Context, int]) -> tuple[Tensor, Tensor]:
        """Roll a model out over the windows; return the scaled errors of all frames and the mean penalty."""
        windows, context, step = batch
        generator = step_generator(self.seed, "noise", step)
        given = windows[:, : self.num_given]
        if self.noise:
            # drawn in float64 and rounded, so that the same seed means the same noise in every dtype
            drawn = torch.randn(given.shape, generator=generator, dtype=torch.float64).to(given)
            given = given + self.noise * self.field_std * drawn
        state = automaton.codec.lift(given)
        errors, penalties = [], []
        for frame in range(self.num_given, windows.shape[1]):
            state, penalty = advance_frame(
                automaton,
                state,
                context,
                self.grid,
                generator,
                self.low,
                self.high,
                self.overflow_weight,
                windows.shape[2],
            )
            error = (automaton.codec.observe(state) - windows[:, frame]) / self.field_std
            for axis in range(-self.grid.num_dims, 0):
                error = error.narrow(axis, self._margin, error.shape[axis] - 2 * self._margin)
            errors.append(error)
            penalties.append(penalty)
        return torch.stack(errors, 1), torch.stack(penalties).mean()


class _Rollout(nn.Module):
    """A roll-out as the forward of a module, so that a model can be run under other parameters."""

    def __init__(self, automaton: Trainable) -> None:
        super().__init__()
        self.automaton = automaton

    def forward(self, objective: RolloutMatching, batch: tuple[Tensor, Context, int]) -> Tensor:
        """Return the errors as one vector."""
        return objective.roll(self.automaton, batch)[0].flatten()


class PropagatedPairs:
    """The founding paper's scheme: all consecutive pairs in parallel, own states passed on, truth put back.

        loss = mean over pairs of ‖prediction - truth‖₂ / √(values) + overflow_weight · overflow(states)

    with one normalised Euclidean norm per pair, and all channels, hidden ones too, penalised for leaving
    [0, 1] (here: the data's range).

    Arguments:
        automaton: the model.
        frames: training trajectories.
        context: parameters of each trajectory.
        grid: the domain.
        field_std: training standard deviation of each field.
        low, high: the range that states should keep, one number each.
        batch_size: pairs per step.
        noise: standard deviation of noise added to the inputs, in units of ``field_std`` of each field.
        overflow_weight: weight of the penalty.
        seed: of batches, resets, noise and firing masks.

    Source: Richardson et al., PLOS Comput. Biol. 20 (2024) e1011589, Methods and Fig. 2.
    """

    def __init__(
        self,
        automaton: Automaton,
        frames: Float[Tensor, "trajectory time channel *space"],
        context: Context,
        grid: Grid,
        *,
        field_std: Float[Tensor, " channel"],
        low: float,
        high: float,
        batch_size: int = 64,
        noise: float = 0.0,
        overflow_weight: float = 0.01,
        seed: int = 0,
    ) -> None:
        self.automaton, self.context, self.grid = automaton, context, grid
        self.pool = PropagationPool(frames, automaton.codec)
        axes = (1,) * grid.num_dims
        self.field_std = field_std.view(-1, *axes)
        self.low = frames.new_full((1, *axes), low)
        self.high = frames.new_full((1, *axes), high)
        self.batch_size, self.noise, self.overflow_weight, self.seed = (
            batch_size,
            noise,
            overflow_weight,
            seed,
        )
        self._outputs: Tensor | None = None

    def batch(self, step: int) -> tuple[Tensor, int]:
        """Return (pair indices, number of the step)."""
        generator = step_generator(self.seed, "pairs", step)
        return torch.randperm(len(self.pool), generator=generator)[: self.batch_size], step

    def loss(self, batch: tuple[Tensor, int]) -> Tensor:
        """Return the mean normalised Euclidean distance plus the penalty."""
        indices, step = batch
        generator = step_generator(self.seed, "noise", step)
        state, target, trajectory = self.pool.draw(indices)
        observed = target.shape[1]
        if self.noise:
            drawn = torch.randn(target.shape, generator=generator, dtype=torch.float64).to(state)
            state = torch.cat(
                (state[:, :observed] + self.noise * self.field_std * drawn, state[:, observed:]), 1
            )
        context = {name: value[trajectory] for name, value in self.context.items()}
        state, penalty = advance_frame(
            self.automaton,
            state,
            context,
            self.grid,
            generator,
            self.low,
            self.high,
            self.overflow_weight,
            state.shape[1],
        )
        self._outputs = state.detach()
        error = (self.automaton.codec.observe(state) - target) / self.field_std
        # the tiny number keeps the derivative of the norm finite where the error vanishes
        return (error.square().flatten(1).mean(1) + 1e-16).sqrt().mean() + penalty

    def accept(self, batch: tuple[Tensor, int]) -> None:
        """Pass the outputs on to the following pairs and reset one trajectory."""
        indices, step = batch
        assert self._outputs is not None, "accept() follows loss()"
        reset = int(
            torch.randint(
                self.pool.num_trajectories, (1,), generator=step_generator(self.seed, "reset", step)
            )
        )
        self.pool.put_back(indices, self._outputs, reset)

    def state(self) -> dict[str, Tensor]:
        """Return the pool's states."""
        return {"states": self.pool.states}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Put the pool's states back."""
        self.pool.states = state["states"].clone()


def advance_frame(
    automaton: Trainable,
    state: Tensor,
    context: Context,
    grid: Grid,
    generator: torch.Generator,
    low: Tensor,
    high: Tensor,
    overflow_weight: float,
    num_penalised: int,
) -> tuple[Tensor, Tensor]:
    """Advance one stored frame; return the new state and the weighted penalty of its first channels."""
    masks = automaton.sample_masks(automaton.steps_per_frame, state.shape[0], grid, generator, state)
    if not overflow_weight:
        return automaton.advance(state, context, grid, automaton.steps_per_frame, masks), state.new_zeros(())
    penalties: list[Tensor] = []
    # watched states have their channels last

    def watch(current: Tensor) -> None:
        penalties.append(overflow(current[..., :num_penalised], low.view(-1), high.view(-1)))

    state = automaton.advance(state, context, grid, automaton.steps_per_frame, masks, watch)
    return state, overflow_weight * torch.stack(penalties).mean()
