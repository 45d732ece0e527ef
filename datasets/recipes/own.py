"""Any equation, yours included, from values given on the command line."""

from typing import Any, ClassVar, Final

import pydantic
import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.solvers import INITIAL_CONDITIONS, Equation, Grid, equation_class, preset_of

from ..recipe import Recipe, known_name
from ..shard import Shard, Split
from .pattern import Start, about


class EquationRecipe(Recipe):
    """One equation with one set of parameters: one file per split.

    What is not given is taken from the equation's preset, if it has one: parameters, start, grid and times.
    An equation of your own needs a frozen dataclass that is an ``Equation``, in a module that Python can
    import; with a preset it needs no other setting than its name, without one parameters (unless all have
    defaults) and a start.

    Arguments:
        equation_name: a key of ``EQUATIONS``, or "module:Class".
        preset: name of one of its presets; the first one by default. Its values are written into the
            settings, so a recipe can be made again even if the preset changes.
        parameters: constructor argument -> value; the others keep the equation's defaults.
        regime: name of this set of parameters in file names; by default the preset's, or "own".
        initial_condition: a key of ``INITIAL_CONDITIONS``.
        initial_options: its keyword arguments.

    See :class:`pdenca.datasets.Recipe` for the settings that all recipes share.
    """

    name: ClassVar[str] = "equation"
    card: ClassVar[str] = "pattern.md"
    available_splits: ClassVar[tuple[Split, ...]] = (
        "train",
        "valid",
        "test",
        "ood_domain",
        "ood_domain_4x",
        "ood_horizon",
        "ood_resolution_fine",
        "ood_resolution_coarse",
        "ood_bc",
    )

    equation_name: str = "gray-scott"
    preset: str | None = None
    parameters: dict[str, float | tuple[float, ...]] = pydantic.Field(default_factory=dict)
    regime: str = ""
    initial_condition: str = pydantic.Field("", validate_default=True)
    initial_options: dict[str, Any] = pydantic.Field(default_factory=dict)
    dataset_name: str = ""
    num_start_frames: int = pydantic.Field(0, ge=0)
    refine: pydantic.PositiveInt = 1

    @pydantic.model_validator(mode="before")
    @classmethod
    def _complete(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Fill in what the preset says; what is filled in already, as in a stored recipe, stays."""
        values = {name: value for name, value in given.items() if value not in (None, "")}
        equation = equation_class(values.setdefault("equation_name", "gray-scott"))
        values.setdefault("dataset_name", equation.name.replace("-", "_"))
        if not equation.presets and "preset" not in values:
            return {"regime": "own", **values}
        preset = preset_of(equation, values.get("preset"))
        name = next(name for name, other in equation.presets.items() if other is preset)
        own = values.get("parameters", {})
        filled = {
            "preset": name,
            "regime": "own" if own else name,
            "parameters": {**preset.parameters, **own},
            **{key: getattr(preset, key) for key in _FROM_PRESET},
        }
        if values.get("initial_condition", preset.initial_condition) == preset.initial_condition:
            filled["initial_options"] = dict(preset.initial_options)
        return {**filled, **values, "parameters": filled["parameters"]}

    @pydantic.field_validator("initial_options")
    @classmethod
    def _as_tuples(cls, options: dict[str, Any]) -> dict[str, Any]:
        """JSON and TOML have lists only."""
        return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}

    @pydantic.field_validator("initial_condition")
    @classmethod
    def _known_start(cls, name: str) -> str:
        if not name:
            raise ValueError(
                f"the equation has no preset to take a start from; expected one of "
                f"{', '.join(INITIAL_CONDITIONS)}"
            )
        return known_name(name, INITIAL_CONDITIONS)

    @pydantic.model_validator(mode="after")
    def _check_parameters(self) -> "EquationRecipe":
        self._equation()
        return self

    def shards(self) -> list[Shard]:
        """Return one file per split."""
        parameters = self._equation().parameters()
        numbers = {name: float(value) for name, value in parameters.items() if not isinstance(value, tuple)}
        return [
            Shard(
                split=split,
                regime=self.regime,
                parameters=numbers,
                initial_condition=self.initial_condition,
                grid=self.grid(split),
                num_trajectories=self.size(split)[1],
                num_frames=self.size(split)[2],
                seed=self.seed,
            )
            for split in self.splits
        ]

    def equation(self, shard: Shard) -> Equation:
        """Return the equation."""
        return self._equation()

    def _equation(self) -> Equation:
        return equation_class(self.equation_name).from_parameters(self.parameters)

    def stored_equation(self, shard: Shard) -> str:
        """Return the name as given, which finds a class of one's own again."""
        return self.equation_name

    def initial_state(
        self, shard: Shard, grid: Grid, generator: torch.Generator
    ) -> Float[Tensor, "1 channel *space"]:
        """Draw an initial state."""
        start = Start(self.initial_condition, self.initial_options)
        number = shard.number_of(generator)
        return start.draw(self._equation(), shard.parameters, grid, generator, number)

    def card_values(self) -> dict[str, str]:
        """Return the parameters for the card."""
        equation = equation_class(self.equation_name)
        described = {name: preset.description for name, preset in equation.presets.items()}
        pattern = described.get(self.regime, "parameters of one's own")
        values = ", ".join(f"{name} {value}" for name, value in self.parameters.items()) or "the defaults"
        return {
            "about": about(equation),
            "constants": "",
            "parameters": f"| {self.regime} | {values}: {pattern} |",
            "unseen": "None.",
            "hard": "Not told: this recipe is for any equation.",
        }


_FROM_PRESET: Final = (
    "initial_condition",
    "num_cells",
    "spacing",
    "boundary",
    "num_frames",
    "frame_interval",
    "time_step",
    "num_dims",
)
