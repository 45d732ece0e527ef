"""A census of where a restorer's lattice ends: which attractors it has, and what damage they survive.

The claim to be tested is that of an associative memory: that starts of all kinds, even random ones, fall into
few valleys, one per class, and fall back into them after part of the lattice is wiped out.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.datasets.digits import Digits
from pdenca.evaluation.attractors import (
    Ends,
    matched_noise,
    num_classes_with_valley,
    purity,
)
from pdenca.training import step_generator

from ..classifier import DigitClassifier
from ..judging import judging
from .damage import Damage
from .ends import (
    AT_REST,
    Attractors,
    attractors_of,
    follow,
    grouped,
    kinds_of,
    same_place,
    seen,
    size_of,
    tolerance_of,
)
from .lattice import LatticeBody
from .models import Restorer
from .recovery import Recovery, probability, recover_from_end, recover_midway
from .starts import FAMILIES, Starts, draw_starts, untrained

_NUM_DAMAGED: Final = 200  # ends; each is followed again for every share, twice


@dataclass(frozen=True)
class FamilyEnds:
    """How the starts of one family end.

    Arguments:
        num_starts: of the family.
        kinds: kind of end -> how many, see :data:`pdenca.evaluation.attractors.KINDS`.
        held: share of the starts that end at rest and in a valley.
        settled_after: median number of rounds after which those that come to rest do; None if none does.
        falling: median share of rounds in which the residual fell, before it settled.
        residuals: median residual after 1, 2, ... rounds.
        num_valleys: valleys that this family falls into.
        purity: share of its ends that show the digit that is most frequent among them in their valley.
        num_classes_with_valley: digits that are more than half of this family's ends in some valley.
        classes: digits that the judge sees in the ends -> share.
        right: share of the ends that show the class of the image they began with; None unless "damaged".
    """

    num_starts: int
    kinds: Mapping[str, int]
    held: float
    settled_after: float | None
    falling: float
    residuals: tuple[float, ...]
    num_valleys: int
    purity: float
    num_classes_with_valley: int
    classes: Mapping[str, float]
    right: float | None


@dataclass(frozen=True)
class Intact:
    """What is left of the ends of another restorer, from the same starts.

    Arguments:
        share: of the starts that end within the tolerance of where they ended before, and its standard error.
        same_class: of the starts whose end shows the same digit as before, to the judge, and its standard
            error; an end that is not finite shows none.
        tolerance: of the ends before, relative to their size.
        at_rest: share of the ends before that were at rest; what moves is nowhere it could be found again.
    """

    share: tuple[float, float]
    same_class: tuple[float, float]
    tolerance: float
    at_rest: float


@dataclass(frozen=True)
class Census:
    """Where a restorer's lattice ends.

    Arguments:
        num_starts: of all families together; those whose ends are not finite are in no valley.
        num_rounds: how far each was followed.
        round_length: steps of a round, see ``LatticeBody.round``.
        families: how the starts of each end.
        found: what they end in, all families together.
        untrained: what a model of the same shape without training ends in, see
            :func:`~pdenca.tasks.digits.restoration.starts.untrained`: from starts of its own encoder, grouped
            by a tolerance of its own.
        noise_valleys: of random states with the mean and covariance of the ends, same tolerance.
        midway: what becomes of lattices that are damaged after half of the steps of training.
        at_end: likewise, damaged where they end.
        intact: what is left of the ends of the restorer that this one began as; None if none was given.
    """

    num_starts: int
    num_rounds: int
    round_length: int
    families: Mapping[str, FamilyEnds]
    found: Attractors
    untrained: Attractors
    noise_valleys: int
    midway: Recovery
    at_end: Recovery
    intact: Intact | None

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
    before: Restorer | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Census:
    """Follow many starts for long, group their ends, and damage them.

    A model that diverges has a census too: starts that do not stay finite are in no valley, and what becomes
    of damage that was done to nothing is NaN.

    Where the cells see the damaged image in every step, each start has dynamics of its own, and an end
    belongs to its image: many valleys are then no surprise, and returning to one's own place no sign of a
    memory, since the image tells the way, though not to cells that were hit.

    Arguments:
        restorer: an automaton, a gate or both.
        digits: test images.
        damage: that the images begin with.
        judge: tells what is seen in an end.
        num_starts: a third of each family.
        num_rounds: how far each is followed; at least 33, by which ends can be told apart.
        seed: of starts and damage.
        before: a restorer of the same shape, whose ends from the same states are compared.
        progress: told how many steps have been taken, of how many.

    Raises:
        BadInputError: for a model without cells, or another than before, or too few starts or rounds.
    """
    body = restorer.body
    if not isinstance(body, LatticeBody):
        raise BadInputError(
            f"the kind {restorer.settings.kind!r} answers at once and has no attractors; usual cure: a model "
            "made of cells"
        )
    if not 6 <= num_starts <= 3 * len(digits):
        raise BadInputError(
            f"got {num_starts} starts; expected 6 to {3 * len(digits)}, three per image at most"
        )
    if before is not None and before.settings != restorer.settings:
        raise BadInputError(
            "the ends before are those of a model of another shape; usual cure: the run that this one began "
            "with"
        )

    with judging(restorer), judging(judge):
        starts = draw_starts(restorer, body, digits, damage, num_starts, seed)
        ends = follow(body, starts, num_rounds, progress)
        finite = (~ends.are("not finite")).nonzero()[:, 0]
        found, shown, labels = attractors_of(body, judge, starts, ends, seed)
        reach = found.tolerance * size_of(ends)
        few = finite[:_NUM_DAMAGED]
        pictured = starts.chosen((starts.classes >= 0).nonzero()[:, 0])
        periods = [ends.periods[row] for row in few.tolist()]
        damaged = (starts.chosen(few), ends.states[few], periods, reach, num_rounds, seed)
        return Census(
            num_starts=num_starts,
            num_rounds=num_rounds,
            round_length=body.round_length,
            families={
                name: _family(starts.families == name, starts, ends, shown, labels) for name in FAMILIES
            },
            found=found,
            untrained=_untrained(restorer, digits, damage, judge, num_starts, num_rounds, seed),
            noise_valleys=_noise_valleys(ends.states[finite], reach, seed),
            midway=recover_midway(restorer, body, judge, *damaged, pictured=pictured),
            at_end=recover_from_end(restorer, body, judge, *damaged),
            intact=None if before is None else _intact(before, judge, starts, ends, shown, num_rounds),
        )


def _noise_valleys(finite: Tensor, reach: float, seed: int) -> int:
    if len(finite) < 2:  # they have no covariance
        return 0
    drawn = matched_noise(finite, step_generator(seed, "census noise"))
    return grouped(drawn, reach).num_valleys


def _untrained(
    restorer: Restorer,
    digits: Digits,
    damage: Damage,
    judge: DigitClassifier,
    num_starts: int,
    num_rounds: int,
    seed: int,
) -> Attractors:
    null = untrained(restorer.settings, seed + 1)
    assert isinstance(null.body, LatticeBody)  # as the trained one's
    starts = draw_starts(null, null.body, digits, damage, num_starts, seed)
    ends = follow(null.body, starts, num_rounds)
    return attractors_of(null.body, judge, starts, ends, seed)[0]


def _intact(
    before: Restorer,
    judge: DigitClassifier,
    starts: Starts,
    ends: Ends,
    shown: Int[Tensor, " start"],
    num_rounds: int,
) -> Intact:
    assert isinstance(before.body, LatticeBody)  # of the same shape
    with judging(before):
        old = follow(before.body, starts, num_rounds)
        digits = seen(before.body, judge, old.states)
    tolerance, finite = tolerance_of(old), ~old.are("not finite")
    return Intact(
        share=probability(same_place(ends.states, old.states, tolerance * size_of(old))),
        same_class=probability((shown == digits) & finite & (shown >= 0)),
        tolerance=tolerance,
        at_rest=float(old.are(*AT_REST).double().mean()),
    )


def _family(
    own: np.ndarray, starts: Starts, ends: Ends, digits: Int[Tensor, " start"], labels: Int[Tensor, " start"]
) -> FamilyEnds:
    rows = torch.from_numpy(own.nonzero()[0])
    settled = [ends.settled_after[row] for row in rows.tolist() if ends.settled_after[row] is not None]
    shown, classes, valleys = digits[rows], starts.classes[rows], labels[rows]
    known = classes >= 0
    held = ends.are(*AT_REST)[rows] & (valleys >= 0)
    finite = shown >= 0
    told = (valleys[finite], shown[finite])
    return FamilyEnds(
        num_starts=len(rows),
        kinds=kinds_of(ends, rows.tolist()),
        held=float(held.double().mean()),
        settled_after=float(np.median(settled)) if settled else None,
        falling=float(ends.falling[rows].nanmedian()),
        residuals=tuple(ends.residuals[:, rows].nanmedian(1).values.tolist()),
        num_valleys=len(valleys[valleys >= 0].unique()),
        purity=purity(*told) if bool(finite.any()) else float("nan"),
        num_classes_with_valley=num_classes_with_valley(*told) if bool(finite.any()) else 0,
        classes={str(number): float((shown == number).double().mean()) for number in shown.unique().tolist()},
        right=float((shown == classes)[known].double().mean()) if bool(known.any()) else None,
    )
