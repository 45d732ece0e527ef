"""Equilibrium matching: where an automaton comes to rest, compared with steady states in the data."""

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.automaton import Automaton
from pdenca.core import BadInputError, Context
from pdenca.equilibrium import (
    EquilibriumRecord,
    EquilibriumSettings,
    fixed_point,
    jacobian_penalty,
)
from pdenca.solvers.grid import Grid

from .base import Stateless, step_generator

Batch = tuple[Tensor, Tensor, Context, int]


class EquilibriumMatching(Stateless):
    """Move the equilibria of an automaton onto steady states of the data, with the implicit gradient.

        loss = mean over samples, channels, cells of ((z* - target) / field_std)²
               + jacobian_weight · ‖J‖²_F / n,     z* = f(z*),   f: ``map_steps`` automaton steps

    Many patterns are steady under the same parameters, so each search begins at the target: it finds the
    equilibrium next to it. The memory of a step does not depend on how long the search takes. Where a search
    fails, f(target) takes the place of z*, which pulls the rate at the target to zero; ``note`` says how
    often that was so.

    The slowest perturbations hardly decay in one step, which makes (I - J) of one step ill-conditioned. Over
    many steps it is not: search and gradient take tens of evaluations instead of hundreds.

    Arguments:
        automaton: the model; every cell fires in every step.
        targets: steady states.
        context: parameters of each.
        grid: the domain, without neutral directions: on an axis that is periodic a pattern has no place.
        field_std: standard deviation of each field.
        settings: of search and gradient; the tolerance should lie well below the error to be resolved.
        map_steps: automaton steps that make up f; the memory of the gradient grows with them.
        jacobian_weight: weight of the penalty on the Jacobian at z*.
        batch_size: samples per step; None: all of them in every step, as line searches need.
        seed: of batches and of the penalty's probes.

    Raises:
        BadInputError: for a stochastic automaton, which has no equilibrium.

    Source: Bai et al., Deep equilibrium models (NeurIPS 2019).
    """

    def __init__(
        self,
        automaton: Automaton,
        targets: Float[Tensor, "sample channel *space"],
        context: Context,
        grid: Grid,
        *,
        field_std: Float[Tensor, " channel"],
        settings: EquilibriumSettings | None = None,
        map_steps: int = 20,
        jacobian_weight: float = 0.0,
        batch_size: int | None = None,
        seed: int = 0,
    ) -> None:
        if not automaton.update.deterministic:
            raise BadInputError(
                f"an automaton with fire rate {automaton.update.fire_rate} never comes to rest; usual cure: "
                "fire_rate = 1"
            )
        self.automaton, self.grid, self.targets, self.context = automaton, grid, targets, context
        self.field_std = field_std.view(-1, *(1,) * grid.num_dims)
        self.settings = EquilibriumSettings() if settings is None else settings
        self.map_steps, self.jacobian_weight = map_steps, jacobian_weight
        self.batch_size, self.seed = batch_size, seed
        self.record = EquilibriumRecord()
        self.note = ""

    def batch(self, step: int) -> Batch:
        """Return (states to begin from, targets, context, number of the step)."""
        if self.batch_size is None:
            return self.automaton.codec.lift(self.targets[:, None]), self.targets, self.context, 0
        generator = step_generator(self.seed, "samples", step)
        chosen = torch.randperm(len(self.targets), generator=generator)[: self.batch_size]
        told = {name: value[chosen] for name, value in self.context.items()}
        targets = self.targets[chosen]
        return self.automaton.codec.lift(targets[:, None]), targets, told, step

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean squared error of the equilibria plus the penalty."""
        start, targets, context, step = batch
        bound = self.automaton.bind(self.grid, context, num_steps=self.map_steps)
        state = fixed_point(bound, start, self.settings, record=self.record)
        assert self.record.solution is not None
        missed = (~self.record.solution.converged).nonzero()[:, 0]
        self.note = f"{len(missed)} of {len(start)} equilibria not found" if len(missed) else ""
        if len(missed):
            state = state.index_copy(0, missed, bound.select(missed)(start[missed]))
        error = (self.automaton.codec.observe(state) - targets) / self.field_std
        loss = error.square().mean()
        if self.jacobian_weight:
            generator = step_generator(self.seed, "probes", step)
            loss = loss + self.jacobian_weight * jacobian_penalty(bound, state, generator=generator)
        return loss
