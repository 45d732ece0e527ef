"""Cahn-Hilliard separation: phases that coarsen and are conserved."""

from collections.abc import Mapping
from typing import ClassVar

import pydantic

from .pattern import PatternRecipe, Point, Start

# gamma sets the width of the walls and the first wavelength, M how fast everything is.
TRAINED: Mapping[str, Point] = {
    "standard": {"mobility": 1.0, "interface": 1.0},
    "slow": {"mobility": 0.5, "interface": 1.0},
    "wide": {"mobility": 1.0, "interface": 2.0},
    "slow-wide": {"mobility": 0.5, "interface": 2.0},
}
INTERPOLATED: tuple[Point, ...] = (
    {"mobility": 0.75, "interface": 1.5},
    {"mobility": 0.6, "interface": 1.2},
)
EXTRAPOLATED: tuple[Point, ...] = (
    {"mobility": 2.0, "interface": 1.0},
    {"mobility": 1.0, "interface": 3.0},
)


class CahnHilliardRecipe(PatternRecipe):
    """Spinodal decomposition of an even mixture; ``ood_ic`` is uneven (mean -0.4) and makes droplets.

    See :class:`pdenca.datasets.recipes.PatternRecipe` for the splits and settings.
    """

    name: ClassVar[str] = "cahn-hilliard"
    equation_name: ClassVar[str] = "cahn-hilliard"
    trained: ClassVar[Mapping[str, Point]] = TRAINED
    interpolated: ClassVar[tuple[Point, ...]] = INTERPOLATED
    extrapolated: ClassVar[tuple[Point, ...]] = EXTRAPOLATED
    start: ClassVar[Start] = Start("smooth-noise", {"means": (0.0,), "amplitudes": (0.1,), "density": 0.5})
    ood_start: ClassVar[Start] = Start(
        "smooth-noise", {"means": (-0.4,), "amplitudes": (0.1,), "density": 0.5}
    )
    hard: ClassVar[str] = (
        "The mean of every trajectory is conserved exactly, which a learned rule is not unless it is "
        "built so. The scale grows without end as t^(1/3): no frame is like another, and a long "
        "horizon shows sizes never trained on."
    )

    dataset_name: str = "cahn_hilliard"
    spacing: float = pydantic.Field(0.75, gt=0)
    frame_interval: float = pydantic.Field(5.0, gt=0)
    time_step: float = pydantic.Field(0.1, gt=0)
