"""The figure of a study: every seed is there, medians are joined, what diverged is marked."""

import math

import matplotlib
import numpy as np
import pytest

from pdenca.core import BadInputError
from pdenca.plots import study, to_bytes

CURVES = {
    "test": {"free": {1: [0.3, 0.4, 0.5], 4: [0.1, 0.2, math.nan]}, "exact": {1: [0.2] * 3, 4: [0.1] * 3}},
    "turned": {"free": {1: [0.6, 0.7, 0.8], 4: [0.2, 0.3, 0.25]}, "exact": {1: [0.2] * 3, 4: [0.1] * 3}},
}
CHOICES = {"stream": {"C1": [0.01, 0.02], "D4": [1.0, math.nan]}}


def lines(axes, length):
    return [line for line in axes.lines if len(line.get_xdata()) == length]


def test_every_seed_and_the_median_are_drawn():
    figure = study(CURVES, CHOICES, {"stream": ("C1",)}, measure="pooled VRMSE")
    test, turned, stream = figure.axes
    joined = [line for line in lines(test, 2) if line.get_linestyle() != "None"]
    # the median of a seed that diverged and two that did not is the larger of the two
    assert np.asarray(joined[0].get_ydata()) == pytest.approx([0.4, 0.2])
    assert sorted(value for line in lines(turned, 3) for value in line.get_ydata())[-1] == 0.8
    assert [label.get_text() for label in stream.get_xticklabels()] == ["C1", "D4"]
    assert [label.get_fontweight() for label in stream.get_xticklabels()] == ["bold", "normal"]
    for axes in figure.axes:
        assert axes.get_yscale() == "log"
    assert "test, turned" in figure.get_label()


def test_what_diverged_is_marked_where_it_belongs():
    figure = study(CURVES, CHOICES)
    marks = {
        axes.get_title(loc="left"): [line for line in axes.lines if line.get_gid() == "diverged"]
        for axes in figure.axes
    }
    assert {name: len(found) for name, found in marks.items()} == {"test": 1, "turned": 0, "stream": 1}
    assert list(marks["test"][0].get_xdata()) == [4.0]


def test_names_and_units_are_written():
    figure = study(CURVES, measure="error", unit="m", across="trajectories", title="What helps")
    words = " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))
    for word in ("error", "(m)", "trajectories", "What helps", "free", "exact"):
        assert word in words
    assert to_bytes(figure, "png", 40) == to_bytes(
        study(CURVES, measure="error", unit="m", across="trajectories", title="What helps"), "png", 40
    )


def test_refusals():
    with pytest.raises(BadInputError, match="expected at least one panel"):
        study({})
    with pytest.raises(BadInputError, match="not positive"):
        study({"test": {"free": {1: [0.0]}}})
