"""A table as a picture: rows by columns, a colour and a number in every cell."""

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import matplotlib
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pdenca.core import BadInputError

from .arrays import Number
from .style import (
    FIELD_MAP,
    INK,
    NOT_FINITE_COLOUR,
    PAGE_WIDTH,
    finish,
    format_number,
    new_figure,
    quantity,
    styled,
)

Cells = Mapping[tuple[str, str], Sequence[Number]]
"""(row, column) -> values, one per seed; one that is not finite diverged."""


def heat_map(
    cells: Cells,
    measure: str,
    *,
    unit: str = "",
    across: str = "",
    down: str = "",
    scale: Literal["linear", "log"] = "linear",
    limits: tuple[Number, Number] | None = None,
    digits: int = 3,
    outlined: Collection[tuple[str, str]] = (),
    outline: str = "",
    title: str | None = None,
) -> Figure:
    """Draw a table whose cells are coloured by the median of their values.

    Below the median stands in small print from where to where the values reach, if there are several. A cell
    of which half of the values or more are not finite is grey; one without values is empty.

    Arguments:
        cells: rows and columns in the order of their first appearance.
        measure: what the numbers are.
        unit: of them; "1" is dimensionless, "" leaves it out.
        across: what the columns are.
        down: what the rows are.
        scale: of the colours.
        limits: smallest and largest number that colours tell apart; None: those that occur.
        digits: of the numbers.
        outlined: cells with a frame around them ...
        outline: ... and what the frame means, for the line below the figure.
        title: line above the figure.

    Returns:
        The figure.

    Raises:
        BadInputError: for nothing to draw, a frame around a cell that does not exist, or a logarithmic scale
            with numbers that are not positive.
    """
    rows = list(dict.fromkeys(row for row, _ in cells))
    columns = list(dict.fromkeys(column for _, column in cells))
    medians = {place: _median(values) for place, values in cells.items() if len(values)}
    finite = [value for value in medians.values() if math.isfinite(value)]
    if not finite:
        raise BadInputError("expected at least one finite number to draw, got none")
    missing = [place for place in outlined if place not in cells]
    if missing:
        raise BadInputError(f"got a frame around {missing[0]}, which is no cell of the table")
    low, high = limits or (min(finite), max(finite))
    if scale == "log" and min(low, *finite) <= 0:
        raise BadInputError("a number is not positive; a logarithmic scale needs that")
    norm = (LogNorm if scale == "log" else Normalize)(low, high if high > low else low * 1.01 + 1e-12)
    with styled():
        colours = matplotlib.colormaps[FIELD_MAP]
        figure = new_figure(PAGE_WIDTH, 0.9 + 0.36 * len(rows))
        axes = figure.subplots()
        for (row, column), value in medians.items():
            x, y = columns.index(column), rows.index(row)
            colour = colours(norm(value)) if math.isfinite(value) else NOT_FINITE_COLOUR
            axes.add_patch(Rectangle((x, y), 1, 1, facecolor=colour, edgecolor="white", linewidth=1.0))
            ink = "white" if math.isfinite(value) and norm(value) < 0.55 else INK
            spread = _spread(cells[row, column], digits)
            text = format_number(value, digits) if math.isfinite(value) else "diverged"
            for line, height, size in ((text, 0.38 if spread else 0.5, 7.0), (spread, 0.76, 4.6)):
                axes.text(x + 0.5, y + height, line, color=ink, ha="center", va="center", size=size)
        for row, column in outlined:
            place = (columns.index(column) + 0.03, rows.index(row) + 0.03)
            axes.add_patch(
                Rectangle(place, 0.94, 0.94, fill=False, edgecolor="#D55E00", linewidth=1.6, zorder=3)
            )
        axes.set_xlim(0, len(columns))
        axes.set_ylim(len(rows), 0)
        turned = max(map(len, columns)) * len(columns) > 80
        axes.set_xticks(
            [number + 0.5 for number in range(len(columns))],
            columns,
            rotation=35 if turned else 0,
            ha="right" if turned else "center",
        )
        axes.set_yticks([number + 0.5 for number in range(len(rows))], rows)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        label = quantity(measure, unit) if unit else measure
        axes.set_xlabel(". ".join(part for part in (across, outline and f"Framed: {outline}") if part))
        axes.set_ylabel(down)
        axes.set_title(title or label, fontweight="bold" if title else "normal")
        return finish(figure, f"{label}: {len(rows)} rows ({', '.join(rows)}) by {', '.join(columns)}.")


def _median(values: Sequence[Number]) -> float:
    # whatever is not finite counts as larger than all else
    ordered = sorted(float(value) if math.isfinite(value) else math.inf for value in values)
    middle = statistics.median_high(ordered)
    return middle if math.isfinite(middle) else math.nan


def _spread(values: Sequence[Number], digits: int) -> str:
    if len(values) < 2:
        return ""
    finite = [float(value) for value in values if math.isfinite(value)]
    if not finite:
        return ""
    high = format_number(max(finite), digits) if len(finite) == len(values) else "diverged"
    return f"{format_number(min(finite), digits)} to {high}"
