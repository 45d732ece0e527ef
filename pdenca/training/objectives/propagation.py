"""Propagated pairs: the founding paper's scheme, with a pool of the automaton's own states."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.automaton import Automaton
from pdenca.automaton.pool import PropagationPool
from pdenca.core import Context
from pdenca.solvers.grid import Grid

from ..distances import Distance
from .advance import advance_frame
from .base import step_generator


class PropagatedPairs:
    """The founding paper's scheme: all consecutive pairs in parallel, own states passed on, truth put back.

        loss = mean over pairs of ‖prediction - truth‖₂ / √(values) + overflow_weight · overflow(states)

    with one normalised Euclidean norm per pair, or another distance of prediction and truth, and all
    channels, hidden ones too, penalised for leaving [0, 1] (here: the data's range). Whatever the distance,
    every field is counted in units of its ``field_std``, and nothing is subtracted: what was not negative
    stays so.

    Arguments:
        automaton: the model.
        frames: training trajectories.
        context: parameters of each trajectory.
        grid: the domain.
        field_std: training standard deviation of each field.
        low, high: the range that states should keep, one number each.
        batch_size: pairs per step.
        noise: standard deviation of noise added to the inputs, in units of ``field_std`` of each field.
        uniform_noise: ξ; all frames, given and wanted ones alike, are replaced once and for all by
            (1 - ξ) · frame + ξ · noise, uniform in [low, high].
        overflow_weight: weight of the penalty.
        distance: in place of the norm; None: the norm.
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
        uniform_noise: float = 0.0,
        overflow_weight: float = 0.01,
        distance: Distance | None = None,
        seed: int = 0,
    ) -> None:
        self.automaton, self.context, self.grid = automaton, context, grid
        if uniform_noise:
            drawn = torch.rand(frames.shape, generator=step_generator(seed, "uniform"), dtype=torch.float64)
            drawn = (low + (high - low) * drawn).to(frames)
            frames = (1 - uniform_noise) * frames + uniform_noise * drawn
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
        self.distance = distance
        self._outputs: Tensor | None = None

    def batch(self, step: int) -> tuple[Tensor, int]:
        """Return (pair indices, number of the step)."""
        generator = step_generator(self.seed, "pairs", step)
        return torch.randperm(len(self.pool), generator=generator)[: self.batch_size], step

    def loss(self, batch: tuple[Tensor, int]) -> Tensor:
        """Return the mean distance plus the penalty."""
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
        found = self.automaton.codec.observe(state)
        if self.distance is not None:
            return self.distance(found / self.field_std, target / self.field_std).mean() + penalty
        error = (found - target) / self.field_std
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
