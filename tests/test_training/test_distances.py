"""Distances between images: against values worked out elsewhere, and what each of them cannot see."""

import dataclasses
import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from pdenca.automaton import Automaton, FixedKernels, HiddenChannels, Increment, PointwiseMLP
from pdenca.core import BadInputError, IncompleteError
from pdenca.solvers import Grid
from pdenca.training import DISTANCES, Distance, DistanceSettings, FirstOrder, PropagatedPairs, within
from pdenca.training.distances import (
    Bhattacharyya,
    Euclidean,
    Hellinger,
    MeanSquared,
    Sinkhorn,
    SlicedWasserstein,
    Spectral,
    Texture,
)
from pdenca.training.distances.base import require_same_shape, root

# the least settings that see everything that images can differ in
SHARP = {
    "spectral": {"euclidean_weight": 0.5},
    "hellinger": {"amplitude": "term"},
    "bhattacharyya": {"amplitude": "term"},
    "sliced-wasserstein": {"num_projections": 8, "position_weight": 1.0},
}


def build(name, **options):
    if name in ("sliced-wasserstein", "sinkhorn"):
        pytest.importorskip("ot")
    return DISTANCES[name](**{**SHARP.get(name, {}), **options})


@pytest.fixture(params=DISTANCES)
def name(request):
    return request.param


@pytest.fixture
def pair(generator):
    """Two pairs of images, 2 channels, 5 x 6 cells, nowhere zero, equal or ordered alike."""
    return 0.1 + torch.rand(2, 2, 2, 5, 6, generator=generator, dtype=torch.float64)


def number(distance, found, wanted):
    (only,) = distance(found, wanted).tolist()
    return only


def line(*values):
    """One image of one channel on one axis."""
    return torch.tensor([[values]], dtype=torch.float64)


def test_every_distance_is_frozen_and_final(name):
    kind = DISTANCES[name]
    assert issubclass(kind, Distance)
    assert kind.__final__
    assert kind.__dataclass_params__.frozen
    assert kind() == kind()


def test_equal_images_are_at_zero_and_others_are_not(name, pair, dtype):
    found, wanted = pair.to(dtype)
    distance = build(name)
    there, back = distance(found, wanted), distance(wanted, found)
    assert there.shape == (2,)
    assert there.dtype == dtype
    assert (there > 1e-3).all()
    torch.testing.assert_close(there, back, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(distance(found, found), torch.zeros(2, dtype=dtype), rtol=0, atol=1e-6)


def test_each_image_is_judged_alone(name, pair):
    found, wanted = pair
    together = build(name)(found, wanted)
    alone = torch.cat([build(name)(found[i : i + 1], wanted[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize(
    ("name", "space"),
    [
        (name, space)
        for name, space in itertools.product(DISTANCES, [(7,), (4, 5), (3, 4, 2)])
        if name != "texture" or len(space) < 3
    ],
)
def test_gradients_are_finite(name, space, dtype, generator):
    some, other = torch.rand(2, 3, 2, *space, generator=generator, dtype=torch.float64).to(dtype)
    nothing = torch.zeros_like(some)
    pairs = [(some, other), (some, some), (nothing, other), (some, nothing), (nothing, nothing)]
    for distance, (found, wanted) in itertools.product((build(name), DISTANCES[name]()), pairs):
        found, wanted = found.clone().requires_grad_(), wanted.clone().requires_grad_()
        gradients = torch.autograd.grad(distance(found, wanted).sum(), (found, wanted))
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert all(gradient.dtype == dtype for gradient in gradients)
    found, wanted = (image.clone().requires_grad_() for image in pairs[0])
    gradients = torch.autograd.grad(build(name)(found, wanted).sum(), (found, wanted))
    assert all(gradient.flatten(1).any(1).all() for gradient in gradients)


def test_gradients_are_derivatives(name, pair):
    options = {"tolerance": 1e-12} if name == "sinkhorn" else {}
    found, wanted = pair[:, :1, :, :3, :4].clone().requires_grad_()
    assert torch.autograd.gradcheck(build(name, **options), (found, wanted), atol=1e-6)


def test_one_nan_is_one_nan(name, pair):
    found, wanted = pair
    found[0, 1, 2, 3] = torch.nan
    distances = build(name)(found, wanted)
    assert distances.isnan().tolist() == [True, False]


def test_steps_downhill_lead_there(name, pair):
    found = pair[0].clone().requires_grad_()
    distance = build(name)
    optimizer = torch.optim.Adam([found], lr=3e-3)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = distance(found, pair[1]).sum()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.95 * losses[0]


def test_the_norm_and_the_mean_square_by_hand():
    found, wanted = torch.zeros(2, 1, 2, 1, 2, dtype=torch.float64)
    found[0, 0, 0, 1], found[0, 1, 0, 0] = 3.0, -4.0
    assert number(Euclidean(), found, wanted) == 5.0
    assert number(MeanSquared(), found, wanted) == 25 / 4


@pytest.mark.parametrize("space", [(6,), (3, 4), (2, 3, 2)])
def test_moduli_by_sums_over_waves(space, generator):
    found, wanted = torch.randn(2, 1, 2, *space, generator=generator, dtype=torch.float64)
    cells = [np.array(cell) for cell in itertools.product(*map(range, space))]
    total = 0.0
    for wave, channel in itertools.product(cells, range(2)):
        factors = [np.exp(-2j * np.pi * np.sum(wave * cell / np.array(space))) for cell in cells]
        one, other = (abs(np.dot(factors, image[0, channel].flatten().numpy())) for image in (found, wanted))
        total += (one - other) ** 2 / math.prod(space)
    assert number(Spectral(), found, wanted) == pytest.approx(math.sqrt(total))
    expected = math.sqrt(total) + 0.3 * number(Euclidean(), found, wanted)
    assert number(Spectral(euclidean_weight=0.3), found, wanted) == pytest.approx(expected)
    assert number(Spectral(), found, wanted) < number(Euclidean(), found, wanted)


@pytest.mark.parametrize("name", ["spectral", "texture", "sliced-wasserstein"])
def test_who_is_blind_to_shifts(name, generator):
    if name == "sliced-wasserstein":
        pytest.importorskip("ot")
    image = torch.rand(1, 2, 16, 12, generator=generator, dtype=torch.float64)
    moved = image.roll((5, 3), (-2, -1))
    other = image.flip(-1).roll(1, -1) * 1.1
    distance = DISTANCES[name]()
    assert number(distance, image, moved) == pytest.approx(0, abs=1e-12)
    assert number(distance, image, other) > 1e-3


@pytest.mark.parametrize("name", ["euclidean", "mean-squared", "hellinger", "bhattacharyya", "sinkhorn"])
def test_who_is_not(name, generator):
    image = torch.rand(1, 2, 8, 9, generator=generator, dtype=torch.float64)
    assert number(build(name), image, image.roll((5, 3), (-2, -1))) > 1e-2


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ((1, 1, 0), (1, 0, 1), 0.5),
        ((4, 0, 0), (1, 1, 2), 0.5),
        ((1, 3, 0), (3, 1, 0), math.sqrt(3) / 2),
        ((2, 2, 4), (1, 1, 2), 1.0),
    ],
)
def test_two_histograms(one, other, overlap):
    one, other = line(*map(float, one)), line(*map(float, other))
    floor = 1e-14  # the error is of the order of its root
    hellinger = number(Hellinger(floor=floor), one, other)
    assert hellinger == pytest.approx(math.sqrt(1 - overlap), abs=1e-6)
    found = number(Bhattacharyya(floor=floor), one, other)
    assert found == pytest.approx(-math.log(overlap), abs=1e-6)
    # channels are normalised each for itself, and averaged
    both = torch.cat((one, 7 * one), 1), torch.cat((other, one), 1)
    assert number(Hellinger(floor=floor), *both) == pytest.approx(hellinger / 2, abs=1e-6)


def test_the_overlap_of_what_does_not_touch_is_the_floor_s(dtype):
    one, other = line(1.0, 0.0).to(dtype), line(0.0, 1.0).to(dtype)
    floor = 1e-8
    expected = -math.log(2 * math.sqrt(floor * (1 + floor)) / (1 + 2 * floor))
    assert number(Bhattacharyya(floor=floor), one, other) == pytest.approx(expected, rel=1e-5)
    assert number(Hellinger(floor=floor), one, other) == pytest.approx(1, abs=2e-4)


@pytest.mark.parametrize("kind", [Hellinger, Bhattacharyya])
def test_amplitudes_count_as_asked(kind):
    one, other = line(1.0, 3.0, 2.0), line(2.0, 1.0, 0.0)
    plain = number(kind(), one, other)
    assert number(kind(), 5 * one, other) == pytest.approx(plain, rel=1e-6)
    assert number(kind(amplitude="factor"), one, other) == pytest.approx(2 * plain)
    assert number(kind(amplitude="term"), one, other) == pytest.approx(plain + 1)
    # a factor of nothing is nothing, and says so in its docstring
    assert number(kind(amplitude="factor"), one, 2 * one) == pytest.approx(0, abs=1e-6)
    assert number(kind(amplitude="term"), one, 2 * one) == pytest.approx(2, abs=1e-6)


@pytest.mark.parametrize("name", ["hellinger", "bhattacharyya", "sinkhorn"])
def test_negative_values_are_refused_unless_their_magnitude_is_asked_for(name):
    good, bad = line(1.0, 2.0, 0.0).requires_grad_(), line(1.0, -2.0, 0.0).requires_grad_()
    for images in ((good, bad), (bad, good)):
        with pytest.raises(BadInputError, match=r"the least of these is -2; usual cure: .*'magnitude'"):
            build(name)(*images)
    assert number(build(name, negative="magnitude", **_only(name)), good, bad) == pytest.approx(0, abs=1e-6)


def _only(name):
    return {} if name == "sinkhorn" else {"amplitude": "ignored"}


def test_colours_are_sorted():
    pytest.importorskip("ot")
    distance = SlicedWasserstein()
    # all mass at one colour: moved by 0.7
    assert number(distance, line(0.2, 0.2, 0.2), line(0.9, 0.9, 0.9)) == pytest.approx(0.7)
    assert number(distance, line(0.0, 1.0, 5.0, 2.0), line(4.0, 2.0, 0.0, 1.0)) == pytest.approx(0.5)
    # the same colour elsewhere is the same image, until places count
    bright, moved = line(1.0, 0.0, 0.0, 0.0), line(0.0, 0.0, 0.0, 1.0)
    assert number(distance, bright, moved) == 0
    assert number(SlicedWasserstein(position_weight=0.5), bright, moved) > 0.05


@pytest.mark.parametrize("space", [(6,), (2, 3), (2, 2, 2)])
def test_slices_against_the_best_of_all_pairings(space, generator):
    pytest.importorskip("ot")
    found, wanted = torch.rand(2, 2, 3, *space, generator=generator, dtype=torch.float64)
    distance = SlicedWasserstein(num_projections=5, position_weight=2.0, seed=3)
    squares = []
    for one, other in zip(distance._projected(found).T, distance._projected(wanted).T, strict=True):
        costs = (one[:, None] - other).square().numpy()
        squares.append(costs[linear_sum_assignment(costs)].mean())
    expected = np.sqrt(np.array(squares).reshape(2, 5).mean(1))
    np.testing.assert_allclose(distance(found, wanted), expected)


def test_slices_of_a_moved_cloud(generator):
    pytest.importorskip("ot")
    image = torch.rand(1, 2, 6, 6, generator=generator, dtype=torch.float64)
    moved = image + torch.tensor([0.3, -0.4], dtype=torch.float64).view(2, 1, 1)
    # the mean of (θ·t)² over the circle is |t|² / 2
    many = SlicedWasserstein(num_projections=2000)
    assert number(many, image, moved) == pytest.approx(0.5 / math.sqrt(2), rel=0.02)
    assert number(many, image, moved) == number(many, image, moved)
    assert number(dataclasses.replace(many, seed=1), image, moved) != number(many, image, moved)


def test_a_place_costs_as_much_as_a_colour(generator):
    pytest.importorskip("ot")
    image = torch.zeros(1, 1, 8, 4, dtype=torch.float64)
    distance = SlicedWasserstein(num_projections=3, position_weight=2.0)
    projected = distance._projected(image)
    # along the longest axis the centres go from 1/16 to 15/16 of the weight, along the other as densely
    assert projected.shape == (32, 3)
    steps = projected.view(8, 4, 3).diff(dim=0)
    torch.testing.assert_close(steps, steps[:1, :1].expand_as(steps))
    across = projected.view(8, 4, 3).diff(dim=1)[0, 0]
    colour = distance._projected(image + 1)[0] - projected[0]
    lengths = colour.square() + (steps[0, 0].square() + across.square()) / (2 / 8) ** 2
    torch.testing.assert_close(lengths, torch.ones(3, dtype=torch.float64))


def reference_transport(source, target, squares, width, iterations=4000):
    """T(p, q) by plain scaling, from its definition: cost of the plan plus its relative entropy."""
    kernel = np.exp(-squares / width) * np.outer(source, target)
    left, right = np.ones_like(source), np.ones_like(target)
    for _ in range(iterations):
        left = source / (kernel @ right)
        right = target / (kernel.T @ left)
    plan = left[:, None] * kernel * right
    return np.sum(plan * squares) + width * np.sum(plan * np.log(plan / np.outer(source, target)))


@pytest.mark.parametrize("space", [(7,), (3, 4), (2, 2, 3)])
def test_divergences_by_their_definition(space, generator):
    pytest.importorskip("ot")
    found, wanted = torch.rand(2, 1, 2, *space, generator=generator, dtype=torch.float64)
    cells = np.array(list(itertools.product(*map(range, space))), dtype=float)
    squares = np.square(cells[:, None] - cells).sum(-1)
    expected = []
    for channel in range(2):
        one, other = (image[0, channel].flatten().numpy() + 1e-9 for image in (found, wanted))
        one, other = one / one.sum(), other / other.sum()
        across, own, others = (
            reference_transport(*masses, squares, width=2 * 0.8**2)
            for masses in ((one, other), (one, one), (other, other))
        )
        expected.append(across - (own + others) / 2)
    found = number(Sinkhorn(blur=0.8, tolerance=1e-12), found, wanted)
    assert found == pytest.approx(np.mean(expected), rel=1e-8)


@pytest.mark.parametrize("cells", [1, 3])
def test_a_mass_moved_by_some_cells(cells):
    pytest.importorskip("ot")
    one = torch.zeros(1, 1, 6, 6, dtype=torch.float64)
    one[..., 1, 1] = 5.0
    for moved in (one.roll(cells, -1), 2 * one.roll(cells, -2)):
        assert number(Sinkhorn(floor=1e-14), one, moved) == pytest.approx(cells**2, rel=1e-6)


def test_a_narrow_blur_is_plain_transport():
    pytest.importorskip("ot")
    one, other = line(0.4, 0.1, 0.3, 0.15, 0.05, 0.0), line(0.05, 0.2, 0.0, 0.05, 0.3, 0.4)
    # on a line the best plan keeps the order of the masses: quantile goes to quantile
    levels = torch.linspace(0, 1, 20001, dtype=torch.float64)[1:] - 0.5 / 20000
    places = [torch.searchsorted(image.flatten().cumsum(0), levels) for image in (one, other)]
    plain = float((places[0] - places[1]).square().double().mean())
    assert plain == pytest.approx(6.0)
    blurs = (1.0, 0.7, 0.4)
    missing = [plain - number(Sinkhorn(blur=blur, max_iterations=10000), one, other) for blur in blurs]
    assert missing == sorted(missing, reverse=True)
    assert 0 < missing[-1] < 0.25


def test_large_images_and_unfinished_iterations_are_refused():
    pytest.importorskip("ot")
    large = torch.ones(1, 1, 33, 32)
    with pytest.raises(BadInputError, match=r"at most 1024 cells \(32 x 32\), got 33 x 32; usual cure"):
        Sinkhorn()(large, large)
    one, other = line(1.0, 0.0, 3.0, 2.0), line(2.0, 5.0, 0.0, 1.0)
    with pytest.raises(IncompleteError, match=r"after 3 of Sinkhorn's .* wider blur than 0\.3 cells"):
        Sinkhorn(blur=0.3, max_iterations=3)(one, other)


@pytest.mark.parametrize("kind", [SlicedWasserstein, Sinkhorn])
def test_without_pot_the_cure_is_named(kind, monkeypatch):
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(BadInputError, match=r"needs POT .* pip install 'pdenca\[images\]'"):
        kind().require(line(1.0, 2.0))


def waves(*turns, cells=32):
    """A plane wave with so many turns along each axis."""
    axes = [torch.arange(cells, dtype=torch.float64)] * len(turns)
    places = torch.meshgrid(*axes, indexing="ij")
    phase = sum(2 * math.pi * turn / cells * place for turn, place in zip(turns, places, strict=True))
    return torch.cos(phase)[None, None]


def test_moments_of_a_plane_wave():
    scale, wave = 1.5, 2 * math.pi * np.array([3, 2]) / 32
    found = Texture(scales=(scale,), num_orientations=2).moments(waves(3, 2))[0]
    # features: 1, u, two first derivatives, two second ones, two strengths
    assert found.shape == (8, 8)
    fade = math.exp(-(scale**2) * np.sum(wave**2) / 2)
    along = scale * wave
    expected = torch.zeros(6, 6, dtype=torch.float64)
    expected[0, 0], expected[1, 1] = 1, 0.5
    for i, j in itertools.product(range(2), range(2)):
        expected[2 + i, 2 + j] = fade**2 * along[i] * along[j] / 2
        expected[4 + i, 4 + j] = fade**2 * (along[i] * along[j]) ** 2 / 2
    for i in range(2):
        expected[1, 4 + i] = expected[4 + i, 1] = -fade * along[i] ** 2 / 2
    torch.testing.assert_close(found[:6, :6], expected, rtol=1e-9, atol=1e-12)
    # both responses together have a strength whose mean square is the sum of theirs, but for the softening
    strong = expected[2, 2] + expected[4, 4]
    assert float(found[6, 6]) == pytest.approx(float(strong), rel=0.01)


def test_textures_turn_and_grow():
    distance = Texture()
    upright, turned, finer = waves(4, 0), waves(0, 4), waves(8, 0)
    assert number(distance, upright, upright.roll((3, 5), (-2, -1))) == pytest.approx(0, abs=1e-12)
    for other in (turned, finer, waves(4, 4), 2 * upright, upright + 0.5):
        assert number(distance, upright, other) > 5e-3
    # what is round has no direction
    spots = waves(4, 0) + waves(0, 4)
    assert number(distance, spots, spots.mT) == pytest.approx(0, abs=1e-12)


def test_textures_tell_apart_what_has_one_spectrum(generator):
    image = torch.zeros(1, 1, 24, 24, dtype=torch.float64)
    image[..., 4:12, 6:14] = image[..., 15:19, 1:5] = 1
    noise = torch.fft.rfft2(torch.randn(24, 24, generator=generator, dtype=torch.float64))
    scrambled = torch.fft.irfft2(torch.fft.rfft2(image) * noise / noise.abs(), s=(24, 24))
    assert number(Spectral(), image, scrambled) < 1e-2 * number(Euclidean(), image, scrambled)
    assert number(Texture(), image, scrambled) > 5e-3


def test_textures_in_their_place(generator):
    found = torch.rand(1, 1, 12, 12, generator=generator)
    wanted = found.roll(3, -1)
    assert number(Texture(), found, wanted) == pytest.approx(0.0, abs=1e-6)
    norm = float(torch.linalg.vector_norm(found - wanted))
    assert number(Texture(euclidean_weight=0.3), found, wanted) == pytest.approx(0.3 * norm, rel=1e-4)


def test_textures_need_one_axis_or_two():
    assert number(Texture(), waves(2), waves(5)) > 1e-3
    block = torch.ones(1, 1, 2, 2, 2)
    with pytest.raises(BadInputError, match="one axis or two, got images on 3; usual cure"):
        Texture()(block, block)


def test_a_box_is_the_image_of_the_box(name, pair):
    found, wanted = pair
    mask = torch.zeros(5, 6, dtype=torch.bool)
    mask[1:4, 2:6] = True
    inside = build(name)(found[..., 1:4, 2:6], wanted[..., 1:4, 2:6])
    torch.testing.assert_close(within(build(name), mask)(found, wanted), inside)


def test_outside_of_a_mask_nothing_counts(name, pair):
    mask = torch.zeros(5, 6, dtype=torch.bool)
    mask[1, 2:5] = mask[2:4, 3] = True
    distance = within(build(name), mask)
    found, wanted = pair
    cut = torch.where(mask, found, 0)[..., 1:4, 2:5], torch.where(mask, wanted, 0)[..., 1:4, 2:5]
    expected = build(name)(*cut)
    found = torch.where(mask, found, torch.nan).requires_grad_()
    wanted = torch.where(mask, wanted, -7.0)
    torch.testing.assert_close(distance(found, wanted), expected)
    (gradient,) = torch.autograd.grad(distance(found, wanted).sum(), found)
    assert not gradient[..., ~mask].any()
    assert gradient[..., mask].isfinite().all()
    assert gradient[..., mask].any()


def test_masks_that_do_not_fit_are_refused(pair):
    with pytest.raises(BadInputError, match="no cell lies inside the mask"):
        within(Euclidean(), torch.zeros(5, 6, dtype=torch.bool))
    distance = within(Euclidean(), torch.ones(4, 6, dtype=torch.bool))
    with pytest.raises(BadInputError, match=r"the mask has \(4, 6\) cells and the images \(5, 6\)"):
        distance(*pair)
    # what the distance itself refuses counts inside only
    images = pair[0].clone()
    images[..., 0, 0] = -1
    mask = torch.ones(5, 6, dtype=torch.bool)
    with pytest.raises(BadInputError, match="cannot have negative values"):
        within(Hellinger(), mask)(images, images)
    mask[0] = False
    assert within(Hellinger(), mask)(images, images).tolist() == [0, 0]


def test_shapes_that_do_not_fit_are_refused(pair):
    with pytest.raises(BadInputError, match=r"shape \(2, 2, 5, 6\) and wanted ones of \(2, 2, 1, 6\)"):
        require_same_shape(pair[0], pair[0, :, :, :1])
    with pytest.raises(BadInputError, match=r"shape \(5, 6\), expected \(batch, channel, \*space\)"):
        Euclidean()(pair[0, 0, 0], pair[0, 0, 0])


def test_the_root_of_nothing_has_no_slope(dtype):
    squares = torch.tensor([0.0, 4.0, 1e-30], dtype=dtype, requires_grad=True)
    roots = root(squares)
    assert roots.tolist() == pytest.approx([0, 2, 1e-15])
    (slope,) = torch.autograd.grad(roots.sum(), squares)
    assert slope.tolist() == pytest.approx([0, 0.25, 0.5e15])
    assert root(torch.tensor([-1.0, torch.nan])).isnan().all()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("spectral", {"euclidean_weight": -0.1}),
        ("spectral", {"euclidean_weight": math.inf}),
        ("hellinger", {"floor": 0.0}),
        ("hellinger", {"floor": math.inf}),
        ("hellinger", {"negative": "clip"}),
        ("bhattacharyya", {"amplitude": "twice"}),
        ("sliced-wasserstein", {"num_projections": 0}),
        ("sliced-wasserstein", {"position_weight": -1.0}),
        ("sliced-wasserstein", {"seed": -1}),
        ("sinkhorn", {"blur": 0.0}),
        ("sinkhorn", {"tolerance": math.nan}),
        ("sinkhorn", {"max_iterations": 0}),
        ("texture", {"scales": (1.0, -2.0)}),
        ("texture", {"scales": ()}),
        ("texture", {"num_orientations": 0}),
        ("texture", {"euclidean_weight": -1.0}),
    ],
)
def test_options_out_of_range_are_refused(name, options):
    (option,) = options
    with pytest.raises(BadInputError, match=rf"{option.rstrip('s')}.* got "):
        DISTANCES[name](**options)
    with pytest.raises(BadInputError, match=rf"{option.rstrip('s')}.* got "):
        DistanceSettings.parse({"name": name, **options})


def test_the_guide_names_it_and_its_options(name):
    guide = (Path(__file__).parents[2] / "docs" / "guide.md").read_text(encoding="utf-8")
    (row,) = (text for text in guide.splitlines() if text.startswith("|") and f"`{name}`" in text)
    for field in dataclasses.fields(DISTANCES[name]):
        assert f"`{field.name}`" in row


def test_settings_know_every_option_and_no_other():
    fields = {field.name for kind in DISTANCES.values() for field in dataclasses.fields(kind)}
    assert fields == set(DistanceSettings.model_fields) - {"name"}


def test_settings_build_what_they_say(name):
    assert DistanceSettings(name=name).build() == DISTANCES[name]()
    options = SHARP.get(name, {})
    settings = DistanceSettings(name=name, **options)
    assert settings.build() == DISTANCES[name](**options)
    assert DistanceSettings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "spectrall"}, "there is no distance 'spectrall'; expected one of euclidean, "),
        ({"name": "spectral", "blur": 2.0}, "blur plays no role in the distance spectral; leave it out"),
        # also if it is what another distance has by default
        ({"name": "hellinger", "seed": 0}, "seed plays no role in the distance hellinger"),
        ({"name": "texture", "scale": 1.0}, "unknown setting 'scale': did you mean 'scales'"),
    ],
)
def test_settings_refuse_what_would_be_ignored(values, message):
    with pytest.raises(BadInputError, match=message):
        DistanceSettings.parse(values)


GRID = Grid.uniform((8, 8), 1.0)
STD = torch.tensor([0.5, 0.25], dtype=torch.float64)


@pytest.fixture
def fading(generator):
    """Trajectories that fade towards 0.3 cell by cell, positive, and an automaton that does nothing yet."""
    start = 0.1 + torch.rand(2, 1, 2, 8, 8, generator=generator, dtype=torch.float64)
    shares = 0.5 ** torch.arange(4, dtype=torch.float64).view(1, -1, 1, 1, 1)
    rule = PointwiseMLP(2, 0, 2, 6, generator=generator)
    automaton = Automaton(FixedKernels(2, ("identity",)), rule, Increment(1.0), HiddenChannels(2, 0)).double()
    return 0.3 + shares * (start - 0.3), automaton


@pytest.mark.parametrize(
    "distance",
    [
        Spectral(euclidean_weight=0.1),
        Hellinger(amplitude="term", negative="magnitude"),
        Texture(scales=(1.0,)),
    ],
)
def test_a_rule_learns_by_a_distance(distance, fading):
    frames, automaton = fading
    objective = PropagatedPairs(
        automaton, frames, {}, GRID, field_std=STD, low=0.0, high=2.0, batch_size=6, distance=distance
    )
    fitter = FirstOrder(automaton, learning_rate=1e-2)
    errors = []
    for step in range(25):
        batch = objective.batch(step)
        report = fitter.step(objective, batch)
        objective.accept(batch)
        assert math.isfinite(report.loss)
        state = automaton.codec.lift(frames[:, :1])
        with torch.no_grad():
            state = automaton.advance(state, {}, GRID, automaton.steps_per_frame)
            errors.append(float(distance(state, frames[:, 1]).mean()))
    assert errors[-1] < 0.7 * errors[0]


def test_pairs_are_compared_in_units_of_their_fields(fading):
    frames, automaton = fading
    plain, by_mean_square, by_norm = (
        PropagatedPairs(automaton, frames, {}, GRID, field_std=STD, low=0.0, high=2.0, distance=distance)
        for distance in (None, MeanSquared(), Euclidean())
    )
    error = (frames[:, 1:] - frames[:, :-1]).flatten(0, 1) / STD.view(2, 1, 1)
    square = error.square().flatten(1)
    batch = plain.batch(0)
    for objective, expected in (
        (plain, (square.mean(1) + 1e-16).sqrt()),
        (by_mean_square, square.mean(1)),
        (by_norm, square.sum(1).sqrt()),
    ):
        penalty = objective.overflow_weight * 0  # nothing leaves the range
        torch.testing.assert_close(objective.loss(batch).detach(), expected.mean() + penalty)
