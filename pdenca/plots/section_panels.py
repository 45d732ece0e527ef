"""A quantity over a plane that cuts through a space of many dimensions, with paths seen from above."""

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure, SubFigure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from pdenca.core import BadInputError

from .arrays import FloatArray, Values, all_finite, same_shape, to_array
from .frame_panels import field_colours
from .painting import colour_limits
from .style import (
    FIELD_MAP,
    INK,
    MODEL_COLOURS,
    PAGE_WIDTH,
    finish,
    format_tick,
    marker,
    new_figure,
    quantity,
    styled,
)

_NUM_LEVELS = 6
_PLANE = 4.2  # inches, its longer side
_BAR, _PICTURES = 1.5, 1.15  # inches, what stands at the right of the plane
_HALO = [withStroke(linewidth=2.6, foreground="white")]


@dataclass(frozen=True, eq=False)
class Landmark:
    """A point of the plane with the path that led there, and a small picture of what is found there.

    Arguments:
        place: along both axes of the plane.
        path: places on the way, shape (time, 2), seen from above: a path may run far off the plane.
        picture: shape (x, y), x drawn to the right, y upwards; drawn in grey, the highest value black.
        note: under the picture.
    """

    place: Values
    path: Values
    picture: Values
    note: str = ""


def section(
    values: Values,
    across: Values,
    upwards: Values,
    landmarks: Mapping[str, Landmark],
    *,
    measure: str,
    unit: str = "1",
    contours: Values | None = None,
    contour_measure: str = "",
    axis_labels: tuple[str, str] = ("$x$", "$y$"),
    title: str | None = None,
) -> Figure:
    """Draw a positive quantity over a plane as colours, a second one as contour lines, and landmarks on top.

    Colours are logarithmic. A point whose value is zero takes the lowest colour, and the colour bar then
    ends in an arrow; one whose value is not finite is grey. Contour lines are left out if the second quantity
    is the same everywhere, or nowhere finite. The axes reach as far as the paths do; where nothing was
    computed the ground stays white.

    Arguments:
        values: shape (across, upwards), not negative.
        across: places along the first axis of the plane, evenly spaced, growing; drawn to the right.
        upwards: the same along the second axis.
        landmarks: name -> landmark; may be empty. Their pictures stand in a column at the right.
        measure: what the colours are.
        unit: of it; "1" is dimensionless.
        contours: shape of ``values``; may hold NaN.
        contour_measure: what the contour lines are.
        axis_labels: of the plane.
        title: line above the figure.

    Returns:
        The figure: the plane, the colour bar, then one panel per landmark's picture.

    Raises:
        BadInputError: for shapes that do not match, places that are not evenly spaced, a negative value, or
            no value above zero.
    """
    field = to_array(values, "values", 2)
    axes_places = [
        _evenly_spaced(places, what) for places, what in ((across, "across"), (upwards, "upwards"))
    ]
    if field.shape != tuple(map(len, axes_places)):
        raise BadInputError(
            f"values has shape {field.shape}, expected {tuple(map(len, axes_places))}, one value per place"
        )
    lines = None if contours is None else to_array(contours, "contours", 2)
    if lines is not None:
        same_shape(lines, field, "contours", "values")
    low, high = _positive_limits(field)
    x, y = axes_places
    paths = {name: _path(landmark, name) for name, landmark in landmarks.items()}
    with styled():
        half = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
        extent = (x[0] - half[0], x[-1] + half[0], y[0] - half[1], y[-1] + half[1])
        wide, high_plane = _size_of_plane(extent, paths)
        figure = new_figure(
            min(PAGE_WIDTH, wide + _BAR + (_PICTURES if landmarks else 0)),
            max(high_plane + 0.8, 1.35 * len(landmarks)),
        )
        # a part of its own each, so that the pictures do not take their height from the plane
        ratios = (wide + _BAR, _PICTURES)
        left, right = (
            figure.subfigures(1, 2, width_ratios=ratios, squeeze=False)[0] if landmarks else (figure, None)
        )
        plane = left.subplots()
        shown = np.where(np.isfinite(field), np.maximum(field, low), np.nan)
        image = plane.imshow(
            shown.T,
            extent=extent,
            origin="lower",
            cmap=field_colours(FIELD_MAP),
            norm=LogNorm(low, high),
            interpolation="nearest",
        )
        arrow = "min" if (field == 0).any() else "neither"
        bar = left.colorbar(image, ax=plane, extend=arrow, fraction=0.05, pad=0.02)
        ticks = _log_ticks(low, high)
        bar.set_ticks(ticks, labels=[format_tick(tick) for tick in ticks])
        bar.minorticks_off()
        bar.set_label(quantity(measure, unit))
        drawn = _draw_contours(plane, x, y, lines)
        for number, (name, path) in enumerate(paths.items()):
            _draw_path(plane, path, name, number, np.mean([other[-1] for other in paths.values()], 0))
        plane.set_xlabel(axis_labels[0])
        plane.set_ylabel(axis_labels[1])
        said = ["paths seen from above; hollow marks: starts, full ones: ends"] if landmarks else []
        said += [f"white lines: {contour_measure}"] if drawn else []
        plane.set_title("\n".join(said), fontsize=7.5)
        if right is not None:
            _draw_pictures(right, landmarks)
        if title:
            figure.suptitle(title, fontweight="bold", x=0.01, ha="left")
        told = f", contour lines of {contour_measure}" if drawn else ""
        marked = f"; marked: {', '.join(landmarks)}" if landmarks else ""
        return finish(figure, f"{measure} over a plane{told}{marked}.")


def _evenly_spaced(places: Values, what: str) -> FloatArray:
    array = to_array(places, what, 1)
    all_finite(array, what)
    steps = np.diff(array)
    if len(array) < 2 or (steps <= 0).any() or not np.allclose(steps, steps[0], rtol=1e-3):
        raise BadInputError(
            f"{what} is not evenly spaced and growing, or has less than 2 places; usual cure: np.linspace"
        )
    return array


def _positive_limits(field: FloatArray) -> tuple[float, float]:
    finite = field[np.isfinite(field)]
    if (finite < 0).any():
        raise BadInputError(
            f"values has {finite.min():g}, expected none below 0: colours are logarithmic; usual cure: a "
            "norm, not a difference"
        )
    positive = finite[finite > 0]
    if not positive.size:
        raise BadInputError("values has no number above 0, which logarithmic colours need")
    low, high = float(positive.min()), float(positive.max())
    return (low / 2, high * 2) if low == high else (low, high)


def _draw_contours(plane: Axes, x: FloatArray, y: FloatArray, lines: FloatArray | None) -> bool:
    """Draw labelled lines if there is anything to draw, and say whether there was."""
    if lines is None:
        return False
    finite = lines[np.isfinite(lines)]
    if not finite.size or np.ptp(finite) <= 1e-12 * np.abs(finite).max():
        return False
    levels = MaxNLocator(_NUM_LEVELS).tick_values(finite.min(), finite.max())
    levels = levels[(levels > finite.min()) & (levels < finite.max())]
    found: QuadContourSet = plane.contour(
        x, y, np.ma.masked_invalid(lines).T, levels=levels, colors="white", linewidths=0.9
    )
    found.set_path_effects([withStroke(linewidth=1.7, foreground=INK)])
    rim = 0.05 * np.ptp(x), 0.03 * np.ptp(y)
    for text in plane.clabel(found, fmt=format_tick, fontsize=6.5):
        text.set_path_effects([withStroke(linewidth=1.6, foreground=INK)])
        across, upwards = text.get_position()  # a number that the rim would cut is moved inside
        text.set_position(
            (
                float(np.clip(across, x[0] + rim[0], x[-1] - rim[0])),
                float(np.clip(upwards, y[0] + rim[1], y[-1] - rim[1])),
            )
        )
    return True


def _path(landmark: Landmark, name: str) -> FloatArray:
    """Return the path with the place at its end."""
    path = to_array(landmark.path, f"path of {name!r}", 2)
    place = to_array(landmark.place, f"place of {name!r}", 1)
    if place.shape != (2,) or path.shape[1:] != (2,):
        raise BadInputError(
            f"landmark {name!r} has a place of shape {place.shape} and a path of shape {path.shape}; "
            "expected (2,) and (time, 2)"
        )
    whole = np.concatenate((path, place[None]))
    all_finite(whole, f"path of {name!r}")
    return whole


def _size_of_plane(
    extent: tuple[float, float, float, float], paths: Mapping[str, FloatArray]
) -> tuple[float, float]:
    """Return width and height in inches of what is to be seen, lengths along both axes alike."""
    corners = np.array([extent[::2], extent[1::2]])
    seen = np.concatenate((corners, *paths.values()))
    wide, high = np.ptp(seen, 0)
    return _PLANE * min(1.0, wide / high), _PLANE * min(1.0, high / wide)


def _log_ticks(low: float, high: float) -> list[float]:
    """Return a few round numbers of the range: 1, 2, 5 of every power of ten, or fewer, or evenly spaced."""
    powers = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for parts in ((1, 2, 5), (1,)):
        ticks = np.outer(10.0**powers, parts).ravel()
        ticks = ticks[(ticks >= low) & (ticks <= high)]
        if 3 <= len(ticks) <= 8:
            break
    else:
        if len(ticks) < 3:
            ticks = np.asarray(MaxNLocator(5).tick_values(low, high))
            ticks = ticks[(ticks >= low) & (ticks <= high)]
        else:
            ticks = ticks[:: -(-len(ticks) // 8)]
    return [float(tick) for tick in ticks]


def _draw_path(plane: Axes, path: FloatArray, name: str, number: int, middle: FloatArray) -> None:
    """Draw a path with its start and end, the name on the side that is away from the middle."""
    colour = MODEL_COLOURS[number % len(MODEL_COLOURS)]
    plane.plot(*path.T, color=colour, linewidth=1.3, path_effects=_HALO, zorder=3)
    sign = marker(number)
    plane.plot(*path[0], sign, markersize=5, color="white", markeredgecolor=colour, zorder=4)
    plane.plot(*path[-1], sign, markersize=9, color=colour, markeredgecolor="white", zorder=5)
    away = path[-1] - middle
    size = float(np.hypot(*away))
    side = away / size if size else np.array([0.0, 1.0])
    plane.annotate(
        name,
        (float(path[-1][0]), float(path[-1][1])),
        xytext=(13 * float(side[0]), 13 * float(side[1])),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=9,
        fontweight="bold",
        color=colour,
        path_effects=_HALO,
        zorder=6,
    )


def _draw_pictures(part: SubFigure, landmarks: Mapping[str, Landmark]) -> None:
    """Draw what is found at the landmarks, in a column, framed in their colours."""
    panels = part.subplots(len(landmarks), 1, squeeze=False)[:, 0]
    greys = matplotlib.colormaps["Greys"]
    for number, (panel, (name, landmark)) in enumerate(zip(panels, landmarks.items(), strict=True)):
        colour = MODEL_COLOURS[number % len(MODEL_COLOURS)]
        picture = to_array(landmark.picture, f"picture of {name!r}", 2)
        low, high = colour_limits(picture)
        panel.imshow(picture.T, origin="lower", cmap=greys, vmin=low, vmax=high)
        panel.set_xticks([])
        panel.set_yticks([])
        for spine in panel.spines.values():
            spine.set(edgecolor=colour, linewidth=2.0)
        panel.set_title(name, color=colour, fontweight="bold", loc="center", pad=3)
        panel.set_xlabel(landmark.note, fontsize=6.5, labelpad=2)
