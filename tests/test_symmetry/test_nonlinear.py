"""Invariants and gated vectors turn with their inputs, and only the chiral ones know left from right."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from pdenca.symmetry import (
    C4,
    CUBE,
    CUBE_ROTATIONS,
    D4,
    LINE,
    GatedLayer,
    KernelLayer,
    act,
    assert_equivariant,
    determinants,
    inner_products,
)

FULL, TURNS = [LINE, D4, CUBE], [C4, CUBE_ROTATIONS]


@pytest.fixture
def make_vectors(generator):
    """Vectors of two fields on a small grid, channels first and the same with the component last."""

    def make(num_dims, count=3):
        state = torch.randn(2, count * num_dims, *(4,) * num_dims, generator=generator, dtype=torch.float64)
        return state, state.movedim(1, -1).unflatten(-1, (count, num_dims))

    return make


@pytest.mark.parametrize("group", FULL, ids=lambda group: group.name)
def test_inner_products_are_scalars_and_determinants_are_not(group, make_vectors):
    state, vectors = make_vectors(group.num_dims)
    for element in group:
        turned = act(element, state, ["vector"] * 3).movedim(1, -1).unflatten(-1, (3, group.num_dims))
        for function, kind in ((inner_products, "scalar"), (determinants, "pseudoscalar")):
            found = function(turned).movedim(-1, 1)
            kinds = [kind] * found.shape[1]
            expected = act(element, function(vectors).movedim(-1, 1), kinds)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)


def test_their_values():
    u, v, w = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]])
    three = torch.stack((u, v, w))
    assert inner_products(three).tolist() == [5.0, 1.0, 1.0, 10.0, 1.25, 0.3125]
    assert determinants(three).tolist() == [-7.0, -0.75, 1.25]
    basis = torch.eye(3)[[1, 0, 2]]
    assert determinants(basis).tolist() == [-1.0]
    assert determinants(torch.tensor([[2.0], [-3.0]])).tolist() == [2.0, -3.0]
    assert determinants(torch.ones(1, 2)).shape == (0,)
    assert inner_products(torch.ones(4, 0, 2)).shape == (4, 0)


@dataclass(frozen=True)
class Network:
    """Kernels, a gated layer in every cell, kernels: a small network of scalars and vectors as a step."""

    first: nn.Module
    gated: GatedLayer
    last: nn.Module
    num_dims: int
    time_step: float = 1.0
    deterministic: bool = True

    def __call__(self, state: Tensor) -> Tensor:
        features = self.first(state).movedim(1, -1)
        scalars, vectors = features[..., :3], features[..., 3:].unflatten(-1, (-1, self.num_dims))
        scalars, vectors = self.gated(scalars, vectors)
        return state + 0.1 * self.last(torch.cat((scalars, vectors.flatten(-2)), -1).movedim(-1, 1))


@pytest.fixture
def make_network(generator):
    def make(group, chiral):
        n = group.num_dims
        outer, inner = ("scalar", "vector"), ("scalar",) * 3 + ("vector",) * 2
        gated = GatedLayer(3, 2, 3, 2, 5, chiral=chiral, num_dims=n, generator=generator)
        layers = [
            KernelLayer(kinds_in, kinds_out, 1, n, generator=generator).double().constrained(group)
            for kinds_in, kinds_out in ((outer, inner), (inner, outer))
        ]
        network = Network(layers[0], gated.double(), layers[1], n)
        with torch.no_grad():
            for module in (network.first, network.gated, network.last):
                for value in module.parameters():
                    value.add_(0.3 * torch.randn(value.shape, generator=generator, dtype=torch.float64))
        return network

    return make


@pytest.mark.parametrize("group", [*FULL, *TURNS], ids=lambda group: group.name)
def test_a_network_of_gated_vectors_commutes(group, make_network, make_vectors, generator):
    state = torch.randn(
        1, 1 + group.num_dims, *(5,) * group.num_dims, generator=generator, dtype=torch.float64
    )
    network = make_network(group, chiral=group in TURNS)
    shifts = [(2,) * group.num_dims]
    assert_equivariant(network, group, state, ["scalar", "vector"], 3, shifts)


def test_a_trained_network_still_commutes(make_network, generator):
    network, target = make_network(D4, chiral=False), make_network(D4, chiral=False)
    state = torch.randn(4, 3, 6, 6, generator=generator, dtype=torch.float64)
    goal = target(state).detach()
    values = [value for part in (network.first, network.gated, network.last) for value in part.parameters()]
    optimiser, losses = torch.optim.Adam(values, lr=0.01), []
    for _ in range(30):
        optimiser.zero_grad()
        loss = (network(state) - goal).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    assert_equivariant(network, D4, state, ["scalar", "vector"], 3)


def test_a_chiral_network_knows_left_from_right(make_network, generator):
    state = torch.randn(1, 3, 6, 6, generator=generator, dtype=torch.float64)
    network = make_network(D4, chiral=True)  # kernels with reflections, gates without
    assert_equivariant(network, C4, state, ["scalar", "vector"], 2)
    with pytest.raises(AssertionError, match="4 of 8 moves fail"):
        assert_equivariant(network, D4, state, ["scalar", "vector"], 2)


def test_an_untrained_gated_layer_says_nothing(generator):
    layer = GatedLayer(2, 2, 1, 1, 4, generator=generator)
    scalars, vectors = layer(torch.rand(5, 2), torch.rand(5, 2, 2))
    assert scalars.abs().max() == 0
    assert vectors.abs().max() == 0


def test_slopes_are_finite_where_vectors_vanish(generator):
    layer = GatedLayer(1, 1, 1, 1, 3, chiral=True, generator=generator).double()
    vectors = torch.zeros(4, 1, 2, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        for value in layer.parameters():
            value.copy_(torch.randn(value.shape, generator=generator, dtype=torch.float64))
    scalars, turned = layer(torch.zeros(4, 1, dtype=torch.float64), vectors)
    (scalars.sum() + turned.sum()).backward()
    assert torch.isfinite(vectors.grad).all()
