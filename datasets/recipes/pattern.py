"""What the recipes of all equations share: which parameters and which starts belong to which split."""

import inspect
from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pydantic
import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.solvers import INITIAL_CONDITIONS, Equation, Grid, equation_class
from pdenca.solvers.initial_conditions.blocks import DRAWINGS

from ..recipe import Recipe, known_name
from ..shard import SPLITS, Shard, Split

Point = Mapping[str, float]
"""One set of parameters, name -> value."""


@dataclass(frozen=True)
class Start:
    """A family of initial states.

    Arguments:
        name: a key of ``INITIAL_CONDITIONS``. If it has ``patterns``, trajectories show them in turn.
        options: its keyword arguments. Those that are parameters of the equation are filled in; so are
            ``means`` and ``outside``, with the equation's first homogeneous state.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def draw(
        self,
        equation: Equation,
        parameters: Point,
        grid: Grid,
        generator: torch.Generator,
        number: int = 0,
    ) -> Float[Tensor, "1 channel *space"]:
        """Draw one initial state.

        Arguments:
            equation: that is solved.
            parameters: of it.
            grid: where to sample.
            generator: of this trajectory.
            number: which trajectory of its file it is.

        Raises:
            BadInputError: for an unknown name, or options that do not fit.
        """
        if self.name not in INITIAL_CONDITIONS:
            raise BadInputError(
                f"initial condition {self.name!r} is unknown; expected one of {', '.join(INITIAL_CONDITIONS)}"
            )
        function = INITIAL_CONDITIONS[self.name]
        known = inspect.signature(function).parameters
        given: dict[str, Any] = {name: value for name, value in parameters.items() if name in known}
        for state in equation.homogeneous_states()[:1]:
            calm = tuple(float(value) for value in state)
            given |= {name: calm for name in ("means", "outside") if name in known}
        given |= self.options
        if "patterns" in known:
            patterns = tuple(given.get("patterns") or range(len(DRAWINGS)))
            given["patterns"] = (patterns[number % len(patterns)],)
        try:
            inspect.signature(function).bind(grid, generator, 1, **given)
        except TypeError as error:
            raise BadInputError(
                f"initial condition {self.name!r} cannot take the options {dict(self.options)}: {error}"
            ) from None
        return function(grid, generator, 1, **given)


class PatternRecipe(Recipe, ABC):
    """A recipe for one equation, told by plain values.

    ``train``, ``valid`` and ``test`` have one file per regime of :attr:`trained`, and so have the splits in
    which only the start, the domain, the resolution, the boundary or the horizon differ.
    ``ood_params_interp`` has one file per set of :attr:`interpolated`, ``ood_params_extrap`` one per set of
    :attr:`extrapolated`.

    Arguments:
        regimes: which of :attr:`trained`; None for all. The unseen parameters do not depend on it.

    See :class:`pdenca.datasets.Recipe` for the settings that all recipes share.
    """

    card: ClassVar[str] = "pattern.md"
    horizon_factor: ClassVar[int] = 10
    available_splits: ClassVar[tuple[Split, ...]] = tuple(name for name in SPLITS if name != "ood_params")

    equation_name: ClassVar[str]
    """A key of ``EQUATIONS``."""

    constants: ClassVar[Mapping[str, Any]] = {}
    """Constants of the equation that are the same in every file and not its defaults."""

    trained: ClassVar[Mapping[str, Point]]
    """Regime -> parameters to train on."""

    interpolated: ClassVar[tuple[Point, ...]] = ()
    """Unseen parameters in the convex hull of the trained ones."""

    extrapolated: ClassVar[tuple[Point, ...]] = ()
    """Unseen parameters outside of it."""

    start: ClassVar[Start]
    """How all trajectories start, but those of ``ood_ic``."""

    ood_start: ClassVar[Start]
    """How the trajectories of ``ood_ic`` start."""

    hard: ClassVar[str]
    """What is hard about these data, for the card."""

    regimes: tuple[str, ...] | None = None
    num_cells: int = pydantic.Field(128, ge=4)
    num_trajectories: pydantic.PositiveInt = 8
    num_valid_trajectories: pydantic.PositiveInt | None = 2
    num_test_trajectories: pydantic.PositiveInt | None = 4
    num_horizon_trajectories: pydantic.PositiveInt | None = 1
    num_params_trajectories: pydantic.PositiveInt | None = 2
    num_domain_trajectories: pydantic.PositiveInt = 1
    num_frames: int = pydantic.Field(101, ge=2)
    num_start_frames: int = pydantic.Field(0, ge=0)
    refine: pydantic.PositiveInt = 1

    @pydantic.field_validator("regimes")
    @classmethod
    def _known_regimes(cls, regimes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if regimes is None:
            return None
        for name in regimes:
            known_name(name, cls.trained)
        if not regimes or len(set(regimes)) < len(regimes):
            raise ValueError("name at least one regime, each once")
        return regimes

    def points(self, split: Split) -> dict[str, Point]:
        """Return the parameters of a split, regime -> parameters, one file each."""
        unseen = {"ood_params_interp": self.interpolated, "ood_params_extrap": self.extrapolated}
        if split in unseen:
            prefix = split.rpartition("_")[2]
            return {f"{prefix}-{number:02d}": point for number, point in enumerate(unseen[split], start=1)}
        chosen = self.regimes or tuple(self.trained)
        return {name: self.trained[name] for name in chosen}

    def shards(self) -> list[Shard]:
        """Return one file per split and set of parameters."""
        return [
            Shard(
                split=split,
                regime=regime,
                parameters=point,
                initial_condition=self.initial_condition(split),
                grid=self.grid(split),
                num_trajectories=self.size(split)[1],
                num_frames=self.size(split)[2],
                seed=self.seed,
            )
            for split in self.splits
            for regime, point in self.points(split).items()
        ]

    def start_of(self, split: Split) -> Start:
        """Return how the trajectories of a split start."""
        return self.ood_start if split == "ood_ic" else self.start

    def initial_condition(self, split: Split) -> str:
        """Return what a split's files say about their start."""
        return self.start_of(split).name

    def equation(self, shard: Shard) -> Equation:
        """Return the equation of one file."""
        return equation_class(self.equation_name).from_parameters({**self.constants, **shard.parameters})

    def initial_state(
        self, shard: Shard, grid: Grid, generator: torch.Generator
    ) -> Float[Tensor, "1 channel *space"]:
        """Draw an initial state of the split's family."""
        start, number = self.start_of(shard.split), shard.number_of(generator)
        return start.draw(self.equation(shard), shard.parameters, grid, generator, number)

    def card_values(self) -> dict[str, str]:
        """Return the tables of parameters and what is hard, for the card."""
        unseen = [
            f"| {name} | {_values(point)} |"
            for split in ("ood_params_interp", "ood_params_extrap")
            if split in self.splits
            for name, point in self.points(split).items()
        ]
        return {
            "about": about(equation_class(self.equation_name)),
            "constants": f"The same in all files: {_values(self.constants)}." if self.constants else "",
            "parameters": "\n".join(
                f"| {name} | {_values(point)} |" for name, point in self.points("train").items()
            ),
            "unseen": "\n".join(["| file | parameters |", "|---|---|", *unseen]) if unseen else "None.",
            "hard": self.hard,
        }


def about(equation: type[Equation]) -> str:
    """Return what the docstring of an equation tells before its arguments."""
    text = inspect.getdoc(equation) or equation.name
    return text.partition("\nArguments:")[0].strip()


def _values(point: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in point.items())


def _number(value: float | tuple[float, ...]) -> str:
    """Write a number, or one per axis."""
    return f"({', '.join(map(_number, value))})" if isinstance(value, tuple) else f"{value:g}"
