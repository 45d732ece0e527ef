"""Film strips: colours where channels are colours, one range where they are not."""

import numpy as np
import pytest

from pdenca.core import BadInputError
from pdenca.plots import film_strip, to_bytes


def test_four_channels_are_colours_over_white():
    picture = np.zeros((4, 3, 2))
    picture[:, 0, 0] = (0.5, 0.25, 0.0, 0.5)  # half transparent
    picture[:, 2, 1] = (1.0, 0.0, 0.0, 1.0)
    picture[0, 1, 0] = np.nan
    figure = film_strip({"frames": [picture], "rule": [picture]}, ["start"], notes=["0.1"])
    shown = figure.axes[0].images[0].get_array()
    assert shown.shape == (2, 3, 3), "y down the rows of the array, x along them"
    assert shown[0, 0].tolist() == [1.0, 0.75, 0.5]
    assert shown[1, 2].tolist() == [1.0, 0.0, 0.0]
    assert shown[1, 0].tolist() == [1.0, 1.0, 1.0]
    assert len(set(shown[0, 1].tolist())) == 1, "what is not finite is grey"
    assert shown[0, 1, 0] < 1
    assert figure.axes[1].get_xlabel() == "0.1"
    assert [axes.get_ylabel() for axes in figure.axes] == ["frames", "rule"]
    assert to_bytes(figure, "png", 40)


def test_other_channels_share_one_range():
    rows = {"frames": [np.zeros((1, 4, 4)), np.full((1, 4, 4), 2.0)]}
    figure = film_strip(rows, ["a", "b"])
    assert len({image.get_clim() for axes in figure.axes for image in axes.images}) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({}, "rows"),
        ({"a": [np.zeros((1, 2, 2))]}, "2 columns, got 1 of 'a'"),
        ({"a": [np.zeros((2, 2)), np.zeros((2, 2))]}, "axes"),
    ],
)
def test_refusals(rows, message):
    with pytest.raises(BadInputError, match=message):
        film_strip(rows, ["a", "b"])
