"""Steady Gray-Scott patterns that a feed rate varying in space selects."""

from collections.abc import Mapping
from typing import ClassVar

import pydantic

from .pattern import Point, Start
from .steady import SteadyRecipe


class SteadyGrayScottRecipe(SteadyRecipe):
    """A feed rate F(x) between no-flux walls: spots where little is fed, a maze where much is.

    See :class:`pdenca.datasets.recipes.steady.SteadyRecipe` for the splits and settings.
    """

    name: ClassVar[str] = "steady-gray-scott"
    equation_name: ClassVar[str] = "gray-scott"
    trained: ClassVar[Mapping[str, Point]] = {"fed": {"kill_rate": 0.061}}
    varied: ClassVar[Mapping[str, tuple[float, float]]] = {"feed_rate": (0.03, 0.05)}
    other_families: ClassVar[tuple[str, ...]] = ("ramp", "disc")
    start: ClassVar[Start] = Start("gaussian-blobs")
    ood_start: ClassVar[Start] = Start("seeds", {"inside": (0.5, 0.25), "radius": 0.04, "density": 20.0})
    hard: ClassVar[str] = (
        "The pattern fills the box within some thousand time units, and then its defects take ten times as "
        "long to settle. The state without B is steady and stable everywhere, and no pattern."
    )

    dataset_name: str = "steady_gray_scott"
    spacing: float = pydantic.Field(1 / 48, gt=0)
    boundary: str = "no-flux"
    num_frames: int = pydantic.Field(202, ge=2)
    frame_interval: float = pydantic.Field(10.0, gt=0)
    time_step: float = pydantic.Field(1.0, gt=0)
    num_start_frames: int = pydantic.Field(2, ge=0)
    max_settle_time: float = pydantic.Field(40_000.0, gt=0)
