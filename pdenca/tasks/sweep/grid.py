"""What every sweep is told: the axes of its grid, what all its runs share, and what is drawn."""

import difflib
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, Literal

import pydantic

from pdenca.core import Settings
from pdenca.evaluation import ALL_REGIMES, METRICS

EXPERIMENT, DATA, REGIMES = "experiment", "data", "regimes"
COLUMNS: Final = (
    ("run",),
    (
        *("seed", "model", "data", "scored_on", "regimes"),
        *("split", "regime", "metric", "window", "value", "low", "high"),
        *("status", "reason", "training_seconds", "num_parameters"),
    ),
)
"""Columns of the table before those of the axes, and after them."""


def value_in_words(value: object) -> str:
    """Return a value of an axis as the table and the names of runs have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "+".join(map(value_in_words, value))
    return str(value)


def places_of(table: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return dotted place -> value of settings that may stand in tables within tables."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            found |= places_of(value, f"{above}{name}.")
        else:
            found[f"{above}{name}"] = value
    return found


def known_name(what: str, name: str, known: Iterable[str]) -> str:
    """Return a name that is known.

    Raises:
        ValueError: if it is not; the nearest is named.
    """
    names = list(known)
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"unknown {what} {name!r}: {hint}expected one of {', '.join(names) or '(none)'}")


class Axis(Settings):
    """One axis of the grid: a column of the table, and what changes along it.

    Arguments:
        name: of the column.
        place: the setting that changes, e.g. ``model.radius`` or ``stages.0.noise``, or several that take the
            same value; beside those of an experiment ``experiment`` and ``data``, for emulators ``regimes``.
        values: that it takes.
        bundles: instead of both, name -> settings that belong together, by their places.
    """

    name: str = pydantic.Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")
    place: str | tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    bundles: Mapping[str, Mapping[str, Any]] = {}

    @property
    def choices(self) -> dict[str, dict[str, Any]]:
        """Value in words -> place -> what it is set to."""
        if self.bundles:
            return {name: places_of(bundle) for name, bundle in self.bundles.items()}
        places = (self.place,) if isinstance(self.place, str) else self.place
        return {value_in_words(value): dict.fromkeys(places, value) for value in self.values}

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "Axis":
        if bool(self.bundles) == bool(self.place or self.values):
            raise ValueError(f"axis {self.name!r} needs a place with values, or bundles, and not both")
        if not self.bundles and not (self.place and self.values):
            raise ValueError(f"axis {self.name!r} has no {'values' if self.place else 'place'}")
        if any(isinstance(value, Mapping) for value in self.values):
            raise ValueError(
                f"axis {self.name!r} has a table among its values; usual cure: bundles = {{name = {{...}}}}"
            )
        texts = [value_in_words(value) for value in self.values] or list(self.bundles)
        if "" in texts:
            raise ValueError(f"axis {self.name!r} has an empty value, which no column could tell from none")
        twice = [text for number, text in enumerate(texts) if text in texts[:number]]
        if twice:
            raise ValueError(f"axis {self.name!r} has the value {twice[0]} twice")
        if self.name in (*COLUMNS[0], *COLUMNS[1]):
            raise ValueError(f"axis {self.name!r} has the name of another column; usual cure: another name")
        for text, places in self.choices.items():
            if "seed" in places:
                raise ValueError(f"axis {self.name!r} sets the seed in {text!r}; usual cure: seeds = [0, 1]")
        return self


class FigureSettings(Settings):
    """What is drawn of the table.

    Arguments:
        metrics: a figure of each.
        window: predicted frames, e.g. "6:12"; None: the usual one if it was scored, else the first.
        regime: "all" for all pooled.
        across: the axis that is drawn horizontally; None: the first whose values are numbers, or else the
            first.
        format: of the files.

    Attributes:
        KNOWN: metrics that there are.
        USUAL: window that is drawn if nothing else is asked for.
    """

    KNOWN: ClassVar[tuple[str, ...]] = tuple(METRICS)
    USUAL: ClassVar[str] = "6:12"

    metrics: tuple[str, ...] = ("pooled_vrmse",)
    window: str | None = None
    regime: str = ALL_REGIMES
    across: str | None = None
    format: Literal["png", "pdf", "svg"] = "png"

    @pydantic.field_validator("metrics")
    @classmethod
    def _known(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        if not metrics:
            raise ValueError(f"there is no metric to draw; usual cure: metrics = [{cls.KNOWN[0]!r}]")
        return tuple(known_name("metric", name, cls.KNOWN) for name in metrics)


class GridSettings(Settings):
    """A grid of trainings of any kind: every combination of the axes' values, with every seed.

    Arguments:
        task: what is trained.
        experiment: name or TOML file, as the command takes it that trains one.
        data: to train on, relative to where the command is run.
        seeds: of initial weights, windows, noise and masks.
        settings: dotted place -> value, for all runs; where an axis says otherwise, the axis counts.
        axes: of the grid.
        exclude: combinations that are left out, as axis -> value; all that have these values.
        figures: what is drawn of the table.
    """

    task: str
    experiment: str
    data: str
    seeds: tuple[pydantic.NonNegativeInt, ...] = (0,)
    settings: Mapping[str, Any] = {}
    axes: tuple[Axis, ...] = ()
    exclude: tuple[Mapping[str, Any], ...] = ()
    figures: FigureSettings = FigureSettings()

    @abstractmethod
    def load(self, experiment: str, overrides: Mapping[str, Any]) -> Settings:
        """Read the settings of one training.

        Arguments:
            experiment: name or TOML file.
            overrides: dotted place -> value.

        Raises:
            BadInputError: for an unknown experiment or setting, or a bad value.
        """

    @property
    def own_places(self) -> dict[str, Any]:
        """What an axis may set that is no setting of a training."""
        return {EXPERIMENT: self.experiment, DATA: self.data}

    @property
    def places(self) -> dict[str, Any]:
        """Dotted place -> value, for all runs."""
        return places_of(self.settings)

    @pydantic.field_validator("seeds")
    @classmethod
    def _some_seed(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds or len(set(seeds)) < len(seeds):
            raise ValueError("name at least one seed, each once")
        return seeds

    @pydantic.model_validator(mode="after")
    def _no_own_place(self) -> "GridSettings":
        for name, cure in {"seed": "seeds", **{key: key for key in self.own_places}}.items():
            if name in self.settings:
                raise ValueError(f"{name!r} is no setting of all runs; usual cure: {cure} = ... at the top")
        return self

    @pydantic.model_validator(mode="after")
    def _axes_apart(self) -> "GridSettings":
        names = [axis.name for axis in self.axes]
        setters: dict[str, str] = {}
        for axis in self.axes:
            if names.count(axis.name) > 1:
                raise ValueError(f"two axes are called {axis.name!r}")
            for place in {place: None for places in axis.choices.values() for place in places}:
                if setters.setdefault(place, axis.name) != axis.name:
                    raise ValueError(
                        f"the axes {setters[place]!r} and {axis.name!r} both set {place!r}; usual cure: one "
                        "axis with bundles"
                    )
        if self.figures.across is not None:
            known_name("axis", self.figures.across, names)
        return self

    @pydantic.model_validator(mode="after")
    def _something_excluded(self) -> "GridSettings":
        choices = {axis.name: axis.choices for axis in self.axes}
        for left_out in self.exclude:
            if not left_out:
                raise ValueError("exclude has an empty entry, which would leave out everything")
            for name, value in left_out.items():
                known_name("axis", name, choices)
                known_name(f"value of axis {name!r}", value_in_words(value), choices[name])
        return self
