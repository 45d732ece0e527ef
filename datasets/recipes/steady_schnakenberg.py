"""Steady Schnakenberg patterns that a supply varying in space selects."""

from collections.abc import Mapping
from typing import ClassVar

import pydantic

from .pattern import Point, Start
from .steady import SteadyRecipe


class SteadySchnakenbergRecipe(SteadyRecipe):
    """A supply b(x) between no-flux walls, and the pattern of spots and stripes that settles on it.

    See :class:`pdenca.datasets.recipes.steady.SteadyRecipe` for the splits and settings.
    """

    name: ClassVar[str] = "steady-schnakenberg"
    equation_name: ClassVar[str] = "schnakenberg"
    trained: ClassVar[Mapping[str, Point]] = {"supplied": {"supply_u": 0.1}}
    varied: ClassVar[Mapping[str, tuple[float, float]]] = {"supply_v": (0.7, 1.5)}
    other_families: ClassVar[tuple[str, ...]] = ("ramp", "disc")
    start: ClassVar[Start] = Start("smooth-noise", {"amplitudes": (0.1, 0.0), "density": 0.5})
    ood_start: ClassVar[Start] = Start("seeds", {"inside": (3.0, 0.3), "radius": 3.0, "density": 2e-3})
    hard: ClassVar[str] = (
        "Several patterns are steady under the same supply; which one is reached depends on the start, and "
        "defects heal slowly: the slowest modes decay over hundreds of time units."
    )

    dataset_name: str = "steady_schnakenberg"
    spacing: float = pydantic.Field(1.25, gt=0)
    boundary: str = "no-flux"
    num_frames: int = pydantic.Field(102, ge=2)
    frame_interval: float = pydantic.Field(1.0, gt=0)
    time_step: float = pydantic.Field(0.25, gt=0)
    start_time_step: float = pydantic.Field(0.25, gt=0)
    max_settle_time: float = pydantic.Field(10_000.0, gt=0)
