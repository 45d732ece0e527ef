"""The actions on fields: exact, homomorphic, and right about physical space."""

import itertools

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.symmetry import C4, D2, D4, GROUPS, Element, act, translate

KINDS = ("scalar", "vector", "pseudoscalar")  # 1 + 2 + 1 channels in two dimensions


@pytest.fixture
def fields(generator, dtype):
    return torch.randn(2, 4, 6, 6, generator=generator, dtype=dtype)


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS.keys())
@pytest.mark.parametrize("kinds", [None, KINDS])
def test_homomorphism(group, kinds, generator, dtype):
    num_channels = 2 + group.num_dims  # 1 scalar, 1 vector, 1 pseudoscalar
    fields = torch.randn(2, num_channels, *(4,) * group.num_dims, generator=generator, dtype=dtype)
    some = group.elements[:: max(1, group.order // 16)]
    for g, h in itertools.product(some, repeat=2):
        one_by_one = act(g, act(h, fields, kinds), kinds)
        assert torch.equal(one_by_one, act(group.compose(g, h), fields, kinds)), (g.name, h.name)


def test_identity_and_inverse(fields):
    assert torch.equal(act(D4.identity, fields, KINDS), fields)
    for element in D4:
        assert torch.equal(act(D4.inverse(element), act(element, fields, KINDS), KINDS), fields)


def test_every_other_element_moves_a_random_field(fields):
    images = [act(element, fields) for element in D4]
    for first, second in itertools.combinations(images, 2):
        assert not torch.equal(first, second)


def coordinates(num_cells):
    positions = torch.arange(num_cells, dtype=torch.float64) + 0.5 - num_cells / 2
    return torch.meshgrid(positions, positions, indexing="ij")


@pytest.mark.parametrize("num_cells", [5, 6])
def test_a_bump_moves_to_where_the_matrix_says(num_cells):
    x, y = coordinates(num_cells)

    def bump(centre):
        return torch.exp(-((x - centre[0]) ** 2) - (y - centre[1]) ** 2)[None, None]

    centre = (0.7, 1.3)
    for element in D4:
        moved = tuple(sum(m * c for m, c in zip(row, centre, strict=True)) for row in element.matrix)
        torch.testing.assert_close(act(element, bump(centre)), bump(moved), rtol=1e-14, atol=0)


def test_rotate_90_turns_axis_0_towards_axis_1():
    state = torch.zeros(1, 1, 3, 3)
    state[0, 0, 2, 1] = 1  # one cell from the centre along axis 0
    moved = act(C4["rotate 90"], state)
    assert moved[0, 0, 1, 2] == 1  # one cell from the centre along axis 1
    assert moved.sum() == 1


def test_physical_vectors_and_pseudoscalars():
    x, y = coordinates(6)
    # fields without a preferred direction are carried onto themselves: the radial and the whirling vector
    # field, and the whirl's own curl, which a reflection turns round
    radial = torch.stack([x, y])[None]
    whirl = torch.stack([-y, x])[None]
    curl = torch.full((1, 1, 6, 6), 2.0, dtype=torch.float64)
    for element in D4:
        assert torch.equal(act(element, radial, ["vector"]), radial)
        assert torch.equal(act(element, whirl, ["vector"]), element.determinant * whirl)
        assert torch.equal(act(element, curl, ["pseudoscalar"]), element.determinant * curl)
    # read as two scalars, the vectors' components are moved but not turned
    assert not torch.equal(act(C4["rotate 90"], radial), radial)


def test_gradient_of_a_moved_field_is_the_moved_gradient(generator):
    potential = torch.randn(1, 1, 8, 8, generator=generator, dtype=torch.float64)

    def gradient(field):
        return torch.cat([field.roll(-1, axis) - field.roll(1, axis) for axis in (2, 3)], dim=1) / 2

    for element in D4:
        moved = act(element, gradient(potential), ["vector"])
        assert torch.equal(gradient(act(element, potential)), moved), element.name


def test_three_dimensions(generator):
    state = torch.randn(1, 3, 4, 4, 4, generator=generator)
    cycle = Element("cycle", ((0, 0, 1), (1, 0, 0), (0, 1, 0)))
    thrice = state
    for _ in range(3):
        thrice = act(cycle, thrice, ["vector"])
    assert torch.equal(thrice, state)
    assert not torch.equal(act(cycle, state, ["vector"]), state)


def test_rectangles_keep_half_turns_and_flips_only(generator):
    state = torch.randn(1, 1, 4, 6, generator=generator)
    for element in D2:
        assert act(element, state).shape == state.shape
    for name in ("rotate 90", "rotate 270", "transpose", "anti-transpose"):
        with pytest.raises(
            BadInputError, match=r"4 x 6 cells into one of 6 x 4.*square grid, or the group D2"
        ):
            act(D4[name], state)


def test_wrong_numbers_of_axes_and_kinds_are_refused(generator):
    with pytest.raises(BadInputError, match="acts on 2 space axes"):
        act(D4.identity, torch.zeros(1, 1, 4))
    state = torch.zeros(1, 2, 4, 4)
    with pytest.raises(BadInputError, match="describe 3 channels in 2 dimensions, the state has 2"):
        act(D4.identity, state, ["scalar", "vector"])


def test_gradients_flow_through(generator):
    state = torch.randn(1, 2, 4, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    turn = C4["rotate 90"]
    weights = torch.randn(1, 2, 4, 4, generator=generator, dtype=torch.float64)
    (act(turn, state, ["vector"]) * weights).sum().backward()
    assert torch.equal(state.grad, act(C4.inverse(turn), weights, ["vector"]))


def test_translations(generator):
    state = torch.randn(1, 1, 4, 5, generator=generator)
    assert translate((1, 2), state)[0, 0, 1, 2] == state[0, 0, 0, 0]
    assert torch.equal(translate((4, 5), state), state)
    with pytest.raises(BadInputError, match="one per space axis"):
        translate((1,), state)
