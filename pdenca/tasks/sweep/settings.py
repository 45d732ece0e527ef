"""What a sweep is told: its grid, and how the runs of its kind are scored."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import pydantic

from pdenca.automaton import Finer
from pdenca.core import BadInputError, Settings
from pdenca.evaluation import EvaluationSettings

from ..experiment_files import read_experiment
from ..images import ImageSettings, load_image_experiment
from ..settings import EmulationSettings, load_experiment
from .grid import REGIMES, FigureSettings, GridSettings


class SweepEvaluation(EvaluationSettings):
    """How runs are scored: the protocol of every evaluation, on some splits.

    Arguments:
        splits: stored or derived ones; None: all stored ones but train and valid.
        data: a dataset to score on; None: that which a run was trained on.
        max_trajectories: at most this many of each file; None: all.
        finer: how automata work on finer cells than they were trained on, as in `pdenca evaluate`.
        baselines: rows that stand beside each split, once.
        references: name -> a trained model that stands beside likewise: the folder of a run, or the name of a
            model that comes with the package.
    """

    splits: tuple[str, ...] | None = None
    data: str | None = None
    max_trajectories: pydantic.PositiveInt | None = None
    finer: Finer = "substeps"
    baselines: tuple[str, ...] = ("persistence",)
    references: Mapping[str, str] = {}

    @pydantic.model_validator(mode="after")
    def _names_apart(self) -> "SweepEvaluation":
        for name, place in self.references.items():
            if not name or not place:
                raise ValueError(f"the reference {name!r} = {place!r} needs a name and a run")
            if name in self.baselines:
                raise ValueError(f"{name!r} is a baseline; usual cure: another name of the reference")
        return self

    @pydantic.model_validator(mode="after")
    def _nothing_idle(self) -> "SweepEvaluation":
        if self.example_frames is not None:
            raise ValueError("a sweep keeps no example trajectories; usual cure: leave out example_frames")
        if self.splits is not None and not self.splits:
            raise ValueError("there is no split to score on; usual cure: splits = ['test']")
        return self

    @property
    def protocol(self) -> EvaluationSettings:
        """What :func:`pdenca.evaluation.evaluate` takes."""
        told = {name: getattr(self, name) for name in EvaluationSettings.model_fields}
        return EvaluationSettings.parse({**told, "example_frames": ()})


class SweepSettings(GridSettings):
    """A grid of emulators.

    Arguments:
        task: what is trained.
        data: the dataset's folder.
        regimes: train and score on these only; None: all.
        evaluate: how runs are scored.

    The others are those of :class:`~pdenca.tasks.sweep.grid.GridSettings`.
    """

    task: Literal["emulation"] = "emulation"
    regimes: tuple[str, ...] | None = None
    evaluate: SweepEvaluation = SweepEvaluation()

    def load(self, experiment: str, overrides: Mapping[str, Any]) -> EmulationSettings:
        """Read the settings of one training."""
        return load_experiment(experiment, overrides)

    @property
    def own_places(self) -> dict[str, Any]:
        """What an axis may set that is no setting of a training."""
        return {**super().own_places, REGIMES: self.regimes}


class ImageEvaluation(Settings):
    """How rules for series of images are scored: at the time of every frame, and while the last is held.

    Arguments:
        hold: steps after the last frame's time at which it is looked at.
        baselines: rows that stand beside, once: ``persistence``, the first frame for ever.
    """

    hold: tuple[pydantic.PositiveInt, ...] = (100, 1000)
    baselines: tuple[Literal["persistence"], ...] = ("persistence",)

    @pydantic.field_validator("hold")
    @classmethod
    def _later_and_later(cls, hold: tuple[int, ...]) -> tuple[int, ...]:
        if any(after <= before for before, after in itertools.pairwise(hold)):
            raise ValueError("name steps that increase, e.g. hold = [100, 1000]")
        return hold


class ImageFigureSettings(FigureSettings):
    """What is drawn of the table of rules for images.

    Windows are ``worst``, ``frame 1``, ``frame 2`` and so on, and ``held 100`` after so many steps of
    holding.

    Arguments:
        metrics: a figure of each.

    The others are those of :class:`~pdenca.tasks.sweep.grid.FigureSettings`.
    """

    KNOWN: ClassVar[tuple[str, ...]] = ("mean_squared_error",)
    USUAL: ClassVar[str] = "worst"

    metrics: tuple[str, ...] = KNOWN


class ImageSweepSettings(GridSettings):
    """A grid of rules for series of images.

    Arguments:
        task: what is trained.
        data: the file of the series.
        evaluate: how runs are scored.
        figures: what is drawn of the table.

    The others are those of :class:`~pdenca.tasks.sweep.grid.GridSettings`.
    """

    task: Literal["images"]
    evaluate: ImageEvaluation = ImageEvaluation()
    figures: ImageFigureSettings = ImageFigureSettings()

    def load(self, experiment: str, overrides: Mapping[str, Any]) -> ImageSettings:
        """Read the settings of one training."""
        return load_image_experiment(experiment, overrides)


_FOLDER = Path(__file__).parent.parent.parent / "experiments" / "sweeps"

SWEEPS: Final[dict[str, Path]] = {
    name: _FOLDER / f"{name}.toml"
    for name in (
        *("founding-paper-steps", "founding-paper-time-sampling"),
        *("founding-time-sampling", "founding-time-sampling-full", "founding-large"),
        *("founding-noise", "founding-pairs", "founding-losses", "founding-losses-full"),
        *("founding-activations", "founding-layers", "founding-channels", "founding-kernels"),
        *("founding-optimisers", "founding-learning-rates", "founding-learning-rates-full"),
        *("images-steps", "images-steps-full", "images-kernels", "images-noise", "images-distances"),
    )
}
TASKS: Final[dict[str, type[SweepSettings] | type[ImageSweepSettings]]] = {
    "emulation": SweepSettings,
    "images": ImageSweepSettings,
}


def load_sweep(name_or_path: str | Path) -> SweepSettings | ImageSweepSettings:
    """Read the settings of a sweep.

    Arguments:
        name_or_path: a key of ``SWEEPS``, or a TOML file.

    Raises:
        BadInputError: for a file that cannot be read, an unknown name (the nearest is named) or a value of
            the wrong kind.
    """
    told = read_experiment(SWEEPS, name_or_path)
    task = told.get("task", "emulation")
    if not isinstance(task, str) or task not in TASKS:
        raise BadInputError(f"setting 'task' got {task!r}: expected one of {', '.join(TASKS)}")
    return TASKS[task].parse(told)
