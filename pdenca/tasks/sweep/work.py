"""Doing one job: the project's training, then the project's evaluation, then a record of both."""

import time
import traceback
from typing import Any

from pdenca.core import NonFiniteError, PdencaError
from pdenca.training import TrainingProgress

from ..emulation import environment
from ..training_record import read_metrics
from .jobs import Job, Tell, TrainedJob
from .record import Record, Status

TRAINING_SHARE = 0.9


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
    record = _train_and_score(job, tell) if isinstance(job, TrainedJob) else _score_baselines(job, tell)
    record.write(job.path)
    return record


def lost(job: Job, how: str) -> Record:
    """Write the record of a job whose process died."""
    record = Record(job.training, job.scoring, "failed", environment(), reason=how)
    record.write(job.path)
    return record


def _score_baselines(job: Job, tell: Tell) -> Record:
    began = time.perf_counter()
    rows, refusals = job.score(tell)
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


def _train_and_score(job: TrainedJob, tell: Tell) -> Record:
    def course(now: TrainingProgress) -> None:
        share = (now.stage_index + now.step / now.num_steps) / now.num_stages
        tell(TRAINING_SHARE * share, f"{now.stage}, loss {now.loss:.3g}")

    try:
        job.train(course)
    except OSError:
        raise
    except Exception as error:  # whatever it is, the other runs can be trained
        return _failed(job, "diverged" if isinstance(error, NonFiniteError) else "failed", error)
    facts: dict[str, Any] = {"training_seconds": read_metrics(job.run)[-1]["seconds"]}

    def scored(share: float | int, message: str) -> None:
        tell(TRAINING_SHARE + (1 - TRAINING_SHARE) * share, message)

    began = time.perf_counter()
    try:
        facts["num_parameters"] = job.num_parameters()
        rows, refusals = job.score(scored)
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
