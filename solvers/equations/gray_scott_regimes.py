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
    "maze": Regime(0.029, 0.057, "a labyrinth of stripes; comes to rest but for a slow drift"),
    "worms": Regime(0.058, 0.065, "stripes that grow at their tips; relaxes slowly"),
    "spirals": Regime(0.018, 0.051, "rotating spiral waves; never steady"),
    "spots": Regime(0.030, 0.062, "spots that divide until they fill the plane; becomes steady"),
}
"""The six regimes of The Well's gray_scott_reaction_diffusion dataset (arXiv 2412.00568)."""


PEARSON: Final[dict[str, Regime]] = {
    "alpha": Regime(0.008, 0.046, "short wave trains that collide; never steady, die out in small domains"),
    "beta": Regime(0.020, 0.046, "broad waves and bursts; never steady"),
    "gamma": Regime(0.024, 0.056, "worms that grow, break and reconnect"),
    "delta": Regime(0.028, 0.056, "a labyrinth, with a few holes"),
    "epsilon": Regime(0.020, 0.056, "spots that divide and die; never steady"),
    "zeta": Regime(0.024, 0.060, "spots that divide and crowd each other"),
    "eta": Regime(0.036, 0.063, "spots and short worms"),
    "theta": Regime(0.040, 0.060, "stripes that grow outwards and fill the plane"),
    "iota": Regime(0.050, 0.0605, "a labyrinth with few ends"),
    "kappa": Regime(0.052, 0.063, "stripes that grow and bend; relaxes slowly"),
    "lambda": Regime(0.036, 0.0655, "dies out from blobs, seeds and squares alike; k = 0.064 grows spots"),
    "mu": Regime(0.044, 0.066, "dies out from blobs, seeds and squares alike; k = 0.065 grows worms"),
}
"""The classes that Pearson named (Science 261 (1993) 189), each at the values that APEBench uses (arXiv
2411.00180), with what they do here from Gaussian blobs; the last two make no pattern."""

_DYING = ("lambda", "mu")


def regime_presets() -> Mapping[str, Preset]:
    """Return one preset per regime, the maze first, and one per class of Pearson that makes a pattern."""
    names = ("maze", *(name for name in REGIMES if name != "maze"))
    presets = {name: _preset(REGIMES[name]) for name in names}
    classes = {f"pearson-{name}": _preset(regime) for name, regime in PEARSON.items() if name not in _DYING}
    return {**presets, **classes}


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
