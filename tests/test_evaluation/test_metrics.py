"""Metrics against closed forms and against loops written the slow way."""

import math

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.evaluation import (
    correlation_time,
    is_patterned,
    mean_squared_error,
    pearson_correlation,
    pooled_vrmse,
    range_violation,
    spatial_variance,
    vrmse_parts,
    well_nrmse,
    well_vrmse,
)
from pdenca.evaluation.metrics import require_same_shape

STD = torch.tensor([0.5, 0.1], dtype=torch.float64)


@pytest.fixture(params=[(7,), (4, 5), (2, 3, 4)], ids=["1-D", "2-D", "3-D"])
def pair(request, generator):
    shape = (2, 3, 2, *request.param)
    truth = torch.rand(shape, generator=generator, dtype=torch.float64)
    return truth + 0.1 * torch.randn(shape, generator=generator, dtype=torch.float64), truth


def frames(values):
    """Every (batch, time, channel) with its cells as a list of floats."""
    for b in range(values.shape[0]):
        for t in range(values.shape[1]):
            for c in range(values.shape[2]):
                yield (b, t, c), values[b, t, c].flatten().tolist()


def mean(values):
    return math.fsum(values) / len(values)


def test_pooled_vrmse_is_the_root_of_the_ratio_of_sums(pair):
    prediction, truth = pair
    error = variance = 0.0
    for (place, u), (_, v) in zip(frames(prediction), frames(truth), strict=True):
        scale = float(STD[place[2]])
        error += math.fsum(((a - b) / scale) ** 2 for a, b in zip(u, v, strict=True))
        variance += math.fsum(((b - mean(v)) / scale) ** 2 for b in v)
    assert float(pooled_vrmse(prediction, truth, STD)) == pytest.approx(
        math.sqrt(error / variance), rel=1e-12
    )


def test_well_vrmse_and_nrmse_frame_by_frame(pair):
    prediction, truth = pair
    vrmse, relative = well_vrmse(prediction, truth), well_nrmse(prediction, truth)
    for (place, u), (_, v) in zip(frames(prediction), frames(truth), strict=True):
        error = mean([(a - b) ** 2 for a, b in zip(u, v, strict=True)])
        unbiased = math.fsum((b - mean(v)) ** 2 for b in v) / (len(v) - 1)
        assert float(vrmse[place]) == pytest.approx(math.sqrt(error / (unbiased + 1e-7)), rel=1e-12)
        assert float(relative[place]) == pytest.approx(
            math.sqrt(error / (mean([b * b for b in v]) + 1e-7)), rel=1e-12
        )


def test_pearson_frame_by_frame(pair):
    prediction, truth = pair
    correlation = pearson_correlation(prediction, truth)
    for (place, u), (_, v) in zip(frames(prediction), frames(truth), strict=True):
        du, dv = [a - mean(u) for a in u], [b - mean(v) for b in v]
        expected = mean([a * b for a, b in zip(du, dv, strict=True)]) / math.sqrt(
            mean([a * a for a in du]) * mean([b * b for b in dv])
        )
        assert float(correlation[place]) == pytest.approx(expected, rel=1e-11)


def test_range_violation_frame_by_frame(pair):
    prediction, _ = pair
    low, high = torch.tensor([0.1, 0.2]), torch.tensor([0.7, 0.6])
    violation = range_violation(prediction, low, high)
    for b in range(prediction.shape[0]):
        for t in range(prediction.shape[1]):
            worst = 0.0
            for c, (bottom, top) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
                for value in prediction[b, t, c].flatten().tolist():
                    worst = max(worst, (bottom - value) / (top - bottom), (value - top) / (top - bottom))
            assert float(violation[b, t]) == pytest.approx(worst, rel=1e-6)


def test_range_violation_is_zero_inside():
    inside = torch.full((1, 1, 1, 4), 0.5)
    assert range_violation(inside, torch.tensor([0.0]), torch.tensor([1.0])).tolist() == [[0.0]]


def test_the_mean_of_every_frame_scores_one(pair):
    _, truth = pair
    flat = truth.flatten(3).mean(-1).reshape(*truth.shape[:3], *(1,) * (truth.ndim - 3)).expand_as(truth)
    assert float(pooled_vrmse(flat, truth, STD)) == pytest.approx(1.0, rel=1e-12)
    cells = truth[0, 0, 0].numel()
    expected = torch.full(truth.shape[:3], math.sqrt((cells - 1) / cells), dtype=torch.float64)
    torch.testing.assert_close(well_vrmse(flat, truth), expected, rtol=1e-5, atol=0)
    assert pearson_correlation(flat, truth).abs().max() < 1e-12


def test_a_constant_offset_has_a_closed_form(dtype):
    # a square wave of 0 and 1 has population variance 1/4 and unbiased variance N/4(N-1)
    truth = torch.tensor([0.0, 1.0] * 8, dtype=dtype).reshape(1, 1, 1, 16)
    std = torch.ones(1)
    assert float(pooled_vrmse(truth + 0.25, truth, std)) == pytest.approx(0.5, rel=1e-6)
    assert float(well_vrmse(truth + 0.25, truth)) == pytest.approx(0.25 / math.sqrt(16 / 60 + 1e-7), rel=1e-6)
    assert float(well_nrmse(truth + 0.25, truth)) == pytest.approx(0.25 / math.sqrt(0.5 + 1e-7), rel=1e-6)
    assert float(mean_squared_error(truth + 0.25, truth)) == pytest.approx(0.0625, rel=1e-6)
    assert float(pearson_correlation(truth + 0.25, truth)) == pytest.approx(1.0, rel=1e-6)
    assert pooled_vrmse(truth, truth, std).dtype == dtype


def test_a_dead_frame_explodes_the_wells_metric_but_not_the_pooled_one():
    truth = torch.zeros(1, 2, 1, 16, dtype=torch.float64)
    truth[0, 0, 0, ::2] = 1.0  # frame 0 has a pattern, frame 1 is flat
    prediction = truth + 0.01
    assert float(well_vrmse(prediction, truth)[0, 1, 0]) == pytest.approx(0.01 / math.sqrt(1e-7), rel=1e-9)
    assert float(pooled_vrmse(prediction, truth, torch.ones(1))) == pytest.approx(
        math.sqrt(2 * 1e-4 / 0.25), rel=1e-9
    )


def test_parts_add_up_to_the_pooled_score(pair):
    prediction, truth = pair
    parts = vrmse_parts(prediction, truth, STD)
    assert parts.error.shape == parts.variance.shape == truth.shape[:2]
    expected = (parts.error.sum() / parts.variance.sum()).sqrt()
    torch.testing.assert_close(pooled_vrmse(prediction, truth, STD), expected)


def test_pooled_vrmse_does_not_care_for_units_or_offsets(pair):
    prediction, truth = pair
    scale, offset = torch.tensor([3.0, 0.01]), torch.tensor([-5.0, 2.0])

    def other_units(values):
        shape = (1, 1, 2, *(1,) * (values.ndim - 3))
        return values * scale.reshape(shape) + offset.reshape(shape)

    torch.testing.assert_close(
        pooled_vrmse(other_units(prediction), other_units(truth), STD * scale),
        pooled_vrmse(prediction, truth, STD),
    )
    torch.testing.assert_close(
        pearson_correlation(other_units(prediction), other_units(truth)),
        pearson_correlation(prediction, truth),
    )


def test_moving_both_frames_alike_changes_no_metric(pair):
    prediction, truth = pair
    moved = [values.roll(1, dims=-1).flip(-1) for values in pair]
    for metric in (well_vrmse, well_nrmse, pearson_correlation, lambda u, v: pooled_vrmse(u, v, STD)):
        torch.testing.assert_close(metric(*moved), metric(prediction, truth))


def test_population_variance_does_not_depend_on_how_often_a_pattern_is_sampled(pair):
    _, truth = pair
    torch.testing.assert_close(spatial_variance(truth.repeat_interleave(3, dim=-1)), spatial_variance(truth))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_never_averaged_away(small_state, bad):
    truth = small_state[:, None].repeat(1, 2, 1, 1, 1)
    prediction = truth + 0.01
    prediction[1, 1, 0, 3, 3] = bad
    assert not pooled_vrmse(prediction, truth, STD).isfinite()
    clean = torch.ones(2, 2, 2, dtype=torch.bool)
    clean[1, 1, 0] = False
    for metric in (well_vrmse, well_nrmse, pearson_correlation):
        assert torch.equal(metric(prediction, truth).isfinite(), clean)
    violation = range_violation(prediction, torch.zeros(2), torch.ones(2))
    assert torch.equal(violation.isfinite(), clean.all(-1))
    parts = vrmse_parts(prediction, truth, STD)
    assert torch.equal(parts.error.isfinite(), clean.all(-1))
    assert parts.variance.isfinite().all()


def test_a_flat_truth_has_no_correlation_and_a_flat_prediction_has_lost_it():
    pattern = torch.tensor([0.0, 1.0, 0.0, 1.0]).reshape(1, 1, 1, 4)
    flat = torch.full_like(pattern, 0.5)
    assert pearson_correlation(pattern, flat).isnan().all()
    assert pearson_correlation(flat, flat).isnan().all()
    assert pearson_correlation(flat, pattern).tolist() == [[[0.0]]]
    assert pearson_correlation(-pattern, pattern).tolist() == [[[-1.0]]]
    assert pearson_correlation(torch.full_like(pattern, math.nan), pattern).isnan().all()


def test_is_patterned_asks_for_the_population_std():
    square_wave = torch.tensor([0.0, 0.2]).repeat(4).reshape(1, 1, 1, 8)  # std 0.1
    assert is_patterned(square_wave, torch.tensor([0.0999])).all()
    assert not is_patterned(square_wave, torch.tensor([0.1001])).any()


def test_correlation_time_is_the_first_frame_below_the_threshold():
    correlation = torch.tensor(
        [[0.99, 0.9, 0.79, 0.95], [0.99, 0.98, 0.97, 0.8], [0.5, 0.9, 0.9, 0.9]], dtype=torch.float64
    )[..., None]
    found = correlation_time(correlation, torch.ones_like(correlation, dtype=torch.bool), 10.0)
    assert found.time.tolist() == [30.0, 40.0, 10.0]
    assert found.censored.tolist() == [False, True, False]  # 0.8 is not below 0.8
    assert found.defined.all()
    stricter = correlation_time(correlation, torch.ones_like(correlation, dtype=torch.bool), 10.0, 0.95)
    assert stricter.time.tolist() == [20.0, 40.0, 10.0]


def test_correlation_time_averages_the_fields_that_have_a_pattern():
    correlation = torch.tensor([[[1.0, 0.7], [1.0, 0.5]]])
    both = torch.ones(1, 2, 2, dtype=torch.bool)
    assert correlation_time(correlation, both, 1.0).time.tolist() == [2.0]  # 0.85, then 0.75
    second_only = torch.tensor([[[False, True], [False, True]]])
    assert correlation_time(correlation, second_only, 1.0).time.tolist() == [1.0]


def test_correlation_time_passes_over_dead_frames_and_counts_a_blow_up_as_lost():
    nan = math.nan
    correlation = torch.tensor([[nan, 0.9, 0.1, 0.9], [0.9, nan, 0.9, 0.9], [nan, nan, nan, nan]])[..., None]
    defined = torch.tensor([[False, True, False, True], [True] * 4, [False] * 4])[..., None]
    found = correlation_time(correlation, defined, 1.0)
    assert found.time[:2].tolist() == [4.0, 2.0]
    assert found.censored.tolist() == [True, False, False]
    assert found.defined.tolist() == [True, True, False]


@pytest.mark.parametrize("std", [[0.0, 1.0], [-1.0, 1.0], [math.nan, 1.0], [math.inf, 1.0]])
def test_a_field_std_that_is_not_positive_is_refused(small_state, std):
    trajectory = small_state[:, None]
    with pytest.raises(BadInputError, match="field_std must be positive"):
        pooled_vrmse(trajectory, trajectory, torch.tensor(std))


def test_an_empty_range_is_refused(small_state):
    with pytest.raises(BadInputError, match="high must exceed"):
        range_violation(small_state[:, None], torch.ones(2), torch.ones(2))


def test_shapes_that_would_only_broadcast_are_refused(small_state):
    with pytest.raises(BadInputError, match="predicted frames only"):
        require_same_shape(small_state[:, None], small_state[:1, None])


@pytest.mark.well
def test_the_well_itself_agrees(generator):
    spatial = pytest.importorskip("the_well.benchmark.metrics.spatial")
    datasets = pytest.importorskip("the_well.data.datasets")
    truth = torch.rand(2, 3, 2, 8, 8, generator=generator)
    prediction = truth + 0.1 * torch.randn(truth.shape, generator=generator)
    meta = datasets.WellMetadata(
        dataset_name="x",
        n_spatial_dims=2,
        spatial_resolution=(8, 8),
        scalar_names=[],
        constant_scalar_names=[],
        field_names={0: ["A", "B"], 1: [], 2: []},
        constant_field_names={},
        boundary_condition_types=[],
        n_files=1,
        n_trajectories_per_file=[2],
        n_steps_per_trajectory=[3],
    )
    last = [values.movedim(2, -1) for values in (prediction, truth)]
    torch.testing.assert_close(spatial.VRMSE.eval(*last, meta), well_vrmse(prediction, truth))
    torch.testing.assert_close(spatial.NRMSE.eval(*last, meta), well_nrmse(prediction, truth))
