"""Tiny trajectories whose scores are known."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from pdenca.core import LastFrame
from pdenca.evaluation import Case
from pdenca.solvers.grid import Grid


class DecayEmulator:
    """Multiplies the state by a factor every frame; remembers what it was bound to."""

    def __init__(self, factor: float, frame_interval: float = 2.0, noise: float = 0.0) -> None:
        self.factor, self.frame_interval, self.noise = factor, frame_interval, noise
        self.codec = LastFrame()
        self.bound: list[SimpleNamespace] = []

    def bind(self, lattice, context, generator=None):
        self.bound.append(SimpleNamespace(lattice=lattice, context=dict(context)))
        return _Decay(self, generator)


class _Decay:
    deterministic = True

    def __init__(self, emulator: DecayEmulator, generator: torch.Generator | None) -> None:
        self.emulator, self.generator = emulator, generator
        self.time_step = emulator.frame_interval

    def __call__(self, state: torch.Tensor) -> torch.Tensor:
        drawn = torch.randn(state.shape, generator=self.generator, dtype=state.dtype)
        return self.emulator.factor * state + self.emulator.noise * drawn


@pytest.fixture
def decay() -> type[DecayEmulator]:
    """The emulator class, called with the factor per frame."""
    return DecayEmulator


@pytest.fixture
def make_case() -> Callable[..., Case]:
    """Build a case whose fields shrink by ``factor`` from frame to frame."""

    def make(
        split: str = "test",
        regime: str = "spots",
        *,
        num_trajectories: int = 3,
        num_frames: int = 12,
        factor: float = 0.9,
        seed: int = 0,
        **changes: object,
    ) -> Case:
        generator = torch.Generator().manual_seed(seed)
        first = torch.rand(num_trajectories, 1, 2, 6, 8, generator=generator)
        decay = factor ** torch.arange(num_frames)
        values = dict(
            split=split,
            regime=regime,
            truth=first * decay.reshape(1, -1, 1, 1, 1),
            grid=Grid.uniform((6, 8), 0.5),
            context={"feed_rate": torch.full((num_trajectories,), 0.03)},
            frame_interval=2.0,
            field_names=("A", "B"),
            field_std=(0.3, 0.2),
            field_low=(0.0, 0.0),
            field_high=(1.0, 0.5),
        )
        return Case(**{**values, **changes})

    return make
