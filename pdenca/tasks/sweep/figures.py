"""Figures of a sweep, from its table alone."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from matplotlib.figure import Figure

from pdenca import plots
from pdenca.core import BadInputError
from pdenca.evaluation import ALL_REGIMES, format_number

from ..figures import pick
from .grid import FigureSettings
from .plan import plain_name
from .table import Table, read_table

FOLDER: Final = "figures"
MOST_PANELS: Final = 3
"""Splits side by side in one figure."""
MOST_TICKS: Final = 12
WIDE: Final = 10.0
"""How many times the smallest of positive numbers the largest is if they get a logarithmic scale."""
Scale = Literal["linear", "log"]


@dataclass(frozen=True)
class Drawn:
    """What was drawn.

    Arguments:
        paths: of the figures.
        remarks: what could not be drawn, and why.
    """

    paths: list[Path]
    remarks: list[str]


def draw_figures(out: Path, choices: FigureSettings) -> Drawn:
    """Draw the table of a sweep into its folder ``figures/``.

    Along an axis of numbers lines, one per seed, a colour for each value of the second axis; of two axes also
    a heat map of medians over the seeds. Further axes make further figures, one for each of their
    combinations. Runs that diverged or failed are crosses on the upper edge, in a heat map "diverged".

    Arguments:
        out: folder of the sweep.
        choices: what is drawn.

    Returns:
        The files, and what could not be drawn.

    Raises:
        BadInputError: if there is no table yet, or nothing in it that was chosen.
        FormatError: if the table is damaged.
    """
    table = read_table(out)
    if not table.axes:
        raise BadInputError(f"the sweep in {out} has no axis to draw along; usual cure: [[axes]]")
    runs = {line["run"]: line for line in table.lines if line["run"]}
    if not runs:
        raise BadInputError(f"no run of the sweep in {out} is done yet; usual cure: sweep first")
    across = choices.across or next(
        (axis for axis in table.axes if _are_numbers(_values_of(runs.values(), axis))), table.axes[0]
    )
    across = pick("axis", across, table.axes)
    rest = [axis for axis in table.axes if axis != across]
    second, others = (rest[0] if rest else None), rest[1:]
    paths: list[Path] = []
    remarks: list[str] = []
    for metric in choices.metrics:
        numbers = _Numbers(table, runs, metric, choices)
        for chosen in itertools.product(*(_values_of(runs.values(), axis) for axis in others)):
            place = dict(zip(others, chosen, strict=True))
            shown = [run for run, line in runs.items() if place.items() <= line.items()]
            if not shown:
                continue
            layout = _Layout(runs, shown, across, second, place, numbers)
            for name, draw in layout.figures():
                path = out / FOLDER / f"{name}.{choices.format}"
                try:
                    paths.append(plots.save(draw(), path))
                except BadInputError as error:
                    remarks.append(f"{name}: {error}")
    return Drawn(paths, remarks)


class _Numbers:
    """The values of one metric in one window and regime."""

    def __init__(
        self,
        table: Table,
        runs: Mapping[str, Mapping[str, str]],
        metric: str,
        choices: FigureSettings,
    ) -> None:
        scored = [line for line in table.lines if line["metric"] == metric]
        windows = list(dict.fromkeys(line["window"] for line in scored))
        if not windows:
            raise BadInputError(f"the table has no {metric!r}; usual cure: another of [figures] metrics")
        self.metric, self.regime = metric, choices.regime
        self.window = pick("window", choices.window, windows, choices.USUAL)
        inside = [line for line in scored if line["window"] == self.window]
        self.regimes = list(dict.fromkeys(line["regime"] for line in inside))
        pick("regime", choices.regime, self.regimes)
        inside = [line for line in inside if line["regime"] == choices.regime]
        self.splits = list(dict.fromkeys(line["split"] for line in inside))
        self._of_runs = {(line["run"], line["split"]): _number(line) for line in inside if line["run"]}
        self._of_baselines = {
            (line["model"], line["scored_on"], line["regimes"], line["split"]): _number(line)
            for line in inside
            if not line["run"]
        }
        self._runs = runs
        self.baselines = list(dict.fromkeys(key[0] for key in self._of_baselines))

    def of_run(self, run: str, split: str) -> float | None:
        """Return the value of a run: NaN if it or its prediction diverged or failed, None for none."""
        if self._runs[run]["status"] in ("diverged", "failed"):
            return math.nan
        return self._of_runs.get((run, split))

    def of_baseline(self, name: str, runs: Iterable[str], split: str) -> float | None:
        """Return the value of a baseline beside some runs, None unless it is the same for all of them."""
        places = {(self._runs[run]["scored_on"], self._runs[run]["regimes"]) for run in runs}
        values = {self._of_baselines.get((name, *place, split)) for place in places}
        return values.pop() if len(values) == 1 else None


@dataclass(frozen=True)
class _Layout:
    """The figures of one metric and one combination of the axes beyond the second."""

    runs: Mapping[str, Mapping[str, str]]
    shown: Sequence[str]
    across: str
    second: str | None
    place: Mapping[str, str]
    numbers: _Numbers

    def figures(self) -> list[tuple[str, Callable[[], Figure]]]:
        """Return name -> what draws it."""
        end = f"-{plain_name(list(self.place.items()))}" if self.place else ""
        found: list[tuple[str, Callable[[], Figure]]] = []
        splits, metric = self.numbers.splits, self.numbers.metric
        if _are_numbers(self._values(self.across)):
            for first in range(0, len(splits), MOST_PANELS):
                part = splits[first : first + MOST_PANELS]
                whole = "" if len(splits) <= MOST_PANELS else f"-{'-'.join(part)}"
                found.append((f"{metric}{whole}{end}-lines", partial(self._lines, part)))
        if self.second is not None:
            for split in splits:
                found.append((f"{metric}-{split}{end}-map", partial(self._map, split)))
        elif not found:
            found.append((f"{metric}{end}-map", self._map_of_splits))
        return found

    def _values(self, axis: str) -> list[str]:
        return _values_of((self.runs[run] for run in self.shown), axis)

    def _title(self, split: str | None = None) -> str:
        regime = "all regimes" if self.numbers.regime == ALL_REGIMES else self.numbers.regime
        if len(self.numbers.regimes) == 1:  # of others the table knows nothing
            regime = ""
        where = [f"{name} = {value}" for name, value in self.place.items()]
        when = f"frames {self.numbers.window}" if self.numbers.window[0].isdigit() else self.numbers.window
        parts = [self.numbers.metric, split, when, regime, *where]
        return ", ".join(part for part in parts if part)

    def _lines(self, splits: Sequence[str]) -> Figure:
        ticks = [float(value) for value in self._values(self.across)]
        panels = {}
        for split in splits:
            lines = self._lines_of(split)
            heights = [y for of_name in lines.values() for _, ys in of_name for y in ys]
            panels[split] = plots.LinePanel(
                lines,
                self.across,
                self.numbers.metric,
                scales=(_scale(ticks), _scale(heights)),
                marks=True,
                ticks=ticks if len(ticks) <= MOST_TICKS else (),
                broken="diverged",
            )
        return plots.line_panels(panels, title=self._title())

    def _lines_of(self, split: str) -> dict[str, list[Any]]:
        """Return name -> lines of (places, values), one per seed, and one of each baseline."""
        found: dict[str, list[Any]] = {}
        for value in self._values(self.second) if self.second else [None]:
            runs = [run for run in self.shown if value in (None, self._text(run, self.second))]
            name = f"{self.second} = {value}" if value is not None else self.runs[runs[0]]["model"]
            for seed in dict.fromkeys(self.runs[run]["seed"] for run in runs):
                points = sorted(
                    (float(self.runs[run][self.across]), number)
                    for run in runs
                    if self.runs[run]["seed"] == seed
                    and (number := self.numbers.of_run(run, split)) is not None
                )
                if points:
                    found.setdefault(name, []).append(tuple(map(list, zip(*points, strict=True))))
        for name in self.numbers.baselines:
            heights = {}
            for value in self._values(self.across):
                there = [run for run in self.shown if self.runs[run][self.across] == value]
                height = self.numbers.of_baseline(name, there, split)
                if height is not None:
                    heights[float(value)] = height
            if heights:
                found[name] = [(list(heights), list(heights.values()))]
        return found

    def _text(self, run: str, axis: str | None) -> str | None:
        return None if axis is None else self.runs[run][axis]

    def _map(self, split: str) -> Figure:
        assert self.second is not None, "a map has two axes"
        cells: dict[tuple[str, str], list[float]] = {
            (row, column): [] for row in self._values(self.second) for column in self._values(self.across)
        }
        for run in self.shown:
            value = self.numbers.of_run(run, split)
            if value is not None:
                cells[self.runs[run][self.second], self.runs[run][self.across]].append(value)
        return self._heat_map(cells, self.second, self._title(split), self._baselines(split))

    def _map_of_splits(self) -> Figure:
        cells: dict[tuple[str, str], list[float]] = {}
        for split in self.numbers.splits:
            beside = self._baselines(split)
            row = f"{split} ({beside})" if beside else split
            cells |= {(row, column): [] for column in self._values(self.across)}
            for run in self.shown:
                value = self.numbers.of_run(run, split)
                if value is not None:
                    cells[row, self.runs[run][self.across]].append(value)
        return self._heat_map(cells, "", self._title(), "")

    def _baselines(self, split: str) -> str:
        values = {name: self.numbers.of_baseline(name, self.shown, split) for name in self.numbers.baselines}
        return ", ".join(
            f"{name} {format_number(value)}" for name, value in values.items() if value is not None
        )

    def _heat_map(
        self, cells: Mapping[tuple[str, str], Sequence[float]], down: str, title: str, beside: str
    ) -> Figure:
        values = [value for of_cell in cells.values() for value in of_cell]
        across = f"{self.across} (beside: {beside})" if beside else self.across
        return plots.heat_map(
            cells, self.numbers.metric, across=across, down=down, scale=_scale(values), title=title
        )


def _values_of(lines: Iterable[Mapping[str, str]], axis: str) -> list[str]:
    """Return the values of an axis: numbers by size, others in the order of the lines."""
    values = list(dict.fromkeys(line[axis] for line in lines))
    return sorted(values, key=float) if _are_numbers(values) else values


def _are_numbers(values: Iterable[str]) -> bool:
    try:
        return all(math.isfinite(float(value)) for value in values)
    except ValueError:
        return False


def _number(line: Mapping[str, str]) -> float:
    return float(line["value"]) if line["value"] else math.nan


def _scale(values: Iterable[float]) -> Scale:
    """Return a logarithmic scale for positive numbers far enough apart, else a linear one."""
    finite = [value for value in values if math.isfinite(value)]
    return "log" if finite and min(finite) > 0 and max(finite) >= WIDE * min(finite) else "linear"
