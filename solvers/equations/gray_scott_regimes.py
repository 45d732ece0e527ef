"""Pairs of Gray-Scott parameters that have names, and the patterns they make."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..equation import Preset


@dataclass(frozen=True)
class Regime:
    """A pair of Gray-Scott parameters and the pattern that it makes.

    Arguments:
        feed_rate: F (1/time).
        kill_rate: k (1/time).
        description: the long-time pattern in a few words.
    """

    feed_rate: float
    kill_rate: float
    description: str


REGIMES: Final[dict[str, Regime]] = {
    "gliders": Regime(0.014, 0.054, "spots that travel, collide and split; never steady, may die out"),
    "bubbles": Regime(0.098, 0.057, "holes in a homogeneous reacted background; becomes steady"),
    "maze": Regime(0.029, 0.057, "a labyrinth of stripes; becomes steady"),
    "worms": Regime(0.058, 0.065, "stripes that grow at their tips; relaxes slowly"),
    "spirals": Regime(0.018, 0.051, "rotating spiral waves; never steady"),
    "spots": Regime(0.030, 0.062, "spots that divide until they fill the plane; becomes steady"),
}
"""The six regimes of The Well's gray_scott_reaction_diffusion dataset (arXiv 2412.00568)."""


def regime_presets() -> Mapping[str, Preset]:
    """Return one preset per regime, the maze first."""
    names = ("maze", *(name for name in REGIMES if name != "maze"))
    return {name: _preset(REGIMES[name]) for name in names}


def _preset(regime: Regime) -> Preset:
    return Preset(
        description=regime.description,
        parameters={"feed_rate": regime.feed_rate, "kill_rate": regime.kill_rate},
        initial_condition="gaussian-blobs",
        initial_options={},
        num_cells=128,
        spacing=1 / 64,
        num_frames=101,
        frame_interval=50.0,
        time_step=1.0,
    )
