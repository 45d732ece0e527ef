"""Building attractors: automata that come to rest in a picture, two ways to train them, and their basins."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from pdenca.automaton import Automaton, FixedKernels, HiddenChannels, Increment, PointwiseMLP
from pdenca.core import BadInputError, Settings
from pdenca.equilibrium import EquilibriumSettings, perturbed_rollout, solve, stability_of
from pdenca.solvers import Grid
from pdenca.training import (
    AttractorMatching,
    FirstOrder,
    Objective,
    PooledGrowth,
    Stage,
    Training,
    TrainingProgress,
    erase,
    step_generator,
)
from pdenca.training.objectives.attractor import SEARCH

Mode = Literal["pool", "equilibrium", "implicit gradient", "from scratch"]
MODES: Final[tuple[Mode, ...]] = ("pool", "equilibrium", "implicit gradient", "from scratch")
# loose roots make the linear system of the exact gradient pointless to solve closely
IMPLICIT: Final = EquilibriumSettings(
    tolerance=1e-2, max_evaluations=16, backward_tolerance=1e-2, backward_products=16, backward_basis=16
)
TARGETS: Final = ("crescent", "ring")


class AttractorSettings(Settings):
    """How an automaton is made and trained to rest in a picture.

    Arguments:
        target: "crescent" or "ring".
        num_cells: along each side of a torus.
        num_hidden_channels: beside the one that is seen.
        num_hidden_units: of the rule.
        spread: of the rule's first layer at the start.
        num_steps: least and largest number of automaton steps of a training roll-out.
        batch_size, pool_size, num_damaged: of the pool.
        pool_training_steps: of mode "pool".
        warm_up_steps: unrolled training steps before those with equilibria.
        equilibrium_training_steps: of the modes with equilibria.
        learning_rate: at the start of unrolled training; it falls to zero like a cosine.
        equilibrium_learning_rate: at the start of the stage with equilibria, likewise.
        map_steps, attached_steps, rest_weight, jacobian_weight: of
            :class:`~pdenca.training.AttractorMatching`.
        validate_every: training steps.
        validate_at: automaton steps from the seed after which the error is measured.
    """

    target: Literal["crescent", "ring"] = "crescent"
    num_cells: int = Field(default=20, ge=8)
    num_hidden_channels: int = Field(default=7, ge=0)
    num_hidden_units: int = Field(default=40, ge=1)
    spread: float = Field(default=0.2, gt=0)
    num_steps: tuple[int, int] = (20, 40)
    batch_size: int = 5
    pool_size: int = 64
    num_damaged: int = 2
    pool_training_steps: int = Field(default=600, ge=1)
    warm_up_steps: int = Field(default=200, ge=1)
    equilibrium_training_steps: int = Field(default=250, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0)
    equilibrium_learning_rate: float = Field(default=1e-3, gt=0)
    map_steps: int = Field(default=4, ge=1)
    attached_steps: int = Field(default=20, ge=1)
    rest_weight: float = Field(default=10.0, ge=0)
    jacobian_weight: float = Field(default=0.0, ge=0)
    validate_every: int = Field(default=20, ge=1)
    validate_at: tuple[int, ...] = (50, 150, 300)

    @property
    def grid(self) -> Grid:
        """The torus, in units of a cell."""
        return Grid.uniform(self.num_cells, 1.0)


def picture(name: str, num_cells: int) -> Float[Tensor, "1 row column"]:
    """Draw a target with soft edges, values from 0 to 1, as wide as 14/24 of the torus.

    Arguments:
        name: "crescent" or "ring".
        num_cells: along each side.

    Raises:
        BadInputError: for another name.
    """
    if name not in TARGETS:
        raise BadInputError(f"picture {name!r} is unknown; expected one of {', '.join(TARGETS)}")
    unit = num_cells / 24
    places = torch.arange(num_cells) - num_cells // 2.0
    row, column = torch.meshgrid(places, places, indexing="ij")
    outer = torch.sigmoid(2 * (7 * unit - torch.hypot(row, column)))
    shift, radius = (3.5, 5.5) if name == "crescent" else (0.0, 4.0)
    inner = torch.sigmoid(2 * (radius * unit - torch.hypot(row, column - shift * unit)))
    return (outer * (1 - inner))[None]


def seed_state(settings: AttractorSettings) -> Float[Tensor, " channel row column"]:
    """Return the state that growth begins from: one cell with 1 in all channels."""
    cells, channels = settings.num_cells, 1 + settings.num_hidden_channels
    state = torch.zeros(channels, cells, cells)
    state[:, cells // 2, cells // 2] = 1
    return state


def build_automaton(settings: AttractorSettings, seed: int = 0) -> Automaton:
    """Return an automaton that does nothing yet, its first layer drawn with this seed."""
    channels = 1 + settings.num_hidden_channels
    perception = FixedKernels(channels, ("identity", "gradient", "laplacian"))
    rule = PointwiseMLP(
        perception.num_features,
        0,
        channels,
        settings.num_hidden_units,
        activation="relu",
        spread=settings.spread,
        generator=torch.Generator().manual_seed(seed),
    )
    return Automaton(perception, rule, Increment(), HiddenChannels(1, settings.num_hidden_channels))


def relative_error(
    state: Float[Tensor, "batch channel *space"], target: Float[Tensor, " observed *space"]
) -> Float[Tensor, " batch"]:
    """Return ‖observed - target‖ / ‖target‖ of every sample; infinite where a state is not finite."""
    missing = (state[:, : len(target)] - target).flatten(1).norm(dim=1)
    errors: Tensor = missing / target.norm()
    return errors.nan_to_num(torch.inf, posinf=torch.inf)


def objective_of(
    automaton: Automaton, settings: AttractorSettings, mode: str, seed: int = 0
) -> PooledGrowth | AttractorMatching:
    """Return the objective of "pool", or of the other modes."""
    shared: dict[str, Any] = {
        "num_steps": settings.num_steps,
        "batch_size": settings.batch_size,
        "pool_size": settings.pool_size,
        "num_damaged": settings.num_damaged,
        "seed": seed,
    }
    given = (automaton, picture(settings.target, settings.num_cells), seed_state(settings), settings.grid)
    if mode == "pool":
        return PooledGrowth(*given, **shared)
    return AttractorMatching(
        *given,
        settings=IMPLICIT if mode == "implicit gradient" else SEARCH,
        map_steps=settings.map_steps,
        attached_steps=settings.attached_steps,
        rest_weight=settings.rest_weight,
        jacobian_weight=settings.jacobian_weight,
        **shared,
    )


def train(
    settings: AttractorSettings,
    mode: str,
    folder: Path,
    *,
    seed: int = 0,
    resume: bool = False,
    progress: Callable[[TrainingProgress], None] | None = None,
) -> tuple[Automaton, Training[Automaton]]:
    """Train an automaton to rest in the picture; what validates best is kept.

    Validation is the mean relative error at several times after the seed, the last one far beyond what a
    training roll-out sees, so that what passes the picture and does not stay is no success.

    Arguments:
        settings: of automaton, data and training.
        mode: "pool": unrolled steps only. "equilibrium": a few of them, then equilibria, by the phantom
            gradient. "implicit gradient": the same by the exact one. "from scratch": as "equilibrium",
            without the unrolled steps before.
        folder: of the run.
        seed: of the first layer, batches and damage.
        resume: go on with the run in the folder.
        progress: called after every training step.

    Returns:
        The automaton and the training, whose rows and seconds tell how it went.

    Raises:
        BadInputError: for an unknown mode, and as :class:`~pdenca.training.Training`.
    """
    if mode not in MODES:
        raise BadInputError(f"mode {mode!r} is unknown; expected one of {', '.join(MODES)}")
    automaton = build_automaton(settings, seed)
    target, start, grid = picture(settings.target, settings.num_cells), seed_state(settings), settings.grid

    @torch.no_grad()
    def validate(model: Automaton) -> float:
        state, errors = start[None], []
        for before, now in itertools.pairwise((0, *settings.validate_at)):
            state = model.advance(state, {}, grid, now - before)
            errors.append(float(relative_error(state, target)))
        return sum(errors) / len(errors)

    def stage(name: str, kind: str, num_steps: int) -> Stage[Automaton]:
        def build(model: Automaton) -> tuple[Objective, FirstOrder]:
            fitter = FirstOrder(
                model,
                learning_rate=settings.learning_rate
                if kind == "pool"
                else settings.equilibrium_learning_rate,
                schedule="cosine",
                num_steps=num_steps,
                gradient="normalise",
            )
            return objective_of(model, settings, kind, seed), fitter

        return Stage(name, num_steps, build, settings.validate_every)

    stages = [stage("equilibrium", mode, settings.equilibrium_training_steps)]
    if mode == "pool":
        stages = [stage("pool", "pool", settings.pool_training_steps)]
    elif mode != "from scratch":
        stages.insert(0, stage("warm-up", "pool", settings.warm_up_steps))
    training = Training(automaton, stages, validate, folder, progress)
    training.run(resume)
    return automaton, training


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
