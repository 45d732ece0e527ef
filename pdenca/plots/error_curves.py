"""Error against time: how long a prediction can be trusted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pdenca.core import BadInputError

from .arrays import FloatArray, Number, Values, not_empty, same_shape, to_array
from .style import (
    DO_NOTHING,
    PAGE_WIDTH,
    amount,
    draw_marks,
    finish,
    line_styles,
    new_figure,
    open_frame,
    quantity,
    styled,
)


class Curve(NamedTuple):
    """One row of an error chart: arrays of the same shape (time,); the interval may be left out."""

    time: Values
    value: Values
    low: Values | None = None
    high: Values | None = None


@dataclass(frozen=True)
class _Row:
    time: FloatArray
    value: FloatArray
    low: FloatArray | None
    high: FloatArray | None
    diverged_at: float | None

    @property
    def last(self) -> int | None:
        """Index of the last value that a logarithmic axis can show before the row diverged."""
        if self.diverged_at is None:
            usable = np.isfinite(self.value) & (self.value > 0)
        else:
            first_bad = int(np.argmin(np.isfinite(self.value)))
            usable = (self.value > 0) & (np.arange(self.value.size) < first_bad)
        return int(np.flatnonzero(usable)[-1]) if usable.any() else None


def errors(
    curves: Mapping[str, Sequence[Values | None]],
    *,
    metric: str,
    unit: str = "1",
    time_unit: str = "s",
    do_nothing: Iterable[str] = DO_NOTHING,
    marks: Mapping[str, Number] | None = None,
    interval: str = "95 % interval",
    colours: Mapping[str, str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw an error against time for every row, on a logarithmic axis.

    A row whose value turns NaN or infinite ends there with a cross and is named "diverged at t = ..." with
    the time of its first value that is not finite; what it may hold afterwards is not drawn. The legend
    stands beside the chart in the order in which the rows end, largest error on top.

    Arguments:
        curves: row name -> (time, value, low, high) as :class:`Curve`, arrays of shape (time,); low and high
            may be None. Time in ``time_unit``, the others in ``unit``.
        metric: name of the error, for the axis.
        unit: of the error; "1" is dimensionless.
        time_unit: of the times.
        do_nothing: rows that learned nothing, drawn grey and broken; names without a row are ignored.
        marks: name -> time of a vertical line, such as {"end of training horizon": 300.0}.
        interval: what the bands are, for the legend.
        colours: fixed colours of some rows.
        title: line above the chart.

    Returns:
        The figure, with one chart.

    Raises:
        BadInputError: for no rows, shapes that do not match or negative errors.

    Notes:
        A value of exactly zero has no place on a logarithmic axis; it leaves a gap, and the legend says so.
    """
    not_empty(curves, "curves")
    rows = {name: _read(name, curve) for name, curve in curves.items()}
    styles = line_styles(list(rows), do_nothing=do_nothing, colours=colours)
    with styled():
        figure = new_figure(PAGE_WIDTH, 3.1)
        axes = figure.subplots()
        axes.set_yscale("log")
        axes.set_xlabel(quantity("time", time_unit))
        axes.set_ylabel(quantity(metric, unit))
        open_frame(axes)
        ends: dict[str, float] = {}
        for name, row in rows.items():
            stop = row.value.size if row.last is None else row.last + 1
            value = _positive(row.value[:stop])
            axes.plot(row.time[:stop], value, zorder=3, **styles[name])
            if row.low is not None and row.high is not None:
                low, high = _positive(row.low[:stop]), _positive(row.high[:stop])
                axes.fill_between(
                    row.time[:stop], low, high, color=styles[name]["color"], alpha=0.16, linewidth=0
                )
            ends[name] = _end(row)
        if not any(row.last is not None for row in rows.values()):
            axes.set_ylim(0.1, 1.0)
        top = axes.get_ylim()[1]
        for name, row in rows.items():
            if row.diverged_at is not None:
                place = (
                    (row.diverged_at, top) if row.last is None else (row.time[row.last], row.value[row.last])
                )
                axes.plot(
                    *place,
                    marker="X",
                    markersize=7,
                    markeredgecolor="white",
                    markeredgewidth=0.6,
                    linestyle="none",
                    color=styles[name]["color"],
                    clip_on=False,
                    zorder=5,
                    gid=f"diverged: {name}",
                )
        axes.set_xlim(min(float(row.time.min()) for row in rows.values()), None)
        axes.margins(x=0.02)
        draw_marks(axes, marks or {})
        handles = []
        for name in sorted(rows, key=lambda name: -ends[name]):
            diverged = rows[name].diverged_at is not None
            handles.append(
                Line2D(
                    [],
                    [],
                    label=_label(name, rows[name], time_unit),
                    marker="X" if diverged else "",
                    **styles[name],
                )
            )
        if any(row.low is not None for row in rows.values()):
            handles.append(Line2D([], [], color="#BFBFBF", linewidth=6, alpha=0.7, label=interval))
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), labelspacing=0.7)
        if title:
            axes.set_title(title, fontweight="bold", pad=16 if marks else 6)
        names = ", ".join(_label(name, row, time_unit).replace("\n", ", ") for name, row in rows.items())
        return finish(figure, f"{metric} against time in {time_unit} on a logarithmic axis, for {names}.")


def _read(name: str, curve: Sequence[Values | None]) -> _Row:
    parts = [*curve, None, None][:4]
    if not 2 <= len(curve) <= 4 or parts[0] is None or parts[1] is None:
        raise BadInputError(f"curve {name!r} has {len(curve)} parts, expected (time, value, low, high)")
    time = to_array(parts[0], f"time of {name!r}", 1)
    value = to_array(parts[1], f"value of {name!r}", 1)
    same_shape(value, time, f"value of {name!r}", "its times")
    if value.size == 0:
        raise BadInputError(f"curve {name!r} holds no values, expected at least one")
    if not np.isfinite(time).all() or (np.diff(time) <= 0).any():
        raise BadInputError(f"times of {name!r} do not increase; sort them and leave out repeated ones")
    if (value < 0).any():
        raise BadInputError(f"value of {name!r} is negative, expected an error of zero or more")
    band: list[FloatArray | None] = []
    for part, what in zip(parts[2:], ("low", "high"), strict=True):
        array = None if part is None else to_array(part, f"{what} of {name!r}", 1)
        if array is not None:
            same_shape(array, time, f"{what} of {name!r}", "its times")
        band.append(array)
    finite = np.isfinite(value)
    diverged_at = None if finite.all() else float(time[np.argmin(finite)])
    return _Row(time, value, band[0], band[1], diverged_at)


def _positive(values: FloatArray) -> FloatArray:
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def _end(row: _Row) -> float:
    if row.diverged_at is not None:
        return np.inf
    return 0.0 if row.last is None else float(row.value[row.last])


def _label(name: str, row: _Row, time_unit: str) -> str:
    if row.diverged_at is not None:
        return f"{name}\ndiverged at t = {amount(row.diverged_at, time_unit)}"
    if row.last is None:
        return f"{name}\nexactly 0 throughout"
    return f"{name}\n(zeros not drawn)" if (row.value == 0).any() else name
