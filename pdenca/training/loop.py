"""The training loop, once, for every task: stages, validation, checkpoints, divergence, resume.

A run is a sequence of stages; a stage is an objective and a fitter. What a stage does is a function of the
parameters it starts from and of seeds, so that a run killed at any moment and resumed ends with the same
parameters, bit for bit on one CPU. Checkpoints may therefore be taken whenever some seconds have passed.
"""

import csv
import io
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import torch
from torch import Tensor

from pdenca.core import BadInputError, FormatError, Learned, NonFiniteError, write_text

from .checkpoint import copy_tree, load_tree, save_tree
from .fitters import Fitter
from .fitters.base import trainable
from .objectives import Objective

COLUMNS: Final = ("step", "seconds", "stage", "loss", "validation", "learning_rate", "event")
TINY_LOSS: Final = 1e-12  # below it losses are rounding, and their ratios mean nothing
LAST, BEST, METRICS = "last.safetensors", "best.safetensors", "metrics.csv"
Model = TypeVar("Model", bound=Learned)


@dataclass(frozen=True)
class Stage(Generic[Model]):
    """A part of a training run.

    Attributes:
        name: shown and logged.
        num_steps: at most this many steps of the fitter; it may converge earlier.
        build: makes the objective and the fitter for the model as it is when the stage begins.
        validate_every: steps between validations; the stage's end is always validated.
        patience: end the stage after so many validations in a row none of which was lower than the stage's
            best by ``PLATEAU``; None: never.
    """

    name: str
    num_steps: int
    build: Callable[[Model], tuple[Objective, Fitter]]
    validate_every: int = 1
    patience: int | None = None

    def __post_init__(self) -> None:
        if self.num_steps < 1 or self.validate_every < 1:
            raise BadInputError(
                f"stage {self.name!r} needs at least one step and a validation interval of at least 1, got "
                f"{self.num_steps} and {self.validate_every}"
            )
        if self.patience is not None and self.patience < 1:
            raise BadInputError(f"stage {self.name!r} needs a patience of at least 1, got {self.patience}")


class Plateau:
    """Whether validation has stopped improving.

    Arguments:
        patience: how many validations in a row may stay above (1 - ``least_gain``) times the best before
            them; None: any number.
        least_gain: relative.
    """

    def __init__(self, patience: int | None, least_gain: float) -> None:
        self.patience, self.least_gain = patience, least_gain
        self.best, self.num_stale = math.inf, 0

    def see(self, score: float) -> None:
        """Take note of a validation; one that is not finite is no improvement."""
        if score < (1 - self.least_gain) * self.best:
            self.best, self.num_stale = score, 0
        else:
            self.num_stale += 1

    @property
    def reached(self) -> bool:
        """Whether patience is at its end."""
        return self.patience is not None and self.num_stale >= self.patience


@dataclass(frozen=True)
class TrainingProgress:
    """Where a run stands, for progress bars."""

    stage: str
    stage_index: int
    num_stages: int
    step: int
    num_steps: int
    loss: float
    validation: float | None
    seconds: float
    message: str | None = None


class Training(Generic[Model]):
    """A run in a folder: ``metrics.csv``, ``last.safetensors`` (to resume), ``best.safetensors`` (to use).

    The best parameters are those with the lowest validation score. A step whose loss is not finite, or
    ``EXPLOSION`` times the lowest level of its stage, counts as a divergence: the state of some steps before
    is restored, the fitter made more careful, and the event logged in the table; after
    ``MOST_DIVERGENCES`` of them the run stops with an error. The level is a running mean of the losses,
    because the loss of a single lucky mini-batch says nothing about the next one's.

    Arguments:
        model: an automaton, a network or any other module; changed in place. What training changes beside its
            parameters (buffers) is for the objective's state to save.
        stages: what to do, in order.
        validate: model -> error on validation data, lower is better; NaN or infinity if it diverges.
        folder: the run folder.
        progress: called after every step.
        checkpoint_seconds: least time between two checkpoints within a stage.
        max_seconds: time budget of the whole run, earlier sittings included; the step under way is finished,
            the model validated and saved, and a later sitting with a larger budget goes on from there. None:
            no limit.
    """

    PLATEAU: Final = 0.01

    EXPLOSION: Final = 1e3
    LEVEL_STEPS: Final = 20
    MOST_DIVERGENCES: Final = 10
    SNAPSHOT_STEPS: Final = 10

    def __init__(
        self,
        model: Model,
        stages: Sequence[Stage[Model]],
        validate: Callable[[Model], float],
        folder: Path,
        progress: Callable[[TrainingProgress], None] | None = None,
        checkpoint_seconds: float = 5.0,
        max_seconds: float | None = None,
    ) -> None:
        self.model, self.stages, self.validate = model, list(stages), validate
        self.max_seconds = max_seconds
        self.folder, self.progress, self.checkpoint_seconds = folder, progress, checkpoint_seconds
        self.rows: list[dict[str, Any]] = []
        self.best_score = math.inf
        self.best: dict[str, Tensor] = self._parameters()
        self.divergences = 0
        self.total_steps = 0
        self._seconds_before = 0.0
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Time spent on this run, earlier sittings included."""
        return self._seconds_before + time.perf_counter() - self._began

    def run(self, resume: bool = False) -> float:
        """Run all stages, or those still to do; return the best validation score.

        The model ends with the best parameters.

        Raises:
            BadInputError: if the folder holds a run and ``resume`` is not set.
            FormatError: if the checkpoint to resume from is damaged, or of a version that kept other things.
            NonFiniteError: if training keeps diverging, or no validation was ever finite.
        """
        first, resumed = 0, None
        if (self.folder / LAST).exists():
            if not resume:
                raise BadInputError(
                    f"{self.folder} already holds a training run; usual cure: --resume to continue it, or "
                    "another --out"
                )
            first, resumed = self._restore(load_tree(self.folder / LAST))
        else:
            self._validate("start", None, None)
        for index in range(first, len(self.stages)):
            if not self._run_stage(index, resumed if index == first else None):
                break
            resumed = None
            self._save(index + 1, None)
        if not math.isfinite(self.best_score):
            raise NonFiniteError(
                "no validation roll-out of this run stayed finite, so there is no model to keep; usual cure: "
                "a smaller learning rate, more training windows, or another seed"
            )
        self._load_parameters(self.best)
        return self.best_score

    def _run_stage(self, index: int, resumed: dict[str, Any] | None) -> bool:
        """Run a stage, or what is left of it; return whether it came to its end."""
        stage = self.stages[index]
        if resumed is not None:
            self._load_parameters(resumed["start"])
        start = self._parameters()
        objective, fitter = stage.build(self.model)
        step = 0
        level = lowest = math.inf  # running mean of the losses, now and at its best
        plateau = Plateau(stage.patience, self.PLATEAU)

        def snapshot() -> dict[str, Any]:
            return {
                "step": step,
                "parameters": self._parameters(),
                "objective": copy_tree(objective.state()),
                "fitter": copy_tree(fitter.state()),
            }

        def restore(saved: dict[str, Any]) -> int:
            self._load_parameters(saved["parameters"])
            objective.load_state(saved["objective"])
            fitter.load_state(copy_tree(saved["fitter"]))  # fitters may go on working in these tensors
            return int(saved["step"])

        if resumed is not None:
            try:
                step = restore(resumed["now"])
            except KeyError as error:
                raise FormatError(
                    f"{self.folder / LAST} lacks {error}, which this version keeps; usual cure: train anew "
                    "in another folder, or go on with the version that wrote it"
                ) from None
            level, lowest = resumed.get("level", (math.inf, math.inf))
            plateau.best, plateau.num_stale = resumed.get("plateau", (math.inf, 0))
        # what a divergence falls back to belongs to the run's state: a resumed run falls back to the same
        good = snapshot() if resumed is None else resumed["good"]
        candidate = None  # good as soon as the step from it went well
        saved_at = time.perf_counter()

        def within() -> dict[str, Any]:
            return {
                "start": start,
                "level": [level, lowest],
                "now": snapshot(),
                "good": good,
                "plateau": [plateau.best, plateau.num_stale],
            }

        while step < stage.num_steps and not plateau.reached:
            if self.max_seconds is not None and self.seconds >= self.max_seconds:
                self._spent(index, step, within())
                return False
            if step % self.SNAPSHOT_STEPS == 0 and step > good["step"]:
                candidate = snapshot()
            batch = objective.batch(step)
            report = fitter.step(objective, batch)
            if not math.isfinite(report.loss) or report.loss > self.EXPLOSION * max(lowest, TINY_LOSS):
                self.divergences += 1
                if self.divergences > self.MOST_DIVERGENCES:
                    write_text(self.folder / METRICS, metrics_text(self.rows))
                    raise NonFiniteError(
                        f"training diverged {self.divergences} times, last in stage {stage.name!r} at step "
                        f"{step}; usual cure: a smaller learning rate or a shorter roll-out"
                    )
                failed, step = step, restore(good)
                fitter.lower_rate()
                event = f"diverged at step {failed}, back to step {step} with a lower rate"
                self._log(stage.name, report.loss, None, report.rate, event)
                self._report(index, step, report.loss, None, event)
                good, candidate = snapshot(), None  # the lowered rate is part of what is restored next time
                continue
            if candidate is not None:
                good, candidate = candidate, None
            objective.accept(batch)
            step += 1
            self.total_steps += 1
            # level + (loss - level) / n, which keeps a level that does not change as it is, to the last bit
            level = level + (report.loss - level) / self.LEVEL_STEPS if math.isfinite(level) else report.loss
            lowest = min(lowest, level)
            last = step == stage.num_steps or report.converged
            score, message = None, "converged" if report.converged else None
            if last or step % stage.validate_every == 0:
                score = self._validate(stage.name, report.loss, report.rate)
                plateau.see(score)
                if plateau.reached and not last:
                    message = f"no better by {self.PLATEAU:.0%} in {stage.patience} validations, stage ended"
                    self.rows[-1]["event"] = message
            else:
                self._log(stage.name, report.loss, None, report.rate, "")
            note = getattr(objective, "note", "")
            if note:
                self.rows[-1]["event"] = "; ".join(filter(None, (self.rows[-1]["event"], note)))
            self._report(index, step, report.loss, score, message)
            if last:
                break
            if time.perf_counter() - saved_at > self.checkpoint_seconds:
                self._save(index, within())
                saved_at = time.perf_counter()
        return True

    def _spent(self, index: int, step: int, within: dict[str, Any]) -> None:
        """Validate, log and save where the time budget ended."""
        event = f"the time budget of {self.max_seconds:g} s ended at step {step} of {self.stages[index].name}"
        score = self._validate(self.stages[index].name, None, None)
        self.rows[-1]["event"] = event
        self._save(index, within)
        losses = (row["loss"] for row in reversed(self.rows) if row["loss"] is not None)
        self._report(index, step, next(losses, math.nan), score, event)

    def _validate(self, stage: str, loss: float | None, rate: float | None) -> float:
        score = self.validate(self.model)
        event = "" if math.isfinite(score) else "validation roll-out diverged"
        self._log(stage, loss, score, rate, event)
        if score < self.best_score:
            self.best_score, self.best = score, self._parameters()
            save_tree(self.folder / BEST, {"parameters": self.best, "validation": score})
        return score

    def _log(
        self, stage: str, loss: float | None, score: float | None, rate: float | None, event: str
    ) -> None:
        row = (self.total_steps, round(self.seconds, 3), stage, loss, score, rate, event)
        self.rows.append(dict(zip(COLUMNS, row, strict=True)))

    def _report(self, index: int, step: int, loss: float, score: float | None, message: str | None) -> None:
        if self.progress:
            stage = self.stages[index]
            self.progress(
                TrainingProgress(
                    stage.name,
                    index,
                    len(self.stages),
                    step,
                    stage.num_steps,
                    loss,
                    score,
                    self.seconds,
                    message,
                )
            )

    def _parameters(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in trainable(self.model).items()}

    def _load_parameters(self, parameters: dict[str, Tensor]) -> None:
        own = trainable(self.model)
        if own.keys() != parameters.keys():
            raise BadInputError(
                "the checkpoint belongs to another model; usual cure: resume with the settings of the run"
            )
        with torch.no_grad():
            for name, value in parameters.items():
                own[name].copy_(value)

    def _save(self, stage_index: int, within: dict[str, Any] | None) -> None:
        tree = {
            "stage_index": stage_index,
            "within": within,
            "parameters": self._parameters(),
            "best": self.best,
            "best_score": self.best_score,
            "rows": self.rows,
            "seconds": self.seconds,
            "total_steps": self.total_steps,
            "divergences": self.divergences,
        }
        save_tree(self.folder / LAST, tree)
        write_text(self.folder / METRICS, metrics_text(self.rows))

    def _restore(self, tree: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
        self._load_parameters(tree["parameters"])
        self.best, self.best_score = tree["best"], float(tree["best_score"])
        self.rows, self.total_steps = tree["rows"], int(tree["total_steps"])
        self.divergences = int(tree["divergences"])
        self._seconds_before, self._began = float(tree["seconds"]), time.perf_counter()
        return int(tree["stage_index"]), tree["within"]


def metrics_text(rows: Sequence[dict[str, Any]]) -> str:
    """Return the table of a run as CSV text; empty cells where nothing was measured."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: "" if row[key] is None else row[key] for key in COLUMNS})
    return buffer.getvalue()
