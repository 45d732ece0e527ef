"""What shapes a classifier of digits and its training. Read from TOML, saved in every run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import pydantic

from pdenca.core import Settings
from pdenca.datasets.digits import CLASSES, SIDE
from pdenca.equilibrium import EquilibriumSettings

from ..experiment_files import read_experiment
from ..runs import FitSettings


class NetworkSettings(Settings):
    """The parts of a classifier: encoder, what comes between, read-out.

    Arguments:
        kind: ``implicit``: a cell iterated to its equilibrium, differentiated there; ``unrolled``: the same
            cell, ``num_iterations`` times, with ordinary back-propagation; ``explicit``: ``num_layers``
            convolutions with weights of their own.
        num_channels: of what the encoder makes, and of everything after it.
        num_edges: channels of the first of the encoder's two convolutions, each of which halves the image;
            0: there is only one.
        edge_radius: reach of the first one's kernel (image cells).
        encoder_radius: reach of the last one's kernel (cells of its input).
        radius: reach of the kernels of cell or layers (cells of the encoded image).
        largest_norm: bound of the cell's convolution as an operator, below 1: it then is a contraction, and
            has one equilibrium for every image.
        equilibrium: search and gradient in training (implicit).
        tolerance: relative residual of the equilibrium at which digits are told apart, in validation and
            evaluation (implicit).
        num_iterations: of the unrolled cell.
        num_layers: of the explicit stack.
        num_places: the read-out tells so many places along each axis apart.
    """

    kind: Literal["implicit", "unrolled", "explicit"] = "implicit"
    num_channels: pydantic.PositiveInt = 28
    num_edges: int = pydantic.Field(default=16, ge=0)
    edge_radius: int = pydantic.Field(default=2, ge=1, le=6)
    encoder_radius: int = pydantic.Field(default=1, ge=1, le=6)
    radius: int = pydantic.Field(default=1, ge=1, le=3)
    largest_norm: float = pydantic.Field(default=0.9, gt=0, lt=1)
    equilibrium: EquilibriumSettings = EquilibriumSettings()
    tolerance: float = pydantic.Field(default=1e-4, gt=0)
    num_iterations: pydantic.PositiveInt = 10
    num_layers: pydantic.PositiveInt = 4
    num_places: int = pydantic.Field(default=3, ge=1, le=14)

    @property
    def side(self) -> int:
        """Cells along each side of what the encoder makes."""
        return SIDE // 4 if self.num_edges else SIDE // 2

    @pydantic.model_validator(mode="after")
    def _no_idle_option(self) -> "NetworkSettings":
        only = {
            "implicit": ("equilibrium", "tolerance"),
            "unrolled": ("num_iterations",),
            "explicit": ("num_layers",),
        }
        idle = {name for kind, names in only.items() if kind != self.kind for name in names}
        if self.kind == "explicit":
            idle |= {"largest_norm"}
        for name in sorted(idle):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} plays no role in the kind {self.kind!r}; leave it out")
        return self


class ClassifierSettings(FitSettings):
    """All that decides a training run, apart from the data.

    Arguments:
        network: the model.
        num_classes: that it tells apart; those of the digits it is trained on.
        num_valid: training digits held out; the model is chosen by its loss on them.
        num_epochs: passes through the digits that are not held out.
        label_smoothing: share of the target that is spread over all classes.
        shift: digits are moved by up to so much in training, anywhere (image cells).
        rotation: and turned by up to so much either way (degrees).
        scale: and stretched or shrunk by up to this share.

    The others are those of :class:`~pdenca.tasks.runs.FitSettings`.
    """

    network: NetworkSettings = NetworkSettings()
    num_classes: int = pydantic.Field(default=CLASSES, ge=2, le=256)
    num_valid: pydantic.PositiveInt = 5000
    num_epochs: pydantic.PositiveInt = 10
    label_smoothing: float = pydantic.Field(default=0.0, ge=0, lt=1)
    shift: float = pydantic.Field(default=0.0, ge=0, le=14)
    rotation: float = pydantic.Field(default=0.0, ge=0, le=180)
    scale: float = pydantic.Field(default=0.0, ge=0, lt=1)


_FOLDER = Path(__file__).parent.parent.parent / "experiments" / "digits"

EXPERIMENTS: Final[dict[str, Path]] = {
    "implicit": _FOLDER / "implicit.toml",
    "unrolled": _FOLDER / "unrolled.toml",
    "explicit": _FOLDER / "explicit.toml",
}


def load_digit_experiment(
    name_or_path: str | Path, overrides: Mapping[str, str] | None = None
) -> ClassifierSettings:
    """Read the settings of a classifier.

    Arguments:
        name_or_path: a key of :data:`EXPERIMENTS` or a TOML file.
        overrides: dotted place -> value as text, e.g. ``{"network.radius": "2"}``.

    Raises:
        BadInputError: for an unknown name, a file that cannot be read, an unknown place or a bad value.
    """
    return ClassifierSettings.parse(read_experiment(EXPERIMENTS, name_or_path, overrides))
