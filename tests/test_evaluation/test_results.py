"""Rows on disk, degradation factors, and tables."""

import csv
import json
import math

import numpy as np
import pytest

from pdenca.core import BadInputError, FormatError
from pdenca.evaluation import (
    CurvePoint,
    EvaluationSettings,
    Example,
    Results,
    Row,
    degradation,
    format_degradation,
    format_number,
    format_table,
    load_rows,
)

NAN = math.nan


def row(model, split, window, value, metric="pooled_vrmse", regime="all", spread=0.1):
    return Row(model, split, regime, metric, window, value, value * (1 - spread), value * (1 + spread))


@pytest.fixture
def results():
    rows = [row("a", "test", "1", 0.5), Row("b", "test", "all", "pooled_vrmse", "1", NAN, NAN, NAN)]
    curves = [CurvePoint("a", "test", "all", 1, 10.0, 0.5, 0.25, 0.75)]
    curves.append(CurvePoint("a", "test", "all", 2, 20.0, math.inf, NAN, NAN))
    truth = np.arange(16, dtype=np.float32).reshape(2, 2, 2, 2)
    example = Example(
        "test", "spots", ("A", "B"), np.array([1, 5]), truth, {"a": truth + 1, "b 2": truth + 2}
    )
    return Results(rows, curves, [example], EvaluationSettings(num_given=3))


def test_rows_json_has_exactly_the_promised_keys(results, tmp_path):
    results.save(tmp_path / "new" / "folder")
    items = json.loads((tmp_path / "new" / "folder" / "rows.json").read_text())
    assert items == [
        {
            "model": "a",
            "split": "test",
            "regime": "all",
            "metric": "pooled_vrmse",
            "window": "1",
            "value": 0.5,
            "low": 0.45,
            "high": 0.55,
        },
        {
            "model": "b",
            "split": "test",
            "regime": "all",
            "metric": "pooled_vrmse",
            "window": "1",
            "value": None,
            "low": None,
            "high": None,
        },
    ]
    with (tmp_path / "new" / "folder" / "curves.csv").open(newline="") as file:
        lines = list(csv.reader(file))
    assert lines[0] == ["model", "split", "regime", "frame", "time", "value", "low", "high"]
    assert lines[2] == ["a", "test", "all", "2", "20.0", "", "", ""]


def test_results_come_back_as_they_were_saved(results, tmp_path):
    results.save(tmp_path)
    again = Results.load(tmp_path)
    assert again.settings == results.settings
    assert again.rows[0] == results.rows[0]
    assert math.isnan(again.rows[1].value)
    assert again.curves[0] == results.curves[0]
    assert math.isnan(again.curves[1].value)
    (example,), (expected,) = again.examples, results.examples
    assert (example.split, example.regime, example.field_names) == ("test", "spots", ("A", "B"))
    np.testing.assert_array_equal(example.frames, expected.frames)
    np.testing.assert_array_equal(example.truth, expected.truth)
    assert list(example.predictions) == ["a", "b 2"]
    np.testing.assert_array_equal(example.predictions["b 2"], expected.predictions["b 2"])
    assert example.truth.dtype == np.float32


def test_curves_of_one_split_are_arrays(results):
    found = results.curves_of("test")
    assert list(found) == ["a"]
    time, value, low, high = found["a"]
    assert time.tolist() == [10.0, 20.0]
    assert value.tolist() == [0.5, math.inf]
    assert (low[0], high[0]) == (0.25, 0.75)
    assert np.isnan([low[1], high[1]]).all()
    assert results.curves_of("test", "spots") == {}


def test_results_without_examples_can_be_saved(results, tmp_path):
    Results(results.rows, results.curves).save(tmp_path)
    assert Results.load(tmp_path).examples == []


def test_damaged_results_are_named(results, tmp_path):
    with pytest.raises(FormatError, match="evaluate again"):
        load_rows(tmp_path / "rows.json")
    results.save(tmp_path)
    (tmp_path / "curves.csv").write_text("model,split\na,b\n")
    with pytest.raises(FormatError, match="evaluation results"):
        Results.load(tmp_path)
    for text in ("[{", '[{"model": "a"}]', '{"a": 1}'):
        (tmp_path / "rows.json").write_text(text)
        with pytest.raises(FormatError, match="not a list of result rows"):
            load_rows(tmp_path / "rows.json")


ROWS = [
    row("model", "test", "1", 0.1),
    row("solver", "test", "1", 0.2),
    row("model", "ood", "1", 0.3),
    row("solver", "ood", "1", 0.4),
    row("model", "ood", "6:12", 0.9),
    row("broken", "test", "1", 0.1),
    row("broken", "ood", "1", NAN),
    row("model", "ood", "1", 7.0, regime="spots"),
    row("model", "ood", "1", 7.0, metric="well_nrmse"),
]


def test_degradation_stands_beside_the_reference_solvers():
    found = {entry.model: entry for entry in degradation(ROWS, "solver")}
    assert found["model"].factor == pytest.approx(3)
    assert found["model"].reference_factor == pytest.approx(2)
    assert (found["model"].value, found["model"].in_distribution) == (0.3, 0.1)
    assert found["solver"].factor == pytest.approx(2)
    assert math.isnan(found["broken"].factor)
    assert len(found) == len(degradation(ROWS, "solver")) == 3  # 6:12 has no in-distribution row
    assert all(math.isnan(entry.reference_factor) for entry in degradation(ROWS))


def test_degradation_names_what_is_missing():
    with pytest.raises(FormatError, match="no pooled_vrmse rows of model 'sovler'"):
        degradation(ROWS, "sovler")
    with pytest.raises(FormatError, match="rows of split 'valid'"):
        degradation(ROWS, in_distribution="valid")


def test_degradation_table():
    text = format_degradation(degradation(ROWS, "solver")).markdown()
    assert "| model | ood | 1 | 0.100 | 0.300 | 3.00 | 2.00 |" in text
    assert "| broken | ood | 1 | 0.100 | diverged | diverged | 2.00 |" in text


def test_table_of_windows_as_markdown():
    rows = [
        row("a|b", "test", "1", 0.02),
        row("c", "test", "1", 0.01),
        row("c", "test", "6:12", NAN),
        row("a|b", "test", "6:12", 0.5),
        row("c", "test", "13:30", 0.7),
    ]
    assert format_table(rows, interval=False).markdown() == (
        "| model | 1 | 6:12 | 13:30 |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| a\\|b | 0.0200 | **0.500** | - |\n"
        "| c | **0.0100** | diverged | **0.700** |\n"
    )
    assert "0.0200 (0.0180-0.0220)" in format_table(rows).markdown()


def test_table_across_splits_needs_one_window():
    with pytest.raises(BadInputError, match="for the same cell"):
        format_table(ROWS, columns="split")
    table = format_table(ROWS, columns="split", window="1", interval=False)
    assert table.header == ("model", "test", "ood")
    assert table.lines[2] == ("broken", "0.100", "diverged")


def test_table_of_nothing_is_refused():
    with pytest.raises(BadInputError, match="no result row has metric pooled_vrmse, split valid"):
        format_table(ROWS, split="valid")


def test_censored_correlation_times_are_lower_bounds_and_longer_is_better():
    rows = []
    for model, time, censored in (("a", 300.0, 0.5), ("b", 200.0, 0.0)):
        rows.append(row(model, "test", "1:30", time, "correlation_time"))
        rows.append(row(model, "test", "1:30", censored, "correlation_censored"))
    table = format_table(rows, metric="correlation_time", interval=False)
    assert table.lines == (("a", "≥ 300"), ("b", "200"))
    assert table.best == {(0, 1)}
    assert not format_table(rows, metric="correlation_censored").best


def test_terminal_table_shows_names_as_they_are():
    text = str(format_table([row("model [bold]", "test", "1", 0.25)]))
    assert "model [bold]" in text
    assert "0.250 (0.225-0.275)" in text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0.00"), (1.0, "1.00"), (340.0, "340"), (0.021399, "0.0214"), (NAN, "diverged")]
)
def test_numbers_have_three_digits(value, text):
    assert format_number(value) == text
