"""What shapes an emulator: the model, its training stages, the seed. Read from TOML, saved in every run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import pydantic

from pdenca.baselines.networks import NetworkSettings
from pdenca.core import Settings

from .experiment_files import read_experiment
from .model_settings import ModelSettings
from .stage_settings import StageSettings

NUM_GIVEN: Final = 4
"""Frames given before the first prediction, in validation as in evaluation."""
WINDOWS: Final = ((1, 1), (6, 12), (13, 30))
"""Predicted frames by which models are chosen unless they are told others."""


class EmulationSettings(Settings):
    """All that decides a training run, apart from the data.

    Arguments:
        model: the automaton.
        network: a network that predicts whole frames, instead of an automaton.
        stages: what to do, in order.
        seed: of initial weights, windows, noise and masks.
        validation: by what the best model is chosen: its ``rollout`` error, or that of its ``equilibrium``:
            where it takes the last frame of every validation trajectory.
        validation_frames: frames rolled out on every validation trajectory.
        validation_given: frames given before them.
        validation_interval: time between these frames, a multiple of that of the data; None: the same. With
            one for all, models from data of other intervals are chosen by the same frames.
        validation_windows: first and last predicted frame over which errors are pooled; those that reach
            beyond the frames do not count.
        train_trajectories: use only the first so many trajectories of every training file; None: all. Scales
            are measured on all of them in any case.
        max_seconds: time budget of training; a run that has spent it ends with its best model so far, and
            may be resumed with a larger one. None: no limit.
        dtype: floating point type of training.
    """

    model: ModelSettings = ModelSettings()
    network: NetworkSettings | None = None
    stages: tuple[StageSettings, ...]
    seed: int = pydantic.Field(default=0, ge=0)
    validation: Literal["rollout", "equilibrium"] = "rollout"
    validation_frames: pydantic.PositiveInt = 30
    validation_given: pydantic.PositiveInt = NUM_GIVEN
    validation_interval: float | None = pydantic.Field(default=None, gt=0)
    validation_windows: tuple[tuple[pydantic.PositiveInt, pydantic.PositiveInt], ...] = WINDOWS
    train_trajectories: pydantic.PositiveInt | None = None
    max_seconds: float | None = pydantic.Field(default=None, gt=0)
    dtype: Literal["float32", "float64"] = "float64"

    @pydantic.model_validator(mode="after")
    def _one_kind(self) -> "EmulationSettings":
        if self.network is None:
            return self
        if self.model != ModelSettings():
            raise ValueError("a run trains an automaton or a network; usual cure: leave out [model]")
        for stage in self.stages:
            if (stage.objective, stage.fitter) != ("rollout", "first-order"):
                raise ValueError(
                    f"a network is trained by the objective rollout and the fitter first-order, got "
                    f"{stage.objective} and {stage.fitter}"
                )
        return self

    @pydantic.model_validator(mode="after")
    def _no_idle_validation(self) -> "EmulationSettings":
        for name in ("validation_given", "validation_interval", "validation_windows"):
            told = getattr(self, name) != type(self).model_fields[name].default
            if told and self.validation == "equilibrium":
                raise ValueError(f"{name} plays no role in the validation of equilibria; leave it out")
        if any(first > last for first, last in self.validation_windows):
            raise ValueError("a window ends before it begins; expected (first, last) predicted frame")
        return self

    @pydantic.field_validator("stages")
    @classmethod
    def _some_stage(cls, stages: tuple[StageSettings, ...]) -> tuple[StageSettings, ...]:
        if not stages:
            raise ValueError("a training run needs at least one stage")
        return stages


_FOLDER = Path(__file__).parent.parent / "experiments"

EXPERIMENTS: Final[dict[str, Path]] = {
    "mlp": _FOLDER / "mlp.toml",
    "mlp-far": _FOLDER / "mlp-far.toml",
    "polynomial": _FOLDER / "polynomial.toml",
    "founding-paper": _FOLDER / "founding-paper.toml",
    "founding-study": _FOLDER / "founding-study.toml",
    "steady": _FOLDER / "steady.toml",
    "cnn": _FOLDER / "cnn.toml",
    "unet": _FOLDER / "unet.toml",
    "fno": _FOLDER / "fno.toml",
    "tfno": _FOLDER / "tfno.toml",
    "unet-well": _FOLDER / "unet-well.toml",
    "cnextunet-well": _FOLDER / "cnextunet-well.toml",
    "fno-well": _FOLDER / "fno-well.toml",
    "tfno-well": _FOLDER / "tfno-well.toml",
    "fno-pdebench": _FOLDER / "fno-pdebench.toml",
    "unet-pdebench": _FOLDER / "unet-pdebench.toml",
}


def load_experiment(
    name_or_path: str | Path, overrides: Mapping[str, Any] | None = None
) -> EmulationSettings:
    """Read the settings of an emulator: see :func:`~pdenca.tasks.experiment_files.read_experiment`."""
    return EmulationSettings.parse(read_experiment(EXPERIMENTS, name_or_path, overrides))
