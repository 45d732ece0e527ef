"""What the studies share: work that is done once, tables of rows with seeds, and how they are printed."""

import csv
import json
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pdenca.core import write_text
from pdenca.evaluation import Row
from pdenca.tasks.emulation import environment

RESULTS = Path(__file__).parent.parent / "docs" / "results"
COLUMNS = ("seed", "model", "split", "regime", "metric", "window", "value", "low", "high")
KEPT = ("pooled_vrmse", "well_vrmse", "pdebench_nrmse", "range_violation", "budget_residual", "diverged")
"""Metrics of the committed tables; all others stand in the folders of the scores."""
Scored = tuple[int | None, Row]
"""A training seed, None where nothing is trained, and a row of an evaluation."""


class Clock:
    """Does each piece of work once and remembers how long it took."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds: dict[str, float] = {}
        self._read()

    def once(self, name: str, work: Callable[[], object], spent: Callable[[], float] | None = None) -> None:
        """Do the work unless it is done, by this process or another one.

        Arguments:
            name: of the work.
            work: is called.
            spent: tells the seconds that all sittings took, for work that goes on where it was cut short;
                None: this one is all.
        """
        self._read()
        if name in self.seconds:
            return
        print(name, flush=True)
        began = time.perf_counter()
        work()
        seconds = round(time.perf_counter() - began if spent is None else spent(), 1)
        self._read()
        self.seconds[name] = seconds
        write_text(self.path, json.dumps(self.seconds, indent=1) + "\n")

    def _read(self) -> None:
        if self.path.is_file():
            self.seconds = json.loads(self.path.read_text())


class Committed:
    """What the committed table of a study and its facts hold.

    Arguments:
        name: of the files, without their endings.
    """

    def __init__(self, name: str) -> None:
        self.rows = read_rows(RESULTS / f"{name}.csv")
        self.facts: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())

    def has(self, work: str) -> bool:
        """Return whether a piece of work was done for it."""
        return work in self.facts["seconds"]

    def rows_besides(self, rows: Iterable[Scored]) -> list[Scored]:
        """Return its rows of the models, seeds and splits that have none among these."""
        known = {(seed, row.model, row.split) for seed, row in rows}
        return [(seed, row) for seed, row in self.rows if (seed, row.model, row.split) not in known]


def hardware(kept: Mapping[str, Any] | None = None, worked: bool = True) -> dict[str, Any]:
    """Return what numbers were measured with, also those that are kept from the committed facts of a study.

    Arguments:
        kept: these facts.
        worked: whether anything has been measured beside them.
    """
    now = environment()
    if kept is None:
        return now
    if not worked:
        return {name: kept[name] for name in now}
    before = str(kept["processor"])
    known = now["processor"] in before.split(" and ")
    now["processor"] = before if known else f"{before} and {now['processor']}"
    return now


def write_rows(path: Path, rows: Iterable[Scored], kept: Sequence[str] = KEPT) -> None:
    """Write the rows of every seed, those of some metrics, as a table of comma-separated values."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for seed, row in rows:
            if row.metric not in kept:
                continue
            numbers = [
                "" if value is None or math.isnan(value) else f"{value:.5g}"
                for value in (row.value, row.low, row.high)
            ]
            place = (row.model, row.split, row.regime, row.metric, row.window)
            writer.writerow(["" if seed is None else seed, *place, *numbers])


def read_rows(path: Path) -> list[Scored]:
    """Read what :func:`write_rows` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            (
                int(line["seed"]) if line["seed"] else None,
                Row(
                    *(line[name] for name in ("model", "split", "regime", "metric", "window")),
                    *(float(line[name]) if line[name] else math.nan for name in ("value", "low", "high")),
                ),
            )
            for line in csv.DictReader(file)
        ]


def choose(items: Sequence[Scored], **wanted: str) -> list[Scored]:
    """Return the rows whose attributes have these values."""
    return [item for item in items if all(getattr(item[1], name) == value for name, value in wanted.items())]


def equal_reach(items: Sequence[Scored], stencil: str = "order-6") -> tuple[str, ...]:
    """Return the names of the solvers whose stencils reach as far as the rules.

    They are two, converged in time and with as many evaluations as the rules; only the first where so few
    would be unstable.

    Arguments:
        items: the rows.
        stencil: of that reach, see ``equal_stencil`` in pdenca/tasks/rivals.py.
    """
    names = list(dict.fromkeys(row.model for _, row in items))
    return tuple(name for name in names if re.fullmatch(rf"equations, {stencil}(, \d+ evaluations)?", name))


def table(
    items: Sequence[Scored],
    columns: Sequence[str],
    key: str = "window",
    worst: bool = False,
    upper: bool = False,
) -> list[str]:
    """Return one markdown table, models by windows, splits or regimes.

    Arguments:
        items: the rows; one per model, seed and column, or several if ``worst``.
        columns: values of ``key``, in order; those that no row has are left out.
        key: the attribute of rows that makes the columns.
        worst: take the largest of several rows.
        upper: print the upper end of the interval instead of the value.
    """
    models = list(dict.fromkeys(row.model for _, row in items))
    present = [name for name in columns if any(getattr(row, key) == name for _, row in items)]
    lines = ["| model | " + " | ".join(present) + " |", "|---|" + "---:|" * len(present)]
    for model in models:
        cells = []
        for name in present:
            per_seed: dict[int | None, list[float]] = {}
            for seed, row in items:
                if row.model == model and getattr(row, key) == name:
                    number = row.high if upper else row.value
                    per_seed.setdefault(seed, []).append(math.nan if number is None else number)
            cells.append(cell([max(values) if worst else values[0] for values in per_seed.values()]))
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return lines


def cell(values: list[float]) -> str:
    """Return median [smallest, largest]; a seed that diverged is the largest."""
    if not values:
        return ""
    ordered = sorted(values, key=lambda value: (math.isnan(value), value))
    text = ["diverged" if math.isnan(value) else f"{value:.3g}" for value in ordered]
    middle = text[len(text) // 2]
    return middle if len(text) == 1 else f"{middle} [{text[0]}, {text[-1]}]"


def costs(facts: Mapping[str, Any]) -> list[str]:
    """Return a table of the models' sizes and training times; one network per regime counts as one model."""
    lines = ["| model | parameters | minutes of training, per seed |", "|---|---:|---:|"]
    for model, count in facts["parameters"].items():
        minutes: dict[str, float] = {}
        for name, seconds in facts["seconds"].items():
            training = re.fullmatch(rf"train {re.escape(model)}( [\w-]+)?, seed (\d+)", name)
            if training:
                minutes[training[2]] = minutes.get(training[2], 0.0) + seconds / 60
        lines.append(f"| {model} | {count} | {cell(list(minutes.values()))} |")
    return lines
