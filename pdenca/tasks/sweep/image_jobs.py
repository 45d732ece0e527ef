"""Jobs that are rules for series of images: trained on the frames, scored at their times and after."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from pdenca.core import BadInputError
from pdenca.evaluation import ALL_REGIMES, Refusal, Row
from pdenca.training import TrainingProgress

from ..images import (
    ImageSettings,
    Series,
    build_image_rule,
    follow_anew,
    load_image_run,
    read_series_file,
    still_errors,
    train_images,
)
from ..images.training import KIND, build_objective
from ..measuring import worst
from .jobs import Job, Jobs, Tell, TrainedJob
from .plan import Combination
from .settings import ImageEvaluation, ImageFigureSettings, ImageSweepSettings

SPLIT: Final = "series"
IMAGES: Final = "images"


@dataclass(frozen=True, eq=False)
class ImageJob(TrainedJob):
    """One rule.

    Arguments:
        evaluation: how it is scored.
        settings: of the training.
    """

    evaluation: ImageEvaluation
    settings: ImageSettings

    def train(self, progress: Callable[[TrainingProgress], None]) -> None:
        """Train it, or go on where that stopped."""
        train_images(_read(self), self.run, self.settings, resume=True, progress=progress)

    def num_parameters(self) -> int:
        """Return how many numbers were learned."""
        return load_image_run(self.run, _read(self))[0].num_parameters

    def score(self, tell: Tell) -> tuple[list[Row], list[Refusal]]:
        """Return its errors at the times of all frames and while the last is held."""
        series, hold = _read(self), self.evaluation.hold
        model, settings = load_image_run(self.run, series)
        course = follow_anew(
            model, series, settings, hold, progress=lambda done, total: tell(done / total, "scored")
        )
        return _rows(self.name, course.errors, hold), []


@dataclass(frozen=True, eq=False)
class StillJob(Job):
    """The first frame for ever, beside the rules of a series.

    Arguments:
        evaluation: how it is scored.
    """

    evaluation: ImageEvaluation

    def score(self, tell: Tell) -> tuple[list[Row], list[Refusal]]:
        """Return its errors."""
        hold = self.evaluation.hold
        return _rows("persistence", still_errors(_read(self), len(hold)), hold), []


def image_jobs(sweep: ImageSweepSettings, combinations: Sequence[Combination], out: Path) -> Jobs:
    """Return the jobs of a sweep of rules for images; of baselines one per series.

    Arguments:
        sweep: its settings.
        combinations: of its grid.
        out: its folder.

    Raises:
        BadInputError: for a combination that does not fit its images; or if the folder holds a run of that
            name with other settings or images.
        FormatError: if a file is no series of images, or damaged.
    """
    read = cache(read_series_file)
    runs = [_of_run(item, read(Path(item.data)), sweep.evaluate, out) for item in combinations]
    still: list[Job] = [
        StillJob(
            out,
            f"baselines-{number}",
            path,
            None,
            None,
            {**_scoring(read(path), sweep.evaluate), "baselines": list(sweep.evaluate.baselines)},
            sweep.evaluate,
        )
        for number, path in enumerate(dict.fromkeys(job.scored_on for job in runs))
        if sweep.evaluate.baselines
    ]
    return Jobs(runs, still)


def _of_run(item: Combination, series: Series, evaluation: ImageEvaluation, out: Path) -> TrainedJob:
    settings = item.settings
    assert isinstance(settings, ImageSettings), "the sweep has read the settings of its kind"
    try:
        still_errors(series)  # which refuses frames that show nothing
        build_objective(build_image_rule(settings, series), series, settings)
    except BadInputError as error:
        raise BadInputError(f"combination {item.label}: {error}") from None
    job = ImageJob(
        out,
        item.name,
        Path(item.data),
        None,
        {"settings": json.loads(settings.to_json()), IMAGES: dict(series.facts())},
        _scoring(series, evaluation),
        evaluation,
        settings,
    )
    if job.begun:
        before = KIND.read(job.run).replace(max_seconds=settings.max_seconds)
        job.require_same(before == settings and KIND.data(job.run) == series.facts())
    return job


def _read(job: Job) -> Series:
    """Return the images of a job.

    Raises:
        BadInputError: if they are not those that were there when the sweep began.
    """
    series = read_series_file(job.scored_on)
    if dict(series.facts()) != job.scoring[IMAGES]:
        raise BadInputError(f"{job.scored_on} has changed since the sweep began; usual cure: sweep again")
    return series


def _scoring(series: Series, evaluation: ImageEvaluation) -> dict[str, Any]:
    return {"hold": list(evaluation.hold), IMAGES: dict(series.facts())}


def _rows(model: str, errors: Sequence[float], hold: Sequence[int]) -> list[Row]:
    """Return the errors at the times of all frames but the first, then those while the last is held."""
    (metric,) = ImageFigureSettings.KNOWN
    windows = [f"frame {number + 1}" for number in range(len(errors) - len(hold))]
    windows += [f"held {steps}" for steps in hold]
    # what is not a number is worse than any
    found = {ImageFigureSettings.USUAL: worst(errors), **dict(zip(windows, errors, strict=True))}
    return [
        Row(model, SPLIT, ALL_REGIMES, metric, window, float(value), math.nan, math.nan)
        for window, value in found.items()
    ]
