"""The course of a training run against the seconds it took."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatterSciNotation

from pdenca.core import BadInputError

from .arrays import BoolArray, FloatArray, to_array
from .style import OKABE_ITO, PAGE_WIDTH, amount, finish, new_figure, open_frame, quantity, styled

_LOSS = OKABE_ITO["blue"]
_VALIDATION = OKABE_ITO["vermillion"]
_RATE = OKABE_ITO["bluish green"]
_DIVERGENCE = "#000000"


def training(
    rows: Sequence[Mapping[str, Any]],
    *,
    loss_name: str = "loss",
    loss_unit: str = "1",
    validation_name: str = "validation",
    title: str | None = None,
) -> Figure:
    """Draw loss and validation score against seconds, learning rate below, stages shaded, divergences marked.

    Arguments:
        rows: one mapping per logged moment, in order. Keys: ``seconds`` (needed, total time trained, not
            decreasing), and where measured ``step``, ``loss``, ``validation``, ``learning_rate``, ``stage``
            (its name). A key that is absent or None was not measured. A ``loss`` or ``validation`` that is
            NaN or infinite is a divergence, and so is a ``loss`` of None (how JSON must write NaN) in a row
            without a validation score.
        loss_name: for the axis.
        loss_unit: "1" is dimensionless; the validation score shares the axis.
        validation_name: for the legend.
        title: line above the chart.

    Returns:
        The figure: losses above, learning rate below when any row has one.

    Raises:
        BadInputError: for no rows, rows without ``seconds``, or seconds that go back.

    Notes:
        Losses are drawn as they are, unsmoothed, with a running median over 1/50 of the run on top when there
        are more than 200.
    """
    if len(rows) == 0:
        raise BadInputError("rows is empty, expected at least one row of metrics")
    seconds = _column(rows, "seconds")
    if not np.isfinite(seconds).all():
        raise BadInputError("a row of metrics has no seconds; every row needs the total time trained so far")
    if (np.diff(seconds) < 0).any():
        raise BadInputError("seconds go back between rows; add the time of earlier runs after a resume")
    loss, validation, rate = (_column(rows, key) for key in ("loss", "validation", "learning_rate"))
    diverged = _diverged(rows)
    stages = _stages(rows, seconds)
    has_rate = bool(np.isfinite(rate).any())
    with styled():
        figure = new_figure(PAGE_WIDTH, 3.7 if has_rate else 3.0)
        if has_rate:
            upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3.2, 1]})
        else:
            upper, lower = figure.subplots(), None
        handles = _losses(upper, seconds, loss, validation, (loss_name, validation_name))
        upper.set_yscale("log")
        upper.set_ylabel(quantity(loss_name, loss_unit))
        bottom = upper if lower is None else lower
        if lower is not None:
            known = np.isfinite(rate) & (rate > 0)
            lower.plot(seconds[known], rate[known], color=_RATE, linewidth=1.2)
            lower.set_yscale("log")
            lower.set_ylabel("learning rate\n(dimensionless)")
            lower.yaxis.set_major_formatter(
                LogFormatterSciNotation(labelOnlyBase=False, minor_thresholds=(2, 0.5))
            )
        for chart in (upper, lower):
            if chart is not None:
                open_frame(chart)
                _shade(chart, stages)
                for moment in seconds[diverged]:
                    chart.axvline(moment, color=_DIVERGENCE, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=4)
        _name_stages(upper, stages)
        if diverged.any():
            top = np.ones(int(diverged.sum()))
            upper.plot(
                seconds[diverged],
                top,
                transform=upper.get_xaxis_transform(),
                marker="X",
                markersize=7,
                markeredgecolor="white",
                markeredgewidth=0.6,
                linestyle="none",
                color=_DIVERGENCE,
                clip_on=False,
                zorder=6,
                gid="divergence",
            )
            moments = ", ".join(f"{amount(float(moment), 's')}" for moment in seconds[diverged][:3])
            more = ", …" if diverged.sum() > 3 else ""
            label = f"diverged at\n{moments}{more}"
            handles.append(
                Line2D([], [], color=_DIVERGENCE, marker="X", linestyle=(0, (1, 1.5)), label=label)
            )
        bottom.set_xlabel(quantity("time trained", "s"))
        upper.set_xlim(float(seconds[0]), float(seconds[-1]) or 1.0)
        upper.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), labelspacing=0.7)
        if title:
            upper.set_title(title, fontweight="bold", pad=16 if stages[0][0] else 6)
        return finish(figure, _describe(loss_name, validation_name, seconds, validation, diverged))


def _column(rows: Sequence[Mapping[str, Any]], key: str) -> FloatArray:
    return to_array([row.get(key) for row in rows], f"column {key!r}", 1)


def _diverged(rows: Sequence[Mapping[str, Any]]) -> BoolArray:
    def bad(value: Any) -> bool:  # noqa: ANN401
        return value is not None and not np.isfinite(float(value))

    return np.array(
        [
            bad(row.get("loss"))
            or bad(row.get("validation"))
            or ("loss" in row and row["loss"] is None and row.get("validation") is None)
            for row in rows
        ],
        dtype=np.bool_,
    )


def _stages(rows: Sequence[Mapping[str, Any]], seconds: FloatArray) -> list[tuple[str, float, float]]:
    names = ["" if row.get("stage") is None else str(row["stage"]) for row in rows]
    starts = [0] + [index for index, (before, now) in enumerate(pairwise(names), start=1) if now != before]
    ends = [float(seconds[index]) for index in starts[1:]] + [float(seconds[-1])]
    return [(names[start], float(seconds[start]), end) for start, end in zip(starts, ends, strict=True)]


def _losses(
    axes: Axes, seconds: FloatArray, loss: FloatArray, validation: FloatArray, names: tuple[str, str]
) -> list[Line2D]:
    handles: list[Line2D] = []
    known = np.isfinite(loss) & (loss > 0)
    if known.any():
        many = int(known.sum()) > 200
        style: dict[str, Any] = {"linewidth": 0.7, "alpha": 0.35} if many else {"linewidth": 1.2}
        if known.sum() <= 30:
            style |= {"marker": "o", "markersize": 2.5}
        axes.plot(seconds[known], loss[known], color=_LOSS, **style)
        if many:
            axes.plot(seconds[known], _running_median(loss[known]), color=_LOSS, linewidth=1.4)
        label = f"{names[0]}\n(line: running median)" if many else names[0]
        handles.append(Line2D([], [], color=_LOSS, label=label))
    known = np.isfinite(validation) & (validation > 0)
    if known.any():
        axes.plot(
            seconds[known],
            validation[known],
            color=_VALIDATION,
            marker="o",
            markersize=3.5,
            linewidth=1.0,
            zorder=3,
        )
        best = int(np.argmin(np.where(known, validation, np.inf)))
        axes.plot(
            seconds[best],
            validation[best],
            "o",
            markersize=8,
            markerfacecolor="none",
            color=_VALIDATION,
            zorder=3,
        )
        label = f"{names[1]}\n(ring: best, {amount(float(validation[best]), '1')})"
        handles.append(Line2D([], [], color=_VALIDATION, marker="o", markersize=3.5, label=label))
    return handles


def _running_median(values: FloatArray) -> FloatArray:
    half = max(1, values.size // 100)
    padded = np.pad(values, half, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    return np.asarray(np.median(windows, axis=1), dtype=np.float64)


def _shade(axes: Axes, stages: Sequence[tuple[str, float, float]]) -> None:
    for index, (_, start, end) in enumerate(stages):
        if index % 2 == 1:
            axes.axvspan(start, end, color="#F1F1F1", zorder=0, linewidth=0)


def _name_stages(axes: Axes, stages: Sequence[tuple[str, float, float]]) -> None:
    total = stages[-1][2] - stages[0][1]
    for name, start, end in stages:
        if name and total > 0:
            wide_enough = (end - start) / total * 60 > len(name)
            axes.annotate(
                name,
                ((start + end) / 2, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center" if wide_enough else "left",
                va="bottom",
                rotation=0 if wide_enough else 30,
                fontsize=7,
                color="#595959",
            )


def _describe(
    loss_name: str,
    validation_name: str,
    seconds: FloatArray,
    validation: FloatArray,
    diverged: BoolArray,
) -> str:
    known = validation[np.isfinite(validation)]
    best = f"; best {validation_name} {amount(float(known.min()), '1')}" if known.size else ""
    events = int(np.sum(diverged))
    return (
        f"{loss_name} and {validation_name} over {amount(float(seconds[-1]), 's')} of training, "
        f"on a logarithmic axis{best}; {events} divergence{'' if events == 1 else 's'}."
    )
