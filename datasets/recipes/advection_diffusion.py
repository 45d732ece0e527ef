"""Advection-diffusion: stains in a stream, the control that has a direction."""

from collections.abc import Mapping
from typing import ClassVar

import pydantic

from ..shard import Split
from .pattern import PatternRecipe, Point, Start

# The stream runs along the positive axes in training, and back in extrapolation.
TRAINED: Mapping[str, Point] = {
    "along": {"velocity_x": 0.5, "velocity_y": 0.0},
    "across": {"velocity_x": 0.0, "velocity_y": 0.5},
    "slanted": {"velocity_x": 0.5, "velocity_y": 0.5},
    "slow": {"velocity_x": 0.1, "velocity_y": 0.1},
}
INTERPOLATED: tuple[Point, ...] = (
    {"velocity_x": 0.3, "velocity_y": 0.35},
    {"velocity_x": 0.4, "velocity_y": 0.2},
)
EXTRAPOLATED: tuple[Point, ...] = (
    {"velocity_x": 0.8, "velocity_y": 0.2},
    {"velocity_x": -0.5, "velocity_y": 0.0},
)


class AdvectionDiffusionRecipe(PatternRecipe):
    """Stains that drift and fade; ``ood_ic`` has smooth noise.

    Nothing here is isotropic: a rule that commutes with rotations or mirrors must fail.

    See :class:`pdenca.datasets.recipes.PatternRecipe` for the splits and settings.
    """

    name: ClassVar[str] = "advection-diffusion"
    equation_name: ClassVar[str] = "advection-diffusion"
    constants: ClassVar[Mapping[str, float]] = {"diffusivity": 0.002}
    trained: ClassVar[Mapping[str, Point]] = TRAINED
    interpolated: ClassVar[tuple[Point, ...]] = INTERPOLATED
    extrapolated: ClassVar[tuple[Point, ...]] = EXTRAPOLATED
    available_splits: ClassVar[tuple[Split, ...]] = tuple(
        name
        for name in PatternRecipe.available_splits
        if name != "ood_bc"  # no wall stops the stream
    )
    start: ClassVar[Start] = Start(
        "seeds", {"outside": (0.0,), "inside": (1.0,), "radius": 0.1, "density": 2.0}
    )
    ood_start: ClassVar[Start] = Start(
        "smooth-noise", {"means": (0.5,), "amplitudes": (0.5,), "density": 8.0}
    )
    hard: ClassVar[str] = (
        "A per-cell rule must carry a stain over many cells without smearing it. A symmetric rule "
        "cannot move it at all. The solution is known exactly: it decays towards its mean."
    )

    dataset_name: str = "advection_diffusion"
    spacing: float = pydantic.Field(1 / 64, gt=0)
    frame_interval: float = pydantic.Field(0.05, gt=0)
    time_step: float = pydantic.Field(0.05, gt=0)
