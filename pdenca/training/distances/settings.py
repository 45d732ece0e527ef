"""Distances by name, and the settings of one."""

import dataclasses
from typing import Any, Final

import pydantic

from pdenca.core import Settings

from .base import Distance
from .cell_by_cell import Euclidean, MeanSquared
from .distributions import Bhattacharyya, Hellinger
from .spectral import Spectral
from .texture import Texture
from .transport import Sinkhorn, SlicedWasserstein

DISTANCES: Final[dict[str, type[Distance]]] = {
    "euclidean": Euclidean,
    "mean-squared": MeanSquared,
    "spectral": Spectral,
    "hellinger": Hellinger,
    "bhattacharyya": Bhattacharyya,
    "sliced-wasserstein": SlicedWasserstein,
    "sinkhorn": Sinkhorn,
    "texture": Texture,
}


class DistanceSettings(Settings):
    """A distance between images, and its options; None: as the distance itself has it.

    Arguments:
        name: a key of :data:`DISTANCES`.
        euclidean_weight: weight of the Euclidean distance beside it (spectral, texture).
        floor: what is added to every value before it is made a share (hellinger, bhattacharyya, sinkhorn).
        negative: what happens to negative values, ``refuse`` or ``magnitude`` (the same).
        amplitude: whether amplitudes count, ``ignored``, ``factor`` or ``term`` (hellinger, bhattacharyya).
        num_projections: directions (sliced-wasserstein).
        position_weight: of a cell's place beside its colour (sliced-wasserstein).
        seed: of the directions (sliced-wasserstein).
        blur: width in which mass may spread, in cells (sinkhorn).
        tolerance, max_iterations: of the solution (sinkhorn).
        scales: of the filters, in cells (texture).
        num_orientations: of the filters (texture).
    """

    name: str
    euclidean_weight: float | None = None
    floor: float | None = None
    negative: str | None = None
    amplitude: str | None = None
    num_projections: int | None = None
    position_weight: float | None = None
    seed: int | None = None
    blur: float | None = None
    tolerance: float | None = None
    max_iterations: int | None = None
    scales: tuple[float, ...] | None = None
    num_orientations: int | None = None

    @pydantic.field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in DISTANCES:
            raise ValueError(f"there is no distance {name!r}; expected one of {', '.join(DISTANCES)}")
        return name

    @pydantic.model_validator(mode="after")
    def _no_idle_option(self) -> "DistanceSettings":
        own = {field.name for field in dataclasses.fields(DISTANCES[self.name])}
        for name in self._given():
            if name not in own:
                raise ValueError(f"{name} plays no role in the distance {self.name}; leave it out")
        self.build()  # which refuses values out of range
        return self

    def _given(self) -> dict[str, Any]:
        return {name: value for name, value in self if name != "name" and value is not None}

    def build(self) -> Distance:
        """Return the distance.

        Raises:
            BadInputError: for an option out of range.
        """
        return DISTANCES[self.name](**self._given())
