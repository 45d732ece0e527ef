"""What becomes of a lattice part of which is wiped out: does it fall back to where it was going?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pdenca.evaluation.attractors import in_phase
from pdenca.training import step_generator

from ..classifier import DigitClassifier
from .ends import AT_ONCE, Probability, State, same_place, seen
from .lattice import LatticeBody
from .models import Restorer
from .starts import Starts

SHARES: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
Cells = Float[Tensor, "start 1 side side"]


@dataclass(frozen=True)
class Recovery:
    """What becomes of damaged lattices; of each, by the damaged share of the cells, a share of them.

    Arguments:
        num_starts: that were damaged, of all families.
        num_images: of which ``right`` is told.
        returned: in the place where they end undamaged.
        same_class: seen as the digit that they end in undamaged.
        right: damaged images whose answer the judge reads as what they truly are.
    """

    num_starts: int
    num_images: int
    returned: Mapping[float, Probability]
    same_class: Mapping[float, Probability]
    right: Mapping[float, Probability]


def recover_from_end(
    restorer: Restorer,
    body: LatticeBody,
    judge: DigitClassifier,
    starts: Starts,
    ends: State,
    periods: Sequence[int | None],
    reach: float,
    num_rounds: int,
    seed: int,
) -> Recovery:
    """Damage ends and follow them as long as it took to get there; the answer is read off after that.

    Cells that are hit lose their state in all channels, and from then on no longer see the damaged image;
    known pixels above them are not put back. So it is in the evaluation.

    Arguments:
        restorer: what is damaged.
        body: its cells.
        judge: tells what is seen.
        starts: some.
        ends: where these end undamaged, finite.
        periods: of those that are cycles; such an end is found again in any phase.
        reach: rms distance within which two states are in one place.
        num_rounds: that the ends were reached in.
        seed: of which cells are hit; more damage hits the same cells and others.
    """
    images, ended = starts.classes >= 0, seen(body, judge, ends)
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for share in SHARES:
        alive = _alive(body, len(ends), share, seed)
        after = _end(body, ends * alive, starts.told * alive, num_rounds, periods)
        answer = body.observe(after[images])
        if restorer.settings.keep_known:
            kept = starts.known[images] * body.on_image(alive[images])
            answer = torch.where(kept > 0, starts.damaged[images], answer)
        same = same_place(after, ends, reach), seen(body, judge, after) == ended
        found.append((*same, _read(judge, answer) == starts.classes[images]))
    return _recovery(len(ends), int(images.sum()), found)


def recover_midway(
    restorer: Restorer,
    body: LatticeBody,
    judge: DigitClassifier,
    starts: Starts,
    ends: State,
    periods: Sequence[int | None],
    reach: float,
    num_rounds: int,
    seed: int,
    *,
    pictured: Starts,
) -> Recovery:
    """Damage lattices after half of the steps of training, and see where they end.

    Undamaged they end where they end: without damage all return, also those of a chaotic map. The answer is
    read off after as many steps as in training.

    Arguments:
        restorer, body, judge, starts, ends, periods, reach, seed: as for :func:`recover_from_end`.
        num_rounds: in which the undamaged ends are reached, those before the damage included.
        pictured: damaged images whose answer is read; more of them, since that takes few steps.
    """
    half = max(1, restorer.num_steps // 2)
    before = min(max(1, round(half / body.round_length)), num_rounds - 1)
    middle = _rounds(body, starts.states, starts.told, before)
    ended = seen(body, judge, ends)
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for share in SHARES:
        alive = _alive(body, len(ends), share, seed)
        after = _end(body, middle * alive, starts.told * alive, num_rounds - before, periods)
        wound = body.wound(len(pictured.classes), share, half, step_generator(seed, "census damage"))
        answer = restorer.film(pictured.damaged, pictured.known, 1, wound=wound)[:, 0]
        same = same_place(after, ends, reach), seen(body, judge, after) == ended
        found.append((*same, _read(judge, answer) == pictured.classes))
    return _recovery(len(ends), len(pictured.classes), found)


def probability(hits: Bool[Tensor, " trial"]) -> Probability:
    """Return a share of hits with its standard error; NaN without trials."""
    share = float(hits.double().mean())
    return share, float((share * (1 - share) / max(len(hits), 1)) ** 0.5)


def _recovery(num_starts: int, num_images: int, found: list[tuple[Tensor, Tensor, Tensor]]) -> Recovery:
    curves = [dict(zip(SHARES, map(probability, column), strict=True)) for column in zip(*found, strict=True)]
    return Recovery(num_starts, num_images, *curves)


def _alive(body: LatticeBody, batch: int, share: float, seed: int) -> Cells:
    return body.wound(batch, share, 1, step_generator(seed, "census damage")).alive


def _end(
    body: LatticeBody,
    states: State,
    told: Float[Tensor, "start patch side side"],
    num_rounds: int,
    periods: Sequence[int | None],
) -> State:
    after = _rounds(body, states, told, num_rounds)
    return in_phase(body.round(told), after, periods, batch_size=AT_ONCE)


def _rounds(
    body: LatticeBody, states: State, told: Float[Tensor, "start patch side side"], num_rounds: int
) -> State:
    found = []
    for part, what in zip(states.split(AT_ONCE), told.split(AT_ONCE), strict=True):
        step, state = body.round(what), part
        for _ in range(num_rounds):
            state = step(state)
        found.append(state)
    return torch.cat(found)


def _read(judge: DigitClassifier, images: Float[Tensor, "start 28 28"]) -> Int[Tensor, " start"]:
    # judges have seen grey values only
    found: Tensor = judge(images.clamp(0, 1)).argmax(1)
    return found
