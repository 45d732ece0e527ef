"""A comparison of ways to learn: error against the amount of data, and error against a choice."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pdenca.core import BadInputError

from .arrays import FloatArray, to_array
from .style import (
    DO_NOTHING_COLOUR,
    OKABE_ITO,
    PAGE_WIDTH,
    finish,
    line_styles,
    marker,
    new_figure,
    open_frame,
    quantity,
    styled,
)

Seeds = Sequence[float | int]
"""One value per seed; NaN where a run diverged."""


def study(
    curves: Mapping[str, Mapping[str, Mapping[int, Seeds]]],
    choices: Mapping[str, Mapping[str, Seeds]] | None = None,
    right: Mapping[str, Collection[str]] | None = None,
    *,
    measure: str = "error",
    unit: str = "1",
    across: str = "training trajectories",
    title: str | None = None,
) -> Figure:
    """Draw error against the amount of data, one panel per kind of test, and below it error against a choice.

    Every seed is a mark, a line joins the medians; a seed that diverged is a cross at the upper edge.

    Arguments:
        curves: panel -> way to learn -> amount of data -> one error per seed.
        choices: panel -> choice -> one error per seed; drawn below.
        right: panel of ``choices`` -> the choices that could be right; their names are bold.
        measure: what the errors are.
        unit: of the errors; "1" is dimensionless.
        across: what the amount of data counts.
        title: line above the figure.

    Returns:
        The figure.

    Raises:
        BadInputError: for nothing to draw, or a panel without a positive finite value.
    """
    if not curves:
        raise BadInputError("curves is empty, expected at least one panel")
    choices, right = choices or {}, right or {}
    arms = list(dict.fromkeys(arm for panel in curves.values() for arm in panel))
    styles = line_styles(arms)
    rows = 2 if choices else 1
    with styled():
        figure = new_figure(PAGE_WIDTH, 2.5 * rows + 0.3)
        grids = figure.subfigures(rows, 1, squeeze=False)[:, 0]
        upper = grids[0].subplots(1, len(curves), sharey=True, squeeze=False)[0]
        for axes, (name, panel) in zip(upper, curves.items(), strict=True):
            for arm, amounts in panel.items():
                shape = marker(arms.index(arm))
                _curve(axes, amounts, name, styles[arm]["color"], styles[arm]["linestyle"], shape)
            axes.set_title(name)
            axes.set_xlabel(across)
        label = quantity(measure, unit).replace(", ", ",\n").replace(" (", "\n(")
        upper[0].set_ylabel(label)
        handles = [
            Line2D([], [], marker=marker(number), markersize=4, label=arm, **styles[arm])
            for number, arm in enumerate(arms)
        ]
        grids[0].legend(handles=handles, loc="outside lower center", ncols=min(4, len(arms)))
        if choices:
            lower = grids[1].subplots(1, len(choices), squeeze=False)[0]
            for axes, (name, values) in zip(lower, choices.items(), strict=True):
                _dots(axes, values, name, right.get(name, ()))
            lower[0].set_ylabel(label)
        if title:
            figure.suptitle(title, fontweight="bold", x=0.01, ha="left")
        return finish(figure, _describe(curves, choices, measure))


def _curve(
    axes: Axes, amounts: Mapping[int, Seeds], panel: str, colour: str, linestyle: object, shape: str
) -> None:
    counts = sorted(amounts)
    values = [_values(amounts[count], panel) for count in counts]
    medians = [np.median(np.where(np.isfinite(found), found, np.inf)) for found in values]
    shown = [(count, median) for count, median in zip(counts, medians, strict=True) if np.isfinite(median)]
    axes.plot(
        [count for count, _ in shown], [median for _, median in shown], color=colour, linestyle=linestyle
    )
    for count, found in zip(counts, values, strict=True):
        known = found[np.isfinite(found)]
        axes.plot([count] * known.size, known, shape, color=colour, markersize=3, alpha=0.6)
        _mark_lost(axes, float(count), found.size - known.size, colour)
    open_frame(axes)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(counts, [str(count) for count in counts])


def _dots(axes: Axes, values: Mapping[str, Seeds], panel: str, right: Collection[str]) -> None:
    names = list(values)
    for place, name in enumerate(names):
        found = _values(values[name], panel)
        known = found[np.isfinite(found)]
        colour = OKABE_ITO["blue"] if name in right else DO_NOTHING_COLOUR
        axes.plot([place] * known.size, known, "o", color=colour, markersize=4, alpha=0.7)
        if known.size == found.size:
            axes.plot(
                [place - 0.25, place + 0.25], [float(np.median(known))] * 2, color=colour, linewidth=1.4
            )
        _mark_lost(axes, float(place), found.size - known.size, colour)
    open_frame(axes)
    axes.set_yscale("log")
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_xticks(range(len(names)), names)
    for label, name in zip(axes.get_xticklabels(), names, strict=True):
        label.set_fontweight("bold" if name in right else "normal")
    axes.set_title(panel)


def _mark_lost(axes: Axes, place: float, count: int, colour: str) -> None:
    if count:
        axes.plot(
            [place],
            [1.0],
            "X",
            transform=axes.get_xaxis_transform(),
            color=colour,
            markersize=6,
            markeredgecolor="white",
            markeredgewidth=0.5,
            clip_on=False,
            zorder=5,
            gid="diverged",
        )


def _values(seeds: Seeds, panel: str) -> FloatArray:
    found = to_array(seeds, f"panel {panel!r}", 1)
    if not ((found > 0) | ~np.isfinite(found)).all():
        raise BadInputError(
            f"panel {panel!r} has an error that is not positive; a logarithmic axis needs that"
        )
    return found


def _describe(
    curves: Mapping[str, Mapping[str, Mapping[int, Seeds]]],
    choices: Mapping[str, Mapping[str, Seeds]],
    measure: str,
) -> str:
    text = f"{measure} against the amount of data, {len(curves)} panels: {', '.join(curves)}"
    return f"{text}; below it {measure} by choice: {', '.join(choices)}." if choices else f"{text}."
