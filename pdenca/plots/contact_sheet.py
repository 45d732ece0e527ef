"""Many patterns side by side, each with a name."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from .arrays import Values, not_empty, to_array
from .frame_panels import field_colours
from .painting import colour_limits
from .style import FIELD_MAP, PAGE_WIDTH, finish, new_figure, styled


def contact_sheet(
    patterns: Mapping[str, Values], *, num_columns: int = 4, notes: Mapping[str, str] | None = None
) -> Figure:
    """Draw fields in the plane in the order given, each in its own colour range and without axes.

    Arguments:
        patterns: name -> field, shape (x, y); x is drawn to the right, y upwards. Cells that are not finite
            are grey.
        num_columns: panels per row.
        notes: a second line under some names.

    Returns:
        The figure.

    Raises:
        BadInputError: if there is nothing to draw, or an array is not a plane.
    """
    not_empty(dict(patterns), "patterns")
    arrays = {name: to_array(values, name, 2) for name, values in patterns.items()}
    columns = min(num_columns, len(arrays))
    num_rows = math.ceil(len(arrays) / columns)
    side = PAGE_WIDTH / num_columns
    with styled():
        figure = new_figure(side * columns, num_rows * (side + (0.3 if notes else 0.15)))
        grid = figure.subplots(num_rows, columns, squeeze=False)
        for panel in grid.flat:
            panel.set_axis_off()
        for panel, (name, array) in zip(grid.flat, arrays.items(), strict=False):
            low, high = colour_limits(array)
            shown = np.where(np.isfinite(array), array, np.nan).T
            panel.imshow(shown, origin="lower", cmap=field_colours(FIELD_MAP), vmin=low, vmax=high)
            note = (notes or {}).get(name)
            panel.set_title(name if note is None else f"{name}\n{note}", loc="center", pad=2, fontsize=7)
        return finish(figure, f"Patterns: {', '.join(arrays)}.")
