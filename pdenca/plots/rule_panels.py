"""A learned rule at a glance: its kernels, and how far they are from exact wave by wave."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import SupportsFloat

import numpy as np
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.ticker import FuncFormatter

from pdenca.core import BadInputError

from .arrays import Number, Values, all_finite, same_shape, to_array
from .style import (
    PAGE_WIDTH,
    SIGNED_MAP,
    draw_marks,
    finish,
    format_number,
    format_tick,
    line_styles,
    new_figure,
    open_frame,
    quantity,
    styled,
)


def rule(
    entries: Sequence[tuple[str, Values, Mapping[str, SupportsFloat]]],
    wavenumbers: Values,
    errors: Mapping[str, Values],
    *,
    marks: Mapping[str, Number] | None = None,
    num_columns: int = 6,
    title: str | None = None,
) -> Figure:
    """Draw kernels, each in its own symmetric colours, above their relative errors over the wavenumber.

    Arguments:
        entries: (name, weights of shape (x, y), moment name -> value); may be empty.
        wavenumbers: shape (wavenumber,), 2 pi / wavelength, in rad per length; may be empty.
        errors: row name -> relative error at each wavenumber; may be empty.
        marks: name -> wavenumber of a vertical line.
        num_columns: kernels per line.
        title: line above the figure.

    Returns:
        The figure.

    Raises:
        BadInputError: for nothing to draw, weights that are not 2-D, or shapes that do not match.
    """
    if not entries and not errors:
        raise BadInputError("there are neither kernels nor errors, expected at least one of them")
    axis = to_array(wavenumbers, "wavenumbers", 1)
    rows = {}
    for name, values in errors.items():
        rows[name] = to_array(values, f"errors of {name!r}", 1)
        same_shape(rows[name], axis, f"errors of {name!r}", "wavenumbers")
    lines = math.ceil(len(entries) / num_columns)
    columns = max(1, min(num_columns, len(entries)))
    chart = 2.6 if rows else 0.0
    with styled():
        figure = new_figure(PAGE_WIDTH, 1.75 * lines + chart + (0.25 if title else 0.0))
        heights = [1.6] * lines + ([chart] if rows else [])
        grid = GridSpec(len(heights), columns, figure=figure, height_ratios=heights)
        for number, (name, weights, moments) in enumerate(entries):
            array = to_array(weights, f"kernel {name!r}", 2)
            all_finite(array, f"kernel {name!r}")
            axes = figure.add_subplot(grid[number // columns, number % columns])
            # the cell's own weight is so much larger than what corrects it that it would hide all others
            middle = tuple(size // 2 for size in array.shape)
            around = array.copy()
            around[middle] = 0
            limit = float(np.abs(around).max()) or float(np.abs(array).max()) or 1.0
            axes.imshow(array.T, cmap=SIGNED_MAP, vmin=-limit, vmax=limit, origin="lower")
            axes.set_title("\n".join(textwrap.wrap(name, 18)), loc="center", fontweight="bold", pad=3)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_linewidth(0.4)
            told = [f"{key} {format_number(float(value))}" for key, value in moments.items()]
            axes.set_xlabel("\n".join([f"colours to ±{format_number(limit, 2)}", *told]), labelpad=2)
        if rows:
            below = figure.add_subplot(grid[lines, :])
            below.set(yscale="log", ylabel="relative error\n(dimensionless)")
            styles = line_styles(list(rows), do_nothing=())
            for name, values in rows.items():
                drawable = np.where(np.isfinite(values) & (values > 0), values, np.nan)
                below.plot(axis, drawable, label=name, **styles[name])
            open_frame(below)
            draw_marks(below, marks or {})
            below.set_xlim(0, float(axis.max()))
            below.set_xlabel(quantity("angular wavenumber, $2\\pi$ / wavelength", "rad per length"))
            below.xaxis.set_major_formatter(FuncFormatter(format_tick))
            below.yaxis.set_major_formatter(FuncFormatter(format_tick))
            below.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0))
        if title:
            figure.suptitle(title, fontsize=9.5, fontweight="bold")
        names = ", ".join(name for name, _, _ in entries) or "none"
        return finish(figure, f"Kernels ({names}) and their relative errors over the wavenumber.")
