"""How the tests build automata whose every weight is random."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from pdenca.automaton import (
    Automaton,
    FixedKernels,
    HiddenChannels,
    Increment,
    IsotropicKernels,
    PointwiseMLP,
    Standardised,
    TransportReaction,
)


@pytest.fixture
def randomise(generator) -> Callable[..., nn.Module]:
    """Fill all parameters of a model with normal numbers of some size, in float64."""

    def fill(model: nn.Module, size: float = 0.5) -> nn.Module:
        model.double()
        with torch.no_grad():
            for value in model.parameters():
                value.copy_(size * torch.randn(value.shape, generator=generator, dtype=torch.float64))
        return model

    return fill


@pytest.fixture
def make_isotropic(randomise) -> Callable[..., Automaton]:
    """The default emulator's parts with random weights in all layers."""

    def make(radius=3, sample_radius=1, num_dims=2, told=("feed_rate",), spacing=1.0, **options):
        rule = PointwiseMLP(2, len(told), 2, 5)
        numbers = torch.tensor([0.4, 0.2]), torch.tensor([0.3, 0.1])
        scales = torch.full((len(told),), 0.03), torch.full((len(told),), 0.01)
        rule = Standardised(rule, *numbers, *scales, torch.tensor([0.05, 0.02]))
        perception = IsotropicKernels(2, radius, sample_radius, num_dims, spacing)
        fire_rate = options.pop("fire_rate", 1.0)
        automaton = Automaton(
            perception,
            TransportReaction(rule),
            Increment(fire_rate),
            HiddenChannels(2),
            context_names=told,
            **options,
        )
        return randomise(automaton)

    return make


@pytest.fixture
def make_fixed(randomise) -> Callable[..., Automaton]:
    """An automaton of the founding papers' kind with random weights in all layers."""

    def make(kernels=("identity", "laplacian"), num_hidden=0, num_dims=2, **options):
        channels = 2 + num_hidden
        perception = FixedKernels(channels, kernels, num_dims)
        rule = PointwiseMLP(perception.num_features, 0, channels, 6, activation="tanh", skip=False)
        update = Increment(options.pop("fire_rate", 1.0))
        return randomise(Automaton(perception, rule, update, HiddenChannels(2, num_hidden), **options), 0.1)

    return make
