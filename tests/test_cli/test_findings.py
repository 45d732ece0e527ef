"""What the report says in words, from results made by hand."""

import math

import pytest

from pdenca.evaluation import EvaluationSettings, Results, Row
from pdenca.tasks.figures import read_metrics
from pdenca.tasks.findings import Scores, degradation_table, headline_window, summary, tables, where_it_loses

VALUES = {
    ("mlp", "test"): 0.02,
    ("mlp", "ood_params"): 1.5,
    ("poly", "test"): 0.03,
    ("poly", "ood_params"): math.nan,
    ("persistence", "test"): 2.0,
    ("persistence", "ood_params"): 1.2,
    ("equations, order-6", "test"): 0.03,
    ("equations, order-6", "ood_params"): 0.003,
}


@pytest.fixture
def results() -> Results:
    """Two learned models, of which one breaks on unseen parameters."""
    rows = []
    for (model, split), value in VALUES.items():
        rows.append(Row(model, split, "all", "pooled_vrmse", "6:12", value, math.nan, math.nan))
        share = 0.5 if math.isnan(value) else 0.0
        rows.append(Row(model, split, "all", "diverged", "6:12", share, math.nan, math.nan))
        outside = 0.2 if (model, split) == ("mlp", "ood_params") else 0.01
        rows.append(Row(model, split, "all", "range_violation", "6:12", outside, math.nan, math.nan))
    return Results(rows, [], [], EvaluationSettings())


def test_the_window_is_the_usual_one_if_it_was_scored(results):
    assert headline_window(results) == "6:12"
    first = [Row("mlp", "test", "all", "pooled_vrmse", "1", 0.1, 0.1, 0.1)]
    assert headline_window(Results(first, [], [], EvaluationSettings(windows=((1, 1),)))) == "1"


def test_the_summary_names_the_best_of_each_kind(results):
    words = summary(Scores(results, {"mlp", "poly"}, "6:12"))
    assert "test: mlp 0.0200 (0.0300, 2.00); ood_params: mlp 1.50 (0.00300, 1.20)." in words


def test_every_way_of_losing_is_told(results):
    words = where_it_loses(Scores(results, {"mlp", "poly"}, "6:12"), ["And more."]).split("\n\n")
    assert words == [
        "A solver that is given the equations and works on the same cells is more accurate than the best "
        "learned model: 500 times on ood_params (equations, order-6). mlp is no better than what learned "
        "nothing on ood_params (1.50, persistence 1.20). poly is no better than what learned nothing on "
        "ood_params (diverged, persistence 1.20).",
        "Off the training distribution mlp is at least twice as bad as on test: ood_params 75.0 times. Off "
        "the training distribution poly is at least twice as bad as on test: "
        "ood_params infinitely many times.",
        "mlp leaves the range of the training data by more than 5 % of it on ood_params. Some trajectories "
        "of poly became infinite or not a number: ood_params.",
        "And more.",
    ]


def test_a_model_that_loses_nowhere_is_not_blamed():
    rows = [
        Row("mlp", "test", "all", "pooled_vrmse", "6:12", 0.02, math.nan, math.nan),
        Row("persistence", "test", "all", "pooled_vrmse", "6:12", 2.0, math.nan, math.nan),
    ]
    assert where_it_loses(Scores(Results(rows, []), {"mlp"}, "6:12")) == ""


def test_tables_show_windows_and_splits(results):
    windows, splits = tables(results)
    assert windows.header == ("model", "6:12")
    assert splits.header == ("model", "test", "ood_params")
    assert splits.lines[1] == ("poly", "0.0300", "diverged")


def test_degradation_needs_test_and_another_split(results):
    table = degradation_table(results, {"mlp", "poly"})
    assert [line[:2] for line in table.lines] == [("mlp", "ood_params"), ("poly", "ood_params")]
    for split in ("test", "ood_params"):
        alone = Results([row for row in results.rows if row.split == split], [])
        assert degradation_table(alone, {"mlp", "poly"}) is None


def test_divergences_of_a_training_are_marked(tmp_path):
    lines = [
        "step,seconds,stage,loss,validation,learning_rate,event",
        "0,0.1,start,nan,0.9,,",
        "1,0.2,1 rollout,0.5,,0.1,",
        "1,0.3,1 rollout,1e9,,0.1,diverged at step 1",
        "2,0.4,1 rollout,0.4,inf,0.1,validation roll-out diverged",
    ]
    (tmp_path / "metrics.csv").write_text("\n".join(lines) + "\n")
    start, step, diverged, invalid = read_metrics(tmp_path)
    assert start == {"stage": "start", "seconds": 0.1, "step": 0, "validation": 0.9}
    assert step == {"stage": "1 rollout", "seconds": 0.2, "step": 1, "loss": 0.5, "learning_rate": 0.1}
    assert math.isnan(diverged["loss"])
    assert (invalid["loss"], invalid["validation"]) == (0.4, math.inf)
