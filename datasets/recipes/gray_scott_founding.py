"""Gray-Scott as the founding paper of automata for equations has it: its numbers, teacher and starts."""

from collections.abc import Mapping
from typing import ClassVar, Final

import pydantic

from ..shard import Split
from .pattern import PatternRecipe, Point, Start

NINE: Final[tuple[tuple[float, float], ...]] = (
    (0.06100, 0.06264),
    (0.11074, 0.05171),
    (0.03616, 0.06399),
    (0.02088, 0.05571),
    (0.01262, 0.04486),
    (0.08242, 0.06067),
    (0.09805, 0.05626),
    (0.02548, 0.05151),
    (0.05587, 0.06081),
)
"""Pairs (feed_rate, kill_rate) of the authors' study of parameters, one network each."""

CORAL: Final = "coral"


class GrayScottFoundingRecipe(PatternRecipe):
    """Gray-Scott in the setting of Richardson et al.: their numbers, stencil, time step and starts.

    On cells and in time units of size 1, with diffusivities 0.1 and 0.05: explicit Euler steps of 1 with the
    binomial nine-point stencil. So the truth is what a neural cellular automaton with the identity and that
    kernel can be in one step; it is no solution of the equation to any tolerance.

    ``train`` has the paper's four drawings of blocks, one each; ``valid``, ``test``, ``ood_domain`` and
    ``ood_horizon`` start from rectangles at random, ``ood_ic`` from Gaussian blobs. ``ood_horizon`` is twice
    as long, ``ood_domain`` twice as wide: with ``num_domain_frames = 513`` the paper's largest case, 4096
    time units.

    Arguments:
        regimes: ``coral`` (the paper's figures) and ``pair1`` to ``pair9`` (:data:`NINE`).

    See :class:`pdenca.datasets.recipes.PatternRecipe` for the splits and settings.

    Source: Richardson, Antal, Blythe, Schumacher, PLOS Comput. Biol. 20 (2024) e1011589, Fig. 3, and their
    code for the nine pairs. Their layouts are drawn after their description.
    """

    name: ClassVar[str] = "gray-scott-founding"
    equation_name: ClassVar[str] = "gray-scott"
    constants: ClassVar[Mapping[str, float]] = {"diffusivity_a": 0.1, "diffusivity_b": 0.05}
    horizon_factor: ClassVar[int] = 2
    available_splits: ClassVar[tuple[Split, ...]] = (
        "train",
        "valid",
        "test",
        "ood_ic",
        "ood_domain",
        "ood_horizon",
    )
    trained: ClassVar[Mapping[str, Point]] = {
        CORAL: {"feed_rate": 0.06230, "kill_rate": 0.06268},
        **{
            f"pair{number}": {"feed_rate": feed, "kill_rate": kill}
            for number, (feed, kill) in enumerate(NINE, 1)
        },
    }
    start: ClassVar[Start] = Start("blocks")
    new_start: ClassVar[Start] = Start("random-blocks")
    ood_start: ClassVar[Start] = Start("gaussian-blobs", {"density": (6e-4, 6e-3), "exponent": (0.04, 0.07)})
    hard: ClassVar[str] = (
        "Four trajectories from hand-drawn starts are all there is to learn from. Sharp edges move fast at "
        "first; later branches grow at their tips, where small errors decide which way they turn, so that "
        "trajectories part while the texture stays the same. Some of the nine pairs die out."
    )

    dataset_name: str = "gray_scott_founding"
    regimes: tuple[str, ...] | None = (CORAL,)
    num_cells: int = pydantic.Field(64, ge=4)
    spacing: float = pydantic.Field(1.0, gt=0)
    num_trajectories: pydantic.PositiveInt = 4
    num_valid_trajectories: pydantic.PositiveInt | None = 2
    num_test_trajectories: pydantic.PositiveInt | None = 8
    num_horizon_trajectories: pydantic.PositiveInt | None = 4
    num_domain_trajectories: pydantic.PositiveInt = 2
    num_frames: int = pydantic.Field(129, ge=2)
    num_domain_frames: int | None = pydantic.Field(None, ge=2)
    frame_interval: float = pydantic.Field(8.0, gt=0)
    method: str = "euler"
    stencil: str = "order-2-binomial"

    def start_of(self, split: Split) -> Start:
        """Return how the trajectories of a split start."""
        return {"train": self.start, "ood_ic": self.ood_start}.get(split, self.new_start)
