"""Goals, and the abstract's claims, each with what was measured and a verdict by a rule written here."""

import statistics
from collections.abc import Sequence
from typing import Final

from ...measuring import Measured, of_part, spread
from .measured import by_network, depth_of, held_out, least_and_stay, lost, seed_means
from .plan import LASTING, OF_RIVALS

Claim = tuple[str, str, str]
"""What is wanted or claimed, what was measured, the verdict."""
HOLDS: Final = "holds"
FAILS: Final = "does not hold"
OPEN: Final = "cannot be told"
REACHED: Final = "reached"
MISSED: Final = "not reached"

PUBLISHED: Final = "irises"
POOLED: Final = "irises, pool"
ZEROED: Final = "irises, pool, zeroed"
NEARLY: Final = 5.0
"""Points by which accuracy may be lower on networks that a rule was not trained on."""
COMES_BACK: Final = 2.0
"""Points that may be lost where accuracy counts as recovered."""


def goals(results: Sequence[Measured]) -> list[Claim]:
    """Judge every goal that something has been measured for, rule by rule."""
    return [
        *_flowers(of_part(results, "folds")),
        *_lasting(results),
        *_digits(of_part(results, "architectures")),
    ]


def verdicts(results: Sequence[Measured]) -> list[Claim]:
    """Judge every claim of the abstract that something has been measured for."""
    found = [
        _generalises(of_part(results, "architectures")),
        _pool_helps(of_part(results, "stability")),
        _recovers(of_part(results, "robustness")),
    ]
    return [claim for claim in found if claim is not None]


def _flowers(own: Sequence[Measured]) -> list[Claim]:
    found = []
    for model in dict.fromkeys(item.key["model"] for item in own):
        runs = [item for item in own if item.key["model"] == model]
        right = [
            100 * network["accuracy"]
            for item in runs
            for network in item.found["networks"]
            if network["trained"]
        ]
        mean, lowest = statistics.mean(right), min(right)
        found.append(
            (
                "irises, five folds, networks trained on: mean of 95 % or more, no run below 85 %",
                f"{model}: mean {mean:.1f} %, lowest {lowest:.1f} %, {len(runs)} runs",
                _reached(mean >= 95 and lowest >= 85),
            )
        )
    return found


def _lasting(results: Sequence[Measured]) -> list[Claim]:
    found = []
    for model in LASTING:
        stable = _of(of_part(results, "stability"), model)
        if stable:
            stays = [least_and_stay(item.found)[1] for item in stable]
            wanted = "within 10 % of the least cross-entropy for 1,000 updates or more"
            told = f"{model}: {spread(stays, '{:.0f}')} updates"
            found.append((wanted, told, _reached(min(stays) >= 1000)))
    for model in LASTING:
        robust = _of(of_part(results, "robustness"), model)
        if robust:
            gone = [lost(item.found) for item in robust]
            wanted = "back within 2 points of the accuracy before, after each of 20 zero-outs"
            told = f"{model}: {spread(gone, '{:.1f}')} points lost"
            found.append((wanted, told, _reached(max(gone) <= COMES_BACK)))
    return found


def _digits(own: Sequence[Measured]) -> list[Claim]:
    chosen = _of(own, OF_RIVALS)
    if not chosen:
        return []
    trained = {name for name, group in by_network(chosen).items() if group[0]["trained"]}
    depths = {depth_of(name) for name in trained}
    unseen = {name for name in held_out(own) if depth_of(name) in depths}
    found = []
    for names, least, told in (
        (trained, 95, "networks trained on"),
        (unseen, 93, f"networks that no rule was trained on, {_listed(depths)} layers"),
    ):
        means = seed_means(chosen, names)
        if means:
            wanted = f"MNIST: {least} % or more, mean over {told}"
            measured = f"{OF_RIVALS}: {spread(means, '{:.1f}')} % over {len(names)}"
            found.append((wanted, measured, _reached(min(means) >= least)))
    return found


def _generalises(own: Sequence[Measured]) -> Claim | None:
    chosen = _of(own, OF_RIVALS)
    if not chosen:
        return None
    trained = {name for name, group in by_network(chosen).items() if group[0]["trained"]}
    depths = {depth_of(name) for name in trained}
    known = seed_means(chosen, trained)
    apart = {depth: {name for name in held_out(own) if depth_of(name) == depth} for depth in (1, 2, 3, 4)}
    means = {depth: seed_means(chosen, names) for depth, names in apart.items() if names}
    told = "; ".join(f"{depth} layers {spread(values, '{:.1f}')}" for depth, values in means.items())
    # in every seed nearly as good as where that seed was trained
    good = {
        depth
        for depth, values in means.items()
        if all(own >= here - NEARLY for own, here in zip(values, known, strict=True))
    }
    bad = set(means) - good
    inside = depths & set(means)
    verdict = OPEN if not inside else HOLDS if inside <= good else FAILS
    more = f", but not to networks of {_listed(bad)} layers" if bad and verdict == HOLDS else ""
    return (
        f"the rule generalises across architectures (within {NEARLY:g} points of those trained on)",
        f"{spread(known, '{:.1f}')} % where it was trained; elsewhere {told}",
        f"{verdict}{more}",
    )


def _pool_helps(own: Sequence[Measured]) -> Claim | None:
    without, beside = (
        [least_and_stay(item.found)[1] for item in _of(own, model)] for model in (PUBLISHED, POOLED)
    )
    if not (without and beside):
        return None
    verdict = HOLDS if min(beside) > max(without) else FAILS if max(beside) <= max(without) else OPEN
    return (
        "a pool of samples makes networks more stable over many updates",
        f"within 10 % of the least cross-entropy for {spread(beside, '{:.0f}')} updates with the pool, "
        f"{spread(without, '{:.0f}')} without",
        verdict,
    )


def _recovers(own: Sequence[Measured]) -> Claim | None:
    without, beside = ([lost(item.found) for item in _of(own, model)] for model in (POOLED, ZEROED))
    if not (without and beside):
        return None
    comes, stays_away = max(beside) <= COMES_BACK, min(without) > COMES_BACK
    return (
        "trained with zero-outs a rule recovers its accuracy after 20 of them, without it does not",
        f"{spread(beside, '{:.1f}')} points lost with zero-outs in training, "
        f"{spread(without, '{:.1f}')} without",
        HOLDS if comes and stays_away else FAILS if min(beside) > COMES_BACK else OPEN,
    )


def _of(own: Sequence[Measured], model: str) -> list[Measured]:
    return [item for item in own if item.key["model"] == model]


def _reached(is_so: bool) -> str:
    return REACHED if is_so else MISSED


def _listed(depths: set[int]) -> str:
    return " and ".join(map(str, sorted(depths)))
