"""What shapes a rule for a series of images, and its training. Read from TOML, saved in every run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import pydantic

from pdenca.core import Settings
from pdenca.training.distances import DistanceSettings

from ..experiment_files import read_experiment
from ..runs import FitSettings


class ImageRuleSettings(Settings):
    """The parts of the rule.

    Arguments:
        num_hidden: channels beside those of the images.
        kernels: what a cell sees of every channel, some of ``identity``, ``average``, ``gradient``,
            ``gradient-norm`` and ``laplacian``; the last three also further away, as ``laplacian@2`` or
            ``laplacian@4``. Without ``gradient`` the rule looks the same turned and mirrored.
        num_units: of the rule's hidden layer.
        activation: of that layer.
        spread: standard deviation of its weights at the start.
        leak: share of its state that a cell forgets whenever it acts, which keeps what is held from
            drifting; 0: none.
        fire_rate: chance of a cell to act in a step; 1: all cells, always.
    """

    num_hidden: pydantic.NonNegativeInt = 12
    kernels: tuple[str, ...] = pydantic.Field(
        default=("identity", "laplacian", "laplacian@2", "gradient@4"), min_length=1
    )
    num_units: pydantic.PositiveInt = 80
    activation: Literal["tanh", "relu", "silu"] = "relu"
    spread: float = pydantic.Field(default=0.1, gt=0)
    leak: float = pydantic.Field(default=0.0, ge=0, le=1)
    fire_rate: float = pydantic.Field(default=1.0, gt=0, le=1)


class ImageSettings(FitSettings):
    """All that decides a training run, apart from the images.

    Arguments:
        rule: the rule.
        steps_per_interval: automaton steps of the shortest time between two frames; longer ones take as many
            more, rounded.
        hold_steps: the last frame is held for half as many to as many steps at a time, right after its time
            for up to half as many; 0: it is not held.
        num_copies: of every series, in the pool.
        batch_size: copies per training step; each brings all its transitions.
        distance: between what is found and what is wanted.
        arrival: chance that what has been held for long is replaced; the smaller, the older it is.
        reset: chance of a state, but the held ones, to be put back to the truth.
        noise: standard deviation of noise on every start (units of the images).
        damaged: chance of a state that is held for long to lose a disc in a training step ...
        most_damage: ... of at most this share of what there is to see.
        overflow_weight: of the penalty on channels that leave the range of the images ...
        overflow_unit: ... as it is (``absolute``), or in units of the distance between the first two frames
            (``first-distance``), so that distances whose numbers are of other sizes, a norm or a mean square,
            leave the same weight to the penalty.
        num_steps: training steps.
        validate_every: training steps between validations.
        validated_hold: steps of holding in a validation.

    The others are those of :class:`~pdenca.tasks.runs.FitSettings`.
    """

    rule: ImageRuleSettings = ImageRuleSettings()
    steps_per_interval: pydantic.PositiveInt = 12
    hold_steps: pydantic.NonNegativeInt = 32
    num_copies: pydantic.PositiveInt = 8
    batch_size: pydantic.PositiveInt = 1
    distance: DistanceSettings = DistanceSettings(name="mean-squared")
    arrival: float = pydantic.Field(default=0.05, ge=0, le=1)
    reset: float = pydantic.Field(default=0.1, ge=0, le=1)
    noise: float = pydantic.Field(default=0.01, ge=0)
    damaged: float = pydantic.Field(default=0.5, ge=0, le=1)
    most_damage: float = pydantic.Field(default=0.4, ge=0, le=1)
    overflow_weight: float = pydantic.Field(default=0.01, ge=0)
    overflow_unit: Literal["absolute", "first-distance"] = "absolute"
    num_steps: pydantic.PositiveInt = 1500
    validate_every: pydantic.PositiveInt = 100
    validated_hold: pydantic.NonNegativeInt = 400
    optimizer: Literal["adam", "nadam", "adamw", "sgd", "soap"] = "soap"
    learning_rate: float = pydantic.Field(default=5e-3, gt=0)
    weight_decay: float = pydantic.Field(default=0.0, ge=0)
    schedule: Literal["constant", "cosine", "exponential", "one-cycle"] = "one-cycle"
    gradient: Literal["plain", "normalise", "clip"] = "normalise"


_FOLDER = Path(__file__).parent.parent.parent / "experiments" / "images"
EXPERIMENTS: Final[dict[str, Path]] = {name: _FOLDER / f"{name}.toml" for name in ("pictures", "growth")}


def load_image_experiment(
    name_or_path: str | Path, overrides: Mapping[str, Any] | None = None
) -> ImageSettings:
    """Read the settings of a rule for a series of images.

    Arguments:
        name_or_path: a key of :data:`EXPERIMENTS` or a TOML file.
        overrides: dotted place -> value, e.g. ``{"rule.num_hidden": 20}``; a text is read as TOML.

    Raises:
        BadInputError: for an unknown experiment or setting, or a bad value.
    """
    return ImageSettings.parse(read_experiment(EXPERIMENTS, name_or_path, overrides))
