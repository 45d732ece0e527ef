"""Maps with known fixed points."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class LinearMap:
    """z -> W z + b, one W per sample."""

    weight: Tensor
    bias: Tensor

    def __call__(self, state):
        return (self.weight @ state[..., None])[..., 0] + self.bias

    @property
    def solution(self):
        return torch.linalg.solve(torch.eye(self.bias.shape[1]).to(self.weight) - self.weight, self.bias)

    @property
    def start(self):
        return torch.zeros_like(self.bias)

    def to(self, dtype):
        return LinearMap(self.weight.to(dtype), self.bias.to(dtype))


@pytest.fixture
def linear_map(generator):
    """A function of the spectral radii of a batch: dense, non-normal, mostly complex eigenvalues."""

    def make(radii, num_entries=8):
        shape = (len(radii), num_entries, num_entries)
        weight = torch.randn(shape, generator=generator, dtype=torch.float64)
        factors = torch.tensor(radii, dtype=torch.float64) / torch.linalg.eigvals(weight).abs().amax(1)
        bias = torch.randn(shape[:2], generator=generator, dtype=torch.float64)
        return LinearMap(weight * factors[:, None, None], bias)

    return make


@pytest.fixture
def rotation():
    """0.9 x rotation by 1 rad, with the fixed point 0: what power iteration gets wrong."""
    angle = torch.tensor(1.0, dtype=torch.float64)
    c, s = torch.cos(angle), torch.sin(angle)
    weight = 0.9 * torch.stack((torch.stack((c, -s)), torch.stack((s, c))))
    return lambda state: state @ weight.T


class TanhCell(torch.nn.Module):
    """z -> tanh(W z + U x), a contraction of about ``norm``."""

    def __init__(self, num_entries, norm, generator):
        super().__init__()
        weight = torch.randn(num_entries, num_entries, generator=generator, dtype=torch.float64)
        inward = torch.randn(num_entries, num_entries, generator=generator, dtype=torch.float64)
        self.weight = torch.nn.Parameter(norm * weight / torch.linalg.matrix_norm(weight, 2))
        self.inward = torch.nn.Parameter(inward)

    def forward(self, state, given):
        return torch.tanh(state @ self.weight.T + given @ self.inward.T)


@pytest.fixture
def tanh_cell(generator):
    """A function of size and contraction."""
    return lambda num_entries=5, norm=0.8: TanhCell(num_entries, norm, generator)
