"""Pattern statistics: the numbers, and the verdict on right and wrong processes."""

import math

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.evaluation import (
    EvaluationSettings,
    compare_patterns,
    evaluate,
    judge_patterns,
    pattern_distances,
    summarise_patterns,
)
from pdenca.evaluation.patterns import LEAST_PAIRS, midpoints
from pdenca.solvers.grid import Grid

GRID = Grid.uniform(32, 0.25)
STD = torch.tensor([0.5, 2.0], dtype=torch.float64)


def process(num_runs, seed, wavelength=1.0, mean=0.0, time=2):
    """Random patterns of two fields about a wavelength, independent from run to run."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(num_runs, time, 2, 32, 32, generator=generator, dtype=torch.float64)
    k = torch.fft.fftfreq(32, 0.25, dtype=torch.float64)
    size = (k[:, None] ** 2 + k[None, :17].abs() ** 2).sqrt()
    window = torch.exp(-(((size * wavelength - 1) / 0.2) ** 2))
    waves = torch.fft.irfft2(torch.fft.rfft2(noise) * window, s=(32, 32))
    return waves / waves.std() * STD[:, None, None] + mean


def test_the_summary_is_what_it_says():
    frames = process(2, 0)
    middle = midpoints(frames)
    assert float(middle[1]) == pytest.approx(float(frames[:, :, 1].max() + frames[:, :, 1].min()) / 2)
    found = summarise_patterns(frames, GRID, STD, middle)
    covered = sum(float(v) > float(middle[1]) for v in frames[1, :, 1].flatten()) / frames[1, :, 1].numel()
    assert float(found.area[1, 1]) == pytest.approx(covered)
    torch.testing.assert_close(found.structure.sum(-1), torch.ones(2, 2, dtype=torch.float64))
    ordered = sorted(float(v) / 2.0 for v in frames[0, :, 1].flatten())
    assert float(found.quantiles[0, 1, 128]) == pytest.approx(ordered[int(128.5 / 256 * len(ordered))])


def test_a_single_wave_has_all_its_structure_in_one_shell():
    x = torch.arange(32, dtype=torch.float64)
    wave = torch.sin(2 * math.pi * 5 * x / 32)[:, None].expand(32, 32)
    frames = torch.stack([wave, 3 * wave.T]).expand(1, 2, 2, 32, 32)
    structure = summarise_patterns(frames, GRID, STD, torch.zeros(2).double()).structure
    assert structure[0, 1].argmax() == 4
    assert float(structure[0, 1, 4]) == pytest.approx(1)


def test_distances_against_sorting_and_sums():
    one, other = process(1, 1), process(1, 2, mean=0.3)
    middle = midpoints(one)
    first, second = (summarise_patterns(f, GRID, STD, middle) for f in (one, other))
    structure, area, histogram = pattern_distances(first, second)[:, 0, 0].tolist()
    exact = [
        float((one[0, :, c].flatten().sort()[0] - other[0, :, c].flatten().sort()[0]).abs().mean() / STD[c])
        for c in range(2)
    ]
    assert histogram == pytest.approx(sum(exact) / 2, rel=0.01)
    assert structure == pytest.approx(float((first.structure - second.structure).abs().sum()) / 4)
    assert area == pytest.approx(float((first.area - second.area).abs().mean()))
    assert pattern_distances(first, first).abs().max() == 0


def test_shifting_and_turning_a_pattern_changes_no_distance():
    frames = process(1, 3)
    moved = frames.roll((5, 9), (-2, -1)).rot90(1, (-2, -1))
    middle = midpoints(frames)
    pair = [summarise_patterns(f, GRID, STD, middle) for f in (frames, moved)]
    assert float(pattern_distances(*pair).abs().max()) < 1e-12


@pytest.mark.parametrize("seed", [10, 20, 30])
def test_the_same_process_is_within_the_range(seed):
    verdicts = compare_patterns(process(8, seed), process(8, seed + 1), GRID, STD)
    assert [verdict.num_pairs for verdict in verdicts] == [28] * 3
    assert all(verdict.within for verdict in verdicts)
    assert all(verdict.low < verdict.high and verdict.share_within > 0.7 for verdict in verdicts)


@pytest.mark.parametrize(
    ("changes", "seen_by"),
    [
        ({"wavelength": 1.15}, {"structure_distance"}),
        ({"mean": 0.2}, {"histogram_distance", "area_distance"}),
    ],
)
def test_another_process_is_not(changes, seen_by):
    verdicts = compare_patterns(process(8, 10), process(8, 11, **changes), GRID, STD)
    outside = {verdict.distance for verdict in verdicts if not verdict.within}
    assert seen_by <= outside
    assert all(verdict.share_within < 0.5 for verdict in verdicts if verdict.distance in seen_by)


def test_a_run_that_blew_up_is_outside():
    broken = process(8, 11)
    broken[2, 1, 0, 0, 0] = math.nan
    verdicts = compare_patterns(process(8, 10), broken, GRID, STD)
    assert not any(verdict.within for verdict in verdicts)


def test_the_own_reference_does_not_count():
    """An emulator that follows its truth exactly gets the distances of the reference, not zero."""
    runs = process(8, 5)
    exact = compare_patterns(runs, runs, GRID, STD)
    free = compare_patterns(runs, runs, GRID, STD, paired=False)
    for one, other in zip(exact, free, strict=True):
        assert one.value == pytest.approx(other.value * 8 / 7)
        assert one.within


def test_too_few_runs_are_refused():
    few = summarise_patterns(process(6, 0), GRID, STD, torch.zeros(2).double())
    with pytest.raises(BadInputError, match=f"15 pairs.*at least {LEAST_PAIRS} pairs"):
        judge_patterns(few, few)
    many = summarise_patterns(process(7, 0), GRID, STD, torch.zeros(2).double())
    with pytest.raises(BadInputError, match="paired=False"):
        judge_patterns(many, few)
    assert len(judge_patterns(many, few, paired=False)) == 3


def test_the_pipeline_compares_the_frames_of_the_window(make_case, decay):
    """A model that is exact is within; one that flattens the pattern is not."""
    case = make_case(num_trajectories=8, num_frames=12, factor=0.95)
    settings = EvaluationSettings(num_given=2, windows=((1, 1),), num_bootstrap=5, pattern_window=(4, 10))
    settings = settings.replace(pattern_stride=3)
    models = {"good": decay(0.95), "bad": decay(0.7)}
    rows = evaluate([case], models, settings).rows
    found = {(row.model, row.metric): row for row in rows if row.window == "4:10"}
    assert found["good", "patterns_within"].value == 1
    assert found["bad", "patterns_within"].value == 0
    frames = torch.stack([case.truth[:, 1 + n] for n in (4, 7, 10)], 1).double()
    std = torch.tensor([0.3, 0.2], dtype=torch.float64)
    expected = compare_patterns(frames, frames, case.grid, std)
    for verdict in expected:
        row = found["good", verdict.distance]
        assert (row.value, row.low, row.high) == pytest.approx(
            (verdict.value, verdict.low, verdict.high), rel=1e-4, abs=1e-6
        )
    assert not [row for row in evaluate([case], models, settings.replace(pattern_window=(5, 11))).rows
                if row.metric == "patterns_within"]  # fmt: skip


def test_too_few_runs_cost_the_pattern_rows_only(make_case, decay):
    settings = EvaluationSettings(num_given=2, windows=((1, 1),), num_bootstrap=5, pattern_window=(1, 5))
    results = evaluate([make_case(num_trajectories=3)], {"m": decay(0.9)}, settings)
    assert results.rows
    assert "patterns_within" not in {row.metric for row in results.rows}
    assert "3 pairs" in results.refusals[0].reason
