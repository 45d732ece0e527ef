"""FitzHugh-Nagumo: fronts that fold into labyrinths."""

from collections.abc import Mapping
from typing import ClassVar

import pydantic

from .pattern import PatternRecipe, Point, Start

# Between three states of rest: fronts that the quickly spreading recovery bends until they fill the plane.
# The larger the threshold, the less of the plane is excited; the larger epsilon, the shorter the wavelength.
TRAINED: Mapping[str, Point] = {
    "labyrinth": {"threshold": 0.0, "recovery_rate": 0.05},
    "dense-labyrinth": {"threshold": 0.0, "recovery_rate": 0.08},
    "stripes": {"threshold": 0.07, "recovery_rate": 0.05},
    "broken-stripes": {"threshold": 0.07, "recovery_rate": 0.08},
}
INTERPOLATED: tuple[Point, ...] = (
    {"threshold": 0.05, "recovery_rate": 0.065},
    {"threshold": 0.03, "recovery_rate": 0.055},
)
EXTRAPOLATED: tuple[Point, ...] = (
    {"threshold": 0.05, "recovery_rate": 0.03},
    {"threshold": -0.05, "recovery_rate": 0.065},
)


class FitzHughNagumoRecipe(PatternRecipe):
    """Labyrinths that grow out of smooth noise; ``ood_ic`` has round seeds in the lower state of rest.

    See :class:`pdenca.datasets.recipes.PatternRecipe` for the splits and settings.
    """

    name: ClassVar[str] = "fitzhugh-nagumo"
    equation_name: ClassVar[str] = "fitzhugh-nagumo"
    constants: ClassVar[Mapping[str, float]] = {
        "recovery_decay": 2.0,
        "diffusivity_u": 1.0,
        "diffusivity_v": 4.0,
    }
    trained: ClassVar[Mapping[str, Point]] = TRAINED
    interpolated: ClassVar[tuple[Point, ...]] = INTERPOLATED
    extrapolated: ClassVar[tuple[Point, ...]] = EXTRAPOLATED
    start: ClassVar[Start] = Start(
        "smooth-noise", {"means": (0.0, 0.0), "amplitudes": (0.8, 0.2), "density": 0.15}
    )
    ood_start: ClassVar[Start] = Start(
        "seeds", {"outside": (-0.7, -0.35), "inside": (0.8, -0.2), "radius": 5.0, "density": 1e-3}
    )
    hard: ClassVar[str] = (
        "Nearly all of the plane sits in one of two states, and all that happens happens in the thin "
        "fronts between them: a small error of a front's place is a large one of the field. The folds "
        "relax ever more slowly."
    )

    dataset_name: str = "fitzhugh_nagumo"
    spacing: float = pydantic.Field(0.75, gt=0)
    frame_interval: float = pydantic.Field(5.0, gt=0)
    time_step: float = pydantic.Field(0.125, gt=0)
