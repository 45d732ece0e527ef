"""From a start to the equilibrium it tends to: in implicit steps, or by a roll-out that a solver ends."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, Protocol, runtime_checkable

import pydantic
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pdenca.core import BadInputError, Settings, Step
from pdenca.equilibrium import MapStability, NullModes, solve, stability_of
from pdenca.solvers import Grid
from pdenca.solvers.boundary import Periodic, boundary_from_name

# of the time that was rolled out: growth of the next stretch
_GROWTH: Final = 1.5
# least spatial standard deviation of a pattern, in units of the field's rms
_LEAST_CONTRAST: Final = 1e-3
# how the roll-out's way is followed, and once more, with more care, where that ends on a saddle
_FOLLOWING: Final[tuple[Mapping[str, int | float], ...]] = ({}, {"accuracy": 0.002, "forcing": 0.03})
_MOST_SADDLES: Final = 5  # that are left one after the other
_PUSH: Final = 0.01  # of the state's size


class SettleSettings(Settings):
    """How equilibria are looked for.

    Arguments:
        method: of :func:`pdenca.equilibrium.solve`. "pseudo-transient" follows the roll-out's way from the
            start on, in long implicit steps; the others finish a roll-out that has become slow; "picard" only
            rolls out.
        rate_tolerance: relative change per time, ‖f(z) - z‖ / ‖f(z)‖ / Δt, that counts as rest (1/time).
        solve_below: relative change per time below which the solver is tried (1/time); so late that the
            state is near the equilibrium which the roll-out itself would reach.
        first_time: rolled out before the first try (time).
        max_time: rolled out at most (time).
        max_evaluations: of one try of the solver; by default 200 of the one that follows the way, 15 of the
            others.
        patience: steps of the method that follows the way in which nothing slows down, before it leaves the
            rest to the roll-out, which is cheaper for what never rests. Patterns that spread before they
            settle, as spots that divide, need more.
        largest_move: a solution further away than this from where the solver began, relative to the state's
            size, is not taken for the one that the roll-out tends to.
        check_stability: whether the Jacobian's leading eigenvalues are found; else nothing is called stable.
    """

    method: Literal["picard", "anderson", "broyden", "newton-krylov", "pseudo-transient"] = "pseudo-transient"
    rate_tolerance: float = pydantic.Field(default=1e-8, gt=0)
    solve_below: float = pydantic.Field(default=3e-4, gt=0)
    first_time: float = pydantic.Field(default=50.0, gt=0)
    max_time: float = pydantic.Field(default=10_000.0, gt=0)
    max_evaluations: pydantic.PositiveInt | None = None
    patience: pydantic.PositiveInt = 25
    largest_move: float = pydantic.Field(default=0.3, gt=0)
    check_stability: bool = True


@runtime_checkable
class GridStep(Step, Protocol):
    """A Step on a grid that can be had for some trajectories alone; bound automata are."""

    @property
    def lattice(self) -> Grid:
        """The domain."""
        ...

    def select(self, trajectories: Int[Tensor, " chosen"]) -> "GridStep":
        """Return the Step of these trajectories."""
        ...


VERDICTS: Final = ("steady", "dead", "unstable", "undecided", "unsettled", "not finite")
"""What can become of a start:

- steady: a stable equilibrium with a pattern;
- dead: a homogeneous equilibrium that no pattern grows from;
- unstable: the roll-out rests in an equilibrium that small perturbations leave;
- undecided: an equilibrium whose stability is not told (or was not asked for);
- unsettled: no stable equilibrium was found from this start; the reason names an unstable one;
- not finite: the roll-out left the finite numbers.
"""


@dataclass(frozen=True, eq=False)
class Settled:
    """Where each start of a batch ended.

    Arguments:
        state: the equilibrium, or the last state rolled out to.
        verdicts: each one of :data:`VERDICTS`.
        reasons: in words.
        rates: relative change per time at ``state`` (1/time).
        evaluations: of the map, rolling out and solving together.
        products: of the Jacobian with vectors, while solving.
        times: rolled out (time).
        growth_rates: of the slowest perturbation (1/time); NaN where it was not found.
    """

    state: Float[Tensor, "batch channel *space"]
    verdicts: tuple[str, ...]
    reasons: tuple[str, ...]
    rates: Float[Tensor, " batch"]
    evaluations: Int[Tensor, " batch"]
    products: Int[Tensor, " batch"]
    times: Float[Tensor, " batch"]
    growth_rates: Float[Tensor, " batch"]

    @property
    def found(self) -> Bool[Tensor, " batch"]:
        """Whether there is an equilibrium, stable or not, with a pattern or without."""
        return torch.tensor([name in ("steady", "dead", "unstable", "undecided") for name in self.verdicts])


def translations(grid: Grid) -> NullModes | None:
    """Return the directions along which a pattern can be shifted: ∂z/∂x along every periodic axis.

    Central differences of second order do: they only have to tell these directions from others.

    Returns:
        state -> one direction per periodic axis; None without any.
    """
    axes = [
        axis for axis, name in enumerate(grid.boundaries) if isinstance(boundary_from_name(name), Periodic)
    ]
    if not axes:
        return None

    def modes(state: Tensor) -> list[Tensor]:
        return [(state.roll(-1, axis + 2) - state.roll(1, axis + 2)) / 2 for axis in axes]

    return modes


@torch.no_grad()
def settle(
    step: GridStep,
    start: Float[Tensor, "batch channel *space"],
    settings: SettleSettings | None = None,
    *,
    progress: Callable[[float], None] | None = None,
) -> Settled:
    """Find the equilibrium that each start tends to.

    By default the way of the roll-out is followed in implicit steps that grow as it slows down
    (:class:`~pdenca.equilibrium.PseudoTransient`), which takes a small part of the roll-out's evaluations. An
    unstable pattern on this way is left again along the mode that grows fastest.
    Where that does not end in a stable equilibrium, and with other methods, the state is rolled out in
    stretches that grow by half. After each one a solver is tried on those that move slowly enough. Its
    solution is taken if it lies near, and if it is stable; a roll-out does not end in an unstable one, so it
    goes on. Patterns are multistable, and a solver may jump: what is found is *an* equilibrium near the
    roll-out, which one may compare with the roll-out's own end.

    Along periodic axes every shifted pattern is one too: these directions are no instabilities. A pattern
    that never rests, such as a glider or a spiral, ends as "unsettled"; one that dies out as "dead".

    Arguments:
        step: the map, one application Δt long; deterministic.
        start: where to begin.
        settings: of the search.
        progress: called with the time rolled out.

    Raises:
        BadInputError: if the step draws random numbers.
    """
    settings = SettleSettings() if settings is None else settings
    if not step.deterministic:
        raise BadInputError("a stochastic automaton never comes to rest; usual cure: fire_rate = 1")
    search = _Search(step, start, settings)
    if settings.method == "pseudo-transient":
        search.follow()
    time, stretch = 0.0, settings.first_time
    while search.active.numel() and time < settings.max_time:
        stretch = min(stretch, settings.max_time - time)
        count = max(1, round(stretch / step.time_step))
        search.roll(count)
        time += count * step.time_step
        if progress:
            progress(time)
        search.judge(last=time >= settings.max_time)
        stretch = (_GROWTH - 1) * time
    return search.result()


def _fastest_growing(judged: MapStability) -> Tensor:
    """Return the mode that grows fastest, real, with a batch axis."""
    growing = [number for number, kind in enumerate(judged.kinds) if kind == "unstable"]
    return judged.eigenvectors[growing[:1]].real


class _Search:
    """Which trajectories are still looked for, and what is known of each."""

    def __init__(self, step: GridStep, start: Tensor, settings: SettleSettings) -> None:
        self.step, self.settings = step, settings
        self.state = start.clone()
        count = len(start)
        self.active = torch.arange(count)
        self.verdicts, self.reasons = ["unsettled"] * count, [""] * count
        self.rates, self.growth = (torch.full((count,), math.nan, dtype=torch.float64) for _ in range(2))
        self.evaluations, self.products = (torch.zeros(count, dtype=torch.int64) for _ in range(2))
        self.times = torch.zeros(count, dtype=torch.float64)
        self.saddles: dict[int, tuple[Tensor, Tensor]] = {}

    def follow(self) -> None:
        """Go the roll-out's way in implicit steps; what that does not settle is left where it started."""
        most, chosen = self.settings.max_evaluations or 200, self.active
        for options in _FOLLOWING:
            told = {"patience": self.settings.patience, **options}
            converged = self._solve(chosen, "pseudo-transient", most, math.inf, told)
            self._leave_saddles(most, told)
            for index in chosen[~converged].tolist():
                self.reasons[index] = ""  # the roll-out will tell
            # an equilibrium that is not the roll-out's end: once more from the start
            chosen = chosen[converged & torch.isin(chosen, self._unsettled())]
            if not chosen.numel():
                break
        self.active = self._unsettled()

    def _leave_saddles(self, max_evaluations: int, options: Mapping[str, int | float]) -> None:
        """Go on from unstable patterns, pushed along the mode that grows fastest, to the start's side."""
        for _ in range(_MOST_SADDLES):
            chosen = torch.tensor(sorted(self.saddles), dtype=torch.int64)
            if not chosen.numel():
                return
            ends, modes = (torch.cat(parts) for parts in zip(*self.saddles.values(), strict=True))
            self.saddles.clear()
            ways = (self.state[chosen] - ends).flatten(1)
            side = torch.where((ways * modes.flatten(1)).sum(1) < 0, -1.0, 1.0).to(ends)
            length = _PUSH * side * ends.flatten(1).norm(dim=1) / modes.flatten(1).norm(dim=1)
            pushed = ends + length.view(-1, *(1,) * (ends.ndim - 1)) * modes
            self._solve(chosen, "pseudo-transient", max_evaluations, math.inf, options, pushed)

    def roll(self, count: int) -> None:
        """Take ``count`` steps with those that are still looked for; measure how they move."""
        chosen = self.active
        bound, state = self.step.select(chosen), self.state[chosen]
        before = state
        for _ in range(count):
            before, state = state, bound(state)
        size = state.flatten(1).norm(dim=1).clamp_min(torch.finfo(state.dtype).tiny)
        self.rates[chosen] = ((state - before).flatten(1).norm(dim=1) / size / bound.time_step).double()
        self.state[chosen] = state
        self.evaluations[chosen] += count
        self.times[chosen] += count * bound.time_step

    def judge(self, last: bool) -> None:
        """Try to finish what moves slowly, and give up what is lost."""
        finite = self.state[self.active].flatten(1).isfinite().all(1)
        for index in self.active[~finite].tolist():
            self._end(index, "not finite", f"the roll-out is not finite at t = {float(self.times[index]):g}")
        chosen = self.active[finite]
        at_rest = self.rates[chosen] <= self.settings.rate_tolerance
        for index in chosen[at_rest].tolist():
            self._finish(index, self.state[index : index + 1], "the roll-out came to rest", resting=True)
        slow = chosen[~at_rest & (self.rates[chosen] < self.settings.solve_below)]
        if self.settings.method != "picard" and len(slow):
            follows = self.settings.method == "pseudo-transient"
            method = "newton-krylov" if follows else self.settings.method
            most = 15 if follows else self.settings.max_evaluations or 15
            self._solve(slow, method, most, self.settings.largest_move)
        for index in self.active.tolist():
            if last and not self.reasons[index]:
                self.reasons[index] = "it still moves"
        self.active = self._unsettled()

    def _unsettled(self) -> Tensor:
        left = [index for index, verdict in enumerate(self.verdicts) if verdict == "unsettled"]
        return torch.tensor(left, dtype=torch.int64)

    def _solve(
        self,
        chosen: Tensor,
        method: str,
        max_evaluations: int,
        largest_move: float,
        options: Mapping[str, int | float] = MappingProxyType({}),
        start: Tensor | None = None,
    ) -> Tensor:
        """Try to finish these, from where they are; return which were solved, whatever was made of that."""
        start = self.state[chosen] if start is None else start
        found = solve(
            self.step.select(chosen),
            start,
            method=method,
            tolerance=1.0,
            rate_tolerance=self.settings.rate_tolerance,
            max_evaluations=max_evaluations,
            **options,
        )
        self.evaluations[chosen] += found.evaluations
        self.products[chosen] += found.products
        moved = (found.state - start).flatten(1).norm(dim=1) / start.flatten(1).norm(dim=1)
        for place, index in enumerate(chosen.tolist()):
            if not found.converged[place]:
                self.reasons[index] = f"{method}: {found.reason[place]}"
            elif moved[place] > largest_move:
                self.reasons[index] = f"{method} went {float(moved[place]):.2g} of the state's size away"
            else:
                assert found.rates is not None
                how = f"{method} converged"
                if self._finish(index, found.state[place : place + 1], how, resting=False):
                    self.rates[index] = float(found.rates[place])
        return found.converged

    def _finish(self, index: int, state: Tensor, how: str, resting: bool) -> bool:
        """Judge an equilibrium; return whether the search ends with it.

        ``resting``: the roll-out itself is there, and rolling on would not lead away.
        """
        deviation = state - state.flatten(2).mean(2).view(*state.shape[:2], *(1,) * (state.ndim - 2))
        dead = bool(deviation.square().mean().sqrt() < _LEAST_CONTRAST * state.square().mean().sqrt())
        if dead and not self.settings.check_stability:
            return self._end(index, "dead", f"{how}, without a pattern", state)
        if not self.settings.check_stability:
            return self._end(index, "undecided", f"{how}; its stability was not asked for", state)
        (judged,) = stability_of(
            self.step.select(torch.tensor([index])),
            state,
            num_eigenvalues=4,
            null_modes=translations(self.step.lattice),
        )
        reason = f"{how}; {judged.reason}"
        if judged.verdict == "unstable" and not resting:
            self.reasons[index] = f"no stable equilibrium: {reason}"
            if not dead:  # where a homogeneous state leads, the start decides
                self.saddles[index] = state, _fastest_growing(judged).to(state)
            return False
        # a pattern may be about to grow from a homogeneous state
        if dead and judged.verdict != "unstable":
            return self._end(index, "dead", f"{how}, without a pattern", state)
        if judged.growth_rates is not None:
            growing = zip(judged.growth_rates.tolist(), judged.kinds, strict=True)
            self.growth[index] = max((rate for rate, kind in growing if kind != "neutral"), default=math.nan)
        verdict = {"stable": "steady", "unstable": "unstable"}.get(judged.verdict, "undecided")
        return self._end(index, verdict, reason, state)

    def _end(self, index: int, verdict: str, reason: str, state: Tensor | None = None) -> bool:
        if state is not None:
            self.state[index] = state[0]
        self.verdicts[index], self.reasons[index] = verdict, reason
        return True

    def result(self) -> Settled:
        """Return what was found."""
        return Settled(
            state=self.state,
            verdicts=tuple(self.verdicts),
            reasons=tuple(self.reasons),
            rates=self.rates,
            evaluations=self.evaluations,
            products=self.products,
            times=self.times,
            growth_rates=self.growth,
        )
