"""Layers constrained to a group commute with it whatever their weights; free ones do not."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from pdenca.core import BadInputError
from pdenca.solvers import Grid
from pdenca.solvers.padding import pad
from pdenca.symmetry import (
    C1,
    C2,
    C4,
    CUBE,
    CUBE_ROTATIONS,
    D1_0,
    D2,
    D4,
    LINE,
    KernelLayer,
    act,
    assert_equivariant,
    kernel_basis,
    trivial_group,
)

MIXED = ("scalar", "pseudoscalar", "vector")
GROUPS = [C1, C2, D1_0, D2, C4, D4, LINE, CUBE_ROTATIONS, CUBE]


@dataclass(frozen=True)
class Layered:
    """A layer as a step; the change is held down by its length, which no rotation changes."""

    layer: nn.Module
    time_step: float = 1.0
    deterministic: bool = True

    def __call__(self, state: Tensor) -> Tensor:
        change = self.layer(state)
        return state + 0.1 * change / (1 + change.square().sum(1, keepdim=True))


@pytest.fixture
def make_layer(generator):
    def make(num_dims=2, kinds=MIXED, **options):
        return KernelLayer(kinds, kinds, 1, num_dims, generator=generator, **options).double()

    return make


@pytest.fixture
def make_state(generator):
    def make(num_dims=2, num_channels=None, cells=6):
        channels = 2 + num_dims if num_channels is None else num_channels
        return torch.randn(2, channels, *(cells,) * num_dims, generator=generator, dtype=torch.float64)

    return make


def shake(layer, generator):
    with torch.no_grad():
        for value in layer.parameters():
            value.add_(torch.randn(value.shape, generator=generator, dtype=value.dtype))
    return layer


@pytest.mark.parametrize("depth_wise", [False, True])
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_a_constrained_layer_commutes_over_several_steps(
    group, depth_wise, make_layer, make_state, generator
):
    layer = make_layer(group.num_dims, depth_wise=depth_wise).constrained(group)
    shake(layer, generator)  # any weights will do, not only projected ones
    shifts = [(1,) * group.num_dims]
    assert_equivariant(Layered(layer), group, make_state(group.num_dims), MIXED, 4, shifts)


@pytest.mark.parametrize("group", [D2, D4], ids=lambda group: group.name)
def test_it_commutes_with_walls_too(group, make_layer, make_state, generator):
    def no_flux(state, radius):
        return pad(state, Grid.uniform(6, 1.0, "no-flux"), radius)

    for padding in (no_flux, "replicate", "constant"):
        layer = shake(make_layer(padding=padding).constrained(group), generator)
        assert_equivariant(Layered(layer), group, make_state(), MIXED, 3)


def test_a_trained_layer_still_commutes(make_layer, make_state, generator):
    layer = make_layer().constrained(D4)
    target = make_layer()
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.05)
    state, losses = make_state(), []
    for _ in range(30):
        optimiser.zero_grad()
        loss = (layer(state) - target(state)).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.95 * losses[0]
    assert_equivariant(Layered(layer), D4, make_state(), MIXED, 4)


def test_a_free_layer_fails(make_layer, make_state):
    for layer in (make_layer(), make_layer().constrained(C1)):
        with pytest.raises(AssertionError, match="8 moves fail"):
            assert_equivariant(Layered(layer), D4, make_state(), MIXED)
    # and one that has the group's rotations fails for its reflections alone
    with pytest.raises(AssertionError, match="4 of 8 moves fail"):
        assert_equivariant(Layered(make_layer().constrained(C4)), D4, make_state(), MIXED)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_export_gives_equal_outputs(group, make_layer, make_state, generator):
    layer = shake(make_layer(group.num_dims).constrained(group), generator)
    plain, state = layer.exported(), make_state(group.num_dims)
    assert type(plain) is KernelLayer
    assert plain.weight.numel() == (2 + group.num_dims) ** 2 * 3**group.num_dims
    torch.testing.assert_close(plain(state), layer(state), rtol=0, atol=0)
    # free weights: the export can be trained away from the symmetry
    assert all(value.requires_grad for value in plain.parameters())


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_projection_is_the_average_over_the_group(group, make_layer, make_state):
    """The constrained layer is (1/|G|) Σ_g g^-1 ∘ layer ∘ g, computed by turning states."""
    layer, state = make_layer(group.num_dims), make_state(group.num_dims, cells=4)
    average = sum(
        act(group.inverse(element), layer(act(element, state, MIXED)), MIXED) for element in group.elements
    )
    constrained = layer.constrained(group)
    torch.testing.assert_close(constrained(state), average / group.order, rtol=0, atol=1e-12)
    # and doing it again changes nothing
    again = constrained.constrained(group)
    torch.testing.assert_close(again.kernel(), constrained.kernel(), rtol=0, atol=1e-14)
    torch.testing.assert_close(again.offset(), constrained.offset(), rtol=0, atol=1e-14)


def test_no_group_keeps_everything(make_layer, make_state):
    for num_dims in (1, 2, 3):
        layer, state = make_layer(num_dims), make_state(num_dims)
        free = layer.constrained(trivial_group(num_dims))
        assert sum(value.numel() for value in free.parameters()) == sum(
            value.numel() for value in layer.parameters()
        )
        torch.testing.assert_close(free(state), layer(state), rtol=0, atol=1e-14)


def test_free_numbers(make_layer):
    layer = make_layer()
    assert len(layer.constrained(D4).weights) == len(kernel_basis(D4, MIXED, MIXED, 1))
    scalars = make_layer(kinds=("scalar", "scalar"), depth_wise=True)
    assert len(scalars.constrained(D4).weights) == 2 * 3
    # constants: under D4 none for pseudoscalars and vectors, under C4 one for pseudoscalars
    assert [len(layer.constrained(group).offsets) for group in (D4, C4, D1_0, C1)] == [1, 2, 2, 4]


def test_depth_wise_fields_do_not_meet(make_layer, make_state):
    for layer in (make_layer(depth_wise=True), make_layer(depth_wise=True).constrained(D4)):
        state = make_state()
        touched = state.clone()
        touched[:, 0] += 1
        difference = (layer(touched) - layer(state)).abs().amax((0, 2, 3))
        assert difference[0] > 1e-3
        assert difference[1:].max() == 0


def test_a_state_dict_goes_there_and_back(make_layer, make_state, generator):
    layer = shake(make_layer().constrained(D4), generator)
    other = make_layer().constrained(D4)
    other.load_state_dict(layer.state_dict())
    state = make_state()
    torch.testing.assert_close(other(state), layer(state), rtol=0, atol=0)


def test_refusals(make_layer, make_state):
    with pytest.raises(BadInputError, match="acts on 1 space axes, the layer on 2"):
        make_layer().constrained(LINE)
    with pytest.raises(BadInputError, match="depth_wise=False"):
        KernelLayer(("scalar",), ("vector",), depth_wise=True)
    with pytest.raises(BadInputError, match="1, 2 or 3 space axes, got 4"):
        KernelLayer(("scalar",), ("scalar",), 1, 4)
    for options in (((), ("scalar",), 1), (("scalar",), ("scalar",), -1)):
        with pytest.raises(BadInputError, match="a layer needs a radius"):
            KernelLayer(*options)
    with pytest.raises(BadInputError, match="2 space axes, got a state of shape"):
        make_layer()(make_state(1, 4))
