"""Doing one job: the project's training, then the project's evaluation, then a record of both."""

import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pdenca.core import BadInputError, NonFiniteError, PdencaError, StabilityError
from pdenca.evaluation import Refusal, Results, Row
from pdenca.training import TrainingProgress

from ..emulation import environment, evaluate_runs, load_run, train_emulator
from ..training_record import read_metrics
from .jobs import Job
from .record import Record, Status

Tell = Callable[[float | int, str], None]
"""Called with the share of a job that is done, and what is going on."""
TRAINING_SHARE = 0.9
COMPANION = "persistence"
"""Scored beside a run that refuses a case, since an evaluation needs one row at least on each."""


def do(job: Job, tell: Tell) -> Record:
    """Do a job and write its record; what was cut short goes on where it stopped.

    A run that diverges or cannot be trained or scored for another reason is recorded as that: it does not
    stop the others.

    Arguments:
        job: the job.
        tell: told how far it is.

    Returns:
        The record.

    Raises:
        OSError: if something cannot be read or written, which is no fault of the run.
        PdencaError: if the baselines cannot be scored, as then nothing can.
    """
    record = _score_baselines(job, tell) if job.settings is None else _train_and_score(job, tell)
    record.write(job.path)
    return record


def lost(job: Job, how: str) -> Record:
    """Write the record of a job whose process died."""
    record = Record(job.training, job.scoring, "failed", environment(), reason=how)
    record.write(job.path)
    return record


def _score_baselines(job: Job, tell: Tell) -> Record:
    began = time.perf_counter()
    rows, refusals = _score(job, {}, job.evaluation.baselines, tell)
    seconds = round(time.perf_counter() - began, 3)
    return Record(
        None,
        job.scoring,
        "done",
        environment(),
        rows=tuple(rows),
        refusals=tuple(refusals),
        scoring_seconds=seconds,
    )


def _train_and_score(job: Job, tell: Tell) -> Record:
    assert job.settings is not None, "baselines are not trained"

    def course(now: TrainingProgress) -> None:
        share = (now.stage_index + now.step / now.num_steps) / now.num_stages
        tell(TRAINING_SHARE * share, f"{now.stage}, loss {now.loss:.3g}")

    try:
        train_emulator(job.data, job.run, job.settings, resume=True, regimes=job.regimes, progress=course)
    except OSError:
        raise
    except Exception as error:  # whatever it is, the other runs can be trained
        return _failed(job, "diverged" if isinstance(error, NonFiniteError) else "failed", error)
    facts: dict[str, Any] = {
        "training_seconds": read_metrics(job.run)[-1]["seconds"],
        "num_parameters": load_run(job.run).num_parameters,
    }
    began = time.perf_counter()
    try:
        rows, refusals = _score(job, {job.name: job.run}, (), tell)
    except OSError:
        raise
    except Exception as error:
        return _failed(job, "failed", error, "trained, but not scored: ", **facts)
    facts["scoring_seconds"] = round(time.perf_counter() - began, 3)
    return Record(
        job.training,
        job.scoring,
        "done",
        environment(),
        rows=tuple(rows),
        refusals=tuple(refusals),
        **facts,
    )


def _failed(job: Job, status: Status, error: Exception, before: str = "", **facts: Any) -> Record:  # noqa: ANN401
    kind = "" if isinstance(error, PdencaError) else f"{type(error).__name__}: "
    return Record(
        job.training,
        job.scoring,
        status,
        environment(),
        reason=" ".join(f"{before}{kind}{error}".split()),
        trace="".join(traceback.format_exception(error)),
        **facts,
    )


def _score(
    job: Job, runs: Mapping[str, Path], baselines: tuple[str, ...], tell: Tell
) -> tuple[list[Row], list[Refusal]]:
    """Score a run or baselines, split by split, so that a split that is refused costs no other one."""
    rows: list[Row] = []
    refusals: list[Refusal] = []
    wanted = (*runs, *baselines)
    before = TRAINING_SHARE if runs else 0.0
    for number, split in enumerate(job.splits):
        tell(before + (1 - before) * number / len(job.splits), f"scored on {split}")
        results = _evaluate(job, runs, baselines, split)
        rows += [row for row in results.rows if row.model in wanted]
        refusals += [item for item in results.refusals if item.model in (*wanted, "patterns")]
    return rows, refusals


def _evaluate(job: Job, runs: Mapping[str, Path], baselines: tuple[str, ...], split: str) -> Results:
    def score(names: tuple[str, ...]) -> Results:
        return evaluate_runs(
            runs,
            job.scored_on,
            [split],
            job.evaluation.protocol,
            max_trajectories=job.evaluation.max_trajectories,
            with_baselines=names,
            finer=job.evaluation.finer,
            regimes=job.regimes,
        )

    try:
        return score(baselines)
    except (BadInputError, StabilityError):
        if COMPANION in baselines:
            raise
        return score((*baselines, COMPANION))
