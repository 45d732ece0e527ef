"""The one home of how pdenca's figures look: sizes, fonts, colours, labels.

Colours are safe for the common kinds of colour blindness: categories take the palette of Okabe and Ito (2008,
"Color universal design"), fields the perceptually uniform ``viridis``, signed quantities the diverging
``RdBu_r`` always centred on zero. Nothing here touches matplotlib's global state for longer than a
``with`` block.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypedDict

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PAGE_WIDTH = 7.0
"""Width in inches of a figure across the text of an A4 or letter page; fonts are chosen for this width."""

OKABE_ITO: dict[str, str] = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "bluish green": "#009E73",
    "reddish purple": "#CC79A7",
    "orange": "#E69F00",
    "sky blue": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
}
"""The palette of Okabe and Ito; the cycle leaves out yellow (too pale) and black (the reference's own)."""

MODEL_COLOURS = tuple(colour for name, colour in OKABE_ITO.items() if name not in ("yellow", "black"))
REFERENCE_COLOUR = "#000000"
DO_NOTHING_COLOUR = "#6E6E6E"
NOT_FINITE_COLOUR = "#D9D9D9"
INK = "#262626"
FAINT = "#8C8C8C"

FIELD_MAP = "viridis"
SIGNED_MAP = "RdBu_r"

DO_NOTHING = ("persistence", "spatial-mean")
"""Usual names of the rows that learned nothing; drawn grey and broken wherever they appear."""

_LINE_STYLES: tuple[Any, ...] = ("-", (0, (6, 1.5)), (0, (4, 1.5, 1, 1.5)))
_DO_NOTHING_STYLES: tuple[Any, ...] = ((0, (4, 2)), (0, (1, 1.4)), (0, (5, 1.5, 1, 1.5)))
_MARKERS = ("o", "s", "D", "^", "v", "P")

_SETTINGS: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#595959",
    "axes.linewidth": 0.6,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.use_mathtext": True,
    "text.color": INK,
    "text.usetex": False,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "xtick.color": "#595959",
    "ytick.color": "#595959",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.minor.size": 1.6,
    "ytick.minor.size": 1.6,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.0,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "legend.handlelength": 2.2,
    "legend.borderaxespad": 0.0,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "image.interpolation": "nearest",
    "mathtext.fontset": "dejavusans",
    "path.simplify": True,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "pdenca",
}


class LineStyle(TypedDict):
    """How one named row is drawn, as keyword arguments of ``Axes.plot``."""

    color: str
    linestyle: Any


@contextmanager
def styled() -> Iterator[None]:
    """Apply the style in a ``with`` block, on top of matplotlib's own defaults; restore all after it."""
    with matplotlib.rc_context():
        matplotlib.rcParams.update(_DEFAULTS)
        matplotlib.rcParams.update(_SETTINGS)
        yield


_DEFAULTS: Any = {
    name: value
    for name, value in matplotlib.rcParamsDefault.items()
    if name.split(".")[0] in ("axes", "xtick", "ytick", "legend", "lines", "grid", "font", "text", "image")
}
# a user's matplotlibrc must not change a figure of record, hence the defaults beneath our settings


def new_figure(width: float | int, height: float | int, *, compressed: bool = False) -> Figure:
    """Make an empty figure with constrained layout, without pyplot.

    Arguments:
        width: in inches; :data:`PAGE_WIDTH` for a page.
        height: in inches.
        compressed: pull panels of fixed aspect together instead of spreading them.

    Returns:
        The figure, without panels.
    """
    figure = Figure(figsize=(width, height), layout="compressed" if compressed else "constrained")
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.02)  # type: ignore[call-arg]
    return figure


def finish(figure: Figure, description: str) -> Figure:
    """Fix the layout and the lazily made ticks while the style holds, and put the figure in words.

    Arguments:
        figure: a figure drawn inside :func:`styled`.
        description: one or two sentences; kept as the figure's label, the report's alternative text.

    Returns:
        The same figure.
    """
    figure.set_label(description)
    figure.draw_without_rendering()
    return figure


def quantity(name: str, unit: str) -> str:
    """Label an axis or colour bar: the name, its unit in brackets; the unit "1" reads "dimensionless"."""
    return f"{name} ({'dimensionless' if unit in ('', '1') else unit})"


def amount(value: float | int, unit: str, digits: int = 3) -> str:
    """Write a value with its unit, with at most ``digits`` significant digits; the unit "1" is left out."""
    return format_number(value, digits) + ("" if unit in ("", "1") else f" {unit}")


def format_number(value: float | int, digits: int = 3) -> str:
    """Write a number with ``digits`` significant digits; whole ones in full, very small or large with e."""
    if not math.isfinite(value):
        return str(float(value)).replace("-", "−").replace("inf", "∞").replace("nan", "NaN")
    if value == 0:
        return "0"
    magnitude = abs(value)
    if magnitude < 1e6 and (float(value).is_integer() or magnitude >= 10**digits):
        text = f"{value:.0f}"
    elif 1e-3 <= magnitude < 1e6:
        text = f"{value:#.{digits}g}".rstrip(".")
    else:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        text = f"{mantissa}e{int(exponent)}"
    return text.replace("-", "−")


def format_tick(value: float | int, _: object = None) -> str:
    """Write the place of a tick, without trailing zeros; usable as matplotlib's formatter function."""
    return f"{value:g}".replace("-", "−")


def line_styles(
    names: Sequence[str],
    *,
    do_nothing: Iterable[str] = DO_NOTHING,
    reference: str | None = None,
    colours: Mapping[str, str] | None = None,
) -> dict[str, LineStyle]:
    """Give every row its colour and line style, by its place in the list.

    Arguments:
        names: the rows, in the order of the legend.
        do_nothing: rows drawn grey and broken.
        reference: the row drawn black and solid.
        colours: fixed colour of some rows, so that a model keeps its colour from figure to figure.

    Returns:
        Row name -> keyword arguments of ``Axes.plot``.
    """
    trivial = set(do_nothing)
    styles: dict[str, LineStyle] = {}
    num_trivial = num_models = 0
    for name in names:
        if name == reference:
            style = LineStyle(color=REFERENCE_COLOUR, linestyle="-")
        elif name in trivial:
            pattern = _DO_NOTHING_STYLES[num_trivial % len(_DO_NOTHING_STYLES)]
            style = LineStyle(color=DO_NOTHING_COLOUR, linestyle=pattern)
            num_trivial += 1
        else:
            turn, place = divmod(num_models, len(MODEL_COLOURS))
            style = LineStyle(color=MODEL_COLOURS[place], linestyle=_LINE_STYLES[turn % len(_LINE_STYLES)])
            num_models += 1
        if colours is not None and name in colours:
            style["color"] = colours[name]
        styles[name] = style
    return styles


def marker(index: int) -> str:
    """Return the marker of the row at this place, so that rows can be told apart without colour."""
    return _MARKERS[index % len(_MARKERS)]


def open_frame(axes: Axes) -> None:
    """Leave only the left and lower edge of a chart and a faint grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, which="major")


def draw_marks(axes: Axes, marks: Mapping[str, float | int]) -> None:
    """Draw named vertical lines, such as the end of the trained horizon, with their names above the chart.

    Arguments:
        axes: the chart.
        marks: name -> place on the horizontal axis, in its unit.
    """
    for name, place in marks.items():
        axes.axvline(place, color=FAINT, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
        axes.annotate(
            name,
            (place, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=6.5,
            color="#595959",
        )
