"""Panels of lines: every line is drawn, names look alike everywhere, bad numbers are refused."""

import matplotlib
import numpy as np
import pytest

from pdenca.core import BadInputError
from pdenca.plots import LinePanel, line_panels, to_bytes

LINES = {"slow": [([1, 2, 3], [1.0, 0.5, 0.1]), ([1, 2], [1.0, np.nan])], "fast": [([1, 2], [1.0, 0.01])]}
PANELS = {
    "torus": LinePanel(LINES, "evaluations", "residual", unit="1"),
    "graph": LinePanel({"fast": LINES["fast"]}, "evaluations", "residual", unit="1"),
    "memory": LinePanel(
        LINES, "time", "memory", "s", "MiB", scales=("log", "linear"), marks=True, ticks=(1, 3)
    ),
}


def test_lines_names_and_units_are_drawn():
    figure = line_panels(PANELS, title="What it costs")
    torus, graph, memory = figure.axes
    assert [len(axes.lines) for axes in figure.axes] == [3, 1, 3]
    assert torus.lines[2].get_color() == graph.lines[0].get_color() != torus.lines[0].get_color()
    assert (torus.get_yscale(), memory.get_xscale(), memory.get_yscale()) == ("log", "log", "linear")
    assert graph.get_ylabel() == ""  # as its neighbour
    assert memory.lines[0].get_marker() == "o"
    assert [label.get_text() for label in memory.get_xticklabels()] == ["1", "3"]
    words = " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))
    for word in ("torus", "evaluations", "(dimensionless)", "(MiB)", "(s)", "slow", "What it costs"):
        assert word in words
    assert "slow, fast" in figure.get_label()
    assert to_bytes(figure, "png", 40) == to_bytes(line_panels(PANELS, title="What it costs"), "png", 40)


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ({}, "at least one panel"),
        ({"a": LinePanel({}, "x", "y")}, "at least one line"),
        ({"a": LinePanel({"b": [([1, 2], [1.0])]}, "x", "y")}, "2 places and 1 values"),
        ({"a": LinePanel({"b": [([1, 2], [1.0, 0.0])]}, "x", "y")}, "not positive"),
    ],
)
def test_refusals(panels, message):
    with pytest.raises(BadInputError, match=message):
        line_panels(panels)


def test_values_that_are_lost_are_crosses_on_the_edge():
    lines = {"a": [([1, 2, 3], [1.0, np.inf, 0.1])], "b": [([1, 2], [np.nan, np.nan])]}
    plain, marked = (
        line_panels({"p": LinePanel(lines, "x", "y", broken=broken)}) for broken in ("", "diverged")
    )
    assert len(plain.axes[0].lines) == 2
    crosses = [line for line in marked.axes[0].lines if line.get_marker() == "x"]
    assert [line.get_xdata().tolist() for line in crosses] == [[2.0], [1.0, 2.0]]
    assert all(set(line.get_ydata()) == {1.0} for line in crosses)
    assert marked.axes[0].get_ylim() == plain.axes[0].get_ylim()
    for figure, shown in ((plain, False), (marked, True)):
        names = [text.get_text() for text in figure.legends[0].get_texts()]
        assert ("diverged" in names) == shown
