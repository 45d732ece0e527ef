"""Fisher-KPP invasion: fronts into empty ground."""

from collections.abc import Mapping
from typing import ClassVar

import pydantic

from .pattern import PatternRecipe, Point, Start

# The front advances at 2 sqrt(r).
TRAINED: Mapping[str, Point] = {
    "slow": {"growth_rate": 0.5},
    "standard": {"growth_rate": 1.0},
    "fast": {"growth_rate": 1.5},
}
INTERPOLATED: tuple[Point, ...] = ({"growth_rate": 0.75}, {"growth_rate": 1.25})
EXTRAPOLATED: tuple[Point, ...] = ({"growth_rate": 0.3}, {"growth_rate": 2.0})


class FisherKPPRecipe(PatternRecipe):
    """Circular fronts from a few seeds; ``ood_ic`` has straight, ragged fronts.

    See :class:`pdenca.datasets.recipes.PatternRecipe` for the splits and settings.
    """

    name: ClassVar[str] = "fisher-kpp"
    equation_name: ClassVar[str] = "fisher-kpp"
    trained: ClassVar[Mapping[str, Point]] = TRAINED
    interpolated: ClassVar[tuple[Point, ...]] = INTERPOLATED
    extrapolated: ClassVar[tuple[Point, ...]] = EXTRAPOLATED
    start: ClassVar[Start] = Start(
        "seeds", {"outside": (0.0,), "inside": (1.0,), "radius": 2.0, "density": 3e-4}
    )
    ood_start: ClassVar[Start] = Start(
        "front", {"behind": (1.0,), "ahead": (0.0,), "position": (0.25, 0.35), "roughness": 2.0}
    )
    hard: ClassVar[str] = (
        "The speed of the front is decided far ahead of it, where the density is exponentially small: "
        "a rule that is accurate to a thousandth there may still be too fast or too slow. Once the "
        "ground is full nothing happens any more."
    )

    dataset_name: str = "fisher_kpp"
    spacing: float = pydantic.Field(0.75, gt=0)
    frame_interval: float = pydantic.Field(0.25, gt=0)
    time_step: float = pydantic.Field(0.05, gt=0)
