"""Tables as pictures: the numbers stand in their cells, frames around those that are named."""

import math

import matplotlib
import pytest
from matplotlib.patches import Rectangle

from pdenca.core import BadInputError
from pdenca.plots import heat_map, to_bytes

CELLS = {
    ("one", "a"): [90.0, 95.0, 97.0],
    ("one", "b"): [10.0],
    ("two", "a"): [math.nan, math.nan, 50.0],
    ("two", "b"): [],
    ("three", "b"): [20.0, math.inf, 21.0],
}


def test_medians_spreads_and_frames():
    figure = heat_map(
        CELLS,
        "accuracy",
        unit="%",
        across="network",
        down="rule",
        outlined=[("one", "b")],
        outline="trained on",
    )
    (axes,) = figure.axes
    words = {text.get_text(): text.get_position() for text in axes.texts if text.get_text()}
    assert words["95"] == (0.5, 0.38)
    assert "90 to 97" in words
    assert words["10"] == (1.5, 0.5)
    assert words["diverged"][1] == 1.38, "two of three did"
    assert "20 to diverged" in words
    assert words["21"] == (1.5, 2.38)
    framed = [p for p in axes.patches if isinstance(p, Rectangle) and not p.get_fill()]
    assert [p.get_xy() for p in framed] == [(1.03, 0.03)]
    filled = [p.get_xy() for p in axes.patches if p.get_fill()]
    assert sorted(filled) == [(0, 0), (0, 1), (1, 0), (1, 2)], "a cell without values stays empty"
    assert "Framed: trained on" in axes.get_xlabel()
    assert "accuracy (%)" in figure.get_label()
    assert to_bytes(figure, "png", 40)


def test_colours_follow_the_scale():
    def shade(scale):
        figure = heat_map(
            {("r", "a"): [0.01], ("r", "b"): [0.1], ("r", "c"): [1.0]}, "error", scale=scale, limits=(0.01, 1)
        )
        return [patch.get_facecolor() for patch in figure.axes[0].patches]

    viridis = matplotlib.colormaps["viridis"]
    assert shade("log")[1] == pytest.approx(viridis(0.5))
    assert shade("linear")[1] == pytest.approx(viridis(0.09 / 0.99))


@pytest.mark.parametrize(
    ("cells", "told", "message"),
    [
        ({}, {}, "at least one finite"),
        ({("a", "b"): [math.nan]}, {}, "at least one finite"),
        ({("a", "b"): [1.0]}, {"outlined": [("a", "c")]}, "no cell of the table"),
        ({("a", "b"): [0.0]}, {"scale": "log"}, "not positive"),
    ],
)
def test_refusals(cells, told, message):
    with pytest.raises(BadInputError, match=message):
        heat_map(cells, "error", **told)
