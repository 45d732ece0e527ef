"""What a sweep does piece by piece, whatever it trains."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pdenca.core import BadInputError
from pdenca.evaluation import Refusal, Row
from pdenca.training import TrainingProgress
from pdenca.training.loop import BEST, LAST, METRICS

from .record import Record, read_record

RUNS, RECORDS = "runs", "records"
Tell = Callable[[float | int, str], None]
"""Called with the share of something that is done, and what is going on."""


@dataclass(frozen=True, eq=False)
class Job(ABC):
    """One piece of work: a combination that is trained and scored, or baselines that stand beside.

    Arguments:
        out: folder of the sweep.
        name: of its run and its record.
        scored_on: the data to score on.
        regimes: which of their regimes; None: all.
        training: what decides the training, as plain values; None: no training.
        scoring: what decides the scores, likewise.
    """

    out: Path
    name: str
    scored_on: Path
    regimes: tuple[str, ...] | None
    training: dict[str, Any] | None
    scoring: dict[str, Any]

    @abstractmethod
    def score(self, tell: Tell) -> tuple[list[Row], list[Refusal]]:
        """Return the scores, and why there are none."""

    @property
    def run(self) -> Path:
        """Folder of its run."""
        return self.out / RUNS / self.name

    @property
    def path(self) -> Path:
        """Of its record."""
        return self.out / RECORDS / f"{self.name}.json"

    def record(self) -> Record | None:
        """Return what became of it, if it was made as it would be made now.

        Raises:
            FormatError: if its record is damaged.
        """
        found = read_record(self.path)
        return found if found is not None and found.is_of(self.training, self.scoring) else None


class TrainedJob(Job):
    """A combination: what is trained before it is scored."""

    @abstractmethod
    def train(self, progress: Callable[[TrainingProgress], None]) -> None:
        """Train its run, or go on where that stopped."""

    @abstractmethod
    def num_parameters(self) -> int:
        """Return how many numbers were learned."""

    @property
    def begun(self) -> bool:
        """Whether there is a training to go on with."""
        return any((self.run / name).is_file() for name in (LAST, BEST, METRICS))

    def require_same(self, same: bool) -> None:
        """Refuse to go on with a training that another call has begun.

        Raises:
            BadInputError: unless its settings and data are the ``same``.
        """
        if not same:
            raise BadInputError(
                f"{self.run} was trained with other settings or data; usual cure: another --out, or delete "
                "that folder"
            )


@dataclass(frozen=True)
class Jobs:
    """All jobs of a sweep, checked.

    Arguments:
        of_runs: one per combination.
        of_baselines: one per choice of data that runs are scored on.
    """

    of_runs: list[TrainedJob]
    of_baselines: list[Job]
