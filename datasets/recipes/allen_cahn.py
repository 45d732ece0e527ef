"""Allen-Cahn coarsening: domains that shrink by their curvature."""

from collections.abc import Mapping
from typing import ClassVar

import pydantic

from .pattern import PatternRecipe, Point, Start

# h favours one phase; the two signs are mirror images of each other.
TRAINED: Mapping[str, Point] = {
    "even": {"bias": 0.0},
    "up": {"bias": 0.04},
    "down": {"bias": -0.04},
}
INTERPOLATED: tuple[Point, ...] = ({"bias": 0.02}, {"bias": -0.03})
EXTRAPOLATED: tuple[Point, ...] = ({"bias": 0.06}, {"bias": -0.06})


class AllenCahnRecipe(PatternRecipe):
    """Coarsening of two phases from noise; ``ood_ic`` has discs of one phase in the other.

    See :class:`pdenca.datasets.recipes.PatternRecipe` for the splits and settings.
    """

    name: ClassVar[str] = "allen-cahn"
    equation_name: ClassVar[str] = "allen-cahn"
    trained: ClassVar[Mapping[str, Point]] = TRAINED
    interpolated: ClassVar[tuple[Point, ...]] = INTERPOLATED
    extrapolated: ClassVar[tuple[Point, ...]] = EXTRAPOLATED
    start: ClassVar[Start] = Start("smooth-noise", {"means": (0.0,), "amplitudes": (0.5,), "density": 0.25})
    ood_start: ClassVar[Start] = Start(
        "seeds", {"outside": (-1.0,), "inside": (1.0,), "radius": 8.0, "density": 1.5e-3}
    )
    hard: ClassVar[str] = (
        "The motion is by curvature alone and tiny from frame to frame: persistence is a strong "
        "rival. Sooner or later one phase has everything and the trajectory is dead, the biased ones "
        "first."
    )

    dataset_name: str = "allen_cahn"
    spacing: float = pydantic.Field(0.75, gt=0)
    frame_interval: float = pydantic.Field(0.5, gt=0)
    time_step: float = pydantic.Field(0.1, gt=0)
