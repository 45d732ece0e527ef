"""Complex Ginzburg-Landau: frozen spirals and defect turbulence."""

from collections.abc import Mapping
from typing import ClassVar

import pydantic

from .pattern import PatternRecipe, Point, Start

# Beyond 1 + b c = 0 the uniform oscillation is unstable: "turbulence" is chaotic, the others are not.
TRAINED: Mapping[str, Point] = {
    "frozen": {"linear_dispersion": 0.0, "nonlinear_dispersion": 0.5},
    "spirals": {"linear_dispersion": 0.0, "nonlinear_dispersion": 1.5},
    "antispirals": {"linear_dispersion": 1.0, "nonlinear_dispersion": -0.75},
    "turbulence": {"linear_dispersion": 2.0, "nonlinear_dispersion": -2.0},
}
INTERPOLATED: tuple[Point, ...] = (
    {"linear_dispersion": 0.2, "nonlinear_dispersion": 0.9},
    {"linear_dispersion": 1.25, "nonlinear_dispersion": -1.0},
)
EXTRAPOLATED: tuple[Point, ...] = (
    {"linear_dispersion": 3.0, "nonlinear_dispersion": -2.0},
    {"linear_dispersion": -1.0, "nonlinear_dispersion": 1.0},
)


class ComplexGinzburgLandauRecipe(PatternRecipe):
    """From noise around zero; ``ood_ic`` has four spirals and nothing else.

    See :class:`pdenca.datasets.recipes.PatternRecipe` for the splits and settings.
    """

    name: ClassVar[str] = "complex-ginzburg-landau"
    equation_name: ClassVar[str] = "complex-ginzburg-landau"
    trained: ClassVar[Mapping[str, Point]] = TRAINED
    interpolated: ClassVar[tuple[Point, ...]] = INTERPOLATED
    extrapolated: ClassVar[tuple[Point, ...]] = EXTRAPOLATED
    start: ClassVar[Start] = Start("smooth-noise", {"amplitudes": (0.5, 0.5), "density": 0.25})
    ood_start: ClassVar[Start] = Start("spiral", {"means": (0.0, 0.0), "amplitudes": (1.0, 1.0)})
    hard: ClassVar[str] = (
        "In the turbulent regime trajectories part exponentially, so only statistics can be compared "
        "after some ten time units. A rule must not know the absolute phase: turning (real, "
        "imaginary) as a vector changes nothing."
    )

    dataset_name: str = "complex_ginzburg_landau"
    spacing: float = pydantic.Field(0.75, gt=0)
    frame_interval: float = pydantic.Field(0.5, gt=0)
    time_step: float = pydantic.Field(0.05, gt=0)
