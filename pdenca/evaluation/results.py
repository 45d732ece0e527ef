"""What an evaluation leaves behind: rows, error curves and a few example trajectories."""

import csv
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64

from pdenca.core import FormatError, atomic_path, write_text

from .settings import ALL_REGIMES, EvaluationSettings

ROWS_FILE = "rows.json"
CURVES_FILE = "curves.csv"
EXAMPLES_FILE = "examples.npz"
SETTINGS_FILE = "settings.json"
REMARKS_FILE = "remarks.json"


@dataclass(frozen=True)
class Row:
    """One number of the results table.

    Attributes:
        model: name of the emulator.
        split: which data.
        regime: which regime of it, ``"all"`` for all pooled.
        metric: a key of :data:`~pdenca.evaluation.METRICS`.
        window: predicted frames scored, ``"1"`` or ``"6:12"``, 1-based and inclusive.
        value: the score; NaN or infinite where a prediction diverged.
        low: lower end of the bootstrap interval; NaN where there is none.
        high: upper end; NaN where there is none.
    """

    model: str
    split: str
    regime: str
    metric: str
    window: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class CurvePoint:
    """Pooled VRMSE of one predicted frame.

    Attributes:
        model: name of the emulator.
        split: which data.
        regime: which regime of it, ``"all"`` for all pooled.
        frame: predicted frame, from 1.
        time: physical time since the last given frame.
        value: the score; NaN or infinite where a prediction diverged.
        low: lower end of the bootstrap interval; NaN where there is none.
        high: upper end; NaN where there is none.
    """

    model: str
    split: str
    regime: str
    frame: int
    time: float
    value: float
    low: float
    high: float


class Curve(NamedTuple):
    """One model's error over time, as drawing functions take it.

    Attributes:
        time: physical time since the last given frame.
        value: pooled VRMSE.
        low: lower end of the bootstrap interval; NaN where there is none.
        high: upper end.
    """

    time: Float64[np.ndarray, " frame"]
    value: Float64[np.ndarray, " frame"]
    low: Float64[np.ndarray, " frame"]
    high: Float64[np.ndarray, " frame"]


@dataclass(frozen=True, eq=False)
class Example:
    """The first trajectory of a case, kept for pictures.

    Attributes:
        split: where it comes from.
        regime: where it comes from.
        field_names: of the channels.
        frames: which predicted frames are kept, from 1.
        truth: those frames of the truth.
        predictions: those frames of each model.
    """

    split: str
    regime: str
    field_names: tuple[str, ...]
    frames: Int64[np.ndarray, " time"]
    truth: Float32[np.ndarray, "time channel *space"]
    predictions: dict[str, Float32[np.ndarray, "time channel *space"]]


@dataclass(frozen=True)
class Refusal:
    """A model that could not be scored on a case, and why: it has no rows there.

    Attributes:
        model: name of the emulator.
        split: which data.
        regime: which regime of it.
        reason: what it said.
    """

    model: str
    split: str
    regime: str
    reason: str


@dataclass(frozen=True, eq=False)
class Results:
    """Everything :func:`~pdenca.evaluation.evaluate` found out.

    Attributes:
        rows: the table, one number each.
        curves: pooled VRMSE of every predicted frame.
        examples: one trajectory per split and regime.
        settings: the protocol behind them.
        refusals: which models are missing where, and why.
        notes: split -> what is to be known about its truth, for derived splits.
    """

    rows: list[Row]
    curves: list[CurvePoint]
    examples: list[Example] = field(default_factory=list)
    settings: EvaluationSettings = field(default_factory=EvaluationSettings)
    refusals: list[Refusal] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    def save(self, folder: Path | str) -> None:
        """Write rows.json, curves.csv, examples.npz, settings.json and remarks.json, each atomically.

        In rows.json a value that is not finite is ``null``: the model diverged there (a ``low`` or ``high``
        of ``null`` beside a number means that one trajectory gives no interval). In curves.csv it is empty.

        Arguments:
            folder: made if missing; files of an earlier run in it are replaced.
        """
        folder = Path(folder)
        write_text(folder / ROWS_FILE, rows_to_json(self.rows))
        write_text(folder / SETTINGS_FILE, self.settings.to_json() + "\n")
        remarks = {"refusals": [asdict(refusal) for refusal in self.refusals], "notes": self.notes}
        write_text(folder / REMARKS_FILE, json.dumps(remarks, indent=1) + "\n")
        with atomic_path(folder / CURVES_FILE) as path, path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(CurvePoint.__dataclass_fields__)
            for point in self.curves:
                writer.writerow("" if _is_blank(value) else value for value in asdict(point).values())
        arrays: dict[str, np.ndarray] = {}
        for example in self.examples:
            place = f"{example.split}/{example.regime}"
            arrays[f"{place}/fields"] = np.array(example.field_names)
            arrays[f"{place}/frames"] = example.frames
            arrays[f"{place}/truth"] = example.truth
            arrays |= {f"{place}/prediction/{name}": values for name, values in example.predictions.items()}
        with atomic_path(folder / EXAMPLES_FILE) as path, path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    def curves_of(self, split: str, regime: str = ALL_REGIMES) -> dict[str, Curve]:
        """Return the error curves of one split and regime, ready to be drawn.

        Arguments:
            split: which data.
            regime: which regime of it, ``"all"`` for all pooled.

        Returns:
            Model name -> arrays of time, value, low and high over the predicted frames; empty if there is
            none.
        """
        points: dict[str, list[CurvePoint]] = {}
        for point in self.curves:
            if (point.split, point.regime) == (split, regime):
                points.setdefault(point.model, []).append(point)
        return {
            model: Curve(*np.array([(p.time, p.value, p.low, p.high) for p in of_model]).T)
            for model, of_model in points.items()
        }

    @classmethod
    def load(cls, folder: Path | str) -> "Results":
        """Read back what :meth:`save` wrote; ``null`` and empty cells become NaN.

        Raises:
            FormatError: if a file is missing or damaged.
        """
        folder = Path(folder)
        rows = load_rows(folder / ROWS_FILE)
        try:
            settings = EvaluationSettings.from_json((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
            curves = _load_curves(folder / CURVES_FILE)
            examples = _load_examples(folder / EXAMPLES_FILE)
            refusals, notes = _load_remarks(folder / REMARKS_FILE)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FormatError(
                f"{folder} does not hold whole evaluation results ({error}); usual cure: evaluate again"
            ) from error
        return cls(rows, curves, examples, settings, refusals, notes)


def rows_to_json(rows: Iterable[Row]) -> str:
    """Return rows as a JSON list of objects, non-finite numbers as ``null``, one row a line."""
    lines = (
        json.dumps({key: None if _is_blank(value) else value for key, value in asdict(row).items()})
        for row in rows
    )
    return "[\n" + ",\n".join(lines) + "\n]\n"


def load_rows(path: Path | str) -> list[Row]:
    """Read a rows.json; ``null`` becomes NaN.

    Raises:
        FormatError: if the file is missing or is not such a list.
    """
    path = Path(path)
    try:
        items = json.loads(path.read_text(encoding="utf-8"))
        rows = []
        for item in items:
            numbers = {
                key: math.nan if item[key] is None else float(item[key]) for key in ("value", "low", "high")
            }
            rows.append(Row(**{**item, **numbers}))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(
            f"{path} is not a list of result rows ({error}); usual cure: evaluate again"
        ) from error
    return rows


def _is_blank(value: str | int | float) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _load_remarks(path: Path) -> tuple[list[Refusal], dict[str, str]]:
    if not path.is_file():  # results of the first version had none
        return [], {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return [Refusal(**item) for item in content["refusals"]], dict(content["notes"])


def _load_curves(path: Path) -> list[CurvePoint]:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            CurvePoint(
                item["model"],
                item["split"],
                item["regime"],
                int(item["frame"]),
                float(item["time"]),
                *(float(item[key]) if item[key] else math.nan for key in ("value", "low", "high")),
            )
            for item in csv.DictReader(file)
        ]


def _load_examples(path: Path) -> list[Example]:
    with np.load(path, allow_pickle=False) as arrays:
        places = [name.removesuffix("/truth") for name in arrays.files if name.endswith("/truth")]
        examples = []
        for place in places:
            split, regime = place.split("/")
            prefix = f"{place}/prediction/"
            predictions = {
                name.removeprefix(prefix): arrays[name] for name in arrays.files if name.startswith(prefix)
            }
            fields = tuple(str(name) for name in arrays[f"{place}/fields"])
            examples.append(
                Example(
                    split, regime, fields, arrays[f"{place}/frames"], arrays[f"{place}/truth"], predictions
                )
            )
    return examples
