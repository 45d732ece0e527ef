"""Small problems whose answers are known."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.func import functional_call

from pdenca.automaton import (
    Automaton,
    HiddenChannels,
    Increment,
    IsotropicKernels,
    PointwiseMLP,
    TransportReaction,
)


class LinearMap(nn.Module):
    """y = W x + b."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(num_outputs, num_inputs, dtype=torch.float64))
        self.bias = nn.Parameter(torch.zeros(num_outputs, dtype=torch.float64))

    def forward(self, x):
        return x @ self.weight.T + self.bias


class Regression:
    """Least squares between a model's answers and targets, one small vector per sample."""

    def __init__(self, model, inputs, targets, bend=lambda y: y):
        self.model, self.samples, self.bend = model, (targets, inputs), bend

    def batch(self, step):
        return self.samples

    def sample_residuals(self, parameters, *sample):
        return self.bend(functional_call(self.model, dict(parameters), (sample[1],))) - sample[0]

    def loss(self, batch):
        return (self.bend(self.model(batch[1])) - batch[0]).square().mean()

    def accept(self, batch):
        """Nothing to remember."""

    def state(self):
        return {}

    def load_state(self, state):
        """Nothing to restore."""


@pytest.fixture
def make_regression(generator) -> Callable[..., tuple[LinearMap, Regression]]:
    """A linear map and noisy data for it, the inputs in very different units."""

    def make(num_samples=40, num_inputs=3, num_outputs=2, **options):
        units = torch.logspace(-2, 2, num_inputs, dtype=torch.float64)
        inputs = units * torch.randn(num_samples, num_inputs, generator=generator, dtype=torch.float64)
        targets = torch.randn(num_samples, num_outputs, generator=generator, dtype=torch.float64)
        model = LinearMap(num_inputs, num_outputs)
        return model, Regression(model, inputs, targets, **options)

    return make


@pytest.fixture
def automaton() -> Automaton:
    """A small automaton with two fields and one parameter, float64, everything at its start."""
    rule = PointwiseMLP(2, 1, 2, 4, generator=torch.Generator().manual_seed(3))
    return Automaton(
        IsotropicKernels(2, 1, 1),
        TransportReaction(rule),
        Increment(),
        HiddenChannels(2),
        context_names=("feed_rate",),
        time_step=0.5,
        steps_per_frame=2,
    ).double()
