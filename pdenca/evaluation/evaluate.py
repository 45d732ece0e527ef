"""The one pipeline behind every number: lift, bind, roll out, observe, score.

A trained automaton, a true solver and "nothing changes" all go through these lines, so that a difference
between two rows is a difference between two models.
"""

import math
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pdenca.core import BadInputError, Emulator, rollout

from .bootstrap import pooled_estimate
from .results import CurvePoint, Example, Results, Row
from .scoring import METRICS, CaseScorer, FrameScores, Pair, window_pairs
from .settings import ALL_REGIMES, Case, EvaluationSettings, require_plain_name

Progress = Callable[[str, int, int], None]
"""Called with what is running, the frames done and the frames to do."""


@dataclass(frozen=True)
class _Scored:
    """One model on one case, reduced to what pooling needs."""

    regime: str
    frame_interval: float
    pairs: Mapping[tuple[str, str], Pair]
    frames: Pair  # pooled VRMSE of every frame, (batch, time)


def evaluate(
    cases: Iterable[Case],
    emulators: Mapping[str, Emulator],
    settings: EvaluationSettings | None = None,
    progress: Progress | None = None,
) -> Results:
    """Roll every emulator out on every case and score the predicted frames.

    The first ``num_given`` frames from ``start`` are lifted into a state, the emulator is bound to the
    case's grid and context and advanced to the end of the truth, and each observed frame is scored in
    float64. Rows are pooled over the trajectories of a (split, regime) and, as regime ``"all"``, over those
    of a split; intervals come from resampling trajectories (:func:`pooled_estimate`). A metric that is
    defined nowhere in a group (the wavelength of dead patterns) and a window that some case of the group
    does not wholly contain get no row there. A prediction that is not finite makes the value of its window
    NaN, for its regime and for "all"; the metric ``diverged`` says in how large a share of the trajectories.

    Arguments:
        cases: consumed one by one, only one is held; pass a generator for data larger than memory.
        emulators: model name -> emulator; one that carries weights must have the dtype and device of the
            settings.
        settings: the protocol; the defaults are the project's.
        progress: called after every predicted frame.

    Returns:
        Rows, curves and examples, in the order of the cases and emulators.

    Raises:
        BadInputError: without cases or emulators, or if an emulator's step is not the case's frame interval.
        StabilityError: if an emulator refuses a case.
    """
    settings = settings or EvaluationSettings()
    if not emulators:
        raise BadInputError("no emulator to evaluate; expected at least one, e.g. a baseline")
    for name in emulators:
        require_plain_name(name)
    scored: dict[tuple[str, str], list[_Scored]] = {}
    examples: dict[tuple[str, str], Example] = {}
    repeats: dict[tuple[str, str], int] = {}
    for case in cases:
        place = (case.split, case.regime)
        repeats[place] = repeats.get(place, -1) + 1
        seed = zlib.crc32(f"{settings.seed}/{case.split}/{case.regime}/{repeats[place]}".encode())
        scorer = CaseScorer(case, settings)
        predictions: dict[str, np.ndarray] = {}
        kept = settings.kept_frames(scorer.num_frames)
        for name, emulator in emulators.items():
            scores, predictions[name] = _run(name, emulator, scorer, seed, kept, progress)
            pairs = window_pairs(scores, case.frame_interval, settings)
            scored.setdefault((case.split, name), []).append(
                _Scored(case.regime, case.frame_interval, pairs, (scores.error, scores.variance))
            )
        if kept and place not in examples:
            truth = case.truth[0, [scorer.offset + frame - 1 for frame in kept]]
            examples[place] = Example(
                *place, tuple(case.field_names), np.array(kept, dtype=np.int64), _picture(truth), predictions
            )
        del case, scorer  # before the next one is made, so that only one is held
    if not scored:
        raise BadInputError(
            "no case to evaluate on, got an empty iterable; usual cure: check the split names"
        )
    rows: list[Row] = []
    curves: list[CurvePoint] = []
    for (split, model), group in scored.items():
        for regime in [*dict.fromkeys(item.regime for item in group), ALL_REGIMES]:
            members = [item for item in group if regime in (item.regime, ALL_REGIMES)]
            rows += _rows(model, split, regime, members, settings)
            curves += _curve(model, split, regime, members, settings)
    return Results(rows, curves, list(examples.values()), settings)


def _run(
    name: str,
    emulator: Emulator,
    scorer: CaseScorer,
    seed: int,
    kept: tuple[int, ...],
    progress: Progress | None,
) -> tuple[FrameScores, np.ndarray]:
    """Roll one emulator out on one case; return its scores and the kept frames of the first trajectory."""
    case, settings = scorer.case, scorer.settings
    device, dtype = torch.device(settings.device), settings.torch_dtype
    given = case.truth[:, settings.start : scorer.offset].to(device, dtype)
    context = {
        key: value.to(device, dtype if value.is_floating_point() else value.dtype)
        for key, value in case.context.items()
    }
    generator = torch.Generator(device).manual_seed(seed)
    recorder = scorer.recorder()
    pictures: list[np.ndarray] = []

    def record(state: Tensor) -> Tensor:
        observed = emulator.codec.observe(state)
        recorder.add(observed)
        if recorder.num_frames in kept:
            pictures.append(_picture(observed[0]))
        return observed[:, :0]  # the scores are kept, not the frames

    def report(done: int) -> None:
        if progress:
            progress(f"{case.split}/{case.regime}: {name}", done, scorer.num_frames)

    with torch.no_grad():
        step = emulator.bind(case.grid, context, generator)
        if not math.isclose(step.time_step, case.frame_interval, rel_tol=1e-6):
            raise BadInputError(
                f"{name!r} advances {step.time_step:g} time units a step but {case.split}/{case.regime} "
                f"stores a frame every {case.frame_interval:g}; usual cure: data with the model's interval"
            )
        rollout(step, emulator.codec.lift(given), scorer.num_frames, observe=record, each=report)
    empty = np.zeros((0, *case.truth.shape[2:]), dtype=np.float32)
    return recorder.scores(), np.stack(pictures) if pictures else empty


def _rows(
    model: str, split: str, regime: str, members: list[_Scored], settings: EvaluationSettings
) -> list[Row]:
    """Pool the members' trajectories, for every metric and window that all of them have."""
    rows = []
    shared = [key for key in members[0].pairs if all(key in item.pairs for item in members)]
    for metric in METRICS:
        for key in (key for key in shared if key[0] == metric):
            numerator, denominator = (
                torch.cat([item.pairs[key][side] for item in members])[:, None] for side in (0, 1)
            )
            if float(denominator.sum()) == 0:
                continue
            estimate = pooled_estimate(
                numerator,
                denominator,
                settings.num_bootstrap,
                settings.seed,
                settings.confidence,
                METRICS[metric],
            )
            rows.append(Row(model, split, regime, metric, key[1], *(float(part) for part in estimate)))
    return rows


def _curve(
    model: str, split: str, regime: str, members: list[_Scored], settings: EvaluationSettings
) -> list[CurvePoint]:
    """Pooled VRMSE of every frame that all members have."""
    num_frames = min(item.frames[0].shape[1] for item in members)
    interval = members[0].frame_interval
    if any(item.frame_interval != interval for item in members):
        return []  # frames of different times cannot share a curve
    numerator, denominator = (
        torch.cat([item.frames[side][:, :num_frames] for item in members]) for side in (0, 1)
    )
    estimate = pooled_estimate(
        numerator, denominator, settings.num_bootstrap, settings.seed, settings.confidence, torch.sqrt
    )
    return [
        CurvePoint(
            model,
            split,
            regime,
            number + 1,
            (number + 1) * interval,
            *(float(part[number]) for part in estimate),
        )
        for number in range(num_frames)
    ]


def _picture(frames: Tensor) -> np.ndarray:
    return frames.to("cpu", torch.float32).numpy()
