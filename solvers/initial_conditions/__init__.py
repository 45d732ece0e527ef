"""Initial states, one function each.

All are called as function(grid, generator, num_trajectories, \\*, ...options) and return float64
``"batch channel *space"`` on the generator's device.
"""

import inspect
from collections.abc import Callable
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError

from ..equation import Preset
from ..grid import Grid
from .blocks import blocks, random_blocks
from .noise import smooth_noise, white_noise
from .shapes import front, seeds, spiral
from .two_species import fourier_noise, gaussian_blobs, square

INITIAL_CONDITIONS: Final[dict[str, Callable[..., Tensor]]] = {
    "gaussian-blobs": gaussian_blobs,
    "fourier-noise": fourier_noise,
    "square": square,
    "blocks": blocks,
    "random-blocks": random_blocks,
    "smooth-noise": smooth_noise,
    "white-noise": white_noise,
    "seeds": seeds,
    "front": front,
    "spiral": spiral,
}
"""Name -> function(grid, generator, num_trajectories, ...)."""


def initial_state_of(
    preset: Preset, grid: Grid, generator: torch.Generator, num_trajectories: int
) -> Float[Tensor, "batch channel *space"]:
    """Draw the initial states of a preset, on its own grid or any other.

    Arguments:
        preset: names the initial condition and its options.
        grid: where to sample.
        generator: source of all draws.
        num_trajectories: how many independent states.

    Raises:
        BadInputError: for an unknown initial condition or option, or one that does not fit the grid.
    """
    name = preset.initial_condition
    if name not in INITIAL_CONDITIONS:
        raise BadInputError(
            f"initial condition {name!r} is unknown; expected one of {', '.join(INITIAL_CONDITIONS)}"
        )
    draw = INITIAL_CONDITIONS[name]
    try:
        inspect.signature(draw).bind(grid, generator, num_trajectories, **preset.initial_options)
    except TypeError as error:
        raise BadInputError(
            f"initial condition {name!r} cannot take the options {dict(preset.initial_options)}: {error}"
        ) from None
    return draw(grid, generator, num_trajectories, **preset.initial_options)


__all__ = [
    "INITIAL_CONDITIONS",
    "blocks",
    "fourier_noise",
    "front",
    "gaussian_blobs",
    "initial_state_of",
    "random_blocks",
    "seeds",
    "smooth_noise",
    "spiral",
    "square",
    "white_noise",
]
