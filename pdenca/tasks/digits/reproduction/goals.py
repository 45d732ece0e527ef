"""What was to be reached, with the number of every seed, and whether it is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ...measuring import Measured, of_part
from .measured import WOUNDED, by_seed, change_of_digits, families, percent
from .plan import FROZEN, JUDGES, LEARNERS, OURS, after_digits

JUDGED: Final = tuple(JUDGES)
MISSING: Final = "not measured yet"

Met = dict[str, tuple[str, bool]]
"""Seed -> (its number in words, whether the goal is reached)."""
Found = Mapping[str, Any]


def goals(results: Sequence[Measured], seconds: Mapping[str, float]) -> list[str]:
    """Return a table of all goals, missed and unmeasured ones included.

    Arguments:
        results: what was measured.
        seconds: phase of the work -> how long it took.
    """
    lines = [
        "## Goals",
        "",
        f"*The hybrid* is `{OURS}`; a goal is reached if it is for every seed. Of the two judges the lower "
        "one counts.",
        "",
        "| goal | by seed | reached |",
        "|---|---|---|",
    ]
    for goal, met in _goals(results, seconds).items():
        told = "; ".join(f"{seed}: {words}" if seed else words for seed, (words, _) in met.items())
        reached = [yes for _, yes in met.values()]
        verdict = f"for {sum(reached)} of {len(reached)} seeds" if any(reached) else "no"
        lines.append(
            f"| {goal} | {told or MISSING} | {'' if not met else 'yes' if all(reached) else verdict} |"
        )
    return [*lines, ""]


def _goals(results: Sequence[Measured], seconds: Mapping[str, float]) -> dict[str, Met]:
    ours, automata = by_seed(results, OURS), by_seed(results, "ca")
    fills = {item.key["model"]: item.found for item in of_part(results, "models") if "seed" not in item.key}
    fill, memory = fills.get("Laplace fill"), fills.get("Hopfield retrieval")
    equal, coder = by_seed(results, "u-net-equal"), by_seed(results, "auto-encoder")
    return {
        "hybrid: 21.5 dB or more (range 1)": _each(
            ours, lambda found: (_decibel(found), _psnr(found) >= 21.5)
        ),
        "hybrid: 97 % or more by the judges": _each(
            ours, lambda found: (_right(found), _accuracy(found) >= 97)
        ),
        "hybrid above the Laplace fill in both": _above(ours, {seed: fill for seed in ours}),
        "hybrid above Hopfield retrieval in both": _above(ours, {seed: memory for seed in ours}),
        "hybrid above the U-Net of equal size in both": _above(ours, equal),
        "the post's automaton alone above the Laplace fill in both": _above(
            automata, {seed: fill for seed in automata}
        ),
        "our automaton alone above the Laplace fill in both": _above(
            by_seed(results, "memory-ca"), {seed: fill for seed in by_seed(results, "memory-ca")}
        ),
        "hybrid: less than half the auto-encoder's operations": _pairs(
            ours,
            coder,
            lambda found, other: (
                f"{found['flops'] / 1e6:.3g} of {other['flops'] / 1e6:.3g} MFLOP",
                2 * found["flops"] < other["flops"],
            ),
        ),
        "hybrid: 30 % of the cells zeroed half-way cost 3 points or less": _pairs(
            ours, by_seed(results, OURS, WOUNDED), _lost
        ),
        **_after_digits(results),
        "hybrid: trained in under an hour per seed": {
            str(seed): (f"{seconds[name] / 60:.0f} minutes", seconds[name] < 3600)
            for seed in ours
            if (name := f"train {OURS}-{seed}") in seconds
        },
        "judges: 99 % or more on whole digits": {
            str(item.key["model"]): (f"{100 * item.found['accuracy']:.2f} %", item.found["accuracy"] >= 0.99)
            for item in of_part(results, "judges")
            if item.key["model"] in JUDGES
        },
        "plain auto-encoder: a million numbers within 5 %": _each(
            coder,
            lambda found: (
                f"{found['num_parameters']:,}",
                abs(found["num_parameters"] / 1e6 - 1) <= 0.05,
            ),
        ),
    }


def _after_digits(results: Sequence[Measured]) -> dict[str, Met]:
    met: dict[str, Met] = {}
    for family, own in (families(results) or {"letters": []}).items():
        changes = {scheme: change_of_digits(own, scheme) for scheme in FROZEN}
        seeds = sorted({seed for change in changes.values() for seed in change})
        found: Met = {}
        for seed in seeds:
            change, scheme = max((changes[name][seed], name) for name in FROZEN if seed in changes[name])
            found[str(seed)] = (f"{change:+.2f} points ({scheme})", change >= -2)
        met[f"{family} after digits, automaton frozen: the best scheme costs digits 2 points or less"] = found
        counted = {
            (learner, item.key["seed"])
            for learner in LEARNERS
            for item in of_part(results, "basins")
            if item.key["model"] in {after_digits(family, scheme, learner) for scheme in FROZEN}
        }
        met[f"attractors counted again after {family}"] = {
            f"{learner}-{seed}": ("done", True) for learner, seed in sorted(counted)
        }
    return met


def _each(own: Mapping[int, Found], judge: Callable[[Found], tuple[str, bool]]) -> Met:
    return {str(seed): judge(found) for seed, found in sorted(own.items())}


def _pairs(
    own: Mapping[int, Found],
    others: Mapping[int, Found | None],
    judge: Callable[[Found, Found], tuple[str, bool]],
) -> Met:
    pairs = ((seed, found, others.get(seed)) for seed, found in sorted(own.items()))
    return {str(seed): judge(found, other) for seed, found, other in pairs if other is not None}


def _above(own: Mapping[int, Found], others: Mapping[int, Found | None]) -> Met:
    def judge(found: Found, other: Found) -> tuple[str, bool]:
        words = f"{_decibel(found)} to {_decibel(other)}, {_right(found)} to {_right(other)}"
        return words, _psnr(found) > _psnr(other) and _accuracy(found) > _accuracy(other)

    return _pairs(own, others, judge)


def _lost(whole: Found, hurt: Found) -> tuple[str, bool]:
    lost = max(percent(whole, judge) - percent(hurt, judge) for judge in JUDGED)
    return f"{lost:.2f} points", lost <= 3


def _psnr(found: Found) -> float:
    level: float = found["psnr"][0]
    return level


def _decibel(found: Found) -> str:
    return f"{_psnr(found):.2f} dB"


def _accuracy(found: Found) -> float:
    return min(percent(found, judge) for judge in JUDGED)


def _right(found: Found) -> str:
    return f"{_accuracy(found):.2f} %"
