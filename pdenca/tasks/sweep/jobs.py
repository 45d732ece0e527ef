"""From combinations to jobs: what each needs is checked before the first of them has cost its time."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from pdenca.core import BadInputError
from pdenca.datasets import data_files, splits_of
from pdenca.evaluation import DERIVED
from pdenca.training.loop import BEST, LAST, METRICS

from ..emulation import continues
from ..figures import is_run, pick
from ..models import build_model, read_run
from ..rivals import TUNED, baseline_rows
from ..settings import EmulationSettings
from ..splits import expand_splits, known_splits, list_splits
from ..stages import require_data_for
from ..training_data import DataScales, TrainingWindows, measure_scales
from .plan import Combination
from .record import Record, read_record
from .settings import SweepEvaluation, SweepSettings

RUNS, RECORDS = "runs", "records"
_SAME_FOR_ALL: Final = ("data", "baselines", "splits")
"""Settings of the scores that are told in other words, or change no row of a run."""


@dataclass(frozen=True, eq=False)
class Job:
    """One piece of work: a combination that is trained and scored, or the baselines of a dataset.

    Arguments:
        out: folder of the sweep.
        name: of its run and its record.
        data: the dataset to train on; of baselines the one to score on.
        scored_on: the dataset to score on.
        regimes: which of its regimes; None: all.
        splits: to score on.
        evaluation: how.
        settings: of the training; None: baselines, which need none.
        training: what decides the training, as plain values; None: no training.
        scoring: what decides the scores, likewise.
    """

    out: Path
    name: str
    data: Path
    scored_on: Path
    regimes: tuple[str, ...] | None
    splits: tuple[str, ...]
    evaluation: SweepEvaluation
    settings: EmulationSettings | None
    training: dict[str, Any] | None
    scoring: dict[str, Any]

    @property
    def run(self) -> Path:
        """Folder of its run."""
        return self.out / RUNS / self.name

    @property
    def path(self) -> Path:
        """Of its record."""
        return self.out / RECORDS / f"{self.name}.json"

    @property
    def begun(self) -> bool:
        """Whether there is a training to go on with."""
        return is_run(self.run) and any((self.run / name).is_file() for name in (LAST, BEST, METRICS))

    def record(self) -> Record | None:
        """Return what became of it, if it was made as it would be made now.

        Raises:
            FormatError: if its record is damaged.
        """
        found = read_record(self.path)
        return found if found is not None and found.is_of(self.training, self.scoring) else None


class Jobs:
    """All jobs of a sweep, checked.

    Arguments:
        sweep: its settings.
        combinations: of its grid.
        out: its folder.

    Attributes:
        of_runs: one per combination.
        of_baselines: one per dataset and choice of regimes that runs are scored on.

    Raises:
        BadInputError: for a dataset, regime, split or baseline that there is not; for a combination that
            does not fit its data; or if the folder holds a run of that name with other settings or data.
        FormatError: if it is no dataset, or a file is damaged.
    """

    def __init__(self, sweep: SweepSettings, combinations: Sequence[Combination], out: Path) -> None:
        self._out, self._evaluation = out, sweep.evaluate
        self._scales: dict[tuple[Path, tuple[str, ...] | None], DataScales] = {}
        self._scored: dict[tuple[Path, tuple[str, ...] | None], tuple[tuple[str, ...], dict[str, Any]]] = {}
        self._fitting: set[tuple[str, Path, tuple[str, ...] | None]] = set()
        self.of_runs = [self._of_run(item) for item in combinations]
        self.of_baselines = [self._of_baselines(*place) for place in self._scored if sweep.evaluate.baselines]

    def _of_run(self, item: Combination) -> Job:
        data = Path(item.data)
        scored_on = Path(self._evaluation.data or item.data)
        scales = self._scales_of(data, item.regimes)
        splits, scoring = self._scoring_of(scored_on, item.regimes)
        self._require_fit(item, data, scales)
        job = Job(
            self._out,
            item.name,
            data,
            scored_on,
            item.regimes,
            splits,
            self._evaluation,
            item.settings,
            {"settings": json.loads(item.settings.to_json()), "scales": json.loads(scales.to_json())},
            scoring,
        )
        if job.begun:
            before, measured = read_run(job.run)
            if not continues(before, item.settings) or measured != scales:
                raise BadInputError(
                    f"{job.run} was trained with other settings or data; usual cure: another --out, or "
                    "delete that folder"
                )
        return job

    def _of_baselines(self, data: Path, regimes: tuple[str, ...] | None) -> Job:
        splits, scoring = self._scored[data, regimes]
        number = list(self._scored).index((data, regimes))
        told = {**scoring, "baselines": list(self._evaluation.baselines)}
        name = f"baselines-{number}"
        return Job(self._out, name, data, data, regimes, splits, self._evaluation, None, None, told)

    def _scales_of(self, data: Path, regimes: tuple[str, ...] | None) -> DataScales:
        if (data, regimes) not in self._scales:
            data_files(data, "valid", regimes)
            self._scales[data, regimes] = measure_scales(data, regimes)
        return self._scales[data, regimes]

    def _scoring_of(
        self, data: Path, regimes: tuple[str, ...] | None
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Return the splits of a dataset that are scored, and all that decides the scores."""
        if (data, regimes) not in self._scored:
            splits = _splits_of(data, regimes, self._evaluation.splits)
            scales = measure_scales(data)
            known = (*baseline_rows([], scales), *TUNED)
            for name in self._evaluation.baselines:
                pick("baseline", name, known)
            told = json.loads(self._evaluation.to_json())
            told = {name: value for name, value in told.items() if name not in _SAME_FOR_ALL}
            told |= {
                "splits": list(splits),
                "regimes": None if regimes is None else list(regimes),
                "scales": json.loads(scales.to_json()),
            }
            self._scored[data, regimes] = splits, told
        return self._scored[data, regimes]

    def _require_fit(self, item: Combination, data: Path, scales: DataScales) -> None:
        """Refuse a combination whose model cannot be built or whose stages the data cannot serve."""
        settings = item.settings.replace(seed=0)  # no seed changes that
        key = (settings.to_json(), data, item.regimes)
        if key in self._fitting:
            return
        try:
            windows = TrainingWindows(data, item.regimes, torch.float64, settings.train_trajectories)
            require_data_for(settings.stages, windows, build_model(settings, scales, torch.float64))
        except BadInputError as error:
            raise BadInputError(f"combination {item.label}: {error}") from None
        self._fitting.add(key)


def _splits_of(data: Path, regimes: tuple[str, ...] | None, asked: Iterable[str] | None) -> tuple[str, ...]:
    stored = splits_of(data)
    if asked is None:
        splits = list_splits(data)
    else:
        known = known_splits(data)
        splits = expand_splits(data, [pick("split", name, known) for name in asked])
    if not splits:
        raise BadInputError(f"{data} has no split to score on; usual cure: `pdenca generate` with test")
    for split in splits:
        data_files(data, split if split in stored else DERIVED[split].base, regimes)
    return splits
