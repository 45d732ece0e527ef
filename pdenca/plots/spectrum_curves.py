"""Power over wavenumber: which scales of the pattern a model keeps and which it loses."""

from collections.abc import Iterable, Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pdenca.core import BadInputError

from .arrays import FloatArray, Number, Values, all_finite, not_empty, same_shape, to_array
from .style import (
    DO_NOTHING,
    PAGE_WIDTH,
    draw_marks,
    finish,
    format_tick,
    line_styles,
    new_figure,
    open_frame,
    quantity,
    styled,
)


def spectra(
    wavenumbers: Values,
    power: Mapping[str, Values],
    *,
    reference: str = "reference",
    field_name: str = "field",
    power_unit: str = "1",
    length_unit: str = "1",
    angular: bool = False,
    do_nothing: Iterable[str] = DO_NOTHING,
    marks: Mapping[str, Number] | None = None,
    colours: Mapping[str, str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw power spectra on logarithmic axes, and below them the ratio of each to the reference.

    Arguments:
        wavenumbers: shape (wavenumber,), not negative; zero (the mean) has no place on a logarithmic axis and
            is left out.
        power: row name -> power per wavenumber, same shape, in ``power_unit``; values that are zero or not
            finite leave a gap, and a row without any drawable value is named "diverged" or "no power".
        reference: the row drawn black, by which the others are divided; without it there is no lower chart.
        field_name: whose spectrum it is, for the axis.
        power_unit: "1" is dimensionless.
        length_unit: the wavenumbers are in its inverse.
        angular: wavenumbers are 2 pi / wavelength (True) or 1 / wavelength (False).
        do_nothing: rows drawn grey and broken.
        marks: name -> wavenumber of a vertical line, such as {"end of the training grid": 32.0}.
        colours: fixed colours of some rows.
        title: line above the chart.

    Returns:
        The figure: the spectra and, when the reference is among the rows, the ratios below.

    Raises:
        BadInputError: for no rows, no positive wavenumber, or shapes that do not match.
    """
    not_empty(power, "power")
    axis = to_array(wavenumbers, "wavenumbers", 1)
    all_finite(axis, "wavenumbers")
    keep = axis > 0
    if not keep.any() or (axis < 0).any():
        raise BadInputError("wavenumbers must not be negative and hold at least one above zero")
    rows = {}
    for name, values in power.items():
        array = to_array(values, f"power of {name!r}", 1)
        same_shape(array, axis, f"power of {name!r}", "wavenumbers")
        rows[name] = array[keep]
    axis = axis[keep]
    styles = line_styles(list(rows), do_nothing=do_nothing, reference=reference, colours=colours)
    others = [name for name in rows if name != reference]
    compared = reference in rows and len(others) > 0
    with styled():
        figure = new_figure(PAGE_WIDTH, 4.1 if compared else 3.1)
        if compared:
            upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [2.4, 1]})
        else:
            upper, lower = figure.subplots(), None
        upper.set(xscale="log", yscale="log", ylabel=quantity(f"power of {field_name}", power_unit))
        for name, values in rows.items():
            behind = name == reference
            upper.plot(
                axis,
                _drawable(values),
                label=_label(name, values),
                linewidth=2.6 if behind else 1.2,
                zorder=2 if behind else 3,
                **styles[name],
            )
        bottom = upper
        if lower is not None:
            lower.set(xscale="log", yscale="log", ylabel="power / reference\n(dimensionless)")
            lower.axhline(1.0, color=styles[reference]["color"], linewidth=1.0, zorder=2)
            base = _drawable(rows[reference])
            for name in others:
                lower.plot(axis, _drawable(rows[name]) / base, zorder=3, **styles[name])
            low, high = lower.get_ylim()
            span = max(np.log10(max(high, 1.0)), -np.log10(min(low, 1.0)), np.log10(2.0))
            lower.set_ylim(10**-span, 10**span)
            lower.yaxis.set_major_locator(_ratio_locator(span))
            lower.yaxis.set_major_formatter(FuncFormatter(format_tick))
            lower.yaxis.set_minor_formatter(NullFormatter())
            bottom = lower
        for chart in (upper, lower):
            if chart is not None:
                open_frame(chart)
        draw_marks(upper, marks or {})
        if lower is not None:
            for place in (marks or {}).values():
                draw_marks(lower, {"": place})
        inverse = "1" if length_unit in ("", "1") else f"{'rad' if angular else 'cycles'} per {length_unit}"
        kind = "angular wavenumber, $2\\pi$ / wavelength" if angular else "wavenumber, 1 / wavelength"
        bottom.set_xlabel(quantity(kind, inverse))
        bottom.xaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
        bottom.xaxis.set_minor_formatter(FuncFormatter(format_tick))
        bottom.xaxis.set_major_formatter(FuncFormatter(format_tick))
        upper.set_xlim(float(axis[0]), float(axis[-1]))
        upper.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0))
        if title:
            upper.set_title(title, fontweight="bold", pad=16 if marks else 6)
        names = ", ".join(_label(name, values).replace("\n", ", ") for name, values in rows.items())
        return finish(
            figure, f"Power spectrum of {field_name} over wavenumber on logarithmic axes, for {names}."
        )


def _ratio_locator(span: float) -> LogLocator:
    return LogLocator(subs=(1.0,) if span > 1 else (1.0, 2.0, 5.0))


def _drawable(values: FloatArray) -> FloatArray:
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def _label(name: str, values: FloatArray) -> str:
    if not np.isfinite(values).any():
        return f"{name}\ndiverged"
    return name if (values > 0).any() else f"{name}\nno power"
