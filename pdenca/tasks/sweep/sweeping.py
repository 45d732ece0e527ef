"""A sweep from its settings to its table, over as many sittings as it takes."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pdenca.core import BadInputError, FormatError, write_text
from pdenca.core.alone import alone
from pdenca.core.helpers import num_cores
from pdenca.evaluation import format_number

from .crew import do_here, do_with_processes
from .emulation_jobs import emulation_jobs
from .grid import GridSettings
from .image_jobs import image_jobs
from .jobs import Job, Jobs
from .plan import Combination, list_combinations
from .record import Record
from .settings import ImageSweepSettings, SweepSettings
from .table import Done, write_facts, write_table

SETTINGS: Final = "sweep.json"
WRITE_EVERY = 10.0
"""Seconds between two tables; the records are on disk in any case."""
Tell = Callable[[float | int, int, str], None]
"""Called with how many runs are done, of how many, and what is going on."""
Say = Callable[[str], None]
"""Called with one sentence for every run that is finished."""


@dataclass(frozen=True)
class Summary:
    """What a sweep made.

    Arguments:
        table: the table's path.
        facts: the path of the facts beside it.
        num_runs: of the grid.
        num_now: of them, how many this sitting did.
        failed: run, or baselines of a dataset -> why it is not done.
    """

    table: Path
    facts: Path
    num_runs: int
    num_now: int
    failed: dict[str, str]


@dataclass(frozen=True)
class Planned:
    """One line of a plan.

    Arguments:
        name: of the run.
        state: ``done``, ``diverged``, ``failed``, ``begun`` or ``to do``.
        reason: why it is not done.
    """

    name: str
    state: str
    reason: str


def plan_sweep(sweep: GridSettings, out: Path) -> list[Planned]:
    """Check a sweep as if it were run, and say how far each of its runs is. Nothing is written.

    Raises:
        BadInputError: as :func:`run_sweep`.
        FormatError: likewise.
    """
    _require_own(sweep, out)
    combinations = list_combinations(sweep)
    planned = []
    for item, job in zip(combinations, _jobs(sweep, combinations, out).of_runs, strict=True):
        record = job.record()
        state = "begun" if job.begun else "to do"
        if record is not None:
            state = record.status
        planned.append(Planned(item.name, state, "" if record is None else record.reason))
    return planned


def run_sweep(
    sweep: GridSettings,
    out: Path,
    *,
    num_workers: int | None = None,
    command: str = "",
    tell: Tell | None = None,
    say: Say | None = None,
) -> Summary:
    """Train and score every combination that is not done yet, and write the table.

    The folder becomes ``runs/`` (one training run each), ``records/`` (what became of each), ``table.csv``
    and ``table.json``. Whatever cuts it short, the same call goes on: what is done is kept, trainings resume
    from their checkpoints, and the numbers are those of an undisturbed sweep, however many workers make it. A
    larger grid in the same folder keeps the runs that both have. Runs that diverged are not tried again, runs
    that failed for another reason are.

    Arguments:
        sweep: its settings.
        out: its folder.
        num_workers: processes of one thread each; None: one per core.
        command: what the facts say made the table.
        tell: told where it is.
        say: told of every run that is finished, in a sentence.

    Returns:
        Paths of the table and the facts, and which runs failed.

    Raises:
        BadInputError: before anything is trained: for a combination whose settings are wrong or do not fit
            its data, with its name; for datasets, splits, regimes or baselines that there are not; if the
            folder holds something else, or a run of the same name made otherwise; if another process sweeps
            there.
        FormatError: if a dataset or a file of the folder is damaged.
        OSError: if something cannot be read or written.
    """
    if num_workers is not None and num_workers < 1:
        raise BadInputError(f"num_workers must be at least 1, got {num_workers}")
    _require_own(sweep, out)
    combinations = list_combinations(sweep)
    # the folder is made only for a sweep that is right
    jobs = None if out.exists() else _jobs(sweep, combinations, out)
    with alone(out, "sweeping"):
        jobs = jobs or _jobs(sweep, combinations, out)
        write_text(out / SETTINGS, sweep.to_json() + "\n")
        sitting = _Sitting(sweep, out, command, combinations, jobs, tell, say)
        workers = min(num_workers or num_cores(), max(1, len(sitting.to_do)))
        try:
            if workers == 1:
                do_here(sitting.to_do, sitting)
            else:
                do_with_processes(sitting.to_do, workers, sitting)
        finally:
            table, facts = sitting.write()
    failed = {job.name: record.reason for job, _, record in sitting.done() if record.status != "done"}
    return Summary(table, facts, len(combinations), sitting.num_ended, failed)


class _Sitting:
    """Listens to the jobs, counts them and keeps the table up to date."""

    def __init__(
        self,
        sweep: GridSettings,
        out: Path,
        command: str,
        combinations: Sequence[Combination],
        jobs: Jobs,
        tell: Tell | None,
        say: Say | None,
    ) -> None:
        self._sweep, self._out, self._command, self._tell, self._say = sweep, out, command, tell, say
        self._jobs = jobs
        self._combinations: dict[Job, Combination] = dict(zip(jobs.of_runs, combinations, strict=True))
        every = [*jobs.of_baselines, *jobs.of_runs]  # what no run can be scored on is found first
        self._records = {job: job.record() for job in every}
        self.to_do = [job for job in every if _is_left(self._records[job])]
        self._left = sum(job in self._combinations for job in self.to_do)
        self._shares: dict[Job, float] = {}
        self._written = time.monotonic()
        self.num_ended = 0

    def done(self) -> list[Done]:
        """Return what is done, the runs in the order of the grid, then the baselines."""
        order = [*self._jobs.of_runs, *self._jobs.of_baselines]
        records = ((job, self._records[job]) for job in order)
        return [(job, self._combinations.get(job), record) for job, record in records if record is not None]

    def write(self) -> tuple[Path, Path]:
        """Write table and facts of what is done by now."""
        done, num_planned = self.done(), len(self._combinations)
        facts = write_facts(self._out, self._sweep, self._command, num_planned, done)
        return write_table(self._out, self._sweep, done), facts

    def moved(self, job: Job, share: float | int, message: str) -> None:
        """So much of a job is done."""
        self._shares[job] = float(share)
        if self._tell:
            before = len(self._records) - len(self.to_do)
            self._tell(before + sum(self._shares.values()), len(self._records), f"{job.name}: {message}")

    def ended(self, job: Job, record: Record) -> None:
        """A job is done, or will not be."""
        self._records[job], self._shares[job] = record, 1.0
        if job in self._combinations:
            self._left -= 1
            self.num_ended += 1
            if self._say:
                self._say(f"{self._combinations[job].label}: {self._outcome(record)}; {self._left} left")
        if time.monotonic() - self._written >= WRITE_EVERY:
            self.write()
            self._written = time.monotonic()

    def dropped(self, job: Job, how: str) -> None:
        """The process of a job died; the job is tried once more."""
        self._shares.pop(job, None)
        if self._say:
            self._say(f"{job.name}: its worker {how}; it is tried once more")

    def _outcome(self, record: Record) -> str:
        if record.status != "done":
            return f"{record.status}, {record.reason}"
        shown = self._sweep.figures
        row = record.headline(shown.metrics[0], shown.window or shown.USUAL, shown.regime)
        trained = f"trained for {record.training_seconds:.3g} s"
        if row is None:
            return trained
        return f"{row.metric} {format_number(row.value)} ({row.split}, {row.window}), {trained}"


def _jobs(sweep: GridSettings, combinations: Sequence[Combination], out: Path) -> Jobs:
    if isinstance(sweep, ImageSweepSettings):
        return image_jobs(sweep, combinations, out)
    assert isinstance(sweep, SweepSettings), "there are two kinds of sweeps"
    return emulation_jobs(sweep, combinations, out)


def _is_left(record: Record | None) -> bool:
    """Return whether there is something to do: nothing was done, or it failed, and may not fail again."""
    return record is None or record.status == "failed"


def _require_own(sweep: GridSettings, out: Path) -> None:
    """Refuse a folder that holds something else than a sweep of this kind."""
    if not (out.is_dir() and any(out.iterdir())):
        return
    path = out / SETTINGS
    if not path.is_file():
        raise BadInputError(f"{out} is not empty and holds no sweep; usual cure: another --out")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        before = told.get("task", "emulation")
    except (OSError, ValueError, AttributeError) as error:
        raise FormatError(f"{path} is damaged ({error}); usual cure: another --out") from None
    if before != sweep.task:
        raise BadInputError(f"{out} holds a sweep of the task {before!r}; usual cure: another --out")
