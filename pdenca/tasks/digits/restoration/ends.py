"""Where the starts of a census end, and how many attractors that makes."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pdenca.evaluation.attractors import (
    KINDS,
    Ends,
    Valleys,
    basin_stability,
    follow_to_end,
    group_ends,
    in_phase,
    leading_lyapunov_exponent,
)
from pdenca.training import step_generator

from ..classifier import DigitClassifier
from .lattice import LatticeBody
from .starts import Starts

AT_ONCE: Final = 250
AT_REST: Final = ("fixed", "periodic")
"""Kinds of ends that have come to rest, as far as a cycle is one."""
LEAST_TOLERANCE: Final = 1e-3
LARGEST_TOLERANCE: Final = 0.05
_DRIFTS: Final = 10.0
_NUM_LYAPUNOV: Final = 32  # states; each costs two roll-outs

State = Float[Tensor, "start channel side side"]
Probability = tuple[float, float]
"""With its standard error."""


@dataclass(frozen=True)
class Attractors:
    """What a restorer's starts end in.

    Arguments:
        kinds: kind of end -> how many, see :data:`pdenca.evaluation.attractors.KINDS`.
        tolerance: distance within which ends count as the same, relative to their size, see
            :func:`tolerance_of`.
        same_between: tolerances between which the number of valleys is the same.
        num_valleys: groups of at least two ends that are the same.
        num_outside: starts that end in no such group.
        largest: shares of the ten largest valleys with their standard errors: basin stability.
        purity: share of the ends that show the most frequent digit of their valley, by the judge.
        mutual_information: of valleys and digits, 0 to 1.
        num_classes_with_valley: digits that are more than half of some valley.
        lyapunov: median leading Lyapunov exponent at the ends (1 / step of the census).

    What cannot be counted, with fewer than two finite ends, is 0, and a NaN where it is no count.
    """

    kinds: Mapping[str, int]
    tolerance: float
    same_between: tuple[float, float]
    num_valleys: int
    num_outside: int
    largest: tuple[Probability, ...]
    purity: float
    mutual_information: float
    num_classes_with_valley: int
    lyapunov: float


def follow(
    body: LatticeBody, starts: Starts, num_rounds: int, progress: Callable[[int, int], None] | None = None
) -> Ends:
    """Follow starts for so many rounds; cycles are told by one and the same of their states."""
    step = body.round(starts.told)
    ends = follow_to_end(step, starts.states, num_steps=num_rounds, batch_size=AT_ONCE, progress=progress)
    return replace(ends, states=in_phase(step, ends.states, ends.periods, batch_size=AT_ONCE))


def tolerance_of(ends: Ends) -> float:
    """Return within which distance ends are the same, relative to their size:

        min(max(10 · median drift / size, 1e-3), 0.05),

    with the drift of those ends alone that have come to rest, and 1e-3 if none has. What still moves says
    how far it moves and nothing of how near two ends must be: by its drift all ends of a chaotic map would be
    the same.
    """
    still = ends.are(*AT_REST)
    if not bool(still.any()):
        return LEAST_TOLERANCE
    drift = _DRIFTS * float(ends.drift[still].double().median()) / size_of(ends)
    return min(max(drift, LEAST_TOLERANCE), LARGEST_TOLERANCE)


def size_of(ends: Ends) -> float:
    """Return the median over the finite ends of the rms of their entries; 1 if that is 0, or none is.

    A median, since a few ends that still grow would make all others look like one.
    """
    finite = ends.states[~ends.are("not finite")]
    if not len(finite):
        return 1.0
    return float(finite.double().flatten(1).square().mean(1).sqrt().median()) or 1.0


def grouped(states: State, reach: float, classes: Int[Tensor, " start"] | None = None) -> Valleys:
    """Group ends that are within this rms distance."""
    scale = float(states.double().square().mean().sqrt()) or 1.0  # which a group's tolerance is relative to
    return group_ends(states, tolerance=reach / scale, classes=classes)


def same_place(one: State, other: State, reach: float) -> Bool[Tensor, " start"]:
    """Return which states are within this rms distance of each other; one that is not finite is not."""
    apart: Tensor = (one - other).double().flatten(1).square().mean(1).sqrt()
    return apart <= reach


def seen(body: LatticeBody, judge: DigitClassifier, states: State) -> Int[Tensor, " start"]:
    """Return the digits that a judge sees in states."""
    return torch.cat([judge(body.observe(part).clamp(0, 1)).argmax(1) for part in states.split(AT_ONCE)])


def kinds_of(ends: Ends, rows: list[int] | None = None) -> dict[str, int]:
    """Return how many starts, or some of them, end how."""
    kinds = [ends.kinds[row] for row in (range(len(ends.kinds)) if rows is None else rows)]
    return {kind: kinds.count(kind) for kind in KINDS if kind in kinds}


def attractors_of(
    body: LatticeBody, judge: DigitClassifier, starts: Starts, ends: Ends, seed: int
) -> tuple[Attractors, Int[Tensor, " start"], Int[Tensor, " start"]]:
    """Group ends.

    Returns:
        (what they are, the digit that is seen in each, the valley of each); -1 of what is not finite, and of
        what is in no valley.
    """
    tolerance, num_starts = tolerance_of(ends), len(starts.states)
    digits, labels = torch.full((num_starts,), -1), torch.full((num_starts,), -1)
    finite = (~ends.are("not finite")).nonzero()[:, 0]
    if len(finite) < 2:
        unknown = (float("nan"), float("nan"))
        nothing = Attractors(kinds_of(ends), tolerance, unknown, 0, num_starts, (), *unknown, 0, float("nan"))
        return nothing, digits, labels
    kept = ends.states[finite]
    digits[finite] = seen(body, judge, kept)
    size = size_of(ends)
    valleys = grouped(kept, tolerance * size, digits[finite])
    labels[finite] = valleys.labels
    few = finite[:_NUM_LYAPUNOV]
    exponent = _lyapunov(body, starts.told[few], ends.states[few], seed)
    return _told(valleys, labels, tolerance, kinds_of(ends), exponent), digits, labels


def _told(
    valleys: Valleys,
    labels: Int[Tensor, " start"],
    tolerance: float,
    kinds: Mapping[str, int],
    exponent: float,
) -> Attractors:
    # of linkage by digits these are known
    assert valleys.tolerance is not None
    assert valleys.same_between is not None
    assert valleys.purity is not None
    assert valleys.mutual_information is not None
    assert valleys.num_classes_with_valley is not None
    sizes = sorted(basin_stability(labels).items(), key=lambda item: -item[1].share)
    unit = tolerance / valleys.tolerance  # its tolerances are relative to something else
    least, most = valleys.same_between
    return Attractors(
        kinds=kinds,
        tolerance=tolerance,
        same_between=(unit * least, unit * most),
        num_valleys=valleys.num_valleys,
        num_outside=int((labels < 0).sum()),
        largest=tuple((share.share, share.standard_error) for label, share in sizes if label >= 0)[:10],
        purity=valleys.purity,
        mutual_information=valleys.mutual_information,
        num_classes_with_valley=valleys.num_classes_with_valley,
        lyapunov=exponent,
    )


def _lyapunov(body: LatticeBody, told: Tensor, ends: State, seed: int) -> float:
    """Return the median leading exponent per round, in float64."""
    step = copy.deepcopy(body).double().round(told.double())
    exponent = leading_lyapunov_exponent(
        step,
        ends.double(),
        num_steps=100,
        generator=step_generator(seed, "census twins"),
    ).exponent
    return float(exponent.nanmedian()) * (step.time_step or 1.0)
