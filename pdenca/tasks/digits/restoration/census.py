"""A census of where a restorer's lattice ends: which attractors it has, and what damage they survive.

The claim to be tested is that of an associative memory: that starts of all kinds, even random ones, fall into
few valleys, one per class, and fall back into them after part of the lattice is wiped out.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdenca.core import BadInputError, NonFiniteError
from pdenca.datasets.digits import Digits
from pdenca.evaluation.attractors import (
    KINDS,
    Ends,
    Valleys,
    basin_stability,
    follow_to_end,
    group_ends,
    leading_lyapunov_exponent,
    matched_noise,
    null_model,
    return_curve,
)
from pdenca.training import step_generator

from ..classifier import DigitClassifier
from ..judging import judging
from .damage import Damage
from .lattice import LatticeBody
from .models import Restorer, build_restorer

FAMILIES: Final = ("noise", "damaged", "between")
"""Kinds of starts:

- noise: every channel of every cell normal, with mean and standard deviation of that channel in the states
  that damaged images begin with; the cells see nothing;
- damaged: the states that damaged test images begin with;
- between: (1 - a) z + a z' for two of those and a uniform from 0 to 1, what the cells see likewise.
"""
SHARES: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
_NUM_LYAPUNOV: Final = 32  # states; each costs two roll-outs
_NUM_DAMAGED: Final = 200  # ends; each is followed again for every share, twice
_AT_ONCE: Final = 250

Probability = tuple[float, float]
"""With its standard error."""

State = Float[Tensor, "start channel side side"]


@dataclass(frozen=True)
class FamilyEnds:
    """How the starts of one family end.

    Arguments:
        num_starts: of the family.
        kinds: kind of end -> how many, see :data:`pdenca.evaluation.attractors.KINDS`.
        settled_after: median number of rounds after which those that come to rest do; None if none does.
        falling: median share of rounds in which the residual fell, before it settled.
        residuals: median residual after 1, 2, ... rounds.
        num_valleys: valleys that this family falls into.
        classes: digits that the judge sees in the ends -> share.
        right: share of the ends that show the class of the image they began with; None unless "damaged".
    """

    num_starts: int
    kinds: Mapping[str, int]
    settled_after: float | None
    falling: float
    residuals: tuple[float, ...]
    num_valleys: int
    classes: Mapping[str, float]
    right: float | None


@dataclass(frozen=True)
class Census:
    """Where a restorer's lattice ends.

    Arguments:
        num_starts: of all families together; those whose ends are not finite are in no valley.
        num_rounds: how far each was followed.
        round_length: steps of a round, see ``LatticeBody.round``.
        families: how the starts of each end.
        num_valleys: groups of at least two ends.
        num_outside: ends in no such group.
        largest: shares of the ten largest valleys with their standard errors.
        tolerance: distance within which ends count as the same, relative to their rms.
        same_between: tolerances between which the number of valleys is the same.
        purity: share of the ends that show the most frequent digit of their valley, by the judge.
        mutual_information: of valleys and digits, 0 to 1.
        num_classes_with_valley: digits that are more than half of some valley.
        untrained_valleys: of an untrained model of the same shape from the same starts, same tolerance.
        noise_valleys: of random states with the mean and covariance of the ends, same tolerance.
        returned: damaged share of cells -> (share of ends back in their place, its standard error).
        same_class: likewise, for showing the same digit.
        lyapunov: median leading Lyapunov exponent at the ends (1 / step).
    """

    num_starts: int
    num_rounds: int
    round_length: int
    families: Mapping[str, FamilyEnds]
    num_valleys: int
    num_outside: int
    largest: tuple[tuple[float, float], ...]
    tolerance: float
    same_between: tuple[float, float]
    purity: float
    mutual_information: float
    num_classes_with_valley: int
    untrained_valleys: int
    noise_valleys: int
    returned: Mapping[float, tuple[float, float]]
    same_class: Mapping[float, tuple[float, float]]
    lyapunov: float

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers by name."""
        return asdict(self)


def take_census(
    restorer: Restorer,
    digits: Digits,
    damage: Damage,
    judge: DigitClassifier,
    *,
    num_starts: int = 1000,
    num_rounds: int = 200,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Census:
    """Follow many starts for long, group their ends, and damage them.

    Where the cells see the damaged image in every step, each start has dynamics of its own, and an end
    belongs to its image: many valleys are then no surprise, and returning to one's own place no sign of a
    memory, since the image tells the way. What damage wipes out is the state alone here, not what the cells
    see.

    Arguments:
        restorer: an automaton, a gate or both.
        digits: test images.
        damage: that the images begin with.
        judge: tells what is seen in an end.
        num_starts: a third of each family.
        num_rounds: how far each is followed; at least 33, by which ends can be told apart.
        seed: of starts and damage.
        progress: told how many steps have been taken, of how many.

    Raises:
        BadInputError: for a model without cells, or too few starts or rounds.
    """
    if not isinstance(restorer.body, LatticeBody):
        raise BadInputError(
            f"the kind {restorer.settings.kind!r} answers at once and has no attractors; usual cure: a model "
            "made of cells"
        )
    if not 6 <= num_starts <= 3 * len(digits):
        raise BadInputError(
            f"got {num_starts} starts; expected 6 to {3 * len(digits)}, three per image at most"
        )

    with judging(restorer), judging(judge):
        starts = _starts(restorer, restorer.body, digits, damage, num_starts, seed)
        ends = _follow(restorer.body, starts, num_rounds, progress)
        finite = (~ends.are("not finite")).nonzero()[:, 0]
        if len(finite) < 2:
            raise NonFiniteError(
                f"{len(finite)} of {num_starts} starts stay finite; usual cure: fewer rounds, or another "
                "model"
            )
        kept = ends.states[finite]
        seen = torch.full((num_starts,), -1)
        seen[finite] = _seen(restorer.body, judge, kept)
        valleys = group_ends(kept, drift=ends.drift[finite], classes=seen[finite])
        untrained, noise = _nulls(restorer, starts, kept, valleys, num_rounds, seed)
        few = finite[:_NUM_DAMAGED]
        returned, same_class = _returns(
            restorer.body, judge, starts.told[few], ends.states[few], valleys, num_rounds, seed
        )
        fewer = finite[:_NUM_LYAPUNOV]
        exponent = _lyapunov(restorer, starts.told[fewer], ends.states[fewer], seed)
    labels = torch.full((num_starts,), -1)
    labels[finite] = valleys.labels
    # of linkage by digits these are known
    assert valleys.tolerance is not None
    assert valleys.same_between is not None
    assert valleys.purity is not None
    assert valleys.mutual_information is not None
    assert valleys.num_classes_with_valley is not None
    sizes = sorted(basin_stability(valleys.labels).items(), key=lambda item: -item[1].share)
    return Census(
        num_starts=num_starts,
        num_rounds=num_rounds,
        round_length=restorer.body.round_length,
        families={name: _family(starts.families == name, starts, ends, seen, labels) for name in FAMILIES},
        num_valleys=valleys.num_valleys,
        num_outside=valleys.num_outside,
        largest=tuple((share.share, share.standard_error) for label, share in sizes if label >= 0)[:10],
        tolerance=valleys.tolerance,
        same_between=valleys.same_between,
        purity=valleys.purity,
        mutual_information=valleys.mutual_information,
        num_classes_with_valley=valleys.num_classes_with_valley,
        untrained_valleys=untrained,
        noise_valleys=noise,
        returned=returned,
        same_class=same_class,
        lyapunov=exponent,
    )


@dataclass(frozen=True, eq=False)
class _Starts:
    """States to begin with, what their cells see, where they are from, and the class of the image, or -1."""

    states: State
    told: Float[Tensor, "start patch side side"]
    families: np.ndarray
    classes: Int[Tensor, " start"]


def _starts(
    restorer: Restorer, body: LatticeBody, digits: Digits, damage: Damage, num_starts: int, seed: int
) -> _Starts:
    """Return a third of the starts of each family, in turn, so that the first few are of all of them."""
    generator = step_generator(seed, "census starts")
    each = -(-num_starts // len(FAMILIES))
    whole = digits.images[:each].float() / 255
    told = body.lift(restorer.seen(*damage(whole, generator)))
    states = body.encoder(told)
    mean, std = states.mean((0, 2, 3), keepdim=True), states.std((0, 2, 3), keepdim=True)
    noise = mean + std * torch.randn(states.shape, generator=generator)
    # everyone is paired with another one
    other = (torch.arange(each) + torch.randint(1, each, (), generator=generator)) % each
    part = torch.rand(each, 1, 1, 1, generator=generator)
    unknown = torch.full((each,), -1)
    found = {
        "noise": (noise, torch.zeros_like(told), unknown),
        "damaged": (states, told, digits.labels[:each]),
        "between": (
            *((1 - part) * item + part * item[other] for item in (states, told)),
            unknown,
        ),
    }
    parts = [found[name] for name in FAMILIES]
    mixed = [torch.stack([item[kind] for item in parts], 1).flatten(0, 1)[:num_starts] for kind in range(3)]
    names = np.array([FAMILIES[number % len(FAMILIES)] for number in range(num_starts)])
    return _Starts(mixed[0], mixed[1], names, mixed[2])


def _follow(
    body: LatticeBody, starts: _Starts, num_rounds: int, progress: Callable[[int, int], None] | None = None
) -> Ends:
    return follow_to_end(
        body.round(starts.told), starts.states, num_steps=num_rounds, batch_size=_AT_ONCE, progress=progress
    )


def _seen(body: LatticeBody, judge: DigitClassifier, states: State) -> Int[Tensor, " start"]:
    """Return the digits that a judge sees in states."""
    return torch.cat([judge(body.observe(part).clamp(0, 1)).argmax(1) for part in states.split(_AT_ONCE)])


def _nulls(
    restorer: Restorer, starts: _Starts, ends: State, valleys: Valleys, num_rounds: int, seed: int
) -> tuple[int, int]:
    """Return how many valleys there are without training, and among random states."""
    untrained = build_restorer(restorer.settings, seed + 1).eval()
    assert isinstance(untrained.body, LatticeBody)  # as the trained one's
    with torch.no_grad():
        other = _follow(untrained.body, starts, num_rounds)
    kept = other.states[~other.are("not finite")]
    return (
        null_model(valleys, kept).num_valleys if len(kept) > 1 else 0,
        null_model(valleys, matched_noise(ends, step_generator(seed, "census noise"))).num_valleys,
    )


def _returns(
    body: LatticeBody,
    judge: DigitClassifier,
    told: Tensor,
    ends: State,
    valleys: Valleys,
    num_rounds: int,
    seed: int,
) -> tuple[dict[float, Probability], dict[float, Probability]]:
    """Return how often damaged ends come back to their place, and to their digit."""
    scale = float(ends.double().square().mean().sqrt()) or 1.0

    def same_place(after: Tensor, before: Tensor) -> Tensor:
        apart: Tensor = (after - before).double().flatten(1).square().mean(1).sqrt() / scale
        return apart <= (valleys.tolerance or 0.0)

    def same_digit(after: Tensor, before: Tensor) -> Tensor:
        return _seen(body, judge, after) == _seen(body, judge, before)

    found = []
    for is_back in (same_place, same_digit):
        curve = return_curve(
            body.round(told),
            ends,
            is_back,
            shares=SHARES,
            num_steps=num_rounds,
            generator=step_generator(seed, "census damage"),  # the same damage for both questions
            batch_size=_AT_ONCE,
        )
        found.append({share: (item.share, item.standard_error) for share, item in curve.items()})
    return found[0], found[1]


def _lyapunov(restorer: Restorer, told: Tensor, ends: State, seed: int) -> float:
    """Return the median leading exponent per automaton step, in float64."""
    body = copy.deepcopy(restorer.body).double()
    assert isinstance(body, LatticeBody)  # a copy of one
    exponent = leading_lyapunov_exponent(
        body.round(told.double()),
        ends.double(),
        num_steps=100,
        generator=step_generator(seed, "census twins"),
    ).exponent
    return float(exponent.nanmedian())


def _family(
    own: np.ndarray, starts: _Starts, ends: Ends, seen: Int[Tensor, " start"], labels: Int[Tensor, " start"]
) -> FamilyEnds:
    rows = torch.from_numpy(own.nonzero()[0])
    kinds = [ends.kinds[row] for row in rows.tolist()]
    settled = [ends.settled_after[row] for row in rows.tolist() if ends.settled_after[row] is not None]
    shown, classes, valleys = seen[rows], starts.classes[rows], labels[rows]
    known = classes >= 0
    falling = ends.falling[rows]
    return FamilyEnds(
        num_starts=len(rows),
        kinds={kind: kinds.count(kind) for kind in KINDS if kind in kinds},
        settled_after=float(np.median(settled)) if settled else None,
        falling=float(falling.nanmedian()),
        residuals=tuple(ends.residuals[:, rows].nanmedian(1).values.tolist()),
        num_valleys=len(valleys[valleys >= 0].unique()),
        classes={str(number): float((shown == number).double().mean()) for number in shown.unique().tolist()},
        right=float((shown == classes)[known].double().mean()) if bool(known.any()) else None,
    )
