"""How far a model is from commuting with the rotations and mirror images of the square."""

from collections.abc import Iterable, Mapping
from typing import Any, SupportsFloat

import numpy as np
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from pdenca.core import BadInputError

from .arrays import Number, not_empty, to_array
from .style import (
    DO_NOTHING,
    PAGE_WIDTH,
    finish,
    format_number,
    line_styles,
    marker,
    new_figure,
    quantity,
    styled,
)


def symmetry(
    residuals: Mapping[str, Mapping[str, SupportsFloat | None]],
    tolerance: Number,
    *,
    measure: str = "equivariance residual",
    unit: str = "1",
    do_nothing: Iterable[str] = DO_NOTHING,
    colours: Mapping[str, str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw the residual |step(g u) - g step(u)| of every model and group element on a logarithmic axis.

    Arguments:
        residuals: model -> {element -> residual in ``unit``}; elements may differ between models. A residual
            of exactly zero is drawn hollow at the left edge, one that is not finite (or None) hollow at
            the right edge; both edges are named.
        tolerance: the round-off level; left of it a residual says nothing. In ``unit``.
        measure: name of the residual, for the axis.
        unit: "1" is dimensionless.
        do_nothing: models drawn grey.
        colours: fixed colours of some models.
        title: line above the chart.

    Returns:
        The figure, with one chart: elements downwards, residual to the right.

    Raises:
        BadInputError: for no residuals, a negative one or a tolerance that is not positive.
    """
    not_empty(residuals, "residuals")
    if not (tolerance > 0 and np.isfinite(tolerance)):
        raise BadInputError(f"tolerance is {tolerance}, expected a positive number such as 1e-6 for float32")
    elements = list(dict.fromkeys(element for row in residuals.values() for element in row))
    if not elements:
        raise BadInputError("residuals names no group element, expected at least one per model")
    rows = {
        model: to_array([row.get(element, -1.0) for element in elements], f"residuals of {model!r}", 1)
        for model, row in residuals.items()
    }
    for model, row in residuals.items():
        if any(value is not None and float(value) < 0 for value in row.values()):
            raise BadInputError(f"residuals of {model!r} are negative, expected a norm")
    positive = np.concatenate([values[np.isfinite(values) & (values > 0)] for values in rows.values()])
    low = 10 ** (np.floor(np.log10(min(tolerance, *positive))) - 0.4)
    high = 10 ** (np.ceil(np.log10(max(tolerance, *positive))) + 0.1)
    has_zero = any((values == 0).any() for values in rows.values())
    has_lost = any((~np.isfinite(values)).any() for values in rows.values())
    zero_at, lost_at = low / 10**0.3, high * 10**0.3
    styles = line_styles(list(rows), do_nothing=do_nothing, colours=colours)
    shifts = np.linspace(-0.28, 0.28, len(rows)) if len(rows) > 1 else np.zeros(1)
    with styled():
        figure = new_figure(PAGE_WIDTH, max(1.7, 0.85 + len(elements) * max(0.24, 0.11 * len(rows))))
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.axvspan(low / 1e3, tolerance, color="#F0F0F0", zorder=0, linewidth=0)
        axes.axvline(tolerance, color="#6E6E6E", linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
        for index, (model, values) in enumerate(rows.items()):
            heights = np.arange(len(elements)) + shifts[index]
            style: dict[str, Any] = {
                "linestyle": "none",
                "marker": marker(index),
                "color": styles[model]["color"],
                "markersize": 5,
            }
            drawn = np.isfinite(values) & (values > 0)
            axes.plot(values[drawn], heights[drawn], zorder=3, label=model, **style)
            for place, chosen in ((zero_at, values == 0), (lost_at, ~np.isfinite(values))):
                if chosen.any():  # an empty unclipped line would widen the margins
                    at = np.full(int(chosen.sum()), place)
                    axes.plot(at, heights[chosen], zorder=3, markerfacecolor="white", clip_on=False, **style)
        axes.set_xlim(zero_at / 10**0.2 if has_zero else low, lost_at * 10**0.2 if has_lost else high)
        axes.set_yticks(range(len(elements)), elements)
        axes.set_ylim(len(elements) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        for boundary in np.arange(0.5, len(elements) - 1):
            axes.axhline(boundary, color="#E3E3E3", linewidth=0.5, zorder=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.grid(visible=True, axis="x")
        axes.set_xlabel(quantity(measure, unit))
        axes.set_ylabel("group element")
        above = blended_transform_factory(axes.transData, axes.transAxes)
        note: dict[str, Any] = {"transform": above, "va": "bottom", "fontsize": 7, "color": "#595959"}
        axes.text(tolerance, 1.015, f"round-off level {format_number(tolerance, 2)}", ha="center", **note)
        if has_zero:
            axes.text(zero_at, 1.015, "exactly 0", ha="center", **note)
        if has_lost:
            axes.text(lost_at, 1.015, "diverged", ha="center", **note)
        axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0))
        if title:
            figure.suptitle(title, fontsize=9.5, fontweight="bold", x=0.01, ha="left")
        worst = ", ".join(
            f"{model} {format_number(float(values.max()), 2)}" for model, values in rows.items()
        )
        return finish(
            figure,
            f"{measure} per group element; largest: {worst}; round-off level {format_number(tolerance, 2)}.",
        )
