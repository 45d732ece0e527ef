"""Image series made by code, for examples and tests: a pattern that grows, and the faults of a microscope."""

import math
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from pdenca.core import BadInputError

_HALF_WIDTH: Final = 1.0  # cells: of a branch
_AHEAD: Final = 4.0  # cells: how far ahead a tip looks
_CLEARANCE: Final = 2.5  # cells: how near to another branch it stops
_WANDER: Final = 0.15  # radians: how much a tip turns with each cell it grows
_FORK_ANGLE: Final = 0.5  # radians: of each branch to either side
_FORK_CHANCE: Final = 0.08  # per cell


def branching(num_frames: int, num_cells: int, seed: int = 0) -> Float[Tensor, "time 1 x y"]:
    """Grow a branching pattern, like a root, a vessel or a mould, from the middle of a square.

    Tips grow at constant speed, turn a little at random, fork now and then, and stop before they touch
    another branch or the edge. What has grown stays.

    Arguments:
        num_frames: how many frames, at equal intervals.
        num_cells: cells along each side.
        seed: of all that is random.

    Returns:
        0 outside and 1 inside branches, smooth at their edges. Tips grow by half a side in all.

    Raises:
        BadInputError: for fewer than two frames or 16 cells.
    """
    if num_frames < 2 or num_cells < 16:
        raise BadInputError(
            f"a growing pattern needs at least 2 frames and 16 cells, got {num_frames} and {num_cells}"
        )
    random = np.random.default_rng(seed)
    axis = np.arange(num_cells) + 0.5
    x, y = np.meshgrid(axis, axis, indexing="ij")
    middle = np.full(2, num_cells / 2)
    distance = np.hypot(x - middle[0], y - middle[1])  # of every cell to the nearest branch
    start = random.uniform(0, 2 * math.pi)
    tips = [(middle, start + turn) for turn in (0.0, 2 * math.pi / 3, 4 * math.pi / 3)]
    num_steps = num_cells // 2
    frames = []
    done = 0
    for frame in range(num_frames):
        for _ in range(frame * num_steps // (num_frames - 1) - done):
            tips = _grow(tips, distance, x, y, random)
            done += 1
        frames.append(np.clip(_HALF_WIDTH + 0.5 - distance, 0, 1))
    return torch.from_numpy(np.stack(frames)).float()[:, None]


def _grow(
    tips: list[tuple[np.ndarray, float]],
    distance: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    random: np.random.Generator,
) -> list[tuple[np.ndarray, float]]:
    """Let every tip grow by one cell, which changes the distances; return the tips that go on."""
    size, grown = len(distance), []
    for place, angle in tips:
        turned = angle + random.normal(0, _WANDER)
        forks = random.random() < _FORK_CHANCE
        for heading in (turned - _FORK_ANGLE, turned + _FORK_ANGLE) if forks else (turned,):
            way = np.array([math.cos(heading), math.sin(heading)])
            ahead = place + _AHEAD * way
            if not ((ahead > 1) & (ahead < size - 1)).all():
                continue
            if distance[int(ahead[0]), int(ahead[1])] < _CLEARANCE:
                continue
            grown.append((place + way, float(heading)))
    for place, _ in grown:  # after all have looked, so that two sides of a fork do not stop each other
        np.minimum(distance, np.hypot(x - place[0], y - place[1]), out=distance)
    return grown


def microscopy(
    frames: Float[Tensor, "time channel x y"],
    noise: float | int = 0.1,
    drift: float | int = 0.3,
    seed: int = 0,
    background: float | int = 0.05,
) -> Float[Tensor, "time channel x y"]:
    """Look at frames through a microscope: the sample drifts, light comes in photons, nothing is quite dark.

    Arguments:
        frames: brightness, at least 0.
        noise: standard deviation of a brightness of 1; that of b is ``noise`` times the root of b. 0: none.
        drift: standard deviation of how far the sample moves along each axis from frame to frame (cells), by
            fractions of a cell as well. What comes in over the edge repeats the edge.
        seed: of all that is random.
        background: brightness that is added everywhere.

    Returns:
        Frames of the same shape, neither clipped nor rounded.

    Raises:
        BadInputError: for negative numbers.
    """
    if min(noise, drift, background) < 0 or float(frames.min()) < 0:
        raise BadInputError(
            f"brightness, noise, drift and background must be at least 0, got {float(frames.min()):g}, "
            f"{noise}, {drift} and {background}"
        )
    generator = torch.Generator().manual_seed(seed)
    moves = drift * torch.randn(len(frames), 2, generator=generator, dtype=torch.float64)
    moves[0] = 0
    size = torch.tensor(frames.shape[2:])
    turn = torch.eye(2, 3, dtype=torch.float64).repeat(len(frames), 1, 1)
    # a picture moved to the right shows what was to the left; the axes of grid_sample run backwards
    turn[:, :, 2] = (-2 * moves.cumsum(0) / size).flip(1)
    grid = affine_grid(turn, list(frames.shape), align_corners=False).to(frames.dtype)
    seen = grid_sample(frames, grid, padding_mode="border", align_corners=False) + background
    if noise == 0:
        return seen
    photons = 1 / noise**2
    return torch.poisson(seen * photons, generator=generator) / photons
