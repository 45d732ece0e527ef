"""Error against the seconds it took, one line per method."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from pdenca.core import BadInputError

from .arrays import to_array
from .style import PAGE_WIDTH, finish, format_number, line_styles, new_figure, open_frame, quantity, styled

Course = tuple[Sequence[float | int], Sequence[float]]
"""Seconds, not decreasing, and the error at each of them; NaN where a run had diverged."""


def race(
    panels: Mapping[str, Mapping[str, Sequence[Course]]],
    *,
    measure: str = "error",
    unit: str = "1",
    title: str | None = None,
) -> Figure:
    """Draw the lowest error so far against time, one panel per starting point, one line per run.

    Arguments:
        panels: starting point -> method -> one course per seed.
        measure: what the errors are.
        unit: of the errors; "1" is dimensionless.
        title: line above the figure.

    Returns:
        The figure; both axes are logarithmic, and a method without a finite error stands in the legend only.

    Raises:
        BadInputError: for nothing to draw, or courses whose seconds and errors differ in number.
    """
    if not panels or not all(panels.values()):
        raise BadInputError("a race needs at least one panel with one method, got none")
    names = list(dict.fromkeys(name for methods in panels.values() for name in methods))
    styles = line_styles(names)
    with styled():
        figure = new_figure(PAGE_WIDTH, 3.2)
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        best: dict[str, float] = {}
        for axes, (panel, methods) in zip(grid, panels.items(), strict=True):
            for name, courses in methods.items():
                label: str | None = name
                for seconds, errors in courses:
                    time, error = to_array(seconds, "seconds", 1), to_array(errors, "errors", 1)
                    if len(time) != len(error):
                        raise BadInputError(
                            f"{name!r} has {len(time)} seconds and {len(error)} errors, expected as many"
                        )
                    lowest = np.fmin.accumulate(error)
                    axes.step(time, lowest, where="post", label=label, linewidth=1.3, **styles[name])
                    label = None
                    if np.isfinite(lowest).any():
                        best[name] = min(best.get(name, np.inf), float(np.nanmin(lowest)))
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xlabel(quantity("time of training", "s"))
            axes.set_title(panel)
            open_frame(axes)
        grid[0].set_ylabel(quantity(measure, unit))
        # a method may stand in one panel only
        handles = {
            label: handle
            for axes in grid
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        grid[-1].legend(handles.values(), handles.keys(), loc="upper left", bbox_to_anchor=(1.02, 1.0))
        if title:
            figure.suptitle(title, fontsize=9.5, fontweight="bold", x=0.01, ha="left")
        reached = ", ".join(f"{name} {format_number(value, 2)}" for name, value in best.items())
        return finish(figure, f"{measure} against time; lowest: {reached}.")
