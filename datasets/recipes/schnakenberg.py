"""Schnakenberg patterns: hexagons of spots, and stripes."""

from collections.abc import Mapping
from typing import ClassVar

import pydantic

from .pattern import PatternRecipe, Point, Start

# v spreads 30 times faster than u. The supply b sets how lopsided the reaction is: spots for little, stripes
# for much.
TRAINED: Mapping[str, Point] = {
    "spots": {"supply_u": 0.1, "supply_v": 0.9},
    "dense-spots": {"supply_u": 0.1, "supply_v": 1.25},
    "stripes": {"supply_u": 0.1, "supply_v": 1.6},
    "fed-spots": {"supply_u": 0.2, "supply_v": 1.1},
}
INTERPOLATED: tuple[Point, ...] = (
    {"supply_u": 0.12, "supply_v": 1.05},
    {"supply_u": 0.13, "supply_v": 1.3},
)
EXTRAPOLATED: tuple[Point, ...] = (
    {"supply_u": 0.05, "supply_v": 0.75},
    {"supply_u": 0.05, "supply_v": 1.7},
)


class SchnakenbergRecipe(PatternRecipe):
    """Turing patterns of the Schnakenberg equations from weak noise around the steady state.

    See :class:`pdenca.datasets.recipes.PatternRecipe` for the splits and settings.
    """

    name: ClassVar[str] = "schnakenberg"
    equation_name: ClassVar[str] = "schnakenberg"
    constants: ClassVar[Mapping[str, float]] = {"diffusivity_v": 30.0}
    trained: ClassVar[Mapping[str, Point]] = TRAINED
    interpolated: ClassVar[tuple[Point, ...]] = INTERPOLATED
    extrapolated: ClassVar[tuple[Point, ...]] = EXTRAPOLATED
    start: ClassVar[Start] = Start("smooth-noise", {"amplitudes": (0.1, 0.1), "density": 0.5})
    ood_start: ClassVar[Start] = Start("seeds", {"inside": (3.0, 0.3), "radius": 3.0, "density": 2e-3})
    hard: ClassVar[str] = (
        "The first frames hold only noise that fades before the pattern grows out of it, "
        "exponentially, from far below the accuracy of a learned rule. Later the pattern changes ever "
        "more slowly while defects wander."
    )

    dataset_name: str = "schnakenberg"
    spacing: float = pydantic.Field(0.75, gt=0)
    frame_interval: float = pydantic.Field(2.0, gt=0)
    time_step: float = pydantic.Field(0.05, gt=0)
