"""The long table of results turned into tables to read: models down, windows across."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pdenca.core import BadInputError

from .page import details, escape
from .style import format_number

ROW_KEYS = ("model", "split", "regime", "metric", "window", "value", "low", "high")
"""The keys of one row of results."""

HIGHER_IS_BETTER = ("correlation_time", "patterns_within")
"""Metrics of which the largest value is the best."""

NO_BEST = ("correlation_censored", "lyapunov_exponent")
"""Metrics that describe a row without ranking it."""

ALL = "all"
"""The regime that pools all trajectories of a split."""


@dataclass(frozen=True)
class _Cell:
    value: float
    low: float
    high: float

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)

    def overlaps(self, other: "_Cell") -> bool:
        """Tell whether both have intervals and these share a point."""
        return self.has_interval and other.has_interval and self.low <= other.high and other.low <= self.high


_Place = tuple[str, str, str, str, str]


def result_tables(
    rows: Sequence[Mapping[str, Any]],
    *,
    headline: str | None = None,
    higher_is_better: Collection[str] = HIGHER_IS_BETTER,
    no_best: Collection[str] = NO_BEST,
    table_units: Mapping[str, str] | None = None,
) -> str:
    """Write the results as HTML: per split a table of models against windows, intervals below the values.

    The headline metric over all regimes stands open; other metrics, and each regime, open on a click. The
    best finite value of a column is bold; a value whose interval overlaps the best's is marked with ≈. A
    value that is None or not finite reads "diverged", a row that is not there "–".

    Arguments:
        rows: mappings with the keys of :data:`ROW_KEYS`; order decides the order of everything.
        headline: metric shown open; None takes the first row's.
        higher_is_better: metrics whose best value is the largest.
        no_best: metrics without a best value.
        table_units: metric -> unit, for the captions; metrics left out carry none.

    Returns:
        HTML, everything escaped.

    Raises:
        BadInputError: for a row without one of the keys, two rows for the same place or an unknown headline.
    """
    cells = _read(rows)
    if not cells:
        return "<p>No results.</p>"
    metrics = list(dict.fromkeys(place[2] for place in cells))
    if headline is not None and headline not in metrics:
        raise BadInputError(
            f"headline {headline!r} is not among the metrics of the rows: {', '.join(metrics)}"
        )
    headline = headline or metrics[0]
    units = table_units or {}
    parts: list[str] = []

    def table(split: str, regime: str, metric: str) -> str:
        chosen = {
            (place[3], place[4]): cell
            for place, cell in cells.items()
            if place[:3] == (split, regime, metric)
        }
        direction = None if metric in no_best else metric in higher_is_better
        return (
            _table(chosen, _caption(split, regime, metric, direction, units.get(metric)), direction)
            if chosen
            else ""
        )

    for split in dict.fromkeys(place[0] for place in cells):
        regimes = list(dict.fromkeys(place[1] for place in cells if place[0] == split))
        main = ALL if ALL in regimes else regimes[0]
        parts.append(f"<h3>Split <code>{escape(split)}</code></h3>")
        shown = table(split, main, headline)
        parts.append(shown or f"<p>No {escape(headline)} on this split.</p>")
        others = "\n".join(
            filter(None, (table(split, main, metric) for metric in metrics if metric != headline))
        )
        if others:
            parts.append(details("Other metrics", others))
        apart = "\n".join(
            filter(
                None,
                (table(split, regime, metric) for regime in regimes if regime != main for metric in metrics),
            )
        )
        if apart:
            parts.append(details("Regime by regime", apart))
    return "\n".join(parts)


def _read(rows: Sequence[Mapping[str, Any]]) -> dict[_Place, _Cell]:
    cells: dict[_Place, _Cell] = {}
    for index, row in enumerate(rows):
        missing = [key for key in ROW_KEYS if key not in row]
        if missing:
            raise BadInputError(
                f"row {index} of the results lacks {', '.join(missing)}; expected {', '.join(ROW_KEYS)}"
            )
        place = (
            str(row["split"]),
            str(row["regime"]),
            str(row["metric"]),
            str(row["model"]),
            str(row["window"]),
        )
        if place in cells:
            raise BadInputError(
                f"row {index} of the results repeats {place}; expected one row for each place"
            )
        cells[place] = _Cell(*(_number(row[key], index, key) for key in ("value", "low", "high")))
    return cells


def _number(value: Any, index: int, key: str) -> float:  # noqa: ANN401
    try:
        return math.nan if value is None else float(value)
    except (TypeError, ValueError):
        raise BadInputError(
            f"row {index} of the results has {key} = {value!r}, expected a number or null"
        ) from None


def _caption(split: str, regime: str, metric: str, higher: bool | None, unit: str | None) -> str:
    pooled = "all regimes pooled" if regime == ALL else f"regime {regime}"
    measured = f" in {unit}" if unit else ""
    better = "" if higher is None else ", higher is better" if higher else ", lower is better"
    return f"{metric}{measured} on {split}, {pooled}{better}"


def _table(cells: Mapping[tuple[str, str], _Cell], caption: str, higher: bool | None) -> str:
    models = list(dict.fromkeys(model for model, _ in cells))
    windows = list(dict.fromkeys(window for _, window in cells))
    best = {window: _best(cells, models, window, higher) for window in windows}
    head = "".join(f'<th scope="col">{escape(_window(window))}</th>' for window in windows)
    lines = []
    for model in models:
        written = "".join(_cell(cells.get((model, window)), best[window]) for window in windows)
        lines.append(f'<tr><th scope="row">{escape(model)}</th>{written}</tr>')
    body = "\n".join(lines)
    return (
        f'<div class="scroll"><table>\n<caption>{escape(caption)}</caption>\n'
        f'<thead><tr><th scope="col">model</th>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'
    )


def _best(
    cells: Mapping[tuple[str, str], _Cell], models: Sequence[str], window: str, higher: bool | None
) -> _Cell | None:
    column = [cells[model, window] for model in models if (model, window) in cells]
    finite = [cell for cell in column if math.isfinite(cell.value)]
    if higher is None or not finite:
        return None
    return max(finite, key=lambda cell: cell.value if higher else -cell.value)


def _cell(cell: _Cell | None, best: _Cell | None) -> str:
    if cell is None:
        return '<td class="absent">–</td>'
    if not math.isfinite(cell.value):
        return '<td class="diverged">diverged</td>'
    text = escape(format_number(cell.value))
    interval = ""
    if cell.has_interval:
        ends = escape(f"{format_number(cell.low)} to {format_number(cell.high)}")
        interval = f'<span class="interval">{ends}</span>'
    if best is not None and cell.value == best.value:
        return f'<td class="best"><strong>{text}</strong>{interval}</td>'
    near = "≈ " if best is not None and cell.overlaps(best) else ""
    return f"<td>{near}{text}{interval}</td>"


def _window(window: str) -> str:
    first, _, last = window.partition(":")
    if first.isdigit() and (last.isdigit() or not last):
        return f"frame {first}" if not last or first == last else f"frames {first} to {last}"
    return window
