"""Rows of pictures over time: colours where channels are colours."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from pdenca.core import BadInputError

from .arrays import FloatArray, Values, not_empty, to_array
from .frame_panels import field_colours
from .painting import colour_limits
from .style import FIELD_MAP, NOT_FINITE_COLOUR, PAGE_WIDTH, finish, new_figure, styled

COLOURED = (3, 4)
"""Numbers of channels that are shown as colours: red, green, blue, and alpha that they are multiplied by."""


def film_strip(
    rows: Mapping[str, Sequence[Values]], names: Sequence[str], *, notes: Sequence[str] | None = None
) -> Figure:
    """Draw rows of pictures, one column per time.

    Three channels are red, green and blue; four are these multiplied by the fourth, over white. Of any other
    number the first is drawn, all pictures in one colour range. Values outside of 0 to 1 are cut to it where
    they are colours; cells that are not finite are grey.

    Arguments:
        rows: name -> pictures, each (channel, x, y); x is drawn to the right, y upwards.
        names: of the columns.
        notes: a line under each column; empty ones are left out.

    Returns:
        The figure.

    Raises:
        BadInputError: if there is nothing to draw, rows differ in length, or a picture has other axes.
    """
    not_empty(dict(rows), "rows")
    pictures = {
        name: [to_array(values, f"{name}[{number}]", 3) for number, values in enumerate(row)]
        for name, row in rows.items()
    }
    if any(len(row) != len(names) for row in pictures.values()) or len(notes or names) != len(names):
        counts = ", ".join(f"{len(row)} of {name!r}" for name, row in pictures.items())
        raise BadInputError(f"expected a picture and a note for each of {len(names)} columns, got {counts}")
    every = [picture for row in pictures.values() for picture in row]
    low, high = colour_limits(np.stack([picture[0] for picture in every]))
    side = min(PAGE_WIDTH / len(names), 1.6)
    with styled():
        figure = new_figure(side * len(names) + 0.3, (side + 0.12) * len(rows) + 0.35, compressed=True)
        grid = figure.subplots(len(rows), len(names), squeeze=False)
        for panels, (name, row) in zip(grid, pictures.items(), strict=True):
            for panel, picture in zip(panels, row, strict=True):
                panel.set_xticks([])
                panel.set_yticks([])
                panel.set_facecolor(NOT_FINITE_COLOUR)
                if len(picture) in COLOURED:
                    panel.imshow(_painted(picture), origin="lower")
                else:
                    colours = field_colours(FIELD_MAP)
                    panel.imshow(picture[0].T, origin="lower", cmap=colours, vmin=low, vmax=high)
            panels[0].set_ylabel(name)
        for column, name in enumerate(names):
            grid[0, column].set_title(name, loc="center", pad=2, fontsize=7)
            if notes is not None and notes[column]:
                grid[-1, column].set_xlabel(notes[column], fontsize=7)
        return finish(figure, f"Pictures in rows ({', '.join(rows)}) at {', '.join(names)}.")


def _painted(picture: FloatArray) -> FloatArray:
    """Return colours (y, x, red green blue), over white where there is an alpha channel."""
    clear = np.isfinite(picture).all(0)
    shown = np.clip(np.where(clear, picture, 0.0), 0, 1)
    colours = shown[:3]
    if len(shown) == 4:
        colours = np.clip(colours + 1 - shown[3], 0, 1)
    grey = np.array([int(NOT_FINITE_COLOUR[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    colours = np.where(clear, colours, grey[:, None, None])
    return np.transpose(colours, (2, 1, 0))
