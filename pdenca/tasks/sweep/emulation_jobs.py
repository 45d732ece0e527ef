"""Jobs that are emulators: trained on a dataset, scored on its splits, beside baselines."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from pdenca.core import BadInputError, StabilityError
from pdenca.datasets import data_files, splits_of
from pdenca.evaluation import DERIVED, Refusal, Results, Row
from pdenca.training import TrainingProgress
from pdenca.training.loop import BEST

from ..emulation import continues, evaluate_runs, load_run, train_emulator
from ..figures import is_run, pick
from ..models import build_model, read_run
from ..pretrained import PRETRAINED, pretrained_folder
from ..rivals import TUNED, baseline_rows
from ..settings import EmulationSettings
from ..splits import expand_splits, known_splits, list_splits
from ..stages import require_data_for
from ..training_data import DataScales, TrainingWindows, measure_scales
from .jobs import Job, Jobs, Tell, TrainedJob
from .plan import Combination
from .settings import SweepEvaluation, SweepSettings

COMPANION: Final = "persistence"
"""Scored beside a run that refuses a case, since an evaluation needs one row at least on each."""
_SAME_FOR_ALL: Final = ("data", "baselines", "references", "splits")
"""Settings of the scores that are told in other words, or change no row of a run."""


@dataclass(frozen=True, eq=False)
class _Scored(Job):
    """What is scored on splits of a dataset.

    Arguments:
        splits: which.
        evaluation: how.
    """

    splits: tuple[str, ...]
    evaluation: SweepEvaluation

    def _score(
        self, runs: Mapping[str, Path], baselines: tuple[str, ...], tell: Tell
    ) -> tuple[list[Row], list[Refusal]]:
        """Score a run or baselines, split by split, so that a split that is refused costs no other one."""
        rows: list[Row] = []
        refusals: list[Refusal] = []
        wanted = (*runs, *baselines)
        for number, split in enumerate(self.splits):
            tell(number / len(self.splits), f"scored on {split}")
            results = self._evaluate(runs, baselines, split)
            rows += [row for row in results.rows if row.model in wanted]
            refusals += [item for item in results.refusals if item.model in (*wanted, "patterns")]
        return rows, refusals

    def _evaluate(self, runs: Mapping[str, Path], baselines: tuple[str, ...], split: str) -> Results:
        def score(names: tuple[str, ...]) -> Results:
            return evaluate_runs(
                runs,
                self.scored_on,
                [split],
                self.evaluation.protocol,
                max_trajectories=self.evaluation.max_trajectories,
                with_baselines=names,
                finer=self.evaluation.finer,
                regimes=self.regimes,
            )

        try:
            return score(baselines)
        except (BadInputError, StabilityError):
            if COMPANION in baselines:
                raise
            return score((*baselines, COMPANION))


@dataclass(frozen=True, eq=False)
class EmulatorJob(_Scored, TrainedJob):
    """One emulator.

    Arguments:
        data: the dataset to train on.
        settings: of the training.
    """

    data: Path
    settings: EmulationSettings

    def train(self, progress: Callable[[TrainingProgress], None]) -> None:
        """Train it, or go on where that stopped."""
        train_emulator(
            self.data, self.run, self.settings, resume=True, regimes=self.regimes, progress=progress
        )

    def num_parameters(self) -> int:
        """Return how many numbers were learned."""
        return load_run(self.run).num_parameters

    def score(self, tell: Tell) -> tuple[list[Row], list[Refusal]]:
        """Return its scores, and what refused it."""
        return self._score({self.name: self.run}, (), tell)

    @property
    def begun(self) -> bool:
        """Whether there is a training to go on with."""
        return is_run(self.run) and super().begun


class BaselinesJob(_Scored):
    """The baselines of a dataset."""

    def score(self, tell: Tell) -> tuple[list[Row], list[Refusal]]:
        """Return their scores, and what refused them."""
        return self._score({}, self.evaluation.baselines, tell)


@dataclass(frozen=True, eq=False)
class ReferencesJob(_Scored):
    """Trained models that stand beside the runs of a sweep.

    Arguments:
        references: name -> folder of its run.
    """

    references: Mapping[str, Path]

    def score(self, tell: Tell) -> tuple[list[Row], list[Refusal]]:
        """Return their scores, and what refused them."""
        return self._score(self.references, (), tell)


def emulation_jobs(sweep: SweepSettings, combinations: Sequence[Combination], out: Path) -> Jobs:
    """Return the jobs of a sweep of emulators; of baselines and references one per dataset and regimes.

    Arguments:
        sweep: its settings.
        combinations: of its grid.
        out: its folder.

    Raises:
        BadInputError: for a dataset, regime, split, baseline or reference that there is not; for a
            combination that does not fit its data; or if the folder holds a run of that name with other
            settings or data.
        FormatError: if it is no dataset, or a file is damaged.
    """
    checks = _Checks(sweep.evaluate, out)
    runs = [checks.of_run(item) for item in combinations]
    return Jobs(runs, [*checks.of_baselines(), *checks.of_references()])


class _Checks:
    """Looks at every dataset once."""

    def __init__(self, evaluation: SweepEvaluation, out: Path) -> None:
        self._out, self._evaluation = out, evaluation
        self._scales: dict[tuple[Path, tuple[str, ...] | None], DataScales] = {}
        self._scored: dict[tuple[Path, tuple[str, ...] | None], tuple[tuple[str, ...], dict[str, Any]]] = {}
        self._fitting: set[tuple[str, Path, tuple[str, ...] | None]] = set()

    def of_run(self, item: Combination) -> TrainedJob:
        """Return the job of a combination."""
        assert isinstance(item.settings, EmulationSettings), "the sweep has read the settings of its kind"
        data = Path(item.data)
        scored_on = Path(self._evaluation.data or item.data)
        scales = self._scales_of(data, item.regimes)
        splits, scoring = self._scoring_of(scored_on, item.regimes)
        self._require_fit(item.label, item.settings, data, item.regimes)
        job = EmulatorJob(
            self._out,
            item.name,
            scored_on,
            item.regimes,
            {"settings": json.loads(item.settings.to_json()), "scales": json.loads(scales.to_json())},
            scoring,
            splits,
            self._evaluation,
            data,
            item.settings,
        )
        if job.begun:
            before, measured = read_run(job.run)
            job.require_same(continues(before, item.settings) and measured == scales)
        return job

    def of_baselines(self) -> list[Job]:
        """Return the jobs of the baselines beside all runs so far."""
        wanted = list(self._evaluation.baselines)
        return [
            BaselinesJob(
                self._out,
                f"baselines-{number}",
                data,
                regimes,
                None,
                {**scoring, "baselines": wanted},
                splits,
                self._evaluation,
            )
            for number, ((data, regimes), (splits, scoring)) in enumerate(self._scored.items())
            if wanted
        ]

    def of_references(self) -> list[Job]:
        """Return the jobs of the trained models beside all runs so far."""
        folders = {name: _folder_of(place) for name, place in self._evaluation.references.items()}
        known = {name: hashlib.sha256(_content(folder)).hexdigest() for name, folder in folders.items()}
        return [
            ReferencesJob(
                self._out,
                f"references-{number}",
                data,
                regimes,
                None,
                {**scoring, "references": known},
                splits,
                self._evaluation,
                folders,
            )
            for number, ((data, regimes), (splits, scoring)) in enumerate(self._scored.items())
            if folders
        ]

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

    def _require_fit(
        self, label: str, settings: EmulationSettings, data: Path, regimes: tuple[str, ...] | None
    ) -> None:
        """Refuse a combination whose model cannot be built or whose stages the data cannot serve."""
        settings = settings.replace(seed=0)  # no seed changes that
        key = (settings.to_json(), data, regimes)
        if key in self._fitting:
            return
        scales = self._scales_of(data, regimes)
        try:
            windows = TrainingWindows(data, regimes, torch.float64, settings.train_trajectories)
            require_data_for(settings.stages, windows, build_model(settings, scales, torch.float64))
        except BadInputError as error:
            raise BadInputError(f"combination {label}: {error}") from None
        self._fitting.add(key)


def _folder_of(place: str) -> Path:
    """Return the folder of a run, or of a model that comes with the package."""
    return pretrained_folder(place) if place in PRETRAINED else Path(place)


def _content(folder: Path) -> bytes:
    """Return what tells a trained model from any other, once it is known to be one.

    Raises:
        BadInputError: if the folder holds no trained model.
        FormatError: if that is damaged.
    """
    if not (folder / BEST).is_file():
        raise BadInputError(
            f"the reference {folder} holds no trained model; usual cure: train it first, or name one of "
            f"{', '.join(PRETRAINED)}"
        )
    load_run(folder)
    return (folder / BEST).read_bytes()


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
