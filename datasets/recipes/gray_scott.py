"""Gray-Scott patterns: trained on Gaussian blobs in a small box, tested far outside."""

from typing import ClassVar, Final

import pydantic
import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.solvers import INITIAL_CONDITIONS, REGIMES, GrayScott, Grid

from ..recipe import Recipe, known_name
from ..shard import Shard, Split

# Unseen parameters (feed_rate, kill_rate) per regime: one pair on either side, at most 0.006 away in
# feed_rate and 0.002 in kill_rate, along the crescent of Pearson's map in which blobs grow into patterns
# (Science 261 (1993) 189, figure 3). The kind of pattern is kept while wavelength, speed or density shift; no
# pair is a regime of the table. Solved from four sets of blobs on the default grid, all of them were
# patterned at t = 2500 (standard deviation of B > 0.07), which the regimes gliders and bubbles themselves are
# not in every case.
OOD_PARAMETERS: Final[dict[str, tuple[tuple[float, float], ...]]] = {
    "gliders": ((0.0125, 0.052), (0.016, 0.055)),
    "bubbles": ((0.092, 0.057), (0.095, 0.056)),
    "maze": ((0.026, 0.055), (0.031, 0.058)),
    "worms": ((0.053, 0.064), (0.062, 0.064)),
    "spirals": ((0.016, 0.050), (0.020, 0.052)),
    "spots": ((0.027, 0.061), (0.034, 0.063)),
}


class GrayScottRecipe(Recipe):
    """Gray-Scott on a periodic square, in The Well's regimes, from The Well's two families of initial states.

    With the default spacing 1/64 and diffusivities a cell is as large as in The Well's dataset; the box is
    half as long. The splits: ``train``, ``valid``, ``test`` start from Gaussian blobs; ``ood_ic`` from
    Fourier noise; ``ood_domain`` and ``ood_domain_4x`` from blobs of the same density in a box of 2 and 4
    times the side at the same spacing; ``ood_horizon`` from blobs, for at least 4 times as many frames;
    ``ood_params`` from blobs at the unseen parameters :data:`OOD_PARAMETERS`.

    Arguments:
        regimes: which of ``pdenca.solvers.REGIMES``, one file per split each.
        diffusivity_a: D_A (length²/time).
        diffusivity_b: D_B (length²/time).

    See :class:`pdenca.datasets.Recipe` for the settings that all recipes share.
    """

    name: ClassVar[str] = "gray-scott"
    card: ClassVar[str] = "gray_scott.md"
    available_splits: ClassVar[tuple[Split, ...]] = (
        "train",
        "valid",
        "test",
        "ood_ic",
        "ood_domain",
        "ood_domain_4x",
        "ood_horizon",
        "ood_params",
    )

    dataset_name: str = "gray_scott"
    regimes: tuple[str, ...] = ("maze", "gliders", "spots")
    diffusivity_a: float = pydantic.Field(2e-5, gt=0)
    diffusivity_b: float = pydantic.Field(1e-5, gt=0)

    @pydantic.field_validator("regimes")
    @classmethod
    def _known_regimes(cls, regimes: tuple[str, ...]) -> tuple[str, ...]:
        for name in regimes:
            known_name(name, REGIMES)
        if not regimes or len(set(regimes)) < len(regimes):
            raise ValueError("name at least one regime, each once")
        return regimes

    def shards(self) -> list[Shard]:
        """Return one file per split and regime; ``ood_params`` has one per unseen pair."""
        return [
            self._shard(split, name, pair)
            for split in self.splits
            for name in self.regimes
            for pair in self._pairs(split, name)
        ]

    def _pairs(self, split: Split, regime: str) -> tuple[tuple[float, float], ...]:
        if split == "ood_params":
            return OOD_PARAMETERS[regime]
        return ((REGIMES[regime].feed_rate, REGIMES[regime].kill_rate),)

    def _shard(self, split: Split, regime: str, pair: tuple[float, float]) -> Shard:
        _, num_trajectories, num_frames = self.size(split)
        return Shard(
            split=split,
            regime=regime,
            parameters={"feed_rate": pair[0], "kill_rate": pair[1]},
            initial_condition="fourier-noise" if split == "ood_ic" else "gaussian-blobs",
            grid=self.grid(split),
            num_trajectories=num_trajectories,
            num_frames=num_frames,
            seed=self.seed,
        )

    def equation(self, shard: Shard) -> GrayScott:
        """Return the Gray-Scott equations of one file."""
        return GrayScott(
            **shard.parameters, diffusivity_a=self.diffusivity_a, diffusivity_b=self.diffusivity_b
        )

    def initial_state(
        self, shard: Shard, grid: Grid, generator: torch.Generator
    ) -> Float[Tensor, "1 channel *space"]:
        """Draw Gaussian blobs or Fourier noise."""
        draw = INITIAL_CONDITIONS[shard.initial_condition]
        if shard.initial_condition == "fourier-noise":
            return draw(grid, generator, 1, **shard.parameters)
        return draw(grid, generator, 1)

    def card_values(self) -> dict[str, str]:
        """Return the constants and the unseen parameters for the card."""
        rows = []
        for name in self.regimes:
            regime = REGIMES[name]
            unseen = ", ".join(f"({feed:g}, {kill:g})" for feed, kill in OOD_PARAMETERS[name])
            cells = (name, f"{regime.feed_rate:g}", f"{regime.kill_rate:g}", regime.description, unseen)
            rows.append(f"| {' | '.join(cells)} |")
        return {
            "regimes": "\n".join(rows),
            "diffusivity_a": f"{self.diffusivity_a:g}",
            "diffusivity_b": f"{self.diffusivity_b:g}",
        }
