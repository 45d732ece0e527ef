"""What the solver tests share: smooth periodic fields known everywhere, and fitted orders of accuracy."""

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from pdenca.solvers import Grid


def _smooth_field(grid: Grid, num_channels: int = 2) -> Tensor:
    channels = []
    for channel in range(num_channels):
        total = torch.zeros((), dtype=torch.float64)
        for axis, (x, length) in enumerate(zip(grid.coordinates(), grid.extent, strict=True)):
            angle = 2 * math.pi * x / length
            line = 0.5 * torch.sin(angle + channel + axis) - 0.3 * torch.cos(2 * angle + 0.4 * axis)
            total = total[..., None] + line / grid.num_dims
        channels.append(torch.exp(total))
    return torch.stack(channels)[None]


def _fitted_order(sizes: Sequence[float], errors: Sequence[float]) -> float:
    x = torch.tensor(sizes, dtype=torch.float64).log()
    y = torch.tensor(errors, dtype=torch.float64).log()
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / (x * x).sum())


@pytest.fixture
def smooth_field() -> Callable[..., Tensor]:
    """(grid, num_channels=2) -> a periodic analytic state "1 channel *space" of all waves, in [0.4, 2.3]."""
    return _smooth_field


@pytest.fixture
def fitted_order() -> Callable[[Sequence[float], Sequence[float]], float]:
    """(sizes, errors) -> slope of log error against log size."""
    return _fitted_order
