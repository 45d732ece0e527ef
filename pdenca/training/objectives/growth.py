"""Growth towards a target from a pool of the automaton's own states, some of them damaged."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pdenca.automaton import Automaton
from pdenca.core import BadInputError
from pdenca.solvers.grid import Grid

from .base import step_generator

Batch = tuple[Tensor, int, int]
"""Places in the pool, automaton steps to take, number of the training step."""

DAMAGES = ("disc", "scattered")


def erase(
    state: Float[Tensor, "batch channel *space"],
    share: float | Float[Tensor, " batch"],
    grid: Grid,
    generator: torch.Generator,
    kind: str = "disc",
    live: Bool[Tensor, "*space"] | None = None,
) -> Float[Tensor, "batch channel *space"]:
    """Set all channels of a share of the cells to zero.

    "disc": the round(share · cells) cells nearest to a random cell, the shorter way round where the grid is
    periodic, so that the share is exact whatever the place. "scattered": as many cells drawn one by one.

    Arguments:
        state: what to damage; not changed.
        share: of the grid's cells, from 0 to 1; one number, or one per sample.
        grid: the domain.
        generator: of the places.
        kind: "disc" or "scattered".
        live: cells that the share is of: a disc is centred on one of them and grows until it holds so many,
            with whatever lies between; scattered ones are drawn among them. None: all cells.

    Raises:
        BadInputError: for another kind, a share out of range, or no live cell.
    """
    shares = torch.as_tensor(share, dtype=torch.float64).expand(len(state))
    if kind not in DAMAGES or not bool(((shares >= 0) & (shares <= 1)).all()):
        raise BadInputError(
            f"expected a damage of {' or '.join(DAMAGES)} and shares from 0 to 1, got {kind!r} and "
            f"{shares.tolist()}"
        )
    alive = torch.ones(grid.shape, dtype=torch.bool) if live is None else live
    if not bool(alive.any()):
        raise BadInputError("no cell is live, so no share of them can be erased")
    counts = (shares * int(alive.sum())).round().long()
    if kind == "scattered":
        order = torch.rand(len(state), grid.num_cells, generator=generator, dtype=torch.float64)
        order[:, ~alive.flatten()] = torch.inf
    else:
        places = alive.nonzero()
        among = None if live is None else torch.randint(len(places), (len(state),), generator=generator)
        order = torch.zeros(len(state), *grid.shape, dtype=torch.float64)
        for axis, (cells, boundary) in enumerate(zip(grid.shape, grid.boundaries, strict=True)):
            if among is None:
                centres = torch.randint(cells, (len(state), 1), generator=generator)
            else:
                centres = places[among, axis, None]
            away = (torch.arange(cells) - centres).abs()
            if boundary == "periodic":
                away = torch.minimum(away, cells - away)
            others = [1] * len(grid.shape)
            others[axis] = cells
            order = order + away.double().square().view(len(state), *others)
        order = order.flatten(1)
    nearest = order.argsort(dim=1, stable=True)
    # the place in that order at which so many live cells have been met
    met = alive.flatten()[nearest].cumsum(1)
    reached = (met < counts[:, None]).sum(1) + (counts > 0)
    kept = (nearest.argsort(dim=1) >= reached[:, None]).view(len(state), 1, *grid.shape)
    return state * kept.to(state)


class PooledGrowth:
    """Make a target what the automaton's own states are led to, by unrolled training from a pool.

        loss = mean over samples of e(z_T),   e(z) = ‖observe(z) - target‖² / ‖target‖²,
        T uniform in ``num_steps``

    The pool starts as copies of the seed. In every step some states are drawn; the worst of them is replaced
    by the seed, lest growth be forgotten, and the best ``num_damaged`` lose a disc of cells. Where they end
    goes back into the pool: the target becomes what the rule returns to, not only what it passes through.

    The gradient runs through all T steps, and so does its memory. Nothing here asks that the states come to
    rest: an automaton trained so may well end in an oscillation about the target.

    Arguments:
        automaton: the model; it may be stochastic.
        target: observed channels (unit of the state).
        seed_state: what growth begins from, all channels.
        grid: the domain.
        num_steps: least and largest number of automaton steps.
        pool_size: states in the pool.
        batch_size: states per training step.
        num_damaged: how many of them are damaged.
        most_damage: largest share of the cells that a damage takes.
        seed: of batches and damage.

    Raises:
        BadInputError: for counts that do not fit, or a target that is zero everywhere.

    Source: Mordvintsev et al., Growing neural cellular automata (Distill 2020), experiments 2 and 3.
    """

    note: str = ""

    def __init__(
        self,
        automaton: Automaton,
        target: Float[Tensor, " observed *space"],
        seed_state: Float[Tensor, " channel *space"],
        grid: Grid,
        *,
        num_steps: tuple[int, int] = (32, 64),
        pool_size: int = 64,
        batch_size: int = 6,
        num_damaged: int = 2,
        most_damage: float = 0.3,
        seed: int = 0,
    ) -> None:
        if not 1 <= num_steps[0] <= num_steps[1]:
            raise BadInputError(f"expected 1 <= least <= largest number of steps, got {num_steps}")
        if not 1 + num_damaged <= batch_size <= pool_size or num_damaged < 0:
            raise BadInputError(
                "one sample of a batch is the seed and others are damaged, all drawn from the pool: expected "
                f"1 + num_damaged <= batch_size <= pool_size, got {num_damaged}, {batch_size} and {pool_size}"
            )
        if not bool(target.any()):
            raise BadInputError("errors are relative to the target, and this one is zero everywhere")
        self.automaton, self.target, self.seed_state, self.grid = automaton, target, seed_state, grid
        self.num_steps, self.batch_size, self.seed = num_steps, batch_size, seed
        self.num_damaged, self.most_damage = num_damaged, most_damage
        self.pool = seed_state.expand(pool_size, *seed_state.shape).clone()
        self._outputs: Tensor | None = None

    def batch(self, step: int) -> Batch:
        """Return (places in the pool, automaton steps, number of the step)."""
        generator = step_generator(self.seed, "pool", step)
        indices = torch.randperm(len(self.pool), generator=generator)[: self.batch_size]
        least, largest = self.num_steps
        return indices, int(torch.randint(least, largest + 1, (1,), generator=generator)), step

    def start(
        self, indices: Int[Tensor, " batch"], step: int
    ) -> tuple[Float[Tensor, "batch channel *space"], Int[Tensor, " batch"]]:
        """Return the states to begin from, seed and damage put in, and the places they belong to."""
        with torch.no_grad():
            # a state that is no longer finite is as bad as can be
            errors = self.errors(self.pool[indices]).nan_to_num(torch.inf, posinf=torch.inf)
            indices = indices[errors.argsort(dim=0, descending=True, stable=True)]
            states = self.pool[indices].clone()
            states[0] = self.seed_state
            if self.num_damaged:
                generator = step_generator(self.seed, "damage", step)
                shares = self.most_damage * torch.rand(
                    self.num_damaged, generator=generator, dtype=torch.float64
                )
                states[-self.num_damaged :] = erase(states[-self.num_damaged :], shares, self.grid, generator)
        return states, indices

    def errors(self, states: Float[Tensor, "batch channel *space"]) -> Float[Tensor, " batch"]:
        """Return ‖observe(z) - target‖² / ‖target‖² of every sample."""
        missing = self.automaton.codec.observe(states) - self.target
        return missing.square().flatten(1).sum(1) / self.target.square().sum()

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean relative squared error at the end of the unrolled steps."""
        indices, num_steps, step = batch
        states, order = self.start(indices, step)
        masks = self.automaton.sample_masks(
            num_steps, len(states), self.grid, step_generator(self.seed, "masks", step), states
        )
        ends = self.automaton.advance(states, {}, self.grid, num_steps, masks)
        self.keep(order, ends)
        return self.errors(ends).mean()

    def keep(self, indices: Int[Tensor, " batch"], ends: Float[Tensor, "batch channel *space"]) -> None:
        """Remember what goes into the pool if the step goes well."""
        self._outputs = torch.empty_like(ends).copy_(ends.detach())
        self._places = indices

    def accept(self, batch: Batch) -> None:
        """Put the ends into the pool."""
        assert self._outputs is not None, "accept() follows loss()"
        self.pool[self._places] = self._outputs

    def state(self) -> dict[str, Tensor]:
        """Return the pool."""
        return {"pool": self.pool}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Put the pool back."""
        self.pool = state["pool"].clone()
