"""Whether a grown picture stays, whether an equilibrium lies beneath it, and how often it comes back."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.automaton import Automaton
from pdenca.core import BadInputError
from pdenca.equilibrium import perturbed_rollout, solve, stability_of
from pdenca.solvers import Grid
from pdenca.training import erase, step_generator

from .building import AttractorSettings, picture, relative_error


@dataclass(frozen=True)
class Growth:
    """How an automaton grows from its seed and stays.

    Arguments:
        steps_to_grow: first step with an error below the threshold; None: never.
        error: relative, after ``grown_after`` steps.
        held_error: relative, at the end of the long hold.
        largest_error: relative, from ``grown_after`` on.
        residual: ‖f(z) - z‖ / ‖f(z)‖ of one step at the end.
        state: at the end.
    """

    steps_to_grow: int | None
    error: float
    held_error: float
    largest_error: float
    residual: float
    state: Tensor


@torch.no_grad()
def grow(
    step: Callable[[Tensor], Tensor],
    start: Float[Tensor, "1 channel *space"],
    target: Float[Tensor, " observed *space"],
    *,
    threshold: float = 0.2,
    grown_after: int = 200,
    num_steps: int = 2000,
) -> Growth:
    """Roll out from the seed, far beyond what training saw.

    Arguments:
        step: one automaton step.
        start: the seed.
        target: the picture.
        threshold: relative error that counts as grown.
        grown_after: steps after which the picture should stand.
        num_steps: of the whole roll-out.
    """
    state, errors = start, []
    for _ in range(num_steps):
        state = step(state)
        errors.append(float(relative_error(state, target)))
    following = step(state)
    residual = float((following - state).norm() / following.norm())
    return Growth(
        next((number for number, error in enumerate(errors, 1) if error <= threshold), None),
        errors[min(grown_after, num_steps) - 1],
        errors[-1],
        max(errors[min(grown_after, num_steps) - 1 :]),
        residual if math.isfinite(residual) else math.inf,
        state,
    )


@dataclass(frozen=True)
class Rest:
    """The equilibrium next to where a roll-out ended.

    Arguments:
        found: whether a root was found within 1e-8, in float64.
        error: of the root, relative to the target.
        distance: of the root from the roll-out's end, relative.
        verdict: of ``stability_of``; "undecided" where there is no root.
        spectral_radius: of one step at the root; NaN where there is none.
        returned: whether a small push has halved by the end of another roll-out.
    """

    found: bool
    error: float
    distance: float
    verdict: str
    spectral_radius: float
    returned: bool


def rest_of(
    automaton: Automaton,
    state: Float[Tensor, "1 channel *space"],
    target: Float[Tensor, " observed *space"],
    grid: Grid,
    *,
    push_steps: int = 2000,
) -> Rest:
    """Search for the equilibrium next to a state and judge it; the automaton is left in float32.

    Arguments:
        automaton: the model.
        state: where a roll-out ended.
        target: the picture.
        grid: the domain.
        push_steps: of the roll-out after a small push.
    """
    automaton.double()
    try:
        step, state = automaton.bind(grid, {}, num_steps=1), state.double()
        found = solve(step, state, method="newton-krylov", tolerance=1e-8, max_evaluations=20)
        if not bool(found.converged):
            return Rest(False, math.nan, math.nan, "undecided", math.nan, False)
        (verdict,) = stability_of(step, found.state)
        pushed = perturbed_rollout(
            step, found.state, num_steps=push_steps, generator=torch.Generator().manual_seed(0)
        )
        return Rest(
            True,
            float(relative_error(found.state, target.double())),
            float((found.state - state).norm() / state.norm()),
            verdict.verdict,
            verdict.spectral_radius,
            bool(pushed.returned),
        )
    finally:
        automaton.float()


@torch.no_grad()
def return_probability(
    step: Callable[[Tensor], Tensor],
    state: Float[Tensor, "1 channel *space"],
    damage: Callable[[Tensor], Tensor],
    is_back: Callable[[Tensor], Tensor],
    *,
    num_trials: int = 20,
    num_steps: int = 150,
) -> tuple[float, float]:
    """Damage a state many times and count how often the roll-out comes back.

    The estimate is p = (trials that are back) / n, its standard error √(p (1 - p) / n), which is 0 where all
    trials agree: then n says how much that means.

    Arguments:
        step: one automaton step.
        state: what is damaged.
        damage: copies of the state -> damaged states.
        is_back: states -> a truth value for each.
        num_trials: n.
        num_steps: of the roll-out after the damage.

    Returns:
        p and its standard error.

    Raises:
        BadInputError: for no trials.

    Source: basin stability, Menck et al., Nature Physics 9 (2013) 89.
    """
    if num_trials < 1:
        raise BadInputError(f"a probability needs at least one trial, got {num_trials}")
    states = damage(state.expand(num_trials, *state.shape[1:]))
    for _ in range(num_steps):
        states = step(states)
    share = float(is_back(states).double().mean())
    return share, math.sqrt(share * (1 - share) / num_trials)


def return_probabilities(
    automaton: Automaton,
    settings: AttractorSettings,
    state: Float[Tensor, "1 channel row column"],
    *,
    shares: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
    kind: str = "disc",
    threshold: float = 0.2,
    num_trials: int = 20,
    num_steps: int = 150,
    seed: int = 0,
) -> dict[float, tuple[float, float]]:
    """Return p and its standard error for every damaged share of the torus.

    Back means that the picture stands again, relative error at most ``threshold``: a rule whose rest state is
    not the picture never comes back. "noise" adds white noise to every cell and channel, ``share`` being its
    standard deviation; other kinds are those of :func:`~pdenca.training.erase`.

    Arguments:
        automaton: the model.
        settings: of picture and grid.
        state: what is damaged.
        shares: of the cells; standard deviations (unit of the state) of "noise".
        kind: "disc", "scattered" or "noise".
        threshold: relative error that counts as back.
        num_trials, num_steps: as for :func:`return_probability`.
        seed: of the damage.
    """
    step, target = (
        automaton.bind(settings.grid, {}, num_steps=1),
        picture(settings.target, settings.num_cells),
    )
    found = {}
    for share in shares:
        generator = step_generator(seed, kind, f"{share:g}")

        def damage(states: Tensor, share: float = share, generator: torch.Generator = generator) -> Tensor:
            if kind == "noise":
                return states + share * torch.randn(states.shape, generator=generator)
            return erase(states, share, settings.grid, generator, kind)

        found[share] = return_probability(
            step,
            state,
            damage,
            lambda states: relative_error(states, target) <= threshold,
            num_trials=num_trials,
            num_steps=num_steps,
        )
    return found
