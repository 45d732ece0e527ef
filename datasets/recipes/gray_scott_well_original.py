"""Gray-Scott in The Well's own layout: six regimes, two families of starts in every file."""

from collections.abc import Mapping
from typing import ClassVar

import pydantic
import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.solvers import Grid

from ..shard import Shard, Split
from .gray_scott_well import GrayScottWellRecipe
from .pattern import PatternRecipe, Point, Start

FAMILIES = (Start("gaussian-blobs"), Start("fourier-noise"))
"""The first half of every file starts from the first family, the rest from the second."""


class GrayScottWellOriginalRecipe(PatternRecipe):
    """The Well's gray_scott_reaction_diffusion made again: its regimes, starts, grid, times and file names.

    One file per split and regime, the first half of its trajectories from Gaussian blobs, the second from
    Fourier noise. The Well has 160 trajectories per regime for training and 20 each for validation and test:
    ``num_trajectories=160`` makes as many (154 GB), and any other number the same fractions of it. Solved as
    there on the stored grid with a time step of 1 and the shortest third of the waves left out of the
    nonlinear term. Training and test differ in nothing but the seeds; see ``gray-scott-well`` for splits that
    ask more.

    See :class:`pdenca.datasets.Recipe` for the settings that all recipes share.
    """

    name: ClassVar[str] = "gray-scott-well-original"
    equation_name: ClassVar[str] = "gray-scott"
    available_splits: ClassVar[tuple[Split, ...]] = ("train", "valid", "test")
    trained: ClassVar[Mapping[str, Point]] = GrayScottWellRecipe.trained
    start: ClassVar[Start] = FAMILIES[0]
    ood_start: ClassVar[Start] = FAMILIES[1]
    hard: ClassVar[str] = (
        "Gliders that start from Fourier noise die early: a variance-scaled error divides by next to "
        "nothing there and swamps any mean over trajectories. Training and test are alike, so a good score "
        "says little about other starts, parameters or domains."
    )

    dataset_name: str = "gray_scott_reaction_diffusion"
    num_cells: int = pydantic.Field(128, ge=4)
    spacing: float = pydantic.Field(1 / 64, gt=0)
    num_trajectories: pydantic.PositiveInt = 16
    num_valid_trajectories: pydantic.PositiveInt | None = None
    num_test_trajectories: pydantic.PositiveInt | None = None
    num_frames: int = pydantic.Field(1001, ge=2)
    frame_interval: float = pydantic.Field(10.0, gt=0)
    time_step: float = pydantic.Field(1.0, gt=0)
    dealiasing: float = pydantic.Field(2 / 3, gt=0, le=1)

    def size(self, split: Split) -> tuple[int, int, int]:
        """Return (cells per side, trajectories per file, frames) of a split."""
        eighth = max(2, self.num_trajectories // 8)
        own = {"valid": self.num_valid_trajectories, "test": self.num_test_trajectories}
        number = self.num_trajectories if split == "train" else own[split] or eighth
        return self.num_cells, number, self.num_frames

    def initial_condition(self, split: Split) -> str:
        """Return the names of both families."""
        return "+".join(start.name for start in FAMILIES)

    def initial_state(
        self, shard: Shard, grid: Grid, generator: torch.Generator
    ) -> Float[Tensor, "1 channel *space"]:
        """Draw Gaussian blobs in the first half of a file, Fourier noise in the second.

        Which trajectory it is follows from the generator's seed.
        """
        number = shard.trajectory_seeds.index(generator.initial_seed())
        second = number >= (shard.num_trajectories + 1) // 2
        return FAMILIES[second].draw(self.equation(shard), shard.parameters, grid, generator)
