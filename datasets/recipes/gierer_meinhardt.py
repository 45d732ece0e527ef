"""Gierer-Meinhardt patterns: spots that saturate into stripes."""

from collections.abc import Mapping
from typing import ClassVar

import pydantic

from .pattern import PatternRecipe, Point, Start

# kappa saturates the activator and widens its spots; sigma lets new ones arise between them.
TRAINED: Mapping[str, Point] = {
    "spots": {"saturation": 0.0, "supply": 0.02},
    "wide-spots": {"saturation": 0.03, "supply": 0.02},
    "stripes": {"saturation": 0.06, "supply": 0.02},
    "fed-spots": {"saturation": 0.0, "supply": 0.1},
}
INTERPOLATED: tuple[Point, ...] = (
    {"saturation": 0.02, "supply": 0.03},
    {"saturation": 0.04, "supply": 0.025},
)
EXTRAPOLATED: tuple[Point, ...] = (
    {"saturation": 0.07, "supply": 0.02},
    {"saturation": 0.0, "supply": 0.15},
)


class GiererMeinhardtRecipe(PatternRecipe):
    """Spots and stripes of activator from weak noise around the steady state.

    See :class:`pdenca.datasets.recipes.PatternRecipe` for the splits and settings.
    """

    name: ClassVar[str] = "gierer-meinhardt"
    equation_name: ClassVar[str] = "gierer-meinhardt"
    constants: ClassVar[Mapping[str, float]] = {"diffusivity_h": 40.0}
    trained: ClassVar[Mapping[str, Point]] = TRAINED
    interpolated: ClassVar[tuple[Point, ...]] = INTERPOLATED
    extrapolated: ClassVar[tuple[Point, ...]] = EXTRAPOLATED
    start: ClassVar[Start] = Start("smooth-noise", {"amplitudes": (0.1, 0.1), "density": 0.5})
    ood_start: ClassVar[Start] = Start("seeds", {"inside": (4.0, 2.5), "radius": 2.0, "density": 3e-3})
    hard: ClassVar[str] = (
        "The activator is divided by the inhibitor: where a rule lets the inhibitor come near zero it "
        "blows up. Spots are narrow and high, so a small part of the cells carries most of the error."
    )

    dataset_name: str = "gierer_meinhardt"
    spacing: float = pydantic.Field(0.5, gt=0)
    frame_interval: float = pydantic.Field(1.0, gt=0)
    time_step: float = pydantic.Field(0.025, gt=0)
