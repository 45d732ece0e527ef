"""One file of a dataset, and the folders it can be in."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

import torch

from pdenca.solvers.grid import Grid

Split = Literal[
    "train",
    "valid",
    "test",
    "ood_ic",
    "ood_domain",
    "ood_domain_4x",
    "ood_horizon",
    "ood_params",
    "ood_params_interp",
    "ood_params_extrap",
    "ood_resolution_fine",
    "ood_resolution_coarse",
    "ood_bc",
]

SPLITS: Final[tuple[Split, ...]] = get_args(Split)
"""The folders a dataset can have, in the order in which they are made; each recipe has some of them."""

PURPOSES: Final[Mapping[Split, str]] = {
    "train": "fit",
    "valid": "choose",
    "test": "same distribution, new seeds",
    "ood_ic": "another family of initial states",
    "ood_domain": "2 times the side",
    "ood_domain_4x": "4 times the side",
    "ood_horizon": "4 times as long or longer",
    "ood_params": "unseen parameters",
    "ood_params_interp": "unseen parameters among those of training",
    "ood_params_extrap": "unseen parameters beyond those of training",
    "ood_resolution_fine": "cells of half the size in the same box",
    "ood_resolution_coarse": "cells of twice the size in the same box",
    "ood_bc": "other boundaries",
}
"""What each split is for, in the words of the card."""


@dataclass(frozen=True)
class Shard:
    """One file of a dataset: one regime at one set of parameters in one split.

    Arguments:
        split: a name of :data:`SPLITS`.
        regime: name of the regime.
        parameters: equation parameter name -> value.
        initial_condition: a name the recipe understands, stored in the file.
        grid: the cells that are stored.
        num_trajectories: how many trajectories.
        num_frames: how many frames each, the initial one included.
        seed: the recipe's seed; the trajectories' own seeds follow from it.
    """

    split: Split
    regime: str
    parameters: Mapping[str, float]
    initial_condition: str
    grid: Grid
    num_trajectories: int
    num_frames: int
    seed: int

    @property
    def trajectory_seeds(self) -> tuple[int, ...]:
        """One seed per trajectory, a hash of (seed, split, regime, parameters, index).

        It depends neither on the batch a trajectory is computed in nor on how many trajectories there are,
        and no two splits, regimes or parameters share one.
        """
        values = ",".join(f"{name}={value!r}" for name, value in sorted(self.parameters.items()))
        return tuple(
            _seed(f"{self.seed}/{self.split}/{self.regime}/{values}/{index}")
            for index in range(self.num_trajectories)
        )

    def number_of(self, generator: torch.Generator) -> int:
        """Return which trajectory a generator is for, as its first seed tells; 0 for one of none of them."""
        seed, seeds = generator.initial_seed(), self.trajectory_seeds
        return seeds.index(seed) if seed in seeds else 0


def _seed(text: str) -> int:
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1  # 63 bits: fits a signed 64-bit integer
