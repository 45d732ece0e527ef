"""Attractor matching: the equilibria that an automaton's own roll-outs lead to, moved onto a target."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.automaton import Automaton
from pdenca.core import BadInputError
from pdenca.equilibrium import EquilibriumRecord, EquilibriumSettings, fixed_point, jacobian_penalty
from pdenca.solvers.grid import Grid

from .base import step_generator
from .growth import Batch, PooledGrowth

SEARCH = EquilibriumSettings(tolerance=1e-2, max_evaluations=16, gradient="phantom", phantom_steps=4)
"""Loose: a gradient for training needs no more, and a basin that is not there yet costs little."""


class AttractorMatching(PooledGrowth):
    """Make a target the equilibrium that roll-outs from seed and damaged states lead to.

        loss = mean over samples of [ e(z*) + rollout_weight · e(z_T) where a root z* = f(z*) was found,
                                      e(z_T) elsewhere
                                      + rest_weight · ‖f(z_T) - z_T‖² / ‖z_T‖² ]
               + jacobian_weight · ‖J‖²_F / n,

    e as in :class:`PooledGrowth`, z_T the end of a roll-out of a random number of steps, of which only the
    last ``attached_steps`` are part of the graph; f is ``map_steps`` automaton steps. The search begins at
    z_T, and its gradient is the one that ``settings`` choose, so the memory depends neither on T nor on how
    long the search takes.

    "implicit" is exact at an exact root. The roots of a rule in training are met loosely, are often unstable
    and lie near bifurcations, where the exact gradient is dominated by the modes that hardly decay;
    "phantom", some steps unrolled from the root, leaves those out, and is the default for that reason.

    The gradient of e(z*) moves a root; it neither creates one nor makes one attract. Four things stand for
    that. The pool takes z_T, never z*, so that each search begins where the rule really leads. The end of the
    roll-out is pulled to the target too, beside the root where there is one and alone where there is none.
    That end is asked to be at rest: automata pass their target rather than stop there, and without this term
    hardly any search succeeds. And the penalty, if wanted, keeps perturbations from growing. ``note`` says
    how many searches failed.

    From weights that do nothing yet it is the pull on the roll-out's end that starts growth: the rest state
    of such a rule is homogeneous, and so is every change of it that its gradient offers. Begin with some
    unrolled training, as deep equilibrium models do.

    Arguments:
        automaton, target, seed_state, grid: as for :class:`PooledGrowth`; every cell fires in every step.
        settings: of search and gradient.
        map_steps: automaton steps that make up f.
        attached_steps: steps at the end of the roll-out that the gradient knows.
        rollout_weight: of the roll-out's end where a root was found.
        rest_weight: of the demand that the end of the roll-out be at rest.
        jacobian_weight: of the penalty, estimated at the roots found and at the ends of the other roll-outs.
        pool_options: what else :class:`PooledGrowth` takes.

    Raises:
        BadInputError: for a stochastic automaton, which has no equilibrium, and as :class:`PooledGrowth`.

    Source: Bai et al., Deep equilibrium models (NeurIPS 2019), with their pre-training by shallow unrolling;
    Jacobian penalty: Bai et al. (ICML 2021).
    """

    def __init__(
        self,
        automaton: Automaton,
        target: Float[Tensor, " observed *space"],
        seed_state: Float[Tensor, " channel *space"],
        grid: Grid,
        *,
        settings: EquilibriumSettings = SEARCH,
        map_steps: int = 4,
        attached_steps: int = 20,
        rollout_weight: float = 1.0,
        rest_weight: float = 10.0,
        jacobian_weight: float = 0.0,
        **pool_options: Any,  # noqa: ANN401  # checked by PooledGrowth
    ) -> None:
        if not automaton.update.deterministic:
            raise BadInputError(
                f"an automaton with fire rate {automaton.update.fire_rate} never comes to rest; usual cure: "
                "fire_rate = 1, or PooledGrowth"
            )
        super().__init__(automaton, target, seed_state, grid, **pool_options)
        self.settings, self.map_steps, self.attached_steps = settings, map_steps, attached_steps
        self.rollout_weight, self.rest_weight = rollout_weight, rest_weight
        self.jacobian_weight = jacobian_weight
        self.record = EquilibriumRecord()

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean relative squared error of roots and roll-outs, plus the penalty."""
        indices, num_steps, step = batch
        states, order = self.start(indices, step)
        free = max(0, num_steps - self.attached_steps)
        with torch.no_grad():
            states = self.automaton.advance(states, {}, self.grid, free)
        ends = self.automaton.advance(states, {}, self.grid, num_steps - free)
        self.keep(order, ends)
        bound = self.automaton.bind(self.grid, {}, num_steps=self.map_steps)
        roots = fixed_point(bound, ends.detach(), self.settings, record=self.record)
        assert self.record.solution is not None
        found = self.record.solution.converged
        missed = int((~found).sum())
        self.note = f"{missed} of {len(found)} equilibria not found" if missed else ""
        pulled = self.errors(ends)
        loss = torch.where(found, self.errors(roots) + self.rollout_weight * pulled, pulled).mean()
        if self.rest_weight:
            change = (bound(ends) - ends).square().flatten(1).sum(1)
            # the tiny number keeps the share of a state that died finite
            share = change / (ends.square().flatten(1).sum(1) + 1e-12)
            loss = loss + self.rest_weight * share.mean()
        if self.jacobian_weight:
            generator = step_generator(self.seed, "probes", step)
            where = torch.where(found.view(-1, *(1,) * (ends.ndim - 1)), roots, ends).detach()
            loss = loss + self.jacobian_weight * jacobian_penalty(bound, where, generator=generator)
        return loss
