"""The one pipeline behind every number: lift, bind, roll out, observe, score.

A trained automaton, a true solver and "nothing changes" all go through these lines, so that a difference
between two rows is a difference between two models.
"""

import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from pdenca.core import BadInputError, Emulator, PdencaError, StabilityError, rollout

from .bootstrap import pooled_estimate
from .intervals import bind_to_interval
from .patterns import PatternSummary, judge_patterns, midpoints, summarise_patterns
from .probes import equivariance_pair, lyapunov_pair
from .results import CurvePoint, Example, Refusal, Results, Row
from .scoring import METRICS, CaseScorer, FrameScores, Pair, window_pairs
from .settings import ALL_REGIMES, Case, EvaluationSettings, require_plain_name, window_label

Progress = Callable[[str, int, int], None]
"""Called with what is running, the frames done and the frames to do."""


@dataclass(frozen=True)
class _Scored:
    """One model on one case, reduced to what pooling needs.

    Scores with the same ``origin`` are of the same trajectories, moved.
    """

    origin: int
    regime: str
    families: tuple[str, ...] | None
    frame_interval: float
    pairs: Mapping[tuple[str, str], Pair]
    frames: Pair  # pooled VRMSE of every frame, (batch, time)

    def of_family(self, family: str) -> "_Scored | None":
        """Return the trajectories that start from this family."""
        chosen = [number for number, name in enumerate(self.families or ()) if name == family]
        if not chosen:
            return None
        pairs = {key: (pair[0][chosen], pair[1][chosen]) for key, pair in self.pairs.items()}
        frames = self.frames[0][chosen], self.frames[1][chosen]
        return _Scored(self.origin, self.regime, None, self.frame_interval, pairs, frames)

    def with_moved(self, others: Sequence["_Scored"]) -> "_Scored":
        """Return every trajectory together with its moved copies: one independent unit."""
        every = (self, *others)
        shared = [key for key in self.pairs if all(key in item.pairs for item in others)]
        pairs = {key: _sum([item.pairs[key] for item in every]) for key in shared}
        frames = _sum([item.frames for item in every])
        return _Scored(self.origin, self.regime, self.families, self.frame_interval, pairs, frames)


def _sum(pairs: Sequence[Pair]) -> Pair:
    return torch.stack([pair[0] for pair in pairs]).sum(0), torch.stack([pair[1] for pair in pairs]).sum(0)


@dataclass
class _Patterns:
    """The pattern statistics of one split and regime, so far."""

    midpoint: Tensor
    reference: list[PatternSummary] = field(default_factory=list)
    emulated: dict[str, list[PatternSummary]] = field(default_factory=dict)


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
    of a split; intervals come from resampling trajectories (:func:`pooled_estimate`), each together with its
    moved copies. A metric that is defined nowhere in a group (the wavelength of dead patterns) and a window
    that some case of the group does not wholly contain get no row there. A prediction that is not finite
    makes the value of its window NaN, for its regime and for "all"; the metric ``diverged`` says in how large
    a share of the trajectories.

    Where a split mixes families of starts, each gets rows of its own, as regime ``"from FAMILY"``. An
    emulator that refuses a case (a spectral solver between walls, too few steps for a finer grid) has no rows
    there and none for "all" of that split; the refusal and its reason are part of the results. One whose step
    is shorter than the case's frame interval by a whole factor is repeated.

    Pattern distances, if the settings ask for them, are rows whose value is the mean distance between the
    emulator's runs and reference runs of other starts, and whose low and high are the 95 % range of the
    distances between pairs of reference runs; ``patterns_within`` is 1 where no value exceeds its high. Fewer
    than 7 runs of a regime give no range: then there are no such rows, and a refusal of "patterns" says so.

    Arguments:
        cases: consumed one by one, only one is held; pass a generator for data larger than memory.
        emulators: model name -> emulator; one that carries weights must have the dtype and device of the
            settings.
        settings: the protocol; the defaults are the project's.
        progress: called after every predicted frame.

    Returns:
        Rows, curves and examples, in the order of the cases and emulators.

    Raises:
        BadInputError: without cases or emulators, or if all emulators refuse a case.
        StabilityError: if all emulators refuse a case, the first of them for that reason.
    """
    settings = settings or EvaluationSettings()
    if not emulators:
        raise BadInputError("no emulator to evaluate; expected at least one, e.g. a baseline")
    for name in emulators:
        require_plain_name(name)
    scored: dict[tuple[str, str], list[_Scored]] = {}
    examples: dict[tuple[str, str], Example] = {}
    repeats: dict[tuple[str, str], int] = {}
    patterns: dict[tuple[str, str], _Patterns] = {}
    refusals: list[Refusal] = []
    notes: dict[str, str] = {}
    origin = 0
    for case in cases:
        place = (case.split, case.regime)
        origin += not case.same_trajectories
        repeats[place] = repeats.get(place, -1) + 1
        seed = zlib.crc32(f"{settings.seed}/{case.split}/{case.regime}/{repeats[place]}".encode())
        scorer = CaseScorer(case, settings)
        predictions: dict[str, np.ndarray] = {}
        kept = settings.kept_frames(scorer.num_frames)
        if case.note:
            notes.setdefault(case.split, case.note)
        # the patterns of a moved copy are the same ones again
        looked_at = () if case.same_trajectories else settings.pattern_frames(scorer.num_frames)
        collected = _reference_patterns(patterns, place, scorer, looked_at) if looked_at else None
        refused: list[PdencaError] = []
        for name, emulator in emulators.items():
            try:
                run = _Run(name, emulator, scorer, seed, (kept, looked_at), progress)
            except (BadInputError, StabilityError) as error:
                refused.append(error)
                if progress:
                    progress(f"{case.split}/{case.regime}: {name}", scorer.num_frames, scorer.num_frames)
                refusals.append(Refusal(name, *place, str(error)))
                continue
            scores, predictions[name] = run.scores, run.pictures
            pairs = {**window_pairs(scores, case.frame_interval, settings), **run.probes}
            families = None if case.families is None else tuple(case.families)
            scored.setdefault((case.split, name), []).append(
                _Scored(
                    origin,
                    case.regime,
                    families,
                    case.frame_interval,
                    pairs,
                    (scores.error, scores.variance),
                )
            )
            if collected is not None:
                collected.emulated.setdefault(name, []).append(
                    _summarise(torch.stack(run.frames, dim=1), scorer, collected.midpoint)
                )
        if len(refused) == len(emulators):
            raise refused[0]
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
    incomplete = {(refusal.split, refusal.model) for refusal in refusals}
    for (split, model), group in scored.items():
        for regime, members in _groups(_units(group), (split, model) not in incomplete).items():
            rows += _rows(model, split, regime, members, settings)
            curves += _curve(model, split, regime, members, settings)
    for (split, regime), found in patterns.items():
        try:
            rows += _pattern_rows(split, regime, found, settings)
        except BadInputError as error:  # too few runs: no reason to lose all the other rows
            refusals.append(Refusal("patterns", split, regime, str(error)))
    return Results(rows, curves, list(examples.values()), settings, refusals, notes)


def _units(scored: list[_Scored]) -> list[_Scored]:
    """Put what was scored on moved copies of the same trajectories together."""
    found: dict[int, list[_Scored]] = {}
    for item in scored:
        found.setdefault(item.origin, []).append(item)
    return [items[0].with_moved(items[1:]) if len(items) > 1 else items[0] for items in found.values()]


def _groups(scored: list[_Scored], complete: bool) -> dict[str, list[_Scored]]:
    """Sort what was scored by regime, by family where there are several, and all together."""
    groups = {
        regime: [item for item in scored if item.regime == regime]
        for regime in dict.fromkeys(item.regime for item in scored)
    }
    if not complete:
        return groups
    families = list(dict.fromkeys(name for item in scored for name in item.families or ()))
    if len(families) > 1:
        for family in families:
            parts = [part for item in scored if (part := item.of_family(family)) is not None]
            groups[f"from {family}"] = parts
    groups[ALL_REGIMES] = scored
    return groups


def _reference_patterns(
    patterns: dict[tuple[str, str], _Patterns],
    place: tuple[str, str],
    scorer: CaseScorer,
    looked_at: tuple[int, ...],
) -> _Patterns:
    """Summarise the truth; the first case of a regime decides the midpoints."""
    truth = torch.cat([scorer.truth(frame - 1) for frame in looked_at], dim=1)
    collected = patterns.setdefault(place, _Patterns(midpoints(truth)))
    collected.reference.append(_summarise(truth, scorer, collected.midpoint))
    return collected


def _summarise(frames: Tensor, scorer: CaseScorer, midpoint: Tensor) -> PatternSummary:
    std = torch.as_tensor(scorer.case.field_std, dtype=torch.float64)
    return summarise_patterns(frames, scorer.case.grid, std, midpoint)


def _pattern_rows(split: str, regime: str, found: _Patterns, settings: EvaluationSettings) -> list[Row]:
    assert settings.pattern_window is not None, "patterns are collected only where there is a window"
    window = window_label(*settings.pattern_window)
    reference = PatternSummary.join(found.reference)
    rows = []
    for model, parts in found.emulated.items():
        if len(parts) < len(found.reference):
            continue  # it refused a case
        verdicts = judge_patterns(reference, PatternSummary.join(parts))
        rows += [
            Row(model, split, regime, item.distance, window, item.value, item.low, item.high)
            for item in verdicts
        ]
        within = float(all(item.within for item in verdicts))
        rows.append(Row(model, split, regime, "patterns_within", window, within, math.nan, math.nan))
    return rows


class _Run:
    """One emulator rolled out on one case.

    Attributes:
        scores: of all frames.
        pictures: the kept frames of the first trajectory.
        frames: the frames whose patterns are compared.
        probes: what is measured beside the roll-out, (metric, window) -> pair.
    """

    def __init__(
        self,
        name: str,
        emulator: Emulator,
        scorer: CaseScorer,
        seed: int,
        kept: tuple[tuple[int, ...], tuple[int, ...]],
        progress: Progress | None,
    ) -> None:
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
        self.frames: list[Tensor] = []

        def record(state: Tensor) -> Tensor:
            observed = emulator.codec.observe(state)
            recorder.add(observed)
            if recorder.num_frames in kept[0]:
                pictures.append(_picture(observed[0]))
            if recorder.num_frames in kept[1]:
                self.frames.append(observed)
            return observed[:, :0]  # the scores are kept, not the frames

        def report(done: int) -> None:
            if progress:
                progress(f"{case.split}/{case.regime}: {name}", done, scorer.num_frames)

        with torch.no_grad():
            step = bind_to_interval(name, emulator, case, context, generator)
            state = emulator.codec.lift(given)
            rollout(step, state, scorer.num_frames, observe=record, each=report)
            self.probes: dict[tuple[str, str], Pair] = {}
            if settings.lyapunov_frames:
                window = window_label(1, settings.lyapunov_discarded + settings.lyapunov_frames)
                self.probes["lyapunov_exponent", window] = lyapunov_pair(step, state, settings)
            if settings.symmetry_frames:
                window = window_label(1, settings.symmetry_frames)
                kinds = getattr(emulator, "kinds", None)
                residual = equivariance_pair(step, state, case, settings.symmetry_frames, kinds)
                if residual is not None:
                    self.probes["equivariance_residual", window] = residual
        empty = np.zeros((0, *case.truth.shape[2:]), dtype=np.float32)
        self.scores: FrameScores = recorder.scores()
        self.pictures = np.stack(pictures) if pictures else empty


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
