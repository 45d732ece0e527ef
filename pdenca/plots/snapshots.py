"""All fields of one trajectory at a few times."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .arrays import Values, one_trajectory, to_array
from .frame_panels import chosen_frames, draw_row, field_colours
from .painting import colour_limits
from .style import FIELD_MAP, PAGE_WIDTH, amount, finish, format_tick, new_figure, quantity, styled


def snapshots(
    fields: Mapping[str, Values],
    times: Values,
    spacing: Values,
    *,
    units: Mapping[str, str] | None = None,
    length_unit: str = "1",
    time_unit: str = "s",
    shown: Sequence[int] | None = None,
    num_columns: int = 5,
    title: str | None = None,
) -> Figure:
    """Draw every field of a trajectory in a row of its own, one column per time.

    Each field has one colour range over the shown times.

    Arguments:
        fields: name -> one field of one trajectory in the plane, shape (time, x, y); x is drawn to the right,
            y upwards. Cells that are not finite are grey.
        times: time of every frame, shape (time,), in ``time_unit``.
        spacing: cell size in ``length_unit``, one number or one per axis.
        units: unit of each field; dimensionless where left out.
        length_unit: of ``spacing``.
        time_unit: of ``times``.
        shown: indices of the frames to draw; None takes ``num_columns`` of them, evenly spaced.
        num_columns: how many when ``shown`` is None.
        title: line above the figure.

    Returns:
        The figure.

    Raises:
        BadInputError: for shapes that do not match or an index out of range.
    """
    arrays, clock = one_trajectory(fields, times, ("time", "x", "y"))
    cells = next(iter(arrays.values())).shape[1:]
    steps = np.broadcast_to(to_array(spacing, "spacing"), (2,))
    columns = chosen_frames(shown, num_columns, len(clock))
    extent = (0.0, cells[0] * float(steps[0]), 0.0, cells[1] * float(steps[1]))
    panel_width = min((PAGE_WIDTH - 2.0) / len(columns), 1.9)
    panel_height = panel_width * extent[3] / extent[1]
    height = len(arrays) * (panel_height + 0.13) + 0.5 + (0.25 if title else 0.0)
    with styled():
        figure = new_figure(panel_width * len(columns) + 2.0, height, compressed=True)
        grid = figure.subplots(len(arrays), len(columns), squeeze=False, sharex=True, sharey=True)
        bar: dict[str, Any] = {
            "fraction": 0.11 / (panel_width * len(columns)),
            "aspect": panel_height / 0.1,
            "pad": 0.015,
        }
        for line, (name, array) in zip(grid, arrays.items(), strict=True):
            low, high = colour_limits(array[columns])
            style = {
                "cmap": field_colours(FIELD_MAP),
                "vmin": low,
                "vmax": high,
                "extent": extent,
                "origin": "lower",
                "interpolation": "nearest",
                "aspect": "equal",
            }
            label = quantity(name, (units or {}).get(name, "1"))
            draw_row(figure, list(line), array[columns], style, name, label, "neither", bar)
        for panel, time in zip(grid[0], clock[columns], strict=True):
            panel.set_title(f"$t$ = {amount(float(time), time_unit)}", loc="center", pad=3)
        for panel in grid.flat:
            panel.set_xticks([extent[0], extent[1]], [format_tick(extent[0]), format_tick(extent[1])])
            panel.set_yticks([extent[2], extent[3]], [format_tick(extent[2]), format_tick(extent[3])])
            panel.label_outer()
        for panel in grid[-1]:
            panel.set_xlabel(quantity("$x$", length_unit), labelpad=1, fontsize=7)
        for panel in grid[:, 0]:
            panel.set_ylabel(quantity("$y$", length_unit), labelpad=1, fontsize=7)
        if title:
            figure.suptitle(title, fontsize=9.5, fontweight="bold")
        return finish(figure, f"Maps of {', '.join(arrays)} at {len(columns)} times.")
