"""Damage to what is held, and how often it comes back."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdenca.automaton import Automaton
from pdenca.core import BadInputError
from pdenca.training import erase, step_generator

from .series import Series

States = Float[Tensor, "trial channel *space"]
Hurt = Callable[[States, float, Series, torch.Generator], States]
"""(states, share of what is seen in the last frame, series, randomness) -> damaged states."""
TRIALS_AT_ONCE: Final = 20


def _erase(states: States, share: float, series: Series, generator: torch.Generator) -> States:
    """A disc is empty."""
    return erase(states, share, series.grid, generator, live=series.seen(-1))


def _hole(
    states: States, share: float, series: Series, generator: torch.Generator
) -> Bool[Tensor, "trial 1 *space"]:
    """Return the disc that :func:`_erase` would empty."""
    hole: Tensor = _erase(torch.ones_like(states[:, :1]), share, series, generator) == 0
    return hole


def _noise(states: States, share: float, series: Series, generator: torch.Generator) -> States:
    """Cells within a disc get random numbers of the size of the state there."""
    hole = _hole(states, share, series, generator)
    size = states.flatten(2).std(2).view(*states.shape[:2], *(1,) * series.grid.num_dims)
    drawn = torch.randn(states.shape, generator=generator, dtype=torch.float64).to(states)
    return torch.where(hole, size * drawn, states)


def _cut_and_paste(states: States, share: float, series: Series, generator: torch.Generator) -> States:
    """A disc shows what is half a lattice away."""
    hole = _hole(states, share, series, generator)
    shifts = tuple(cells // 2 for cells in series.grid.shape)
    away = states.roll(shifts, tuple(range(2, states.ndim)))
    return torch.where(hole, away, states)


def _flip(states: States, share: float, series: Series, generator: torch.Generator) -> States:
    """A disc shows its place in the mirror: along the axis that changes the wanted picture most.

    Many pictures look the same, or nearly so, in one of the mirrors, which would be no damage at all.
    """
    hole = _hole(states, share, series, generator)
    wanted = series.frames[0, -1]
    axes = range(-series.grid.num_dims, 0)
    axis = max(axes, key=lambda axis: float((wanted - wanted.flip(axis)).square().sum()))
    return torch.where(hole, states.flip(axis), states)


DAMAGES: Final[dict[str, Hurt]] = {
    "erase": _erase,
    "noise": _noise,
    "paste": _cut_and_paste,
    "flip": _flip,
}
"""Name -> what happens to the disc: it is emptied, drawn at random, or shows another place or its mirror."""


@dataclass(frozen=True, eq=False)
class Regrowth:
    """Trials of one damage.

    Arguments:
        damage: a key of :data:`DAMAGES`.
        share: of the cells where something is seen, in the disc.
        steps: after the damage, at which errors were looked at.
        errors: mean squared error over the box around the last frame, per trial and look.
        before: the same right before the damage, largest over the held states.
        hurt: the same right after it.
        threshold: error that counts as back.
    """

    damage: str
    share: float
    steps: tuple[int, ...]
    errors: Float[Tensor, "trial look"]
    before: float
    hurt: Float[Tensor, " trial"]
    threshold: float

    @property
    def back(self) -> float:
        """Share of the trials whose error is below the threshold at the end."""
        return float((self.errors[:, -1] < self.threshold).double().mean())

    def to_dict(self) -> dict[str, Any]:
        """Return its numbers, errors as medians over the trials."""
        told = asdict(self)
        return {name: told[name] for name in ("damage", "share", "steps", "before", "threshold")} | {
            "back": self.back,
            "trials": len(self.errors),
            "hurt": float(self.hurt.median()),
            "errors": self.errors.median(0).values.tolist(),
            "worst": float(self.errors[:, -1].max()),
        }


def random_ages(hold: int, count: int, seed: int) -> list[int]:
    """Draw times of damage: steps after the last frame's time, from 1 to ``hold``, all as likely."""
    drawn = torch.randint(1, hold + 1, (count,), generator=step_generator(seed, "ages"))
    return [int(age) for age in drawn]


@torch.no_grad()
def regrow(
    automaton: Automaton,
    series: Series,
    state: Float[Tensor, "held channel *space"],
    damage: str = "erase",
    share: float = 0.25,
    *,
    num_trials: int = 100,
    steps: tuple[int, ...] = (32, 64, 128, 256, 512),
    threshold: float = 3e-3,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Regrowth:
    """Damage a held state at many places, and look whether it shows the last frame again.

    Arguments:
        automaton: the rule.
        series: the frames; the last one of the first series is what should come back.
        state: one or several that are held, as of :func:`~pdenca.tasks.images.held_at`; trials take them in
            turn.
        damage: a key of :data:`DAMAGES`.
        share: of the cells where something is seen, that the disc holds at least.
        num_trials: places.
        steps: after the damage, at which to look, increasing.
        threshold: error that counts as back.
        seed: of places, noise and firing.
        progress: called with (trials done, all).

    Raises:
        BadInputError: for an unknown damage, no trials, or a share outside of 0 to 1.
    """
    if damage not in DAMAGES or num_trials < 1:
        raise BadInputError(
            f"expected a damage out of {', '.join(DAMAGES)} and one trial or more, got {damage!r} and "
            f"{num_trials}"
        )

    def errors_of(states: Tensor) -> Tensor:
        return series.error(automaton.codec.observe(states), -1)

    generator = torch.Generator().manual_seed(seed)
    hurt, found = [], []
    for begin in range(0, num_trials, TRIALS_AT_ONCE):
        count = min(TRIALS_AT_ONCE, num_trials - begin)
        states = state[torch.arange(begin, begin + count) % len(state)]
        states = DAMAGES[damage](states, share, series, generator)
        hurt.append(errors_of(states))
        looks, done = [], 0
        for after in steps:
            states = automaton.bind(series.grid, {}, generator, num_steps=after - done)(states)
            done = after
            looks.append(errors_of(states))
        found.append(torch.stack(looks, dim=1))
        if progress:
            progress(begin + count, num_trials)
    before = float(errors_of(state).max())  # a NaN is larger than any
    return Regrowth(damage, share, steps, torch.cat(found), before, torch.cat(hurt), threshold)
