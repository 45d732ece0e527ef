"""Brusselator patterns: hexagons and stripes beyond the Turing threshold."""

from collections.abc import Mapping
from typing import ClassVar

import pydantic

from .pattern import PatternRecipe, Point, Start

# A = 4.5 has its Turing threshold at B = 6.71. Further up the pattern is stronger, its stripes less regular.
TRAINED: Mapping[str, Point] = {
    "hexagons": {"supply_a": 4.5, "supply_b": 7.0},
    "mixed": {"supply_a": 4.5, "supply_b": 7.5},
    "stripes": {"supply_a": 4.5, "supply_b": 8.0},
    "slow-stripes": {"supply_a": 4.0, "supply_b": 7.0},
}
INTERPOLATED: tuple[Point, ...] = (
    {"supply_a": 4.4, "supply_b": 7.25},
    {"supply_a": 4.3, "supply_b": 7.2},
)
EXTRAPOLATED: tuple[Point, ...] = (
    {"supply_a": 4.5, "supply_b": 9.0},
    {"supply_a": 5.0, "supply_b": 8.5},
)


class BrusselatorRecipe(PatternRecipe):
    """Turing patterns of the Brusselator from weak noise around the steady state.

    See :class:`pdenca.datasets.recipes.PatternRecipe` for the splits and settings.
    """

    name: ClassVar[str] = "brusselator"
    equation_name: ClassVar[str] = "brusselator"
    constants: ClassVar[Mapping[str, float]] = {"diffusivity_u": 2.0, "diffusivity_v": 16.0}
    trained: ClassVar[Mapping[str, Point]] = TRAINED
    interpolated: ClassVar[tuple[Point, ...]] = INTERPOLATED
    extrapolated: ClassVar[tuple[Point, ...]] = EXTRAPOLATED
    start: ClassVar[Start] = Start("smooth-noise", {"amplitudes": (0.1, 0.1), "density": 0.5})
    ood_start: ClassVar[Start] = Start("seeds", {"inside": (7.0, 1.0), "radius": 2.5, "density": 3e-3})
    hard: ClassVar[str] = (
        "Close to the threshold the pattern grows slowly out of noise and its kind is decided by a "
        "small difference. Hexagons and stripes compete for long."
    )

    dataset_name: str = "brusselator"
    spacing: float = pydantic.Field(0.5, gt=0)
    frame_interval: float = pydantic.Field(1.0, gt=0)
    time_step: float = pydantic.Field(0.02, gt=0)
