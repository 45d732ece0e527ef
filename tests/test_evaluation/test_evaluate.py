"""The pipeline: what is given, what is scored, what is pooled, and what a failure looks like."""

import math
import weakref
from dataclasses import replace

import pytest
import torch

from pdenca.core import BadInputError, NonFiniteError
from pdenca.evaluation import (
    DISTANCES,
    METRICS,
    EvaluationSettings,
    evaluate,
    pooled_vrmse,
    well_nrmse,
    well_vrmse,
    window_label,
)

SETTINGS = EvaluationSettings(
    num_given=2, windows=((1, 1), (2, 5), (6, 10)), num_bootstrap=50, dtype="float64"
)


def table(results, **where):
    return {
        (row.model, row.split, row.regime, row.metric, row.window): row.value
        for row in results.rows
        if all(getattr(row, name) == value for name, value in where.items())
    }


def predicted(case, factor, num_given=2):
    """What the emulator with this factor predicts."""
    last = case.truth[:, num_given - 1].double()
    return torch.stack([last * factor**n for n in range(1, case.truth.shape[1] - num_given + 1)], dim=1)


def test_rows_are_the_metrics_of_the_predicted_frames(make_case, decay):
    case = make_case()
    values = table(evaluate([case], {"m": decay(0.8)}, SETTINGS), regime="spots")
    prediction, truth = predicted(case, 0.8), case.truth[:, 2:].double()
    std = torch.tensor([0.3, 0.2], dtype=torch.float64)
    for first, last in SETTINGS.windows:
        inside = slice(first - 1, last)
        for metric, expected in {
            "pooled_vrmse": pooled_vrmse(prediction[:, inside], truth[:, inside], std),
            "well_vrmse": well_vrmse(prediction[:, inside], truth[:, inside]).mean(),
            "well_nrmse": well_nrmse(prediction[:, inside], truth[:, inside]).mean(),
        }.items():
            key = ("m", "test", "spots", metric, window_label(first, last))
            assert values[key] == pytest.approx(float(expected), rel=1e-12)


def test_a_perfect_model_is_perfect(make_case, decay):
    results = evaluate([make_case()], {"m": decay(0.9)}, SETTINGS)
    for (*_, metric, _window), value in table(results).items():
        if metric == "correlation_time":
            assert value == 20.0
        elif metric == "correlation_censored":
            assert value == 1.0
        elif metric == "range_violation":
            assert value == pytest.approx(max(0.0, value))
        else:
            assert value == pytest.approx(0.0, abs=1e-6), metric


def test_every_metric_has_rows_with_an_interval_around_the_value(make_case, decay):
    results = evaluate([make_case(num_trajectories=5)], {"m": decay(0.7)}, SETTINGS)
    asked_for = {"lyapunov_exponent", "equivariance_residual", "patterns_within", *DISTANCES}
    needs_more = {"budget_residual", "fourier_rmse_middle", "fourier_rmse_high"}  # an equation, more cells
    assert {row.metric for row in results.rows} == set(METRICS) - asked_for - needs_more
    assert {row.regime for row in results.rows} == {"spots", "all"}
    for row in results.rows:
        assert row.low <= row.value * (1 + 1e-9) + 1e-12
        assert row.high >= row.value * (1 - 1e-9) - 1e-12


def test_range_violation_is_the_mean_of_each_trajectorys_worst_frame(make_case, decay):
    case = make_case()
    values = table(evaluate([case], {"m": decay(-0.9)}, SETTINGS))
    prediction = predicted(case, -0.9)[:, 1:5]
    worst = torch.maximum(-prediction, prediction - torch.tensor([1.0, 0.5])[:, None, None])
    expected = (worst / torch.tensor([1.0, 0.5])[:, None, None]).clamp(min=0).flatten(1).amax(1).mean()
    assert values["m", "test", "spots", "range_violation", "2:5"] == pytest.approx(float(expected))
    unknown = replace(case, field_low=None, field_high=None)
    assert not table(evaluate([unknown], {"m": decay(0.9)}, SETTINGS), metric="range_violation")


def test_given_frames_are_never_scored(make_case, decay):
    case = make_case()
    spoilt = case.truth.clone()
    spoilt[:, :1] = 1e6  # given, but the emulator looks at the last given frame only
    models = {"m": decay(0.8)}
    assert (
        evaluate([case], models, SETTINGS).rows
        == evaluate([replace(case, truth=spoilt)], models, SETTINGS).rows
    )


def test_rollouts_can_start_later(make_case, decay):
    case = make_case(num_frames=15)
    later = evaluate([case], {"m": decay(0.8)}, SETTINGS.replace(start=3))
    cut = evaluate([replace(case, truth=case.truth[:, 3:])], {"m": decay(0.8)}, SETTINGS)
    assert later.rows == cut.rows


def test_a_window_past_the_truth_gets_no_row(make_case, decay):
    def windows(num_frames):
        results = evaluate([make_case(num_frames=num_frames)], {"m": decay(0.9)}, SETTINGS)
        return [row.window for row in results.rows if row.metric == "pooled_vrmse" and row.regime == "all"]

    assert windows(12) == ["1", "2:5", "6:10"]
    assert windows(11) == ["1", "2:5"]
    assert windows(6) == ["1"]


def test_all_pools_every_trajectory_of_a_split_and_only_shared_windows(make_case, decay):
    spots, maze = make_case(regime="spots"), make_case(regime="maze", num_frames=7, factor=0.5, seed=1)
    other = make_case(split="ood_ic", seed=2)
    results = evaluate([spots, maze, other], {"m": decay(0.8)}, SETTINGS)
    pooled = table(results, split="test", regime="all", metric="pooled_vrmse")
    assert [key[-1] for key in pooled] == ["1", "2:5"]
    prediction = torch.cat([predicted(case, 0.8)[:, 1:5] for case in (spots, maze)])
    truth = torch.cat([case.truth[:, 3:7].double() for case in (spots, maze)])
    std = torch.tensor([0.3, 0.2], dtype=torch.float64)
    assert pooled["m", "test", "all", "pooled_vrmse", "2:5"] == pytest.approx(
        float(pooled_vrmse(prediction, truth, std)), rel=1e-12
    )
    horizons = table(results, split="test", metric="correlation_time")
    assert {key[2]: key[-1] for key in horizons} == {"spots": "1:10", "maze": "1:5"}


def test_cases_of_one_regime_are_pooled_whatever_their_batches(make_case, decay):
    whole = make_case(num_trajectories=4)
    parts = [
        replace(whole, truth=whole.truth[part], context={"feed_rate": torch.full((2,), 0.03)})
        for part in (slice(0, 2), slice(2, 4))
    ]
    models = {"m": decay(0.7)}
    together, apart = evaluate([whole], models, SETTINGS), evaluate(parts, models, SETTINGS)
    assert [(row.metric, row.window) for row in together.rows] == [
        (row.metric, row.window) for row in apart.rows
    ]
    for one, other in zip(together.rows, apart.rows, strict=True):
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), rel=1e-9)
    assert len(apart.examples) == 1


def test_a_blow_up_is_reported_where_it_happens(make_case, decay):
    class Exploding(decay):
        def bind(self, lattice, context, generator=None):
            step = super().bind(lattice, context, generator)
            inner, done = step.__class__.__call__, [0]

            class Fuse(step.__class__):
                def __call__(self, state):
                    done[0] += 1
                    state = inner(self, state)
                    if done[0] == 3:
                        state[1] = math.nan
                    return state

            return Fuse(self, generator)

    results = evaluate(
        [make_case(), make_case(regime="maze", seed=1)], {"bad": Exploding(0.9), "good": decay(0.9)}, SETTINGS
    )
    for row in results.rows:
        bad = row.model == "bad" and row.window != "1"
        if row.metric == "diverged":
            assert row.value == (pytest.approx(1 / 3) if bad else 0.0)
        elif row.metric == "correlation_time":
            assert row.value == (pytest.approx((20 + 20 + 6) / 3) if bad else 20.0)
        elif row.metric != "correlation_censored":
            assert math.isfinite(row.value) == (not bad), row
            assert math.isfinite(row.low) == math.isfinite(row.high) == (not bad)
    broken = [point.frame for point in results.curves if not math.isfinite(point.value)]
    assert sorted(set(broken)) == list(range(3, 11))


def test_a_dead_truth_has_no_pattern_metrics(make_case, decay):
    flat = torch.full((3, 12, 2, 6, 8), 0.25)
    flat[:, :, :, 0, 0] += 1e-5
    results = evaluate([replace(make_case(), truth=flat)], {"m": decay(1.01)}, SETTINGS)
    metrics = {row.metric for row in results.rows}
    errors = {"pooled_vrmse", "well_vrmse", "well_nrmse", "pdebench_nrmse", "fourier_rmse_low"}
    assert metrics == errors | {"range_violation", "diverged"}


def test_curves_hold_every_frame_with_its_time(make_case, decay):
    case = make_case()
    points = [p for p in evaluate([case], {"m": decay(0.8)}, SETTINGS).curves if p.regime == "all"]
    assert [point.frame for point in points] == list(range(1, 11))
    assert [point.time for point in points] == [2.0 * n for n in range(1, 11)]
    prediction, truth = predicted(case, 0.8), case.truth[:, 2:].double()
    std = torch.tensor([0.3, 0.2], dtype=torch.float64)
    for point in points:
        frame = slice(point.frame - 1, point.frame)
        assert point.value == pytest.approx(float(pooled_vrmse(prediction[:, frame], truth[:, frame], std)))
        assert point.low <= point.value <= point.high


def test_examples_are_frames_of_the_first_trajectory(make_case, decay):
    case = make_case()
    (example,) = evaluate([case], {"m": decay(0.8)}, SETTINGS).examples
    assert example.frames.tolist() == [1, 2, 5, 6, 10]
    assert example.field_names == ("A", "B")
    torch.testing.assert_close(torch.from_numpy(example.truth), case.truth[0, [2, 3, 6, 7, 11]])
    expected = predicted(case, 0.8)[0, [0, 1, 4, 5, 9]].float()
    torch.testing.assert_close(torch.from_numpy(example.predictions["m"]), expected)
    chosen = evaluate([case], {"m": decay(0.8)}, SETTINGS.replace(example_frames=(3, 99))).examples
    assert chosen[0].frames.tolist() == [3]
    assert not evaluate([case], {"m": decay(0.8)}, SETTINGS.replace(example_frames=())).examples


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_rollouts_run_in_the_dtype_of_the_settings(make_case, decay, name):
    model = decay(0.8)
    evaluate([make_case()], {"m": model}, SETTINGS.replace(dtype=name))
    (bound,) = model.bound
    assert bound.context["feed_rate"].dtype == getattr(torch, name)
    assert bound.lattice.shape == (6, 8)


def test_random_models_repeat_themselves_with_the_seed(make_case, decay):
    def value(seed):
        results = evaluate([make_case()], {"m": decay(0.9, noise=0.1)}, SETTINGS.replace(seed=seed))
        return table(results)["m", "test", "all", "pooled_vrmse", "2:5"]

    assert value(3) == value(3)
    assert value(3) != value(4)


def test_only_one_case_is_held(make_case, decay):
    alive = []

    def stream():
        for seed in range(3):
            assert all(truth() is None for truth in alive)
            case = make_case(seed=seed)
            alive.append(weakref.ref(case.truth))
            yield case
            del case

    evaluate(stream(), {"m": decay(0.9)}, SETTINGS)
    assert len(alive) == 3


def test_no_graph_is_kept(make_case, decay):
    model = decay(torch.tensor(0.9, dtype=torch.float64, requires_grad=True))
    assert evaluate([make_case()], {"m": model}, SETTINGS).rows


def test_progress_counts_frames(make_case, decay):
    seen = []
    evaluate([make_case()], {"m": decay(0.9)}, SETTINGS, progress=lambda *what: seen.append(what))
    assert seen == [("test/spots: m", done, 10) for done in range(1, 11)]


def test_what_cannot_be_evaluated_is_refused(make_case, decay):
    case = make_case()
    for cases, models, settings, message in (
        ([case], {}, SETTINGS, "no emulator"),
        ([], {"m": decay(0.9)}, SETTINGS, "no case"),
        ([case], {"m": decay(0.9, frame_interval=3.0)}, SETTINGS, "advances 3 time units"),
        ([case], {"m": decay(0.9)}, SETTINGS.replace(num_given=12), "leave none to predict"),
        ([case], {"a/b": decay(0.9)}, SETTINGS, "without '/'"),
    ):
        with pytest.raises(BadInputError, match=message):
            evaluate(cases, models, settings)


def test_a_model_with_other_fields_is_refused(make_case, decay):
    class OneField(decay):
        def __init__(self):
            super().__init__(0.9)
            self.codec.observe = lambda state: state[:, :1]

    with pytest.raises(BadInputError, match="the fields of this dataset"):
        evaluate([make_case()], {"m": OneField()}, SETTINGS)


def test_what_is_no_case_is_refused(make_case):
    broken = make_case().truth.clone()
    broken[2, 5, 1] = math.nan
    for changes, message in (
        ({"regime": "all"}, "cannot be called"),
        ({"split": ""}, "some text"),
        ({"field_std": (1.0,)}, "field_std has 1 entries"),
        ({"field_names": ("A",)}, "field_names has 1 entries"),
        ({"field_high": None}, "come together"),
        ({"context": {"feed_rate": torch.zeros(2)}}, "one entry per trajectory"),
        ({"truth": torch.zeros(3, 12, 2, 6, 9)}, "but the grid"),
    ):
        with pytest.raises(BadInputError, match=message):
            make_case(**changes)
    with pytest.raises(NonFiniteError, match="trajectory 2, frame 5, field B"):
        make_case(truth=broken)


def test_settings_explain_themselves():
    for values, message in (
        ({"windows": [(0, 3)]}, "counted from 1"),
        ({"windows": [(3, 2)]}, "1 <= first <= last"),
        ({"windows": [(1, 2), (1, 2)]}, "listed twice"),
        ({"example_frames": [0]}, "counted from 1"),
        ({"window": [(1, 2)]}, "did you mean 'windows'"),
    ):
        with pytest.raises(BadInputError, match=message):
            EvaluationSettings.parse(values)
    assert EvaluationSettings.from_json(SETTINGS.to_json()) == SETTINGS
