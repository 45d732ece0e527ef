"""The post's claims, each with what was measured and a verdict by a rule that is written beside it."""

import statistics
from collections.abc import Sequence
from typing import Final

from ...measuring import Measured, of_part
from .measured import WOUNDED, backward_transfer, percent

HOLDS: Final = "holds"
FAILS: Final = "does not hold"
OPEN: Final = "cannot be told"
HYBRID: Final = "hybrid"
"""The post's model; attractors are its own, and letters are learned by ours."""

Claim = tuple[str, str, str]
"""What is claimed, what was measured, the verdict."""


def verdicts(results: Sequence[Measured]) -> list[Claim]:
    """Judge every claim that something has been measured for; no seed may speak against one that holds."""
    models, basins = of_part(results, "models"), of_part(results, "basins")
    letters = of_part(results, "letters")
    own = [item for item in basins if item.key["model"] == HYBRID]
    found = [
        _before_training(own),
        _overlay(models),
        _damage(models),
        _ten_valleys(own),
        _returns(own),
        _letters(letters),
    ]
    return [claim for claim in found if claim is not None]


def _before_training(own: Sequence[Measured]) -> Claim | None:
    if not own:
        return None
    counts = [item.found["untrained_valleys"] for item in own]
    return (
        "coarse basins emerge before any optimisation (ten or more valleys without training; one holds "
        "nothing)",
        f"an untrained hybrid has {_listed(counts)} valleys",
        HOLDS if min(counts) >= 10 else FAILS if max(counts) < 2 else OPEN,
    )


def _overlay(models: Sequence[Measured]) -> Claim | None:
    errors = {
        name: {
            item.key["seed"]: 10 ** (-item.found["psnr_of_mean"] / 10)
            for item in models
            if item.key["model"] == name and "variant" not in item.key
        }
        for name in (HYBRID, "ca")
    }
    ratios = [errors["ca"][seed] / error for seed, error in errors[HYBRID].items() if seed in errors["ca"]]
    if not ratios:
        return None
    return (
        "a tiny overlay doubles the quality (half the mean squared error; it has most of the numbers)",
        f"the automaton's error is {_listed([round(ratio, 2) for ratio in ratios])} times the hybrid's",
        _verdict([ratio >= 2 for ratio in ratios]),
    )


def _damage(models: Sequence[Measured]) -> Claim | None:
    right = {
        (item.key["seed"], item.key.get("variant")): percent(item.found, "judge")
        for item in models
        if item.key["model"] == HYBRID
    }
    lost = [
        round(right[seed, None] - value, 1)
        for (seed, variant), value in right.items()
        if variant == WOUNDED and (seed, None) in right
    ]
    if not lost:
        return None
    return (
        "damage to 30 % of the lattice on the way costs only 8 points of accuracy",
        f"it costs {_listed(lost)} points",
        _verdict([value <= 8 for value in lost]),
    )


def _ten_valleys(own: Sequence[Measured]) -> Claim | None:
    if not own:
        return None
    counts = [item.found["families"]["noise"]["num_valleys"] for item in own]
    classes = [item.found["num_classes_with_valley"] for item in own]
    return (
        "random states fall into ten valleys, one per digit",
        f"they fall into {_listed(counts)} valleys of two starts or more; {_listed(classes)} digits have a "
        "valley of their own",
        _verdict([pair == (10, 10) for pair in zip(counts, classes, strict=True)]),
    )


def _returns(own: Sequence[Measured]) -> Claim | None:
    if not own:
        return None
    shares = [100 * item.found["returned"]["0.3"][0] for item in own]
    still = [100 * item.found["returned"]["0.0"][0] for item in own]
    # what does not stay cannot return
    verdict = OPEN if min(still) < 90 else _verdict([share >= 90 for share in shares])
    return (
        "states slide back into the same valleys when 30 % of the cells are zeroed (nine in ten, of ends "
        "that stay)",
        f"{_listed([round(share) for share in shares])} % come back; undamaged "
        f"{_listed([round(share) for share in still])} % stay",
        verdict,
    )


def _letters(letters: Sequence[Measured]) -> Claim | None:
    gains = [round(value, 1) for value in backward_transfer(letters, "gate only")]
    if not gains:
        return None
    return (
        "retraining the gate on letters leaves the old valleys intact (at most 2 points lost on digits)",
        f"digits change by {_listed(gains)} points of accuracy",
        _verdict([value >= -2 for value in gains]),
    )


def _verdict(held: Sequence[bool]) -> str:
    """Return that a claim holds if it does for every seed, and that it does not if it does for none."""
    return HOLDS if all(held) else OPEN if any(held) else FAILS


def _listed(values: Sequence[int | float]) -> str:
    """Return median and range."""
    if len(set(values)) == 1:
        return f"{values[0]:g}"
    return f"{statistics.median(values):g} [{min(values):g}, {max(values):g}]"
