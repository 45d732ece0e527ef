"""Perceptions whose symmetry is chosen: kernels of a group, products of gradients, hidden vectors."""

import pytest
import torch

from pdenca.automaton import (
    Automaton,
    GatedRule,
    GradientInvariants,
    GroupKernels,
    HiddenChannels,
    Increment,
    IsotropicKernels,
    PointwiseMLP,
    TransportReaction,
    VectorKernels,
)
from pdenca.core import BadInputError
from pdenca.solvers import Grid
from pdenca.symmetry import (
    C1,
    C2,
    C4,
    CUBE,
    D1_0,
    D1_1,
    D2,
    D4,
    LINE,
    assert_equivariant,
    equivariance_residuals,
    round_off,
)

FLAT = [C1, C2, D1_0, D1_1, D2, C4, D4]
SHIFTS = ((1, 0), (3, -5))


@pytest.fixture
def make_grouped(randomise):
    """Kernels of a group and a pointwise network, all weights random."""

    def make(group, radius=2, sample_radius=1, **options):
        perception = GroupKernels(2, group, radius, sample_radius)
        rule = TransportReaction(PointwiseMLP(2, 0, 2, 5))
        return randomise(
            Automaton(perception, rule, Increment(), HiddenChannels(2), time_step=0.05, **options)
        )

    return make


@pytest.fixture
def make_gradient(randomise):
    def make(chiral=False, num_dims=2, spacing=1.0):
        perception = GradientInvariants(2, 2, 1, num_dims, spacing, chiral=chiral)
        rule = TransportReaction(PointwiseMLP(perception.num_sampled, 0, 2, 5), 2)
        return randomise(Automaton(perception, rule, Increment(), HiddenChannels(2), time_step=0.05))

    return make


KINDS = ("scalar", "scalar", "scalar", "vector", "vector")


@pytest.fixture
def make_gated(randomise):
    """Two observed scalars, a hidden one, two hidden vectors."""

    def make(group, chiral=False):
        kinds = tuple(KINDS)
        perception = VectorKernels(kinds, group)
        rule = GatedRule(
            perception.num_scalars,
            perception.num_vectors,
            0,
            3,
            2,
            5,
            num_dims=group.num_dims,
            chiral=chiral,
        )
        codec = HiddenChannels(2, 1 + 2 * group.num_dims)
        return randomise(Automaton(perception, rule, Increment(), codec, time_step=0.05), 0.3)

    return make


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize("group", FLAT, ids=lambda group: group.name)
def test_an_automaton_has_the_symmetry_of_its_kernels(group, boundary, make_grouped, small_state):
    step = make_grouped(group).bind(Grid.uniform(8, 1.0, boundary), {})
    shifts = SHIFTS if boundary == "periodic" else ()
    assert_equivariant(step, group, small_state, num_steps=10, translations=shifts)


@pytest.mark.parametrize("group", [group for group in FLAT if group is not D4], ids=lambda group: group.name)
def test_and_no_more(group, make_grouped, small_state):
    step = make_grouped(group).bind(Grid.uniform(8, 1.0), {})
    residuals = equivariance_residuals(step, D4, small_state, num_steps=2)
    kept = {name for name, value in residuals.items() if value <= round_off(torch.float64, 2)}
    assert kept == {element.name for element in group}


@pytest.mark.parametrize(("group", "num_dims"), [(LINE, 1), (CUBE, 3)], ids=["line", "cube"])
def test_one_and_three_dimensions(group, num_dims, make_grouped, generator):
    state = torch.rand(1, 2, *(6,) * num_dims, generator=generator, dtype=torch.float64)
    step = make_grouped(group, radius=1).bind(Grid.uniform(6, 1.0, num_dims=num_dims), {})
    assert_equivariant(step, group, state, num_steps=3)


@pytest.mark.parametrize("group", FLAT, ids=lambda group: group.name)
def test_both_roads_to_the_features_agree(group, make_grouped, small_state):
    """Sums over orbits, as derivative matching needs them, and one convolution, as a roll-out does."""
    perception, grid = make_grouped(group).perception, Grid.uniform(8, 1.0)
    state = small_state.movedim(1, -1).contiguous()
    gathered = perception.gather(state, grid)
    assert len(gathered) == 1 + len(perception.transport)
    torch.testing.assert_close(perception(state, grid), perception.combine(gathered, 1.0))


@pytest.mark.parametrize("group", FLAT, ids=lambda group: group.name)
def test_a_constrained_automaton_exports_to_a_free_one(group, make_grouped, small_state):
    automaton, grid = make_grouped(group), Grid.uniform(8, 1.0)
    before = automaton.bind(grid, {}, num_steps=5)(small_state)
    automaton.perception = automaton.perception.exported()
    assert automaton.perception.group is C1
    assert automaton.perception.transport.shape == (24, 2)
    torch.testing.assert_close(automaton.bind(grid, {}, num_steps=5)(small_state), before)


def test_constrained_kernels_are_averages(make_grouped):
    free = make_grouped(C1).perception
    images = free.kernel_images(1.0)
    for group in FLAT:
        found = free.constrained(group).kernel_images(1.0)
        # a kernel averages over the group by averaging its values over each orbit of taps
        total = sum(_turned(images, element) for element in group) / group.order
        torch.testing.assert_close(found, total)
    again = free.constrained(D4).constrained(D4)
    torch.testing.assert_close(again.transport, free.constrained(D4).transport)


def _turned(images, element):
    turned = images.permute(0, 1, *(2 + axis for axis in element.source_axes))
    return turned.flip([2 + axis for axis, sign in enumerate(element.signs) if sign < 0])


@pytest.mark.parametrize("group", FLAT, ids=lambda group: group.name)
def test_homogeneous_states_stay_and_the_start_is_the_laplacian(group, make_grouped):
    perception, grid = make_grouped(group).perception, Grid.uniform(8, 1.0)
    features = perception(torch.full((1, 8, 8, 2), 0.7, dtype=torch.float64), grid)
    torch.testing.assert_close(features[..., :2], torch.full_like(features[..., :2], 0.7))
    assert features[..., 2:].abs().max() < 1e-14
    start = GroupKernels(1, group, 1, 0).double().kernel_images()[1, 0] / 0.05
    laplacian = torch.tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]], dtype=torch.float64)
    torch.testing.assert_close(start, laplacian)


def test_kernels_of_the_square_contain_the_isotropic_ones(randomise, small_state):
    isotropic = randomise(IsotropicKernels(2, 2, 1))
    square = GroupKernels(2, D4, 2, 1).double()
    with torch.no_grad():
        square.transport.zero_()[: len(isotropic.transport)].copy_(isotropic.transport)
        square.sample.zero_()[: len(isotropic.sample)].copy_(isotropic.sample)
    state = small_state.movedim(1, -1).contiguous()
    for spacing in (1.0, 0.5):
        grid = Grid.uniform(8, spacing)
        torch.testing.assert_close(square(state, grid), isotropic(state, grid))


def test_kernels_keep_their_meaning_on_another_spacing(randomise):
    """A slope and a bend of known size, seen at two spacings."""
    perception = randomise(GroupKernels(1, C1, 1, 0, reference_spacing=0.1))

    def look(spacing):
        cells = round(6.4 / spacing)
        grid = Grid.uniform(cells, spacing)
        x, y = (axis.to(torch.float64) for axis in grid.coordinates())
        wave = torch.sin(2 * torch.pi * x / 6.4)[:, None] * torch.cos(2 * torch.pi * y / 6.4)[None]
        features = perception(wave[None, ..., None], grid)[0, ..., 1]
        return float(torch.fft.fft2(features.detach())[1, 1].abs()) / cells**2

    assert look(0.05) == pytest.approx(look(0.1), rel=0.01)
    with torch.no_grad():
        before = look(0.05)
        perception.reference_spacing = 0.05  # as if it had been trained on the finer grid
        assert look(0.05) != pytest.approx(before, rel=0.1)


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_products_of_gradients_commute(boundary, make_gradient, small_state):
    step = make_gradient().bind(Grid.uniform(8, 1.0, boundary), {})
    assert_equivariant(step, D4, small_state, num_steps=10)


def test_products_across_gradients_commute_with_rotations_alone(make_gradient, small_state):
    step = make_gradient(chiral=True).bind(Grid.uniform(8, 1.0), {})
    assert_equivariant(step, C4, small_state, num_steps=10, translations=SHIFTS)
    residuals = equivariance_residuals(step, D4, small_state)
    assert min(residuals[element.name] for element in D4 if element.determinant < 0) > 1e-6


def test_products_of_gradients_see_what_they_claim(make_gradient):
    perception, grid = make_gradient(chiral=True).perception, Grid.uniform(32, 1.0)
    x, y = (axis.to(torch.float64) for axis in grid.coordinates())
    wave, angle = 2 * torch.pi / 32, 0.3
    u = torch.sin(wave * x)[:, None].expand(32, 32)
    v = torch.sin(wave * y + angle)[None].expand(32, 32)
    seen = perception(torch.stack((u, v), -1)[None], grid)[0]
    slope = (wave * torch.cos(wave * x))[:, None].expand(32, 32)
    other = (wave * torch.cos(wave * y + angle))[None].expand(32, 32)
    expected = torch.stack((slope**2, 0 * slope, other**2, slope * other), -1)
    torch.testing.assert_close(seen[..., 2:6], expected, rtol=0, atol=0.03 * wave**2)


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize("group", [D4, C4, D2, D1_0], ids=lambda group: group.name)
def test_hidden_vectors_turn_with_the_state(group, boundary, make_gated, generator):
    step = make_gated(group).bind(Grid.uniform(8, 1.0, boundary), {})
    state = torch.randn(2, 7, 8, 8, generator=generator, dtype=torch.float64)
    assert_equivariant(step, group, state, KINDS, num_steps=8)
    # they are vectors: taken for scalars they break the symmetry
    if group is D4:
        with pytest.raises(AssertionError, match="does not commute"):
            assert_equivariant(step, group, state, num_steps=8)


def test_hidden_vectors_in_one_and_three_dimensions(make_gated, generator):
    for group in (LINE, CUBE):
        n = group.num_dims
        state = torch.randn(1, 3 + 2 * n, *(5,) * n, generator=generator, dtype=torch.float64)
        step = make_gated(group).bind(Grid.uniform(5, 1.0, num_dims=n), {})
        assert_equivariant(step, group, state, KINDS, num_steps=2)


def test_a_chiral_gate_keeps_rotations(make_gated, generator):
    step = make_gated(C4, chiral=True).bind(Grid.uniform(8, 1.0), {})
    state = torch.randn(2, 7, 8, 8, generator=generator, dtype=torch.float64)
    assert_equivariant(step, C4, state, KINDS, num_steps=5)
    with pytest.raises(AssertionError, match="does not commute"):
        assert_equivariant(step, D4, state, KINDS, num_steps=5)


def test_vector_kernels_of_a_homogeneous_state_see_the_cell_alone():
    perception = VectorKernels(("scalar", "vector"), D4).double()
    state = torch.tensor([0.5, 1.0, -2.0], dtype=torch.float64).expand(1, 6, 6, 3)
    features = perception(state.contiguous(), Grid.uniform(6, 1.0))[0, 0, 0]
    scalars, vectors = (
        features[: perception.num_scalars],
        features[perception.num_scalars :].unflatten(0, (-1, 2)),
    )
    assert sorted(scalars[scalars.abs() > 1e-12].tolist()) == [0.5]
    (seen,) = [row for row in vectors if row.norm() > 1e-12]
    # one member carries the vector itself, with the norm 1 of an orthonormal basis
    torch.testing.assert_close(seen * 2**0.5, torch.tensor([1.0, -2.0], dtype=torch.float64))


def test_refusals():
    for options in ((2, D4, 4), (2, D4, 0)):
        with pytest.raises(BadInputError, match="1 to 3 cells"):
            GroupKernels(*options)
    with pytest.raises(BadInputError, match="sample kernel's reach"):
        GroupKernels(2, D4, 1, 2)
    with pytest.raises(BadInputError, match="act on 1 axes, the grid has 2"):
        GroupKernels(1, LINE).gather(torch.zeros(1, 4, 4, 1), Grid.uniform(4, 1.0))
    with pytest.raises(BadInputError, match="acts on 1 axes, the kernels on 2"):
        GroupKernels(1, D4).constrained(LINE)
    with pytest.raises(BadInputError, match="pseudoscalar"):
        VectorKernels(("pseudoscalar",), D4)
