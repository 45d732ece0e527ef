"""Reference, prediction and error of a field in the plane, side by side over chosen times."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from pdenca.core import BadInputError

from .arrays import FloatArray, Number, Values, all_finite, same_shape, to_array
from .style import (
    FIELD_MAP,
    NOT_FINITE_COLOUR,
    PAGE_WIDTH,
    SIGNED_MAP,
    amount,
    finish,
    format_number,
    format_tick,
    new_figure,
    quantity,
    styled,
)


def frames(
    reference: Values,
    predictions: Mapping[str, Values],
    times: Values,
    spacing: Values,
    *,
    field_name: str,
    unit: str = "1",
    length_unit: str = "1",
    time_unit: str = "s",
    shown: Sequence[int] | None = None,
    num_columns: int = 5,
    error_limit: Number | None = None,
    title: str | None = None,
) -> Figure:
    """Draw a field of the reference above every model's prediction and its error.

    One column per time, one row for the reference, two rows per model. Reference and predictions share the
    colour range of the reference over the shown times; error = prediction - reference is drawn on one
    symmetric scale for all models, with its root mean square over the frame written in every panel. Values
    outside a range take its end colour and the colour bar ends in an arrow; cells that are not finite are
    grey.

    Arguments:
        reference: one field of one trajectory, shape (time, x, y), in ``unit``; finite.
        predictions: model name -> array of the same shape; may hold NaN or infinities. May be empty.
        times: time of every frame, shape (time,), in ``time_unit``.
        spacing: cell size in ``length_unit``, one number or one per axis.
        field_name: name of the field, for the colour bars.
        unit: of the field; "1" is dimensionless.
        length_unit: of ``spacing``.
        time_unit: of ``times``.
        shown: indices of the frames to draw, in order; None takes ``num_columns`` of them, evenly spaced from
            first to last.
        num_columns: how many when ``shown`` is None.
        error_limit: end of the error scale in ``unit``; None takes the largest shown error, but at most the
            width of the reference's range, so that one diverged model does not blank out the others.
        title: line above the figure.

    Returns:
        The figure: axes first row by row (reference, then prediction and error per model), then colour bars.

    Raises:
        BadInputError: for shapes that do not match, a reference that is not finite or an index out of range.

    Notes:
        The first array axis is x (drawn to the right), the second is y (drawn upwards); cells are drawn as
        they are, without smoothing. Of a 3-D field pass one plane.
    """
    truth = to_array(reference, "reference", 3)
    all_finite(truth, "reference")
    clock = to_array(times, "times", 1)
    if clock.shape[0] != truth.shape[0]:
        raise BadInputError(
            f"times has {clock.shape[0]} entries, expected {truth.shape[0]}, one per frame of the reference"
        )
    columns = chosen_frames(shown, num_columns, truth.shape[0])
    steps = to_array(spacing, "spacing")
    if steps.shape not in ((), (1,), (2,)) or not (np.isfinite(steps).all() and (steps > 0).all()):
        raise BadInputError(
            f"spacing is {spacing!r}, expected one positive cell size or one for each of x and y"
        )
    steps = np.broadcast_to(steps, (2,))
    fields = {}
    for name, prediction in predictions.items():
        array = to_array(prediction, f"prediction {name!r}", 3)
        same_shape(array, truth, f"prediction {name!r}", "the reference")
        fields[name] = array[columns]
    truth, clock = truth[columns], clock[columns]
    errors = {name: field - truth for name, field in fields.items()}
    low, high = float(truth.min()), float(truth.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    limit = _error_limit(errors, high - low, error_limit)

    extent = (0.0, truth.shape[1] * float(steps[0]), 0.0, truth.shape[2] * float(steps[1]))
    num_rows = 1 + 2 * len(fields)
    panel_width = min((PAGE_WIDTH - 2.0) / len(columns), 1.9)
    panel_height = panel_width * extent[3] / extent[1]
    width = panel_width * len(columns) + 2.0
    height = num_rows * (panel_height + 0.13) + 0.5 + (0.25 if title else 0.0)
    with styled():
        figure = new_figure(width, height, compressed=True)
        grid = figure.subplots(num_rows, len(columns), squeeze=False, sharex=True, sharey=True)
        axes: list[list[Axes]] = [list(line) for line in grid]
        draw = {"extent": extent, "origin": "lower", "interpolation": "nearest", "aspect": "equal"}
        bar: dict[str, Any] = {
            "fraction": 0.11 / (panel_width * len(columns)),
            "aspect": panel_height / 0.1,
            "pad": 0.015,
        }
        field_style = {"cmap": field_colours(FIELD_MAP), "vmin": low, "vmax": high, **draw}
        error_style = {"cmap": field_colours(SIGNED_MAP), "vmin": -limit, "vmax": limit, **draw}
        beyond = [outside(field, low, high) for field in fields.values()]
        field_arrow = _arrow(any(b for b, _ in beyond), any(a for _, a in beyond))

        field_label = quantity(field_name, unit)
        draw_row(figure, axes[0], truth, field_style, "reference", field_label, field_arrow, bar)
        for index, (name, field) in enumerate(fields.items()):
            draw_row(figure, axes[1 + 2 * index], field, field_style, name, field_label, field_arrow, bar)
            error = errors[name]
            arrow = _arrow(*outside(error, -limit, limit))
            label = quantity("error", unit) + f"\nscale ±{format_number(limit, 2)}"
            draw_row(figure, axes[2 + 2 * index], error, error_style, f"{name}\nerror", label, arrow, bar)
            for panel, frame in zip(axes[2 + 2 * index], error, strict=True):
                _root_mean_square(panel, frame, unit)
        for panel, time in zip(axes[0], clock, strict=True):
            panel.set_title(f"$t$ = {amount(float(time), time_unit)}", loc="center", pad=3)
        for panel in axes[-1]:
            panel.set_xlabel(quantity("$x$", length_unit), labelpad=1, fontsize=7)
        for panel in (line[0] for line in axes):
            panel.set_ylabel(quantity("$y$", length_unit), labelpad=1, fontsize=7)
        for panel in grid.flat:
            panel.set_xticks([extent[0], extent[1]], [format_tick(extent[0]), format_tick(extent[1])])
            panel.set_yticks([extent[2], extent[3]], [format_tick(extent[2]), format_tick(extent[3])])
            panel.label_outer()
        for panel in axes[-1]:
            labels = panel.get_xticklabels()
            labels[0].set_horizontalalignment("left")
            labels[-1].set_horizontalalignment("right")
        for panel in (line[0] for line in axes):
            labels = panel.get_yticklabels()
            labels[0].set_verticalalignment("bottom")
            labels[-1].set_verticalalignment("top")
        if title:
            figure.suptitle(title, fontsize=9.5, fontweight="bold")
        shown_times = ", ".join(format_number(float(time)) for time in clock)
        compared = f" beside {', '.join(fields)} and their errors" if fields else ""
        return finish(
            figure,
            f"Maps of {field_name} at t = {shown_times} {time_unit}: the reference{compared}.",
        )


def outside(values: FloatArray, low: float, high: float) -> tuple[bool, bool]:
    """Tell whether any finite value lies visibly (by 1/500 of the range) below ``low`` or above ``high``."""
    finite = values[np.isfinite(values)]
    slack = (high - low) / 500
    return bool((finite < low - slack).any()), bool((finite > high + slack).any())


def chosen_frames(shown: Sequence[int] | None, num_columns: int, num_frames: int) -> list[int]:
    """Return the frames to draw: those asked for, or ``num_columns`` evenly spaced from first to last."""
    if shown is None:
        if num_columns < 1:
            raise BadInputError(f"num_columns is {num_columns}, expected at least 1")
        chosen = np.linspace(0, num_frames - 1, min(num_columns, num_frames)).round().astype(int)
        return [int(index) for index in chosen]
    for index in shown:
        if not -num_frames <= index < num_frames:
            raise BadInputError(f"shown asks for frame {index}, expected one of 0 to {num_frames - 1}")
    if len(shown) == 0:
        raise BadInputError("shown is empty, expected at least one frame index")
    return [index % num_frames for index in shown]


def _error_limit(errors: Mapping[str, FloatArray], field_range: float, asked: Number | None) -> float:
    if asked is not None:
        if not asked > 0:
            raise BadInputError(f"error_limit is {asked}, expected a positive number")
        return float(asked)
    sizes = [np.abs(error[np.isfinite(error)]) for error in errors.values()]
    largest = max((float(size.max()) for size in sizes if size.size), default=0.0)
    return min(largest, field_range) or field_range


def field_colours(name: str) -> Colormap:
    """Return a colour map in which cells that are not finite are grey."""
    return matplotlib.colormaps[name].with_extremes(bad=NOT_FINITE_COLOUR)


def _arrow(below: bool, above: bool) -> str:
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[
        below, above
    ]


def draw_row(
    figure: Figure,
    axes: Sequence[Axes],
    rows: FloatArray,
    style: Mapping[str, Any],
    name: str,
    colour_label: str,
    arrow: str,
    bar_style: Mapping[str, Any],
) -> None:
    """Draw one field at several times in a row, its name at the left and its colour bar at the right."""
    image: AxesImage | None = None
    for panel, values in zip(axes, rows, strict=True):
        shown = np.where(np.isfinite(values), values, np.nan)
        image = panel.imshow(shown.T, **style)
        if not np.isfinite(values).any():
            panel.text(0.5, 0.5, "diverged", transform=panel.transAxes, ha="center", va="center", fontsize=8)
    wrapped = "\n".join(line for part in name.split("\n") for line in textwrap.wrap(part, 16))
    axes[0].annotate(
        wrapped,
        (0, 0.5),
        xycoords="axes fraction",
        xytext=(-34, 0),
        textcoords="offset points",
        rotation=90,
        ha="right",
        va="center",
        multialignment="center",
        fontsize=8,
        fontweight="bold",
    )
    if image is not None:
        bar = figure.colorbar(image, ax=list(axes), extend=arrow, **bar_style)
        bar.set_label(colour_label, fontsize=7.5)
        bar.locator = matplotlib.ticker.MaxNLocator(3)
        bar.update_ticks()


def _root_mean_square(panel: Axes, error: FloatArray, unit: str) -> None:
    finite = np.isfinite(error)
    if not finite.all():
        if not finite.any():
            return
        text = f"{int((~finite).sum())} cells diverged"
    else:
        text = f"RMS {amount(float(np.sqrt(np.mean(error**2))), unit, 2)}"
    box = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
    panel.text(0.03, 0.04, text, transform=panel.transAxes, fontsize=6.2, va="bottom", ha="left", bbox=box)
