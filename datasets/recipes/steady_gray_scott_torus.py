"""Gray-Scott on a torus: regimes that settle, and two that never do."""

from collections.abc import Mapping
from typing import ClassVar

import pydantic

from pdenca.solvers import REGIMES

from ..shard import Split
from .pattern import Point, Start
from .steady import SteadyRecipe


class SteadyGrayScottTorusRecipe(SteadyRecipe):
    """The Well's regimes in a small periodic box: maze, spots and bubbles settle, gliders and spirals do not.

    Nothing pins a pattern on a torus: every shifted copy of it is steady too. Of the gliders and spirals no
    steady pattern exists; their last frames are where the march was given up, with ``steady_converged`` 0,
    or the state without B, in which gliders may die.

    See :class:`pdenca.datasets.recipes.steady.SteadyRecipe` for the splits and settings.
    """

    name: ClassVar[str] = "steady-gray-scott-torus"
    equation_name: ClassVar[str] = "gray-scott"
    trained: ClassVar[Mapping[str, Point]] = {
        name: {"feed_rate": REGIMES[name].feed_rate, "kill_rate": REGIMES[name].kill_rate}
        for name in ("maze", "spots", "bubbles", "gliders", "spirals")
    }
    start: ClassVar[Start] = Start("gaussian-blobs")
    ood_start: ClassVar[Start] = Start("fourier-noise")
    available_splits: ClassVar[tuple[Split, ...]] = ("train", "valid", "test", "ood_ic", "ood_domain")
    hard: ClassVar[str] = (
        "Patterns without mirror symmetry drift on a torus, if ever so slowly, and then have no steady state "
        "nearby. Gliders and spirals are the negative control: who reports a steady pattern there is wrong."
    )

    dataset_name: str = "steady_gray_scott_torus"
    spacing: float = pydantic.Field(1 / 48, gt=0)
    num_trajectories: pydantic.PositiveInt = 4
    num_valid_trajectories: pydantic.PositiveInt | None = 2
    num_test_trajectories: pydantic.PositiveInt | None = 4
    num_frames: int = pydantic.Field(202, ge=2)
    frame_interval: float = pydantic.Field(10.0, gt=0)
    time_step: float = pydantic.Field(1.0, gt=0)
    num_start_frames: int = pydantic.Field(2, ge=0)
    max_settle_time: float = pydantic.Field(20_000.0, gt=0)
