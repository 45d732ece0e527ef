"""What an evaluation leaves behind: rows, error curves and a few example trajectories."""

import csv
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from pdenca.core import FormatError, atomic_path, write_text

from .settings import ALL_REGIMES, EvaluationSettings

ROWS_FILE = "rows.json"
CURVES_FILE = "curves.csv"
EXAMPLES_FILE = "examples.npz"
SETTINGS_FILE = "settings.json"


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
    frames: Int64[np.ndarray, "time"]
    truth: Float32[np.ndarray, "time channel *space"]
    predictions: dict[str, Float32[np.ndarray, "time channel *space"]]


@dataclass(frozen=True, eq=False)
class Results:
    """Everything :func:`~pdenca.evaluation.evaluate` found out.

    Attributes:
        rows: the table, one number each.
        curves: pooled VRMSE of every predicted frame.
        examples: one trajectory per split and regime.
        settings: the protocol behind them.
    """

    rows: list[Row]
    curves: list[CurvePoint]
    examples: list[Example] = field(default_factory=list)
    settings: EvaluationSettings = field(default_factory=EvaluationSettings)

    def save(self, folder: Path | str) -> None:
        """Write rows.json, curves.csv, examples.npz and settings.json, each atomically.

        In rows.json a value that is not finite is ``null``: the model diverged there (a ``low`` or ``high``
        of ``null`` beside a number means that one trajectory gives no interval). In curves.csv it is empty.

        Arguments:
            folder: made if missing; files of an earlier run in it are replaced.
        """
        folder = Path(folder)
        write_text(folder / ROWS_FILE, rows_to_json(self.rows))
        write_text(folder / SETTINGS_FILE, self.settings.to_json() + "\n")
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
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FormatError(
                f"{folder} does not hold whole evaluation results ({error}); usual cure: evaluate again"
            ) from error
        return cls(rows, curves, examples, settings)


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


@dataclass(frozen=True)
class Degradation:
    """How much worse a model is off its training distribution than on it.

    Attributes:
        model: name of the emulator.
        split: the shifted data.
        window: predicted frames scored.
        value: score on the shifted data.
        in_distribution: score on the unshifted data.
        factor: value / in_distribution; 1 is no degradation, NaN if either diverged.
        reference_factor: the same ratio of the reference solver: what the shifted data themselves cost, such
            as finer or faster structures. NaN if it diverged or no reference was named.
    """

    model: str
    split: str
    window: str
    value: float
    in_distribution: float
    factor: float
    reference_factor: float


def degradation(
    rows: Sequence[Row],
    reference: str | None = None,
    *,
    metric: str = "pooled_vrmse",
    in_distribution: str = "test",
    regime: str = ALL_REGIMES,
) -> list[Degradation]:
    """Ratio of out-of-distribution to in-distribution score, beside the same ratio of a reference solver.

    A factor alone says little: data with finer structures are harder for every method on that grid. A model
    whose factor is about that of a solver of equal radius (the true equations with a stencil that sees as far
    as the model does) has lost nothing by the shift itself.

    Arguments:
        rows: as :func:`~pdenca.evaluation.evaluate` gives them.
        reference: model name of the solver to compare with.
        metric: an error (smaller is better).
        in_distribution: the split to divide by.
        regime: ``"all"`` or one that both splits have.

    Returns:
        One entry per model, shifted split and window that also exists in distribution.

    Raises:
        FormatError: if no row belongs to the reference or to the in-distribution split.
    """
    table = {
        (row.model, row.split, row.window): row.value
        for row in rows
        if row.metric == metric and row.regime == regime
    }
    models, splits = {key[0] for key in table}, {key[1] for key in table}
    for name, known, what in ((reference, models, "model"), (in_distribution, splits, "split")):
        if name is not None and name not in known:
            raise FormatError(
                f"no {metric} rows of {what} {name!r}; there are {', '.join(sorted(known)) or 'none'}"
            )
    found = []
    for (model, split, window), value in table.items():
        base = table.get((model, in_distribution, window))
        if split == in_distribution or base is None:
            continue
        reference_factor = math.nan
        if reference is not None:
            reference_factor = _ratio(
                table.get((reference, split, window)), table.get((reference, in_distribution, window))
            )
        found.append(Degradation(model, split, window, value, base, _ratio(value, base), reference_factor))
    return found


def _ratio(value: float | None, base: float | None) -> float:
    if value is None or base is None or not math.isfinite(value) or not math.isfinite(base):
        return math.nan
    return value / base if base else (math.inf if value else math.nan)


def _is_blank(value: str | int | float) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


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
