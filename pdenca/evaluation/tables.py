"""Result rows as a table: on the terminal, or as Markdown for a README."""

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import rich.box
import rich.console
import rich.table
from rich.markup import escape

from pdenca.core import BadInputError

from .results import Row
from .settings import ALL_REGIMES
from .shifts import Degradation

Columns = Literal["window", "split", "regime", "metric"]

LARGER_IS_BETTER = frozenset({"correlation_time", "patterns_within"})
"""Metrics whose best value is the largest."""

UNRANKED = frozenset({"correlation_censored", "lyapunov_exponent"})
"""Metrics that describe a row without ranking it."""

DIVERGED = "diverged"
MISSING = "-"


@dataclass(frozen=True)
class ResultsTable:
    """A finished table of text, to be shown in one of two ways.

    Attributes:
        title: what is shown.
        header: heading of each column, the models' first.
        lines: the cells.
        best: (line, column) of the best value in each column.
    """

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    best: frozenset[tuple[int, int]] = frozenset()

    def markdown(self) -> str:
        """Return a GitHub-flavoured Markdown table, best values bold, without the title."""
        texts = [
            [
                f"**{_plain(cell)}**" if (row, column) in self.best else _plain(cell)
                for column, cell in enumerate(line)
            ]
            for row, line in enumerate(self.lines)
        ]
        rule = ["---", *["---:"] * (len(self.header) - 1)]
        return "".join(
            f"| {' | '.join(line)} |\n" for line in [[_plain(name) for name in self.header], rule, *texts]
        )

    def rich(self) -> rich.table.Table:
        """Return a table to print with a ``rich`` console, best values bold."""
        table = rich.table.Table(title=escape(self.title), box=rich.box.SIMPLE, title_justify="left")
        for number, name in enumerate(self.header):
            table.add_column(escape(name), justify="right" if number else "left", overflow="fold")
        for row, line in enumerate(self.lines):
            table.add_row(
                *(
                    f"[bold]{escape(cell)}[/bold]" if (row, column) in self.best else escape(cell)
                    for column, cell in enumerate(line)
                )
            )
        return table

    def __str__(self) -> str:
        """Return the terminal form without colours, 120 columns wide."""
        console = rich.console.Console(file=io.StringIO(), width=120, color_system=None, force_terminal=False)
        with console.capture() as capture:
            console.print(self.rich())
        return capture.get()


def format_table(
    rows: Sequence[Row],
    *,
    columns: Columns = "window",
    metric: str = "pooled_vrmse",
    split: str = "test",
    regime: str = ALL_REGIMES,
    window: str | None = None,
    interval: bool = True,
) -> ResultsTable:
    """Arrange rows with one line per model.

    Every property of a row but the one across the columns is held fixed: ``columns="window"`` shows the
    windows of one metric, split and regime; ``columns="split"`` needs a ``window`` to show.

    Arguments:
        rows: as :func:`~pdenca.evaluation.evaluate` gives them.
        columns: what varies across the columns; the argument of that name is then ignored.
        metric: held fixed.
        split: held fixed.
        regime: held fixed.
        window: held fixed; None if all rows that are left have the same one or windows are the columns.
        interval: whether to write the bootstrap interval behind each value.

    Returns:
        The table. A value that is not finite reads "diverged", a missing one "-"; a mean correlation time
        that some trajectory outlived carries "≥", since it is a lower bound.

    Raises:
        BadInputError: if no row is left, or two rows fall into one cell.
    """
    fixed = {"metric": metric, "split": split, "regime": regime, "window": window}
    fixed = {name: value for name, value in fixed.items() if name != columns and value is not None}
    chosen = [row for row in rows if all(getattr(row, name) == value for name, value in fixed.items())]
    described = ", ".join(f"{name} {value}" for name, value in fixed.items())
    if not chosen:
        raise BadInputError(f"no result row has {described}; usual cure: look at the names in rows.json")
    cells: dict[tuple[str, str], Row] = {}
    for row in chosen:
        key = (row.model, getattr(row, columns))
        if key in cells:
            raise BadInputError(
                f"{row.model!r} has windows {cells[key].window!r} and {row.window!r} for the same cell; "
                f"usual cure: format_table(..., columns={columns!r}, window={row.window!r})"
            )
        cells[key] = row
    models = list(dict.fromkeys(row.model for row in chosen))
    names = list(dict.fromkeys(getattr(row, columns) for row in chosen))
    censored = {_place(row) for row in rows if row.metric == "correlation_censored" and row.value > 0}
    best: set[tuple[int, int]] = set()
    for column, name in enumerate(names):
        values = {
            number: cells[model, name].value
            for number, model in enumerate(models)
            if (model, name) in cells
            and math.isfinite(cells[model, name].value)
            and cells[model, name].metric not in UNRANKED
        }
        if values:
            shown = cells[models[next(iter(values))], name].metric
            target = max(values.values()) if shown in LARGER_IS_BETTER else min(values.values())
            best |= {(number, column + 1) for number, value in values.items() if value == target}
    lines = tuple(
        (model, *(_cell(cells.get((model, name)), censored, interval) for name in names)) for model in models
    )
    return ResultsTable(described, ("model", *names), lines, frozenset(best))


def format_degradation(entries: Iterable[Degradation]) -> ResultsTable:
    """Arrange degradation factors with one line per model, split and window."""
    lines = tuple(
        (
            entry.model,
            entry.split,
            entry.window,
            format_number(entry.in_distribution),
            format_number(entry.value),
            format_number(entry.factor),
            format_number(entry.reference_factor, missing=MISSING),
        )
        for entry in entries
    )
    header = ("model", "split", "window", "in distribution", "shifted", "factor", "factor of the reference")
    return ResultsTable("degradation off the training distribution", header, lines)


def format_number(value: float, missing: str = DIVERGED) -> str:
    """Write a number with three significant digits; ``missing`` if it is not finite."""
    return f"{value:#.3g}".rstrip(".") if math.isfinite(value) else missing


def _cell(row: Row | None, censored: set[tuple[str, str, str, str]], interval: bool) -> str:
    if row is None:
        return MISSING
    text = format_number(row.value)
    if row.metric == "correlation_time" and _place(row) in censored:
        text = f"≥ {text}"
    if interval and math.isfinite(row.low) and math.isfinite(row.high):
        text += f" ({format_number(row.low)}-{format_number(row.high)})"
    return text


def _place(row: Row) -> tuple[str, str, str, str]:
    return row.model, row.split, row.regime, row.window


def _plain(text: str) -> str:
    return text.replace("|", "\\|")
