"""Kymographs: one line of a field over time."""

from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from .arrays import Number, Values, one_trajectory
from .style import FIELD_MAP, NOT_FINITE_COLOUR, PAGE_WIDTH, finish, new_figure, quantity, styled


def kymograph(
    fields: Mapping[str, Values],
    times: Values,
    spacing: Number,
    *,
    units: Mapping[str, str] | None = None,
    axis_name: str = "x",
    length_unit: str = "1",
    time_unit: str = "s",
    title: str | None = None,
) -> Figure:
    """Draw fields along one line of space, time running to the right.

    Arguments:
        fields: name -> values along the line, shape (time, cells). Values that are not finite are grey.
        times: time of every frame, shape (time,), equally spaced, in ``time_unit``.
        spacing: cell size in ``length_unit``.
        units: unit of each field; dimensionless where left out.
        axis_name: of the line.
        length_unit: of ``spacing``.
        time_unit: of ``times``.
        title: line above the figure.

    Returns:
        The figure: one panel per field, one under the other, then their colour bars.

    Raises:
        BadInputError: for shapes that do not match.
    """
    arrays, clock = one_trajectory(fields, times, ("time", "cells"), least=2)
    half = (clock[1] - clock[0]) / 2
    length = next(iter(arrays.values())).shape[1] * float(spacing)
    with styled():
        figure = new_figure(PAGE_WIDTH, 0.5 + 1.7 * len(arrays))
        panels = np.atleast_1d(figure.subplots(len(arrays), 1, sharex=True))
        colours = matplotlib.colormaps[FIELD_MAP].with_extremes(bad=NOT_FINITE_COLOUR)
        for axes, (name, array) in zip(panels, arrays.items(), strict=True):
            image = axes.imshow(
                np.ma.masked_invalid(array.T),
                origin="lower",
                aspect="auto",
                cmap=colours,
                extent=(clock[0] - half, clock[-1] + half, 0.0, length),
            )
            axes.set_ylabel(quantity(axis_name, length_unit))
            figure.colorbar(image, ax=axes, label=quantity(name, (units or {}).get(name, "1")), pad=0.01)
        panels[-1].set_xlabel(quantity("time", time_unit))
        if title is not None:
            figure.suptitle(title, fontsize=9)
        return finish(figure, f"{', '.join(arrays)} along a line of space over time")
