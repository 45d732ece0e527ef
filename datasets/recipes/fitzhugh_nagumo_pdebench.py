"""FitzHugh-Nagumo as in PDEBench's 2-D diffusion-reaction dataset."""

from collections.abc import Mapping
from typing import ClassVar

import pydantic

from ..shard import Split
from .pattern import PatternRecipe, Point, Start


class FitzHughNagumoPDEBenchRecipe(PatternRecipe):
    """PDEBench's 2D_diff-react: one set of constants, no-flux walls, white noise, 101 frames to t = 5.

    128 x 128 cells on [-1, 1]², central differences of second order (their finite volumes), Dormand-Prince
    5(4) with steps chosen by their error. PDEBench calls SciPy's RK45 with its default tolerances, 1e-3
    relative and 1e-6 absolute per step; here the tolerance is 1e-6, so that what is left is the error of the
    cells. PDEBench has 1000 trajectories and tests on the last tenth: ``num_trajectories=900`` with
    ``num_test_trajectories=100``. It has no validation set of its own.

    White noise has no finest scale, so this start is another function on every grid, and there is no split
    of other resolutions.

    See :class:`pdenca.datasets.Recipe` for the settings that all recipes share.
    """

    name: ClassVar[str] = "fitzhugh-nagumo-pdebench"
    equation_name: ClassVar[str] = "fitzhugh-nagumo"
    constants: ClassVar[Mapping[str, float]] = {
        "recovery_rate": 1.0,
        "recovery_decay": 1.0,
        "diffusivity_u": 1e-3,
        "diffusivity_v": 5e-3,
    }
    trained: ClassVar[Mapping[str, Point]] = {"pdebench": {"threshold": 5e-3}}
    available_splits: ClassVar[tuple[Split, ...]] = ("train", "valid", "test", "ood_ic", "ood_horizon")
    start: ClassVar[Start] = Start("white-noise", {"means": (0.0, 0.0), "amplitudes": (1.0, 1.0)})
    ood_start: ClassVar[Start] = Start(
        "smooth-noise", {"means": (0.0, 0.0), "amplitudes": (1.0, 1.0), "density": 8.0}
    )
    hard: ClassVar[str] = (
        "The noise of the first frames is gone within a few of them, so most of what happens is a slow, "
        "smooth growth, and t = 5 ends long before the Turing pattern of these constants is complete "
        "(``ood_horizon`` sees more of it). A model that is scored on the first frames is scored on noise."
    )

    dataset_name: str = "2D_diff-react"
    spacing: float = pydantic.Field(1 / 64, gt=0)
    boundary: str = "no-flux"
    method: str = "adaptive"
    stencil: str = "order-2"
    tolerance: float | None = pydantic.Field(1e-6, gt=0)
    num_trajectories: pydantic.PositiveInt = 9
    num_valid_trajectories: pydantic.PositiveInt | None = 1
    num_test_trajectories: pydantic.PositiveInt | None = 1
    frame_interval: float = pydantic.Field(0.05, gt=0)
    time_step: float = pydantic.Field(0.05, gt=0)
