"""Damage, measures, fills and counts of the restoration of digits, each against another road to the same."""

import math
import sys

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
import torch

from pdenca.core import BadInputError, NonFiniteError
from pdenca.datasets.digits import load_digits
from pdenca.tasks.digits.restoration import fills
from pdenca.tasks.digits.restoration.damage import Damage
from pdenca.tasks.digits.restoration.fills import Hopfield, LaplaceFill, MaskedInput
from pdenca.tasks.digits.restoration.flops import count_flops
from pdenca.tasks.digits.restoration.measures import _require_same_shape, mean_interval, psnr, ssim

CELLS = 28 * 28
BLANKING = ["pixels", "blocks", "strokes"]
SHAPES = {"blocks": 49, "strokes": 36}  # most cells of one


@pytest.fixture(scope="module")
def digits():
    return load_digits("train", sample=True).images[:200].float() / 255


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def blanked(kind, share, batch=100, seed=0):
    return Damage(kind=kind, share=share)(torch.ones(batch, 28, 28), seeded(seed))[1] == 0


# --- damage


@pytest.mark.parametrize("kind", BLANKING)
def test_known_cells_keep_their_values_and_others_are_paper(kind, digits):
    damaged, known = Damage(kind=kind)(digits, seeded())
    assert set(known.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(damaged, torch.where(known == 1, digits, 0.0))
    assert damaged.dtype == known.dtype == digits.dtype


def test_pixels_are_blanked_with_the_share_as_probability_and_independently():
    blank = blanked("pixels", 0.7, batch=400)
    assert abs(blank.float().mean() - 0.7) < 4 * math.sqrt(0.7 * 0.3 / blank.numel())
    counts = blank.sum((1, 2)).double()
    assert counts.var().item() == pytest.approx(CELLS * 0.7 * 0.3, rel=0.3)  # not the same number everywhere
    deviation = blank.double() - 0.7
    for one, other in [
        (deviation[:, 1:], deviation[:, :-1]),
        (deviation[:, :, 1:], deviation[:, :, :-1]),
        (deviation[1:], deviation[:-1]),
    ]:
        assert abs((one * other).mean()) < 4 * 0.7 * 0.3 / math.sqrt(one.numel())


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("share", [0.1, 0.7, 0.95])
def test_shapes_reach_their_share_and_exceed_it_by_less_than_one_shape(kind, share):
    counts = blanked(kind, share).sum((1, 2))
    assert counts.min() >= share * CELLS
    assert counts.max() < share * CELLS + SHAPES[kind]
    assert len(counts.unique()) > 3


@pytest.mark.parametrize("kind", SHAPES)
def test_every_cell_is_as_likely_to_be_hit_as_any_other(kind):
    often = blanked(kind, 0.3, batch=2000).double().mean(0)
    rim = torch.ones(28, 28, dtype=torch.bool)
    rim[3:-3, 3:-3] = False
    assert abs(often[rim].mean() - often[~rim].mean()) < 0.02  # shapes kept inside would miss it by 0.1
    assert often.std() < 0.015


def test_a_block_is_a_square_that_the_edge_may_cut():
    blank = blanked("blocks", 1 / CELLS)
    sizes = set()
    for image in blank:
        rows, columns = image.any(1).nonzero(), image.any(0).nonzero()
        height, width = (int(found.max() - found.min()) + 1 for found in (rows, columns))
        assert height * width == int(image.sum())  # a full rectangle
        for extent, found in ((height, rows), (width, columns)):
            assert extent == 7 or (extent < 7 and (found.min() == 0 or found.max() == 27))
        sizes.add((height, width))
    assert (7, 7) in sizes
    assert len(sizes) > 3


def test_a_stroke_is_straight_two_cells_wide_and_points_anywhere():
    angles = np.linspace(0, np.pi, 180, endpoint=False)
    directions = []
    for image in blanked("strokes", 1 / CELLS):
        cells = image.nonzero().double().numpy()
        across = cells @ np.stack((np.cos(angles), np.sin(angles)))
        extents = across.max(0) - across.min(0)
        assert extents.min() <= 2.1
        assert extents.max() <= 16
        if len(cells) > 25:
            directions.append(extents.argmin())
    assert len(directions) > 20
    assert np.ptp(directions) > 90


@pytest.mark.parametrize("kind", BLANKING)
def test_the_mask_is_the_generators_and_not_the_images(kind, digits):
    damage = Damage(kind=kind)
    known = damage(digits, seeded())[1]
    assert torch.equal(known, damage(torch.zeros_like(digits), seeded())[1])
    assert torch.equal(known.double(), damage(digits.double(), seeded())[1])
    assert not torch.equal(known, damage(digits, seeded(1))[1])
    assert not torch.equal(known[0], known[1])
    more = blanked(kind, 0.8, len(digits))
    assert bool((more | (known == 1)).all())  # the same shapes in the same order, only more of them


def test_noise_has_its_standard_deviation_is_clipped_and_leaves_nothing_known(digits):
    damaged, known = Damage(kind="noise", share=0.1)(torch.full_like(digits, 0.5), seeded())
    assert not known.any()
    assert damaged.mean().item() == pytest.approx(0.5, abs=1e-3)
    assert damaged.std().item() == pytest.approx(0.1, rel=0.01)
    strong, _ = Damage(kind="noise", share=0.9)(digits, seeded())
    assert (strong.min(), strong.max()) == (0, 1)
    assert torch.equal(strong, Damage(kind="noise", share=0.9)(digits, seeded())[0])


@pytest.mark.parametrize("kind", BLANKING)
def test_without_a_share_nothing_is_damaged(kind, digits):
    damaged, known = Damage(kind=kind, share=0)(digits, seeded())
    assert torch.equal(damaged, digits)
    assert bool(known.all())


def test_damage_is_told_in_words():
    assert Damage().describe() == "70 % of the pixels blanked"
    assert "7 x 7" in Damage(kind="blocks", share=0.25).describe()
    assert "25 %" in Damage(kind="strokes", share=0.25).describe()
    assert "deviation 0.25" in Damage(kind="noise", share=0.25).describe()


@pytest.mark.parametrize("bad", [-0.01, 1.01, float("nan")])
def test_values_that_are_no_grey_values_are_refused(bad):
    images = torch.zeros(2, 28, 28)
    images[1, 3, 4] = bad
    with pytest.raises(BadInputError, match="expected grey values from 0 to 1"):
        Damage()(images, seeded())


@pytest.mark.parametrize("bad", [{"share": 0.96}, {"share": -0.1}, {"kind": "rain"}, {"side": 7}])
def test_impossible_damage_is_refused(bad):
    with pytest.raises(BadInputError):
        Damage.parse(bad)


# --- measures


def test_psnr_is_that_of_numpy(generator):
    one, other = torch.rand(2, 5, 28, 28, generator=generator)
    for data_range in (1.0, 255.0):
        found = psnr(one, other, data_range)
        for index in range(5):
            error = np.mean((one[index].numpy().astype(float) - other[index].numpy().astype(float)) ** 2)
            assert found[index].item() == pytest.approx(10 * np.log10(data_range**2 / error), abs=1e-9)


def test_psnr_of_an_exact_image_is_infinite_and_a_nan_stays_one(digits):
    restored = digits[:3].clone()
    restored[1] += 0.1
    restored[2, 0, 0] = float("nan")
    exact, near, unknown = psnr(restored, digits[:3]).tolist()
    assert exact == math.inf
    assert near == pytest.approx(20, abs=1e-4)
    assert math.isnan(unknown)
    assert math.isnan(ssim(restored, digits[:3])[2])


def similarity(one, other, divisor):
    """Structural similarity, window by window."""
    found = []
    for row in range(22):
        for column in range(22):
            x, y = (image[row : row + 7, column : column + 7].ravel() for image in (one, other))
            dx, dy = x - x.mean(), y - y.mean()
            covariance, spread = dx @ dy / divisor, (dx @ dx + dy @ dy) / divisor
            found.append(
                (2 * x.mean() * y.mean() + 0.01**2)
                * (2 * covariance + 0.03**2)
                / ((x.mean() ** 2 + y.mean() ** 2 + 0.01**2) * (spread + 0.03**2))
            )
    return np.mean(found)


def test_ssim_is_that_of_numpy(digits):
    truth = digits[:3]
    restored, _ = Damage(share=0.3)(truth, seeded())
    found = ssim(restored, truth)
    for index in range(3):
        pair = restored[index].double().numpy(), truth[index].double().numpy()
        assert found[index].item() == pytest.approx(similarity(*pair, 48), abs=1e-10)
        assert abs(found[index].item() - similarity(*pair, 49)) > 1e-6  # the test sees the divisor
    assert ssim(truth, truth).tolist() == pytest.approx([1, 1, 1])
    assert len(ssim(truth[:0], truth[:0])) == 0


def test_without_scikit_image_the_cure_is_named(monkeypatch, digits):
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    with pytest.raises(BadInputError, match=r"scikit-image .*usual cure: pip install 'pdenca\[digits\]'"):
        ssim(digits[:1], digits[:1])


def test_the_interval_of_a_mean_is_that_worked_out_by_hand():
    mean, low, high = mean_interval(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    reach = 1.959964 * math.sqrt(5 / 3) / 2
    assert (mean, low, high) == pytest.approx((2.5, 2.5 - reach, 2.5 + reach))


def test_a_mean_that_does_not_exist_is_refused():
    with pytest.raises(BadInputError, match="got 1 values"):
        mean_interval(torch.ones(1))
    for bad in (math.inf, math.nan):
        with pytest.raises(NonFiniteError, match="1 of 3"):
            mean_interval(torch.tensor([1.0, bad, 2.0]))


def test_a_range_or_shapes_that_make_no_sense_are_refused(digits):
    for bad in (0.0, -1.0, math.nan):
        with pytest.raises(BadInputError, match="expected a positive one"):
            psnr(digits[:1], digits[:1], bad)
    with pytest.raises(BadInputError, match="expected the same shape"):  # would be spread over the others
        _require_same_shape(digits[:1], digits[:2])


# --- fills


def solve(damaged, known):
    """The harmonic fill by a direct solver."""
    line = scipy.sparse.diags([1.0, 1.0], [-1, 1], shape=(28, 28))
    mean = (scipy.sparse.kron(line, scipy.sparse.eye(28)) + scipy.sparse.kron(scipy.sparse.eye(28), line)) / 4
    unknown = scipy.sparse.diags(1.0 - known.ravel())
    system = scipy.sparse.eye(CELLS) - unknown @ mean
    return scipy.sparse.linalg.spsolve(system.tocsc(), (damaged * known).ravel()).reshape(28, 28)


@pytest.mark.parametrize(("kind", "share"), [("pixels", 0.7), ("blocks", 0.95), ("strokes", 0.9)])
def test_laplace_fill_is_that_of_a_direct_solver(kind, share, digits):
    truth = digits[:4].double()
    damaged, known = Damage(kind=kind, share=share)(truth, seeded())
    filled = LaplaceFill()(damaged, known)
    expected = np.stack([solve(*pair) for pair in zip(damaged.numpy(), known.numpy(), strict=True)])
    assert abs(filled.numpy() - expected).max() < 1e-12
    assert torch.equal(filled[known == 1], truth[known == 1])
    assert abs(LaplaceFill(3)(damaged, known).numpy() - expected).max() > 1e-3


def test_laplace_fill_ignores_what_unknown_cells_hold(digits):
    _, known = Damage()(digits, seeded())
    filled = LaplaceFill(5)(digits * known, known)
    assert torch.equal(LaplaceFill(5)(digits, known), filled)
    # nothing known: paper, as beyond the edge
    assert not LaplaceFill(5)(digits, torch.zeros_like(digits)).any()


def recall(damaged, observed, memories, beta):
    """Hopfield retrieval of one image, memory by memory."""
    distances = np.array([np.sum(observed * (damaged - memory) ** 2) for memory in memories])
    weights = np.exp(-beta * (distances - distances.min()))
    return np.tensordot(weights / weights.sum(), memories, 1)


@pytest.mark.parametrize("kind", ["pixels", "noise"])
def test_hopfield_recalls_the_weighted_mean(kind, digits, monkeypatch):
    monkeypatch.setattr(fills, "_AT_ONCE", 3)
    monkeypatch.setattr(fills, "_MEMORIES", 17)
    memories, truth = digits[:100].double(), digits[100:107].double()
    damaged, known = Damage(kind=kind)(truth, seeded())
    found = Hopfield(memories, beta=0.1, keep_known=False)(damaged, known)
    assert (found - memories.mean(0)).abs().max() > 0.1
    for index in range(len(truth)):
        observed = known[index].numpy() if kind == "pixels" else np.ones((28, 28))
        expected = recall(damaged[index].numpy(), observed, memories.numpy(), 0.1)
        assert abs(found[index].numpy() - expected).max() < 1e-12


def test_hopfield_returns_a_stored_image_at_large_beta(digits):
    damaged, known = Damage()(digits[:20], seeded())
    for keep in (True, False):
        restored = Hopfield(digits, beta=100.0, keep_known=keep)(damaged, known)
        assert (restored - digits[:20]).abs().max() < 1e-4
    blurred = Hopfield(digits, beta=0.01, keep_known=False)(damaged, known)
    assert (blurred - digits[:20]).abs().max() > 0.5


def test_hopfield_keeps_known_pixels_if_asked_to(digits):
    truth = digits[100:]
    damaged, known = Damage()(truth, seeded())
    kept = Hopfield(digits[:100])(damaged, known)
    free = Hopfield(digits[:100], keep_known=False)(damaged, known)
    assert torch.equal(kept[known == 1], truth[known == 1])
    assert torch.equal(kept[known == 0], free[known == 0])
    assert not torch.equal(kept, free)


def test_fills_are_better_than_none(digits):
    truth = digits[100:]
    damaged, known = Damage()(truth, seeded())
    nothing, harmonic, recalled = (
        psnr(restore(damaged, known), truth).mean()
        for restore in (MaskedInput(), LaplaceFill(), Hopfield(digits[:100]))
    )
    assert harmonic > nothing + 3
    assert recalled > nothing + 1
    assert torch.equal(MaskedInput()(damaged, known), damaged)


def test_fills_refuse_what_makes_no_sense(digits):
    damaged, known = digits[:2], torch.ones(2, 28, 28)
    for restore in (MaskedInput(), LaplaceFill(), Hopfield(digits)):
        with pytest.raises(BadInputError, match="other than 0 and 1"):
            restore(damaged, 0.5 * known)
        assert torch.equal(restore(damaged, known), damaged)
    with pytest.raises(BadInputError, match="expected the same shape"):
        fills._require_mask(damaged, known[:1])
    with pytest.raises(BadInputError, match="0 iterations"):
        LaplaceFill(0)
    with pytest.raises(BadInputError, match="0 memories"):
        Hopfield(digits[:0])
    for bad in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(BadInputError, match="beta"):
            Hopfield(digits, beta=bad)


# --- flops


def test_flops_are_those_counted_by_hand():
    batch, inputs, outputs = 3, 5, 7
    linear, vectors = torch.nn.Linear(inputs, outputs), torch.zeros(batch, inputs)
    assert count_flops(linear, vectors) == 2 * batch * inputs * outputs
    # the gradient of the weight is one more product of the same size
    assert count_flops(lambda x: linear(x).sum().backward(), vectors) == 4 * batch * inputs * outputs
    images = torch.zeros(batch, 4, 9, 9)
    convolution = torch.nn.Conv2d(4, 6, 3, stride=2, padding=1)  # 5 x 5 results
    assert count_flops(convolution, images) == 2 * batch * 6 * 5 * 5 * 4 * 3 * 3
    grouped = torch.nn.Conv2d(4, 8, 3, padding=1, groups=4)
    assert count_flops(grouped, images) == 2 * batch * 8 * 9 * 9 * 3 * 3
    with torch.inference_mode():
        assert count_flops(torch.nn.Sequential(grouped, torch.nn.ReLU()), images) == 2 * batch * 8 * 9**2 * 9


def test_pointwise_operations_and_normalisations_are_not_counted():
    layers = torch.nn.Sequential(torch.nn.GroupNorm(2, 4), torch.nn.ReLU(), torch.nn.AvgPool2d(2))
    assert count_flops(layers, torch.zeros(3, 4, 8, 8)) == 0
    assert count_flops(torch.add, torch.ones(3), torch.ones(3)) == 0
