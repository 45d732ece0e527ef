"""The course of a training run, read back from its ``metrics.csv``."""

import csv
import math
from pathlib import Path
from typing import Any

from pdenca.core import FormatError
from pdenca.training.loop import METRICS


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """Read the course of a training run as :func:`pdenca.plots.training` takes it.

    A step that diverged gets a loss of NaN, however finite its loss still was; the row of the start, where
    no loss was measured, gets none.

    Raises:
        FormatError: if the file is missing or damaged.
    """
    path = run / METRICS
    rows: list[dict[str, Any]] = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for line in csv.DictReader(file):
                row: dict[str, Any] = {"stage": line["stage"]}
                for name in ("seconds", "step", "loss", "validation", "learning_rate"):
                    if line[name]:
                        row[name] = float(line[name])
                if line["event"].startswith("diverged"):
                    row["loss"] = math.nan
                elif math.isnan(row.get("loss", 0.0)):
                    del row["loss"]
                rows.append(row)
    except (OSError, ValueError, KeyError) as error:
        raise FormatError(f"{path} is missing or damaged ({error}); usual cure: train again") from error
    if not rows:
        raise FormatError(f"{path} has no rows yet; usual cure: let the training run for a while")
    return rows


def kept_score(run: Path) -> tuple[float, bool]:
    """Return the best validation score of a run, and whether it is that of the untrained model.

    Raises:
        FormatError: if the run's file is missing or damaged, or the model was never validated.
    """
    scores = [row["validation"] for row in read_metrics(run) if "validation" in row]
    best = min((score for score in scores if math.isfinite(score)), default=None)
    if best is None:
        raise FormatError(f"{run} was never validated; usual cure: train it to its end")
    return best, best == scores[0]
