"""Gray-Scott by The Well's protocol, split so that a test can mean something."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Final

import pydantic

from pdenca.solvers import REGIMES

from ..shard import Shard, Split
from .pattern import PatternRecipe, Point, Start

# The region: at feed rate F, kill rates between the two numbers; linear in between. Drawn inside of where
# both sets of blobs of docs/results/gray-scott-map.csv (made by benchmarks/gray_scott_map.py) still made a
# pattern at t = 4000. It is a crescent along k = sqrt(F)/2 - F: waves and moving spots at small F,
# labyrinths and spots in the middle, stripes and holes at large F. All six of The Well's regimes lie in it,
# two of them at its ends.
REGION: Final[tuple[tuple[float, float, float], ...]] = (
    (0.014, 0.0495, 0.0542),
    (0.018, 0.0500, 0.0555),
    (0.025, 0.0525, 0.0598),
    (0.030, 0.0550, 0.0622),
    (0.036, 0.0573, 0.0628),
    (0.042, 0.0605, 0.0643),
    (0.050, 0.0618, 0.0655),
    (0.058, 0.0624, 0.0660),
    (0.066, 0.0610, 0.0645),
    (0.076, 0.0600, 0.0636),
    (0.088, 0.0583, 0.0620),
    (0.098, 0.0562, 0.0600),
)

# 36 pairs (feed_rate, kill_rate) drawn uniformly from the region, one from each of 36 slices of equal area;
# one of every six slices is held out. What each becomes is in docs/results/gray-scott-pairs.csv.
PAIRS: Final[tuple[tuple[float, float], ...]] = (
    (0.0153, 0.0523),
    (0.0166, 0.0534),
    (0.0181, 0.0539),
    (0.0228, 0.0566),
    (0.0244, 0.0532),
    (0.0254, 0.0568),
    (0.0270, 0.0581),
    (0.0281, 0.0561),
    (0.0314, 0.0608),
    (0.0317, 0.0567),
    (0.0348, 0.0579),
    (0.0351, 0.0621),
    (0.0384, 0.0616),
    (0.0438, 0.0624),
    (0.0456, 0.0621),
    (0.0477, 0.0651),
    (0.0508, 0.0649),
    (0.0525, 0.0651),
    (0.0601, 0.0634),
    (0.0629, 0.0630),
    (0.0658, 0.0628),
    (0.0680, 0.0625),
    (0.0756, 0.0634),
    (0.0776, 0.0630),
    (0.0803, 0.0629),
    (0.0833, 0.0598),
    (0.0852, 0.0589),
    (0.0873, 0.0587),
    (0.0940, 0.0583),
    (0.0961, 0.0578),
)
HELD_OUT: Final[tuple[tuple[float, float], ...]] = (
    (0.0198, 0.0535),
    (0.0301, 0.0565),
    (0.0394, 0.0619),
    (0.0556, 0.0623),
    (0.0727, 0.0631),
    (0.0918, 0.0578),
)
# Beyond the hull of all of these, where patterns still live: less food, faster waves, at the edge
# of extinction, more food.
BEYOND: Final[tuple[tuple[float, float], ...]] = (
    (0.0120, 0.0500),
    (0.0120, 0.0525),
    (0.0200, 0.0468),
    (0.0300, 0.0626),
    (0.1060, 0.0545),
    (0.1120, 0.0525),
)


def _point(pair: tuple[float, float]) -> Point:
    return {"feed_rate": pair[0], "kill_rate": pair[1]}


class GrayScottWellRecipe(PatternRecipe):
    """The Well's Gray-Scott: 128 x 128 cells on [-1, 1]², periodic, a frame every 10 time units to t = 10000.

    ``train``, ``valid`` and ``test`` start from Gaussian blobs at The Well's six regimes; ``train`` and
    ``valid`` also at ``num_pairs`` pairs (feed_rate, kill_rate) spread over the region in which blobs grow
    into living patterns, :data:`REGION`, in files called pair-01, pair-02, ..., so that a rule can learn what
    the parameters do. ``ood_ic`` starts from Fourier noise, The
    Well's other family. ``ood_params_interp`` has the six pairs :data:`HELD_OUT` of the same region,
    ``ood_params_extrap`` the six pairs :data:`BEYOND` its hull. The other ``ood_*`` splits are about the six
    regimes. For The Well's own layout, see ``gray-scott-well-original``.

    Arguments:
        num_pairs: how many of the 30 pairs to train and validate on beside the six regimes.
        num_pair_trajectories: training trajectories of each pair; for validation there is one.

    See :class:`pdenca.datasets.recipes.PatternRecipe` for the splits and settings.
    """

    name: ClassVar[str] = "gray-scott-well"
    equation_name: ClassVar[str] = "gray-scott"
    trained: ClassVar[Mapping[str, Point]] = {
        name: _point((regime.feed_rate, regime.kill_rate)) for name, regime in REGIMES.items()
    }
    interpolated: ClassVar[tuple[Point, ...]] = tuple(map(_point, HELD_OUT))
    extrapolated: ClassVar[tuple[Point, ...]] = tuple(map(_point, BEYOND))
    start: ClassVar[Start] = Start("gaussian-blobs")
    ood_start: ClassVar[Start] = Start("fourier-noise")
    hard: ClassVar[str] = (
        "Bubbles, spots and mazes come to rest, where persistence is hard to beat; gliders and spirals "
        "never do, and gliders may die out. Five of the six regimes start from negative B in Fourier noise, "
        "so a rule that assumes concentrations to be positive is wrong there, and gliders that start from "
        "that noise die early."
    )

    dataset_name: str = "gray_scott_well"
    num_pairs: int = pydantic.Field(len(PAIRS), ge=0, le=len(PAIRS))
    num_pair_trajectories: pydantic.PositiveInt = 2
    num_cells: int = pydantic.Field(128, ge=4)
    spacing: float = pydantic.Field(1 / 64, gt=0)
    num_trajectories: pydantic.PositiveInt = 4
    num_valid_trajectories: pydantic.PositiveInt | None = 1
    num_test_trajectories: pydantic.PositiveInt | None = 2
    num_frames: int = pydantic.Field(1001, ge=2)
    frame_interval: float = pydantic.Field(10.0, gt=0)
    time_step: float = pydantic.Field(1.0, gt=0)
    num_start_frames: int = pydantic.Field(4, ge=0)
    refine: pydantic.PositiveInt = 2

    def points(self, split: Split) -> dict[str, Point]:
        """Return the parameters of a split, regime -> parameters, one file each."""
        points = super().points(split)
        return points | self._pairs() if split in ("train", "valid") else points

    def shards(self) -> list[Shard]:
        """Return one file per split and set of parameters."""
        pairs = self._pairs()
        counts = {"train": self.num_pair_trajectories, "valid": 1}
        return [
            replace(shard, num_trajectories=counts[shard.split]) if shard.regime in pairs else shard
            for shard in super().shards()
        ]

    def _pairs(self) -> dict[str, Point]:
        chosen = PAIRS[: self.num_pairs]
        return {f"pair-{number:02d}": _point(pair) for number, pair in enumerate(chosen, start=1)}
