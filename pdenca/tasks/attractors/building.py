"""Pictures, automata that grow them from one cell, and the ways in which they are trained."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from pdenca.automaton import Automaton, FixedKernels, HiddenChannels, Increment, PointwiseMLP
from pdenca.core import BadInputError, Settings
from pdenca.equilibrium import EquilibriumSettings
from pdenca.solvers import Grid
from pdenca.training import (
    AttractorMatching,
    FirstOrder,
    Objective,
    PooledGrowth,
    Stage,
    Training,
    TrainingProgress,
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
