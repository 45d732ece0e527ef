"""Valleys of maps whose wells are known, their basins, and what comes back after damage."""

import math
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from pdenca.core import BadInputError, NonFiniteError
from pdenca.evaluation.attractors import (
    basin_stability,
    follow_to_end,
    group_by_density,
    group_ends,
    matched_noise,
    normalised_mutual_information,
    null_model,
    num_classes_with_valley,
    principal_components,
    purity,
    return_curve,
    silhouette,
    zero_cells,
)


@dataclass
class Map:
    """A map of states as a step."""

    function: object
    time_step: float = 0.0
    deterministic: bool = True

    def __call__(self, state):
        return self.function(state)


def seed(number=0):
    return torch.Generator().manual_seed(number)


def noise(*shape, number=0):
    return torch.randn(shape, generator=seed(number), dtype=torch.float64)


def blobs(num_blobs=4, each=12, spread=0.01, channels=2, cells=5):
    """States around centres far apart, and which one each belongs to."""
    centres = noise(num_blobs, channels, cells, number=1)
    classes = torch.arange(num_blobs).repeat(each)
    return centres[classes] + spread * noise(len(classes), channels, cells, number=2), classes


DOUBLE_WELL = Map(lambda z: z - 0.05 * (z**3 - z))  # the flow of (z² - 1)² / 4, wells at ±1, the ridge at 0


def test_a_double_well_has_two_valleys_of_the_exact_size():
    """The starts are drawn from N(0.3, 1): Φ(0.3) of them lie beyond the ridge."""
    begin = 0.3 + noise(1500, 1, 1)
    ends = follow_to_end(DOUBLE_WELL, begin, num_steps=500, batch_size=1500)
    assert bool(ends.are("fixed").all())
    classes = (begin.flatten() > 0).long()
    valleys = group_ends(ends.states, drift=ends.drift, classes=classes)
    assert valleys.num_valleys == 2
    assert valleys.tolerance == 1e-3  # nothing moves any more: the floor
    assert valleys.purity == valleys.mutual_information == 1.0
    assert valleys.num_classes_with_valley == 2
    assert valleys.silhouette == pytest.approx(1.0)
    shares = basin_stability(valleys.labels)
    exact = 0.5 * (1 + math.erf(0.3 / math.sqrt(2)))
    for label, wanted in ((0, exact), (1, 1 - exact)):
        share, error = shares[label]
        assert abs(share - wanted) < 4 * error
        assert error == pytest.approx(math.sqrt(share * (1 - share) / 1500))
        assert abs(share - 0.5) > 4 * error  # sharp enough to tell it from an even split


@pytest.mark.parametrize("num_cells", [1, 2, 3])
def test_the_flow_of_uncoupled_cells_has_a_valley_for_every_choice_of_wells(num_cells):
    ends = follow_to_end(DOUBLE_WELL, noise(120, 1, num_cells), num_steps=500)
    assert bool(ends.are("fixed").all())
    assert group_ends(ends.states, drift=ends.drift).num_valleys == 2**num_cells


def test_the_tolerance_comes_from_the_drift():
    """Ends that still move are the same if they are within ten drifts."""
    states = torch.tensor([1.0, 1.02, -1.0, -1.02]).double().reshape(4, 1, 1)
    scale = float(states.square().mean().sqrt())
    drift = torch.tensor([0.001, 0.004, 0.004, 5.0]).double()
    valleys = group_ends(states, drift=drift)
    assert valleys.tolerance == pytest.approx(10 * 0.004 / scale)
    assert valleys.sizes == (2, 2)
    assert valleys.same_between == pytest.approx((0.02 / scale, 2.0 / scale))
    finer = group_ends(states, drift=drift, factor=1.0, floor=0.0, least=1)
    assert finer.sizes == (1, 1, 1, 1)
    assert finer.silhouette == 0.0
    inside, outside = (group_ends(states, tolerance=value / scale) for value in (1.99, 2.01))
    assert (inside.num_valleys, outside.num_valleys) == (2, 1)
    assert math.isnan(outside.silhouette)
    assert math.copysign(1, outside.entropy) == 1


def test_scale_and_order_change_nothing_and_labels_go_by_size():
    states, classes = blobs()
    order = torch.randperm(len(states), generator=seed(3))
    first = group_ends(states, tolerance=0.2, classes=classes)
    other = group_ends(1e6 * states[order], tolerance=0.2, classes=classes[order])
    assert first.sizes == other.sizes == (12,) * 4
    assert torch.equal(first.labels[:4], torch.arange(4))
    assert first.mutual_information == pytest.approx(other.mutual_information)
    uneven = group_ends(states[torch.cat([torch.tensor([0, 1, 2]), torch.arange(3, 48, 4)])], tolerance=0.2)
    assert uneven.sizes == (12,)
    assert uneven.labels[:3].tolist() == [-1, -1, -1]
    assert uneven.num_outside == 3


def test_states_without_any_difference_are_one_valley():
    for value in (0.0, 3.0):
        states = torch.full((6, 1, 4), value)
        assert group_ends(states, tolerance=1e-3).sizes == (6,)
        assert group_by_density(states).sizes == (6,)


@pytest.mark.parametrize("number", range(4))
def test_scores_against_brute_force_and_scikit_learn(number):
    metrics = pytest.importorskip("sklearn.metrics")
    draws = seed(number)
    labels = torch.randint(-1, 4, (60,), generator=draws)
    classes = torch.randint(3, 8, (60,), generator=draws)
    classes[:30] = labels[:30] + 3  # somewhat alike
    right = 0
    for valley in range(4):
        members = [int(c) for at, c in zip(labels, classes, strict=True) if at == valley]
        right += max(members.count(c) for c in set(members))
    assert purity(labels, classes) == pytest.approx(right / 60)
    information = 0.0
    for valley in set(labels.tolist()):
        for kind in set(classes.tolist()):
            both = float(((labels == valley) & (classes == kind)).double().mean())
            if both:
                alone = float((labels == valley).double().mean() * (classes == kind).double().mean())
                information += both * math.log(both / alone)
    entropies = [
        -sum(p * math.log(p) for p in (values.unique(return_counts=True)[1] / 60).tolist())
        for values in (labels, classes)
    ]
    found = normalised_mutual_information(labels, classes)
    assert found == pytest.approx(2 * information / sum(entropies))
    assert found == pytest.approx(metrics.normalized_mutual_info_score(classes, labels))
    points = noise(60, 3, number=number).numpy()
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    inside = labels.numpy() >= 0
    assert silhouette(distances, labels) == pytest.approx(
        metrics.silhouette_score(points[inside], labels.numpy()[inside])
    )


def test_scores_at_their_ends():
    same = torch.tensor([0, 0, 1, 1, 2, 2])
    assert normalised_mutual_information(same, same + 5) == pytest.approx(1.0)
    assert normalised_mutual_information(same, torch.tensor([0, 1, 0, 1, 0, 1])) == pytest.approx(0.0)
    assert normalised_mutual_information(0 * same, same) == 0.0
    assert math.isnan(normalised_mutual_information(0 * same, 0 * same))
    # alone in no valley: pure, but found nothing
    assert purity(0 * same - 1, same) == 0.0
    assert num_classes_with_valley(0 * same - 1, same) == 0
    # half of a valley is not its own
    assert num_classes_with_valley(torch.tensor([0, 0, 1, 1, 1, 1]), torch.tensor([7, 8, 9, 9, 9, 8])) == 1
    valleys = group_ends(torch.arange(4.0).repeat(3).reshape(12, 1, 1), tolerance=0.1)
    assert valleys.entropy == pytest.approx(math.log(4))
    assert valleys.purity is None


def test_both_ways_of_grouping_find_blobs_and_neither_finds_them_in_matched_noise():
    pytest.importorskip("sklearn")
    states, classes = blobs(num_blobs=10, each=20, spread=0.05, cells=40)
    linked = group_ends(states, tolerance=0.3, classes=classes)
    dense = group_by_density(states, classes=classes)
    for found in (linked, dense):
        assert found.sizes == (20,) * 10
        assert found.purity == 1.0
        assert found.num_classes_with_valley == 10
        assert found.silhouette > 0.8
    assert torch.equal(linked.labels, dense.labels)
    assert dense.tolerance is None
    null_states = matched_noise(states, seed(5))
    chance = null_model(linked, null_states)  # pairs near the mean may meet by chance
    assert chance.num_valleys <= 1
    assert chance.num_outside > 180
    null = null_model(dense, null_states, classes)
    assert null.method == "density"
    assert null.num_valleys <= 1
    assert null.mutual_information < 0.5


def test_matched_noise_has_the_mean_and_the_covariance():
    mixing = noise(6, 6, number=7)
    states = (3 + noise(40, 6, number=8) @ mixing).reshape(40, 2, 3)
    drawn = matched_noise(states, seed(9), num_states=40000).flatten(1)
    covariance = torch.cov(states.flatten(1).T)
    size = covariance.diagonal().sqrt()
    assert ((drawn.mean(0) - states.flatten(1).mean(0)).abs() < 5 * size / 200).all()
    assert (torch.cov(drawn.T) - covariance).abs().max() < 0.05 * covariance.abs().max()
    assert torch.equal(matched_noise(states, seed(9)), matched_noise(states, seed(9)))
    assert matched_noise(states.float(), seed(9)).dtype == torch.float32
    assert matched_noise(states, seed(9)).shape == states.shape
    # with fewer states than entries it stays in their span
    few = noise(4, 5, 10)
    found, rows = principal_components(few), matched_noise(few, seed(1), 50).flatten(1)
    left = rows - found.mean
    torch.testing.assert_close(left @ found.axes.T @ found.axes, left)
    torch.testing.assert_close(found.scores @ found.axes + found.mean, few.flatten(1))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("shape", [(4, 9), (3, 5, 7), (2, 3, 4, 5)])
def test_zeroed_cells_are_counted_and_reach_all_channels(share, shape):
    states = 1 + noise(50, *shape).abs()
    before = states.clone()
    hit = zero_cells(states, share, seed(2))
    assert torch.equal(states, before)
    gone = hit == 0
    assert torch.equal(gone.all(1), gone.any(1))
    num_cells = states[0, 0].numel()
    assert (gone[:, 0].flatten(1).sum(1) == round(share * num_cells)).all()
    assert torch.equal(hit[~gone], states[~gone])
    if 0.1 < share < 0.9:
        assert len(gone[:, 0].flatten(1).unique(dim=0)) > 5  # each state its own
    assert torch.equal(hit, zero_cells(states, share, seed(2)))
    assert not torch.equal(hit, zero_cells(states, share, seed(3))) or share in (0.0, 1.0)


PATTERNS = torch.sign(noise(3, 40, number=11))


def retrieval(z):
    """One step of a modern Hopfield network that stores three patterns."""
    rows = z.flatten(1)
    return ((4.0 / 40**0.5 * rows @ PATTERNS.T).softmax(1) @ PATTERNS).reshape(z.shape)


def nearest(states):
    return (states.flatten(1) @ PATTERNS.T).argmax(1)


def is_back(after, original):
    close = (after - original).flatten(1).norm(dim=1) < 0.1 * original.flatten(1).norm(dim=1)
    return close & (nearest(after) == nearest(original))


def test_a_memory_of_three_patterns_from_noise_to_the_return_curve():
    step = Map(retrieval)
    ends = follow_to_end(step, noise(90, 1, 40), num_steps=60)
    assert bool(ends.are("fixed").all())
    valleys = group_ends(ends.states, drift=ends.drift, classes=nearest(noise(90, 1, 40)))
    assert valleys.num_valleys == 3
    shares = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 1.0)
    curve = return_curve(step, ends.states, is_back, shares=shares, num_steps=40, generator=seed(4))
    assert tuple(curve) == shares
    probabilities = [share for share, _ in curve.values()]
    assert probabilities == sorted(probabilities, reverse=True)
    assert curve[0.0] == (1.0, 0.0)
    assert 0 < curve[0.9].share < 1
    assert curve[0.9].standard_error == pytest.approx(
        math.sqrt(curve[0.9].share * (1 - curve[0.9].share) / 90)
    )
    # of zeros nothing is left to tell by: all fall into one and the same valley, or between them
    assert curve[1.0].share < 0.5
    batched = return_curve(
        step, ends.states, is_back, shares=shares, num_steps=40, generator=seed(4), batch_size=7
    )
    assert batched == curve


def test_what_diverges_is_not_back_and_other_damage_is_possible():
    step = Map(lambda z: torch.where(z == 0, torch.nan, z))
    states = torch.ones(8, 1, 10)

    def same(after, original):
        return (after - original).flatten(1).norm(dim=1) < 0.1

    curve = return_curve(step, states, same, shares=(0.0, 0.5), num_steps=2, generator=seed())
    assert (curve[0.0].share, curve[0.5].share) == (1.0, 0.0)
    curve = return_curve(
        step,
        states,
        same,
        shares=(0.01, 1.0),
        num_steps=2,
        generator=seed(),
        damage=lambda z, share, generator: z + share * torch.randn(z.shape, generator=generator),
    )
    assert (curve[0.01].share, curve[1.0].share) == (1.0, 0.0)


def test_basin_shares_count_starts_outside_too():
    shares = basin_stability(torch.tensor([0, 0, 1, -1]))
    assert list(shares) == [-1, 0, 1]
    assert shares[0] == (0.5, 0.25)
    assert sum(share for share, _ in shares.values()) == 1.0
    with pytest.raises(BadInputError, match="usual cure"):
        basin_stability(torch.zeros(0, dtype=torch.long))


def test_bad_input_to_grouping(monkeypatch):
    states = noise(6, 1, 3)
    with pytest.raises(BadInputError, match="neither"):
        group_ends(states)
    with pytest.raises(BadInputError, match="usual cure"):
        group_ends(states[:1], tolerance=0.1)
    for changes in (
        {"tolerance": -1.0},
        {"least": 0},
        {"tolerance": None, "drift": states[:, 0, 0], "factor": 0.0},
    ):
        with pytest.raises(BadInputError, match="expected"):
            group_ends(states, **{"tolerance": 0.1, **changes})
    with pytest.raises(BadInputError, match="2 drifts for 6 states"):
        group_ends(states, drift=torch.ones(2).double())
    broken = states.clone()
    broken[2, 0, 1] = torch.nan
    for function in (lambda z: group_ends(z, tolerance=0.1), group_by_density, principal_components):
        with pytest.raises(NonFiniteError, match="1 of 6 states"):
            function(broken)
    with pytest.raises(NonFiniteError, match="median"):
        group_ends(states, drift=torch.full((6,), torch.nan))
    for least in (1, 7):
        with pytest.raises(BadInputError, match="usual cure"):
            group_by_density(states, least=least)
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(BadInputError, match=r"scikit-learn .*usual cure: pip install 'pdenca\[digits\]'"):
        group_by_density(states)


def test_bad_input_to_damage():
    states = noise(6, 1, 3)
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(BadInputError, match="usual cure"):
            zero_cells(states, wrong, seed())
    with pytest.raises(BadInputError, match="space"):
        zero_cells(states[:, 0], 0.5, seed())
    with pytest.raises(BadInputError, match="one truth value"):
        return_curve(DOUBLE_WELL, states, lambda a, b: a > 0, num_steps=1, generator=seed())
    with pytest.raises(BadInputError, match="at least one"):
        return_curve(DOUBLE_WELL, states, is_back, num_steps=0, generator=seed())
