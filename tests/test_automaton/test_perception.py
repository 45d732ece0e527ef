"""What a cell sees: fixed kernels against convolutions, learned kernels against their moments."""

import itertools
import math

import pytest
import torch
from torch.nn.functional import conv1d, conv2d, conv3d

from pdenca.automaton import FixedKernels, IsotropicKernels, require_isotropic
from pdenca.automaton.lattice import shells
from pdenca.core import BadInputError
from pdenca.solvers import Grid, laplacian, pad

CONVOLUTIONS = {1: conv1d, 2: conv2d, 3: conv3d}


def perceive(perception, state, grid):
    """Features "batch feature *space" of a state "batch channel *space"."""
    gathered = perception.gather(state.movedim(1, -1), grid)
    return perception.combine(gathered, grid.spacing[0]).movedim(-1, 1)


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_the_founding_papers_laplacian(boundary, small_state):
    grid = Grid.uniform(8, 0.1, boundary)
    features = perceive(FixedKernels(2), small_state, grid)
    taps = torch.tensor([[1.0, 2, 1], [2, -12, 2], [1, 2, 1]], dtype=torch.float64) / 4
    expected = conv2d(pad(small_state, grid, 1), taps.expand(2, 1, 3, 3), groups=2)
    torch.testing.assert_close(features[:, 2:], expected)
    assert torch.equal(features[:, :2], small_state)


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_the_average_is_over_a_cell_and_all_that_touch_it(boundary, num_dims, generator):
    grid = Grid.uniform((5, 6, 4)[:num_dims], 0.1, boundary, num_dims)
    state = torch.rand(2, 3, *grid.shape, generator=generator, dtype=torch.float64)
    perception = FixedKernels(3, ("identity", "average"), num_dims)
    features = perceive(perception, state, grid)
    assert perception.num_features == features.shape[1] == 6
    assert perception.radius == 1
    taps = torch.full((3, 1, *(3,) * num_dims), 1 / 3**num_dims, dtype=torch.float64)
    expected = CONVOLUTIONS[num_dims](pad(state, grid, 1), taps, groups=3)
    torch.testing.assert_close(features[:, 3:], expected)
    assert torch.equal(features[:, :3], state)


@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_gradient_features_point_along_the_slope(num_dims):
    grid = Grid.uniform((12, 10, 8)[:num_dims], 0.5, "no-flux")
    slopes = (0.3, -0.2, 0.7)[:num_dims]
    parts = torch.meshgrid(*grid.coordinates(), indexing="ij")
    plane = sum(slope * x for slope, x in zip(slopes, parts, strict=True))[None, None]
    perception = FixedKernels(1, ("gradient", "gradient-norm"), num_dims)
    features = perceive(perception, plane, grid)
    assert features.shape[1] == perception.num_features == num_dims + 1
    inside = (0, slice(None), *(slice(1, -1),) * num_dims)
    expected = torch.tensor([0.5 * slope for slope in slopes], dtype=torch.float64)
    expected = torch.cat((expected, expected.norm()[None])).view(-1, *(1,) * num_dims)
    torch.testing.assert_close(features[inside], expected.expand_as(features[inside]))


def test_the_gradient_norm_can_be_differentiated_where_nothing_changes():
    state = torch.ones(1, 1, 4, 4, requires_grad=True)
    perceive(FixedKernels(1, ("gradient-norm",)), state, Grid.uniform(4, 1.0)).sum().backward()
    assert torch.isfinite(state.grad).all()


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize("spacing", [2, 4])
def test_wider_kernels_are_those_of_one_cell_with_holes_on_what_was_smoothed(spacing, boundary, generator):
    grid = Grid.uniform((16, 12), 0.1, boundary)
    state = torch.rand(2, 3, *grid.shape, generator=generator, dtype=torch.float64)
    kernels = (f"gradient@{spacing}", f"laplacian@{spacing}", f"gradient-norm@{spacing}", "identity")
    perception = FixedKernels(3, kernels)
    features = perceive(perception, state, grid)
    assert perception.num_features == features.shape[1] == 15
    mean = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=torch.float64) / 16
    slope = torch.tensor([[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]], dtype=torch.float64) / 8
    curvature = torch.tensor([[1.0, 2, 1], [2, -12, 2], [1, 2, 1]], dtype=torch.float64) / 4

    def convolved(field, taps, apart):
        padded = pad(field, grid, apart)
        return conv2d(padded, taps.expand(3, 1, 3, 3), groups=3, dilation=apart)

    smooth, apart = state, 1
    while apart < spacing:
        smooth, apart = convolved(smooth, mean, apart), 2 * apart
    components = [convolved(smooth, taps, spacing) for taps in (slope, slope.T)]
    norm = torch.stack(components).square().sum(0).sqrt()
    expected = torch.cat((*components, convolved(smooth, curvature, spacing), norm, state), dim=1)
    torch.testing.assert_close(features, expected)


def test_a_kernel_hears_as_far_as_it_says():
    grid = Grid.uniform(32, 1.0)
    for kernels in (("laplacian",), ("laplacian", "gradient@2"), ("laplacian@4",)):
        perception = FixedKernels(1, kernels)
        impulse = torch.zeros(1, 1, 32, 32)
        impulse[..., 16, 16] = 1
        heard = perceive(perception, impulse, grid).abs().sum((0, 1)).nonzero()
        assert int((heard - 16).abs().max()) == perception.radius


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize(("radius", "sample_radius"), [(1, 0), (2, 1), (3, 1), (3, 3), (5, 2)])
@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_learned_kernels_are_convolutions_with_their_pictures(
    num_dims, radius, sample_radius, boundary, generator, randomise
):
    grid = Grid.uniform((7, 6, 5)[:num_dims], 0.5, boundary)
    state = torch.rand(2, 2, *grid.shape, generator=generator, dtype=torch.float64)
    perception = randomise(IsotropicKernels(2, radius, sample_radius, num_dims, reference_spacing=0.7))
    features = perceive(perception, state, grid)
    images = perception.kernel_images(0.5).detach()
    assert images.shape == (2, 2, *(2 * radius + 1,) * num_dims)
    padded = pad(state, grid, radius)
    for kind, found in enumerate(features.chunk(2, dim=1)):
        expected = CONVOLUTIONS[num_dims](padded, images[kind][:, None], groups=2)
        torch.testing.assert_close(found, expected)


def test_kernels_have_no_constant_part(randomise):
    images = randomise(IsotropicKernels(3, 3, 2)).kernel_images().detach()
    sums = images.flatten(2).sum(-1)
    torch.testing.assert_close(sums, torch.tensor([[1.0] * 3, [0.0] * 3], dtype=torch.float64))


def test_the_start_is_plain_diffusion(small_state):
    grid = Grid.uniform(8, 1.0)
    sampled, transport = perceive(IsotropicKernels(2).double(), small_state, grid).chunk(2, dim=1)
    assert torch.equal(sampled, small_state)
    torch.testing.assert_close(transport, 0.05 * laplacian(small_state, grid, "order-2"))


def test_number_of_learned_moments():
    perception = IsotropicKernels(2, radius=3, sample_radius=1)
    assert [tuple(value.shape) for value in perception.parameters()] == [(5, 2), (1, 2)]
    assert [tuple(value.shape) for value in IsotropicKernels(2, 1, 0).parameters()] == [(1, 2), (0, 2)]


@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_another_spacing_keeps_the_differential_operator(num_dims, randomise):
    perception = randomise(IsotropicKernels(1, 3, 1, num_dims, reference_spacing=0.1))
    waves = (2.0, 4.0, 2.0)[:num_dims]  # on a box of side pi: whole periods
    moments = perception.transport[:, 0].tolist()
    exact = 0.0
    for moment, name in zip(moments, shells(3, num_dims)[1:], strict=True):
        parts = {tuple(name[i] for i in order) for order in itertools.permutations(range(num_dims))}
        symbol = sum(
            math.prod((-(w**2)) ** part for w, part in zip(waves, item, strict=True)) for item in parts
        )
        exact += 0.05 * moment * 0.1 ** (2 * sum(name)) * symbol

    def error(cells):
        grid = Grid.uniform((cells,) * num_dims, math.pi / cells)
        field = torch.ones(())
        for wave, x in zip(waves, grid.coordinates(), strict=True):
            field = field[..., None] * torch.cos(wave * x)
        with torch.no_grad():
            transport = perceive(perception, field[None, None], grid)[0, 1]
        return float((transport - exact * field).abs().max())

    sizes = (20, 40) if num_dims == 3 else (32, 64)
    assert error(sizes[0]) < 0.2 * abs(exact)
    assert 1.8 < math.log2(error(sizes[0]) / error(sizes[1])) < 2.2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FixedKernels(2, ("sobel",)), "kernel 'sobel' is unknown; expected some of identity"),
        (lambda: FixedKernels(2, ("gradient@3",)), "'gradient@3' is unknown; .* gradient-norm@2 or the last"),
        (lambda: FixedKernels(2, ("average@2",)), "kernel 'average@2' is unknown"),
        (lambda: FixedKernels(2, ("gradient@",)), "kernel 'gradient@' is unknown"),
        (lambda: FixedKernels(2, num_dims=3), "two-dimensional, got 3 axes; usual cure: IsotropicKernels"),
        (lambda: IsotropicKernels(2, 7), "must be 1 to 6 cells, got 7"),
        (lambda: IsotropicKernels(2, 0), "must be 1 to 6 cells, got 0"),
        (lambda: IsotropicKernels(2, 1, 2), "must be 0 to 1, got 2"),
        (lambda: require_isotropic(FixedKernels(2)), "FixedKernels perception has no learned kernels"),
    ],
)
def test_bad_perceptions_are_refused(make, message):
    with pytest.raises(BadInputError, match=message):
        make()


def test_require_isotropic_hands_the_perception_back():
    perception = IsotropicKernels(2)
    assert require_isotropic(perception) is perception
