"""Lines of numbers side by side: the same names in every panel, axes of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from pdenca.core import BadInputError

from .arrays import FloatArray, Values, to_array
from .style import (
    INK,
    PAGE_WIDTH,
    finish,
    line_styles,
    marker,
    new_figure,
    open_frame,
    quantity,
    styled,
)

Scale = Literal["linear", "log"]
Line = tuple[Values, Values]
"""Places along the horizontal axis and the values there; a value that is not finite breaks the line."""


@dataclass(frozen=True)
class LinePanel:
    """One panel.

    Arguments:
        lines: name -> its lines, one per seed, say.
        across: what the horizontal axis is.
        measure: what the vertical axis is.
        across_unit: of the horizontal axis; "1" is dimensionless, "" leaves the unit out.
        unit: of the vertical axis, likewise.
        scales: of the horizontal and of the vertical axis.
        marks: whether points are marked, not only joined.
        ticks: places to label along the horizontal axis; none: where matplotlib puts them.
        broken: what a value means that is not finite: crosses on the upper edge show where there are such,
            and the legend has this name for them; "" shows nothing there.
    """

    lines: Mapping[str, Sequence[Line]]
    across: str
    measure: str
    across_unit: str = ""
    unit: str = ""
    scales: tuple[Scale, Scale] = ("linear", "log")
    marks: bool = False
    ticks: Sequence[int | float] = ()
    broken: str = ""


def line_panels(panels: Mapping[str, LinePanel], *, height: float = 2.9, title: str | None = None) -> Figure:
    """Draw panels in a row; a name has the same colour, style and mark in all of them.

    Arguments:
        panels: heading -> panel. Neighbours with the same vertical quantity share its label.
        height: of the figure (inches).
        title: line above the figure.

    Returns:
        The figure, with one legend below it.

    Raises:
        BadInputError: for nothing to draw, lines whose two parts differ in length, or a value that is not
            positive on a logarithmic axis.
    """
    if not panels or not all(panel.lines for panel in panels.values()):
        raise BadInputError("expected at least one panel, and at least one line in each, got none")
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel.lines))
    styles = line_styles(names)
    with styled():
        figure = new_figure(PAGE_WIDTH, height)
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        before: str | None = None
        broken: dict[str, None] = {}
        for axes, (heading, panel) in zip(grid, panels.items(), strict=True):
            for name, lines in panel.lines.items():
                mark = marker(names.index(name)) if panel.marks else None
                for line in lines:
                    x, y = _checked(line, panel, f"{name!r} in panel {heading!r}")
                    axes.plot(x, y, marker=mark, markersize=3.5, linewidth=1.0, alpha=0.8, **styles[name])
                    lost = x[~np.isfinite(y)]
                    if panel.broken and len(lost):
                        broken[panel.broken] = None
                        axes.plot(
                            lost,
                            np.ones(len(lost)),
                            transform=axes.get_xaxis_transform(),
                            marker="x",
                            linestyle="",
                            color=styles[name]["color"],
                            clip_on=False,
                        )
            axes.set_xscale(panel.scales[0])
            axes.set_yscale(panel.scales[1])
            if panel.ticks:
                axes.set_xticks(panel.ticks, [f"{tick:g}" for tick in panel.ticks])
            for axis, scale in zip((axes.xaxis, axes.yaxis), panel.scales, strict=True):
                if scale == "log":
                    axis.set_minor_formatter(NullFormatter())  # powers of ten are enough
            axes.set_title(heading)
            axes.set_xlabel(_label(panel.across, panel.across_unit))
            label = _label(panel.measure, panel.unit)
            if label != before:
                axes.set_ylabel(label)
            before = label
            open_frame(axes)
        handles = [
            Line2D(
                [],
                [],
                marker=marker(number) if any(panel.marks for panel in panels.values()) else None,
                markersize=3.5,
                label=name,
                **styles[name],
            )
            for number, name in enumerate(names)
        ]
        handles += [Line2D([], [], marker="x", linestyle="", color=INK, label=name) for name in broken]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(5, len(handles)))
        if title:
            figure.suptitle(title, fontweight="bold", x=0.01, ha="left")
        described = "; ".join(
            f"{heading}: {panel.measure} against {panel.across}" for heading, panel in panels.items()
        )
        return finish(figure, f"{described}; lines: {', '.join(names)}.")


def _label(name: str, unit: str) -> str:
    return quantity(name, unit) if unit else name


def _checked(line: Line, panel: LinePanel, what: str) -> tuple[FloatArray, FloatArray]:
    x, y = to_array(line[0], what, 1), to_array(line[1], what, 1)
    if len(x) != len(y):
        raise BadInputError(f"{what} has {len(x)} places and {len(y)} values, expected as many")
    for values, scale in zip((x, y), panel.scales, strict=True):
        if scale == "log" and (values[np.isfinite(values)] <= 0).any():
            raise BadInputError(f"{what} has a number that is not positive; a logarithmic axis needs that")
    return x, y
