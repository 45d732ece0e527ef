"""Swift-Hohenberg patterns: stripes and hexagons of one wavelength."""

import math
from collections.abc import Mapping
from typing import ClassVar

import pydantic

from .pattern import PatternRecipe, Point, Start

# r > 0, so that the pattern grows from noise; g favours hexagons.
TRAINED: Mapping[str, Point] = {
    "stripes": {"forcing": 0.3, "asymmetry": 0.0},
    "strong-stripes": {"forcing": 0.7, "asymmetry": 0.0},
    "hexagons": {"forcing": 0.1, "asymmetry": 1.0},
    "strong-hexagons": {"forcing": 0.5, "asymmetry": 1.0},
}
INTERPOLATED: tuple[Point, ...] = (
    {"forcing": 0.4, "asymmetry": 0.5},
    {"forcing": 0.3, "asymmetry": 0.8},
)
EXTRAPOLATED: tuple[Point, ...] = (
    {"forcing": 0.9, "asymmetry": 0.3},
    {"forcing": 0.2, "asymmetry": 1.4},
)


class SwiftHohenbergRecipe(PatternRecipe):
    """Patterns of the Swift-Hohenberg equation from weak noise.

    See :class:`pdenca.datasets.recipes.PatternRecipe` for the splits and settings.
    """

    name: ClassVar[str] = "swift-hohenberg"
    equation_name: ClassVar[str] = "swift-hohenberg"
    trained: ClassVar[Mapping[str, Point]] = TRAINED
    interpolated: ClassVar[tuple[Point, ...]] = INTERPOLATED
    extrapolated: ClassVar[tuple[Point, ...]] = EXTRAPOLATED
    start: ClassVar[Start] = Start("smooth-noise", {"amplitudes": (0.1,), "density": 0.5})
    ood_start: ClassVar[Start] = Start("seeds", {"inside": (1.5,), "radius": 3.0, "density": 5e-4})
    hard: ClassVar[str] = (
        "The rule reaches further than the Laplacian: it has fourth derivatives. Defects move ever "
        "more slowly, so most frames hardly change while the errors that matter sit at the defects."
    )

    dataset_name: str = "swift_hohenberg"
    spacing: float = pydantic.Field(math.pi / 4, gt=0)
    frame_interval: float = pydantic.Field(2.0, gt=0)
    time_step: float = pydantic.Field(0.1, gt=0)
