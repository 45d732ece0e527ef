"""What became of one piece of a sweep, in a file of its own."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pdenca.core import FormatError, write_text
from pdenca.evaluation import Refusal, Row

Status = Literal["done", "diverged", "failed"]


@dataclass(frozen=True)
class Record:
    """What became of a run, or of the baselines.

    Arguments:
        training: what decided the training; None: nothing was trained.
        scoring: what decided the scores.
        status: ``done``; ``diverged``, which it would again; or ``failed`` for any other reason, which the
            next sitting may not meet again.
        environment: software and hardware.
        reason: why it is not done, in one sentence.
        trace: where in the program that arose.
        rows: the scores.
        refusals: splits and regimes that the model could not be scored on, and why.
        training_seconds: earlier sittings included.
        scoring_seconds: of the sitting that did it.
        num_parameters: learned numbers.
    """

    training: Mapping[str, Any] | None
    scoring: Mapping[str, Any]
    status: Status
    environment: Mapping[str, str | int]
    reason: str = ""
    trace: str = ""
    rows: tuple[Row, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    training_seconds: float | None = None
    scoring_seconds: float | None = None
    num_parameters: int | None = None

    def is_of(self, training: Mapping[str, Any] | None, scoring: Mapping[str, Any]) -> bool:
        """Return whether this is what these led to; what diverged was never scored."""
        return self.training == training and (self.status == "diverged" or self.scoring == scoring)

    def headline(self, metric: str, window: str, regime: str) -> Row | None:
        """Return the row to show of a metric and regime: of this window or the first one, if there is any."""
        rows = [row for row in self.rows if (row.metric, row.regime) == (metric, regime)]
        return next((row for row in rows if row.window == window), rows[0] if rows else None)

    def write(self, path: Path) -> None:
        """Write it, whole or not at all; numbers that are not finite become ``null``."""
        content = {**asdict(self), "rows": [_without_nan(asdict(row)) for row in self.rows]}
        write_text(path, json.dumps(content, indent=1) + "\n")


def read_record(path: Path) -> Record | None:
    """Read a record; ``null`` becomes NaN in its rows.

    Returns:
        The record; None if there is none.

    Raises:
        FormatError: if it is damaged.
    """
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        numbers = ("value", "low", "high")
        rows = tuple(
            Row(**{**row, **{name: math.nan if row[name] is None else float(row[name]) for name in numbers}})
            for row in content["rows"]
        )
        refusals = tuple(Refusal(**item) for item in content["refusals"])
        return Record(**{**content, "rows": rows, "refusals": refusals})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path} is damaged ({error}); usual cure: delete it, and sweep again") from error


def _without_nan(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
    }
