"""A plane with landmarks: values, lines and paths are drawn where they are, bad numbers are refused."""

import matplotlib
import numpy as np
import pytest

from pdenca.core import BadInputError
from pdenca.plots import Landmark, section, to_bytes

ACROSS, UPWARDS = np.linspace(-1, 3, 9), np.linspace(0, 2, 6)
X, Y = np.meshgrid(ACROSS, UPWARDS, indexing="ij")
VALUES = 10.0 ** (X + Y - 3)
PICTURE = np.eye(3)
LANDMARKS = {
    "one": Landmark([0.0, 1.0], [[5.0, 1.0], [0.5, 1.5]], PICTURE, "starts 7 off"),
    "two": Landmark([2.0, 0.5], [[2.0, 2.5]], PICTURE),
}


def drawn(values=VALUES, across=ACROSS, upwards=UPWARDS, landmarks=LANDMARKS, **more):
    return section(values, across, upwards, landmarks, measure="residual", **more)


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def lines_of(figure):
    contours = [item for item in figure.axes[0].collections if hasattr(item, "levels")]
    return [path for item in contours for path in item.get_paths() if len(path.vertices)]


def test_values_stand_where_they_are():
    figure = drawn()
    plane, bar = figure.axes[:2]
    (image,) = plane.images
    np.testing.assert_allclose(image.get_array(), VALUES.T)
    left, right, bottom, top = image.get_extent()  # centres of cells are places
    np.testing.assert_allclose((left, right, bottom, top), (-1.25, 3.25, -0.2, 2.2))
    assert image.norm(VALUES.min()) == 0
    assert image.norm(np.sqrt(VALUES.min() * VALUES.max())) == pytest.approx(0.5)  # logarithmic
    assert bar.get_ylabel() == "residual (dimensionless)"
    assert "0.01" in [label.get_text() for label in bar.get_yticklabels()]


def test_paths_run_to_their_places_and_pictures_stand_beside_them():
    figure = drawn()
    plane, _, *pictures = figure.axes
    np.testing.assert_allclose(plane.lines[0].get_xydata(), [[5, 1], [0.5, 1.5], [0, 1]])
    # what runs beyond the grid is seen
    assert plane.get_xlim()[1] > 5
    assert plane.get_ylim()[1] > 2.5
    assert [panel.get_title(loc="center") for panel in pictures] == ["one", "two"]
    np.testing.assert_array_equal(pictures[0].images[0].get_array(), PICTURE.T)
    for word in ("starts 7 off", "hollow marks: starts"):
        assert word in words(figure)
    assert to_bytes(figure, "png", 40) == to_bytes(drawn(), "png", 40)


def test_contours_have_labels_and_lie_at_their_levels():
    figure = drawn(contours=X, contour_measure="weight of the gate")
    assert "white lines: weight of the gate" in words(figure)
    found = lines_of(figure)
    assert found
    for path in found:  # lines of constant x
        assert np.ptp(path.vertices[:, 0]) < 1e-9
    assert {"0", "1.6"} & set(words(figure).split())


@pytest.mark.parametrize("contours", [np.full_like(X, np.nan), np.full_like(X, 0.3)])
def test_without_anything_to_tell_there_are_no_contours(contours):
    figure = drawn(contours=contours, contour_measure="weight of the gate")
    assert not lines_of(figure)
    assert "weight of the gate" not in words(figure)


def test_zero_and_what_is_not_finite_are_shown():
    values = VALUES.copy()
    values[0, 0], values[1, 1] = 0, np.nan
    figure = drawn(values, landmarks={})
    plane = figure.axes[0]
    shown = plane.images[0].get_array()
    assert len(figure.axes) == 2
    assert shown[0, 0] == np.sort(VALUES, None)[1]
    assert np.ma.getmaskarray(shown)[1, 1] or np.isnan(shown[1, 1])
    assert plane.images[0].colorbar.extend == "min"


@pytest.mark.parametrize("span", [1e-9, 0.02, 0.5, 1.3, 12, 30])
def test_the_colour_bar_has_a_few_ticks_whatever_the_range(span):
    values = 10.0 ** (span * (X - X.min()) / np.ptp(X) - 7.3)
    ticks = drawn(values, landmarks={}).axes[1].get_yticks()
    assert 2 <= len(ticks) <= 9


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"values": VALUES[1:]}, r"shape \(8, 6\), expected \(9, 6\)"),
        ({"values": -VALUES}, "expected none below 0"),
        ({"values": 0 * VALUES}, "no number above 0"),
        ({"across": ACROSS**3}, "not evenly spaced"),
        ({"contours": X.T}, "contours has shape"),
        ({"landmarks": {"a": Landmark([0, 1], [[0, 1, 2]], PICTURE)}}, "landmark 'a' has a place"),
        ({"landmarks": {"a": Landmark([0, 1], [[0, np.inf]], PICTURE)}}, "not finite"),
    ],
)
def test_refusals(given, message):
    with pytest.raises(BadInputError, match=message):
        drawn(**given)
