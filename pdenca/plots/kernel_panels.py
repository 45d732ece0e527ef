"""Stencils as they are: every weight written in its cell."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, SupportsFloat

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pdenca.core import BadInputError

from .arrays import FloatArray, Values, all_finite, to_array
from .style import PAGE_WIDTH, SIGNED_MAP, finish, format_number, format_tick, new_figure, quantity, styled

_MOST_CELLS_WITH_NUMBERS = 7


def kernels(
    entries: Sequence[tuple[str, Values, Mapping[str, SupportsFloat]]],
    *,
    unit: str = "1",
    num_columns: int = 4,
    title: str | None = None,
) -> Figure:
    """Draw convolution kernels with their weights and moments, on one symmetric colour range.

    Arguments:
        entries: (name, weights of shape (x, y) in ``unit``, moment name -> value); the moments, such as sum,
            first and second moment, are written below the kernel and may be empty.
        unit: of the weights; "1" is dimensionless.
        num_columns: kernels per line.
        title: line above the figure.

    Returns:
        The figure: one panel per kernel, then one colour bar.

    Raises:
        BadInputError: for no entries, weights that are not 2-D or not finite.

    Notes:
        The first array axis is drawn to the right, the second upwards, as in :func:`frames`; the axes count
        cells from the kernel's middle (its lower middle when it is even). Kernels wider than seven cells are
        drawn without numbers.
    """
    if len(entries) == 0:
        raise BadInputError("entries is empty, expected at least one (name, weights, moments)")
    arrays: list[tuple[str, FloatArray, Mapping[str, SupportsFloat]]] = []
    for name, weights, moments in entries:
        array = to_array(weights, f"kernel {name!r}", 2)
        all_finite(array, f"kernel {name!r}")
        arrays.append((name, array, moments))
    limit = max(float(np.abs(array).max()) for _, array, _ in arrays) or 1.0
    columns = min(num_columns, len(arrays))
    lines = math.ceil(len(arrays) / columns)
    most_moments = max(len(moments) for _, _, moments in arrays)
    panel = min((PAGE_WIDTH - 1.1) / max(columns, 3) - 0.25, 1.5)
    height = lines * (panel + 0.62 + 0.13 * most_moments) + 0.05 + (0.25 if title else 0.0)
    with styled():
        figure = new_figure((panel + 0.25) * columns + 1.1, height, compressed=True)
        panels = figure.subplots(lines, columns, squeeze=False)
        image = None
        for axes, (name, array, moments) in zip(panels.flat, arrays, strict=False):
            half = [(size - 1) // 2 for size in array.shape]
            extent = (
                -half[0] - 0.5,
                array.shape[0] - half[0] - 0.5,
                -half[1] - 0.5,
                array.shape[1] - half[1] - 0.5,
            )
            image = axes.imshow(
                array.T, cmap=SIGNED_MAP, vmin=-limit, vmax=limit, origin="lower", extent=extent
            )
            _numbers(axes, array, half, limit, panel)
            axes.set_title("\n".join(textwrap.wrap(name, 24)), loc="center", fontweight="bold", pad=4)
            axes.set_xticks(_offsets(half[0], array.shape[0]))
            axes.set_yticks(_offsets(half[1], array.shape[1]))
            axes.tick_params(length=0)
            axes.spines[:].set_linewidth(0.4)
            axes.set_xlabel("\n".join(["$x$ (cells)", *_moments(moments)]), labelpad=1)
        for axes in panels[:, 0]:
            axes.set_ylabel("$y$ (cells)", labelpad=1)
        for axes in list(panels.flat)[len(arrays) :]:
            axes.set_visible(False)
        if image is not None:
            bar_style: dict[str, Any] = {
                "fraction": 0.13 / ((panel + 0.25) * columns),
                "aspect": lines * panel / 0.12,
            }
            bar = figure.colorbar(image, ax=list(panels.flat), pad=0.02, **bar_style)
            bar.set_label(quantity("weight", unit))
            bar.locator = matplotlib.ticker.MaxNLocator(5, symmetric=True)
            bar.update_ticks()
        if title:
            figure.suptitle(title, fontsize=9.5, fontweight="bold")
        return finish(
            figure, f"Weights of the kernels {', '.join(name for name, _, _ in arrays)}, with their moments."
        )


def _offsets(half: int, size: int) -> list[int]:
    step = max(1, half // 2) if size > _MOST_CELLS_WITH_NUMBERS else 1
    return [offset for offset in range(-half, size - half) if offset % step == 0]


def _numbers(axes: Axes, array: FloatArray, half: Sequence[int], limit: float, width: float) -> None:
    if max(array.shape) > _MOST_CELLS_WITH_NUMBERS:
        return
    digits = 3 if max(array.shape) <= 3 else 2
    texts = {place: _short(float(value), digits) for place, value in np.ndenumerate(array)}
    longest = max(len(text) for text in texts.values())
    size = min(8.0, 72 * width / max(array.shape) / (0.68 * longest))
    for (column, row), text in texts.items():
        colour = "white" if abs(array[column, row]) > 0.6 * limit else "black"
        place = (column - half[0], row - half[1])
        axes.text(*place, text, ha="center", va="center", fontsize=size, color=colour)


def _short(value: float, digits: int) -> str:
    text = format_number(value, digits)
    return format_tick(value) if len(format_tick(value)) < len(text) else text


def _moments(moments: Mapping[str, SupportsFloat]) -> list[str]:
    return [f"{name} = {format_number(float(value))}" for name, value in moments.items()]
