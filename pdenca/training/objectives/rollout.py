"""Roll-out matching: some frames ahead, compared with the data."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from pdenca.core import BadInputError, Context, Trainable
from pdenca.solvers.grid import Grid

from .advance import advance_frame
from .base import Stateless, step_generator

Batch = tuple[Tensor, Tensor, Context, int]


class RolloutMatching(Stateless):
    """Roll a model out over some frames and compare each with the data.

        loss = mean over windows, frames, channels, cells of ((prediction - truth) / field_std)²
               + overflow_weight · overflow(states)

    Arguments:
        automaton: the model, an automaton or a network.
        windows: as many given frames as the model's codec reads, then the frames to predict.
        context: parameters of each window.
        grid: the domain.
        field_std: standard deviation of each field, of all training data or of every window.
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
        field_std: Float[Tensor, "*window channel"],
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
        self.windows = windows
        self.field_std = field_std.view(-1, field_std.shape[-1], *axes).expand(len(windows), -1, *axes)
        self.low, self.high = low.view(-1, *axes), high.view(-1, *axes)
        self.batch_size, self.noise, self.overflow_weight, self.seed = (
            batch_size,
            noise,
            overflow_weight,
            seed,
        )

    def batch(self, step: int) -> Batch:
        """Return (windows, their units, context, number of the step); all of them without a batch size."""
        if self.batch_size is None:
            return self.windows, self.field_std, self.context, 0
        generator = step_generator(self.seed, "windows", step)
        chosen = torch.randperm(self.windows.shape[0], generator=generator)[: self.batch_size]
        told = {name: value[chosen] for name, value in self.context.items()}
        return self.windows[chosen], self.field_std[chosen], told, step

    def residuals(self, parameters: Mapping[str, Tensor], batch: Batch) -> Tensor:
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

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean squared error over the predicted frames plus the penalty."""
        errors, penalty = self.roll(self.automaton, batch)
        return errors.square().mean() + penalty

    def roll(self, automaton: Trainable, batch: Batch) -> tuple[Tensor, Tensor]:
        """Roll a model out over the windows; return the scaled errors of all frames and the mean penalty."""
        windows, unit, context, step = batch
        generator = step_generator(self.seed, "noise", step)
        given = windows[:, : self.num_given]
        if self.noise:
            # drawn in float64 and rounded, so that the same seed means the same noise in every dtype
            drawn = torch.randn(given.shape, generator=generator, dtype=torch.float64).to(given)
            given = given + self.noise * unit[:, None] * drawn
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
            error = (automaton.codec.observe(state) - windows[:, frame]) / unit
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

    def forward(self, objective: RolloutMatching, batch: Batch) -> Tensor:
        """Return the errors as one vector."""
        return objective.roll(self.automaton, batch)[0].flatten()
