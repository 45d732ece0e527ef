"""The table of a sweep: one tidy file of comma-separated values, and a JSON file of facts beside it."""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pdenca.core import BadInputError, FormatError, write_text

from .grid import COLUMNS, GridSettings
from .jobs import Job
from .plan import Combination
from .record import Record

TABLE, FACTS = "table.csv", "table.json"
REFUSED = "refused"
"""Status of a line that says why a model was not scored on a split."""
Done = tuple[Job, Combination | None, Record]
"""A job, the combination that it is of (None: baselines), and what became of it."""


@dataclass(frozen=True)
class Table:
    """A table that was read back.

    Arguments:
        axes: names of the columns that are axes, in order.
        lines: column -> text, one per line.
    """

    axes: tuple[str, ...]
    lines: tuple[Mapping[str, str], ...]


def write_table(out: Path, sweep: GridSettings, done: Sequence[Done]) -> Path:
    """Write the table of what is done by now.

    One line per run (or baseline), split, regime, metric and window. A run that is not ``done`` has one line
    with status and reason, and so has every split and regime that a model ``refused``. Of baselines run, axes
    and seed are empty. A ``value`` is empty where a prediction diverged, ``low`` and ``high`` where there is
    none.

    Arguments:
        out: folder of the sweep.
        sweep: its settings, which name the axes.
        done: what is.

    Returns:
        The table's path.
    """
    axes = [axis.name for axis in sweep.axes]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, (*COLUMNS[0], *axes, *COLUMNS[1]), restval="", lineterminator="\n")
    writer.writeheader()
    for job, combination, record in done:
        writer.writerows(_lines(job, combination, record))
    write_text(out / TABLE, buffer.getvalue())
    return out / TABLE


def write_facts(out: Path, sweep: GridSettings, command: str, num_planned: int, done: Sequence[Done]) -> Path:
    """Write what the table rests on: command, settings, how far it is, seconds, hardware and versions.

    Arguments:
        out: folder of the sweep.
        sweep: its settings.
        command: that makes it.
        num_planned: runs of the whole grid.
        done: what is done by now.

    Returns:
        The path of the facts.
    """
    runs = [record for _, combination, record in done if combination is not None]
    environments: list[Mapping[str, str | int]] = []
    for _, _, record in done:
        if record.environment not in environments:
            environments.append(record.environment)
    counts = dict(Counter(str(record.status) for record in runs))
    facts = {
        "command": command,
        "settings": json.loads(sweep.to_json()),
        "runs": {"planned": num_planned, **counts},
        "seconds": {
            "training": round(sum(record.training_seconds or 0.0 for record in runs), 1),
            "scoring": round(sum(record.scoring_seconds or 0.0 for _, _, record in done), 1),
        },
        "environments": environments,
    }
    write_text(out / FACTS, json.dumps(facts, indent=1) + "\n")
    return out / FACTS


def read_table(out: Path) -> Table:
    """Read the table of a sweep.

    Arguments:
        out: folder of the sweep, or a copy of its table.

    Raises:
        BadInputError: if there is none yet.
        FormatError: if it is something else.
    """
    path = out if out.is_file() else out / TABLE
    if not path.is_file():
        raise BadInputError(f"{out} has no {TABLE} yet; usual cure: sweep first, without --figures")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            columns, lines = tuple(reader.fieldnames or ()), tuple(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path} is damaged ({error}); usual cure: sweep again") from error
    axes = columns[len(COLUMNS[0]) : len(columns) - len(COLUMNS[1])]
    if columns != (*COLUMNS[0], *axes, *COLUMNS[1]):
        raise FormatError(f"{path} is not the table of a sweep; usual cure: sweep again")
    return Table(axes, lines)


def _lines(job: Job, combination: Combination | None, record: Record) -> Iterator[dict[str, Any]]:
    shared: dict[str, Any] = {
        "scored_on": str(job.scored_on),
        "regimes": "all" if job.regimes is None else "+".join(job.regimes),
        "status": record.status,
        "reason": record.reason,
        "training_seconds": _number(record.training_seconds),
        "num_parameters": _number(record.num_parameters),
    }
    if combination is not None:
        shared |= {"run": job.name, **combination.choices, "seed": combination.seed}
        shared |= {"model": combination.model, "data": combination.data}
    if record.status != "done":
        yield shared
    for row in record.rows:
        numbers = {"value": _number(row.value), "low": _number(row.low), "high": _number(row.high)}
        place = {"split": row.split, "regime": row.regime, "metric": row.metric, "window": row.window}
        yield {"model": row.model, **shared, **place, **numbers}
    for item in record.refusals:
        yield {
            "model": item.model,
            **shared,
            "split": item.split,
            "regime": item.regime,
            "status": REFUSED,
            "reason": " ".join(item.reason.split()),
        }


def _number(value: float | int | None) -> float | int | str:
    return "" if value is None or not math.isfinite(value) else value
