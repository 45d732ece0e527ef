"""Intervals from resampled trajectories."""

import math

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.evaluation import pooled_estimate


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


def test_value_is_the_transformed_ratio_of_sums():
    estimate = pooled_estimate(column(1.0, 3.0), column(2.0, 14.0), 10, 0, transform=torch.sqrt)
    assert float(estimate.value) == 0.5


def test_numerators_and_denominators_are_drawn_as_pairs():
    # every trajectory alone has the same ratio, so does every resample
    estimate = pooled_estimate(column(1.0, 10.0, 100.0), column(2.0, 20.0, 200.0), 200, 0)
    assert [float(part) for part in estimate] == pytest.approx([0.5, 0.5, 0.5])


def test_interval_against_a_loop(generator):
    numerator = torch.rand(5, 2, generator=generator, dtype=torch.float64)
    denominator = 1 + torch.rand(5, 2, generator=generator, dtype=torch.float64)
    estimate = pooled_estimate(numerator, denominator, 40, 7, confidence=0.8)
    draws = torch.randint(5, (40, 5), generator=torch.Generator().manual_seed(7))
    for number in range(2):
        ratios = sorted(
            sum(float(numerator[i, number]) for i in draw) / sum(float(denominator[i, number]) for i in draw)
            for draw in draws.tolist()
        )
        for quantile, found in ((0.1, estimate.low), (0.9, estimate.high)):
            place = quantile * 39
            below = math.floor(place)
            expected = ratios[below] + (place - below) * (ratios[below + 1] - ratios[below])
            assert float(found[number]) == pytest.approx(expected, rel=1e-9)


def test_interval_of_a_mean_is_about_two_standard_errors(generator):
    numbers = torch.randn(400, 1, generator=generator, dtype=torch.float64)
    estimate = pooled_estimate(numbers, torch.ones_like(numbers), 2000, 0)
    width = float(estimate.high - estimate.low)
    assert width == pytest.approx(2 * 1.96 * float(numbers.std()) / 20, rel=0.1)


def test_seed_decides():
    numbers = torch.arange(6, dtype=torch.float64)[:, None]
    first, again, other = (pooled_estimate(numbers, torch.ones_like(numbers), 50, seed) for seed in (1, 1, 2))
    assert first == again
    assert (float(first.low), float(first.high)) != (float(other.low), float(other.high))


def test_one_trajectory_has_no_interval():
    estimate = pooled_estimate(column(1.0), column(4.0), 10, 0)
    assert float(estimate.value) == 0.25
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)


def test_one_diverged_trajectory_spoils_its_column_only():
    numerator = torch.tensor([[1.0, math.nan], [2.0, 1.0], [3.0, 1.0]], dtype=torch.float64)
    estimate = pooled_estimate(numerator, torch.ones_like(numerator), 50, 0)
    assert torch.tensor([part.isfinite().tolist() for part in estimate]).T.tolist() == [
        [True] * 3,
        [False] * 3,
    ]


def test_resamples_without_a_defined_trajectory_are_left_out():
    estimate = pooled_estimate(column(0.0, 3.0), column(0.0, 1.0), 200, 0)
    assert [float(part) for part in estimate] == [3.0, 3.0, 3.0]


def test_no_trajectories_are_refused():
    with pytest.raises(BadInputError, match="no trajectory"):
        pooled_estimate(torch.zeros(0, 1), torch.zeros(0, 1), 10, 0)
