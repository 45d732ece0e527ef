"""A series of frames in parallel: own states passed on, the last frame held and regrown."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pdenca.automaton import Automaton
from pdenca.core import BadInputError, Context, FormatError
from pdenca.solvers.grid import Grid

from ..distances import Distance, MeanSquared
from ..losses import overflow
from .base import step_generator
from .growth import erase

Batch = tuple[Int[Tensor, " entry"], int]
"""Entries of the pool, number of the training step."""


class SequenceMatching:
    """Pass through the frames of a series at their times, and hold the last one for ever.

        loss = mean over transitions m of d(observe(z_m'), y_(m+1)) + overflow_weight · overflow,
        z_m' = f^(t_m)(z_m),   m = 0 ... M - 1,   and of two holds, m = M and M + 1, against y_M.

    All transitions are trained at once. A pool has entries, each with one state per transition: the first is
    the true first frame, and z_(m+1) is what the automaton itself made of z_m when the entry was last used.
    Two states are held, a random number of steps at a time, lest they learn to be right only now and then:
    z_M has always just arrived, and z_(M+1) is what was made of z_M or, more often, of itself: it grows old.
    So neither the first moments of holding are missed nor the last, and both have to rest in the same place.
    Transitions are put back to the truth (hidden channels empty) now and then, and some of the old states
    lose a disc of cells, so that the last frame becomes what the rule returns to.

    Arguments:
        automaton: the model; it may be stochastic.
        frames: the series, with as many frames each.
        num_steps: automaton steps of every transition, frame to frame.
        context: of each series.
        grid: the domain.
        distance: between observed channels and frames; None: the mean squared error.
        num_copies: entries per series.
        batch_size: entries per training step; each brings all its transitions.
        hold_steps: the old state takes from half as many to as many steps, the one that has just arrived from
            one to half as many; 0: nothing is held.
        arrival: chance that the old state is replaced by the younger one; the smaller, the older it grows.
        reset: chance of every state of a used entry, but the held ones, to be put back to the truth.
        noise: standard deviation of noise added to what is observed of every start (units of the frames).
        damaged: chance of every old state of a training step to be damaged.
        most_damage: largest share of the live cells that a damage takes.
        live: of each series, the cells whose damage counts, such as those where there is something to see;
            None: all.
        overflow_weight: of the penalty on channels that leave [low, high], hidden ones too.
        low, high: that range.
        seed: of all that is random.

    Raises:
        BadInputError: for fewer than two frames, a wrong number of steps, or counts that do not fit.

    Source: Richardson et al., PLOS Comput. Biol. 20 (2024) e1011589, Fig. 2, for the transitions in parallel
    and the states passed on (there one trajectory of several is put back in every step, and the last frame is
    repeated in the data); damage: Mordvintsev et al., Distill (2020).
    """

    note: str = ""

    def __init__(
        self,
        automaton: Automaton,
        frames: Float[Tensor, "series time observed *space"],
        num_steps: Sequence[int],
        context: Context,
        grid: Grid,
        *,
        distance: Distance | None = None,
        num_copies: int = 4,
        batch_size: int = 2,
        hold_steps: int = 64,
        arrival: float = 0.05,
        reset: float = 0.1,
        noise: float = 0.0,
        damaged: float = 0.0,
        most_damage: float = 0.3,
        live: Bool[Tensor, " series *space"] | None = None,
        overflow_weight: float = 0.01,
        low: float = 0.0,
        high: float = 1.0,
        seed: int = 0,
    ) -> None:
        if frames.shape[1] < 2:
            raise BadInputError(f"a transition needs two frames, got series of {frames.shape[1]}")
        if len(num_steps) != frames.shape[1] - 1 or min(num_steps) < 1:
            raise BadInputError(
                f"{frames.shape[1]} frames have {frames.shape[1] - 1} transitions of at least one step each, "
                f"got {list(num_steps)}"
            )
        total = len(frames) * num_copies
        if not 1 <= batch_size <= total:
            raise BadInputError(f"the pool has {total} entries, got a batch_size of {batch_size}")
        if not 0 <= damaged <= 1 or (damaged and not hold_steps):
            raise BadInputError(
                f"damage comes by chance: expected damaged from 0 to 1, and 0 where nothing is held, "
                f"got damaged = {damaged:g} with hold_steps = {hold_steps}"
            )
        self.automaton, self.grid, self.seed = automaton, grid, seed
        self.distance = distance or MeanSquared()
        self.frames = frames.repeat_interleave(num_copies, dim=0)
        self.context = {name: value.repeat_interleave(num_copies, dim=0) for name, value in context.items()}
        self.num_steps, self.hold_steps = tuple(num_steps), hold_steps
        self.batch_size, self.arrival, self.reset = batch_size, arrival, reset
        self.noise, self.damaged, self.most_damage = noise, damaged, most_damage
        self.live = None if live is None else live.repeat_interleave(num_copies, dim=0)
        self.overflow_weight = overflow_weight
        self.range = frames.new_tensor([low]), frames.new_tensor([high])
        # slot k begins with the one and wants the next
        self.shown = [min(slot, len(num_steps)) for slot in range(self.num_slots + 1)]
        lifted = [automaton.codec.lift(self.frames[:, m : m + 1]) for m in self.shown[:-1]]
        self.truth = torch.stack(lifted, dim=1)
        self.pool = self.truth.clone()
        self._outputs: Tensor | None = None

    @property
    def num_slots(self) -> int:
        """States of every entry: one per transition, and the two that are held."""
        return len(self.num_steps) + (2 if self.hold_steps else 0)

    def batch(self, step: int) -> Batch:
        """Return the entries of this step and its number."""
        generator = step_generator(self.seed, "entries", step)
        return torch.randperm(len(self.pool), generator=generator)[: self.batch_size], step

    def starts(self, batch: Batch) -> Float[Tensor, "entry slot channel *space"]:
        """Return what the transitions begin from, with truth put back, damage and noise."""
        entries, step = batch
        generator = step_generator(self.seed, "starts", step)
        states, truth = self.pool[entries].clone(), self.truth[entries]
        again = torch.rand(states.shape[:2], generator=generator) < self.reset
        again[:, 0] = True
        again[:, len(self.num_steps) :] = False  # what is held for long has to grow old
        states[again] = truth[again]
        if self.damaged:
            hurt = torch.rand(len(states), generator=generator) < self.damaged
            shares = self.most_damage * torch.rand(int(hurt.sum()), generator=generator, dtype=torch.float64)
            for place, share in zip(hurt.nonzero()[:, 0].tolist(), shares.tolist(), strict=True):
                live = None if self.live is None else self.live[entries[place]]
                old = states[place : place + 1, -1]
                states[place : place + 1, -1] = erase(old, share, self.grid, generator, live=live)
        if self.noise:
            observed = self.frames.shape[2]
            drawn = torch.randn(states[:, :, :observed].shape, generator=generator, dtype=torch.float64)
            states[:, :, :observed] += self.noise * drawn.to(states)
        return states

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean distance over transitions and entries, plus the penalty."""
        entries, step = batch
        states = self.starts(batch)
        generator = step_generator(self.seed, "masks", step)
        durations = list(self.num_steps)
        if self.hold_steps:
            half = (self.hold_steps + 1) // 2
            for least, most in ((1, half), (half, self.hold_steps)):
                durations.append(int(torch.randint(least, most + 1, (1,), generator=generator)))
        wanted = self.frames[entries][:, self.shown[1:]]
        outputs = torch.empty_like(states)
        losses, penalties, weights = [], [], []
        for duration in sorted(set(durations)):
            slots = [slot for slot, count in enumerate(durations) if count == duration]
            ends, penalty = self._advance(states[:, slots], entries, duration, generator)
            outputs[:, slots] = ends.detach()
            observed = self.automaton.codec.observe(ends.flatten(0, 1))
            losses.append(self.distance(observed, wanted[:, slots].flatten(0, 1)).sum())
            penalties.append(penalty)
            weights.append(len(slots) / len(durations))
        self._outputs = outputs
        total = torch.stack(losses).sum() / (len(entries) * len(durations))
        return total + sum(weight * penalty for weight, penalty in zip(weights, penalties, strict=True))

    def _advance(
        self,
        states: Float[Tensor, "entry slot channel *space"],
        entries: Int[Tensor, " entry"],
        num_steps: int,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        count = states.shape[1]
        flat = states.flatten(0, 1)
        context = {name: value[entries].repeat_interleave(count, 0) for name, value in self.context.items()}
        masks = self.automaton.sample_masks(num_steps, len(flat), self.grid, generator, flat)
        seen: list[Tensor] = []

        def watch(current: Tensor) -> None:
            seen.append(overflow(current, *self.range))

        watched = watch if self.overflow_weight else None
        ends = self.automaton.advance(flat, context, self.grid, num_steps, masks, watched)
        penalty = self.overflow_weight * torch.stack(seen).mean() if seen else flat.new_zeros(())
        return ends.unflatten(0, (len(entries), count)), penalty

    def accept(self, batch: Batch) -> None:
        """Pass the ends on to the following transitions."""
        assert self._outputs is not None, "accept() follows loss()"
        entries, step = batch
        following = self.pool[entries].clone()
        following[:, 1:] = self._outputs[:, :-1]
        if self.hold_steps:
            generator = step_generator(self.seed, "arrival", step)
            stays = torch.rand(len(entries), generator=generator) >= self.arrival
            following[stays, -1] = self._outputs[stays, -1]
        self.pool[entries] = following

    def state(self) -> dict[str, Tensor]:
        """Return the pool."""
        return {"pool": self.pool}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Put the pool back.

        Raises:
            FormatError: for a pool of other states, as another version may have kept.
        """
        if state["pool"].shape != self.pool.shape:
            raise FormatError(
                f"the pool that was kept is {tuple(state['pool'].shape)}, expected {tuple(self.pool.shape)}; "
                "usual cure: train anew in another folder, or go on with the version that wrote it"
            )
        self.pool = state["pool"].clone()
