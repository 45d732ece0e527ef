"""What was aimed for, and what every seed reached of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ...measuring import Measured, worst
from .plan import (
    BACK,
    COVERED,
    HELD,
    LONG_ENOUGH,
    MANY_ENOUGH,
    OFTEN_ENOUGH,
    OURS,
    REACHED,
    SHARE,
    SOON_ENOUGH,
)


class Goal(NamedTuple):
    """One goal.

    Arguments:
        words: what is aimed for.
        form: of its numbers.
        reached: whether a number is good enough; what is not a number is not.
        value: seed -> its number, None if it was not measured as far as that.
    """

    words: str
    form: str
    reached: Callable[[float | int], bool]
    value: Callable[[int], float | int | None]


def errors_at_times(found: Mapping[str, Any]) -> list[float]:
    """Return the errors at the frames' own times."""
    last = max(found["wanted"])
    return [float(error) for error in found["errors"][:last]]


def goals(results: Sequence[Measured], facts: Mapping[str, Any], seeds: Sequence[int]) -> list[str]:
    """Return the lines of the table of goals, of the first rule."""

    def found(part: str, seed: int, **told: str) -> Mapping[str, Any] | None:
        key = {"part": part, "model": OURS, "seed": seed, **told}
        return next((item.found for item in results if key.items() <= item.key.items()), None)

    def at_times(seed: int) -> float | int | None:
        course = found("courses", seed)
        return None if course is None else worst(errors_at_times(course))

    def held(seed: int) -> float | None:
        course = found("courses", seed)
        return None if course is None or course["hold"] < LONG_ENOUGH else float(course["peak"])

    def back(seed: int) -> float | None:
        grown = found("regrowth", seed, damage="erase")
        return None if grown is None or grown["trials"] < MANY_ENOUGH else 100 * float(grown["back"])

    def minutes(seed: int) -> float | None:
        seconds = facts["seconds"].get(f"train {OURS}-{seed}")
        return None if seconds is None else float(seconds) / 60

    def covered(seed: int) -> float | None:
        course = found("courses", seed)
        return None if course is None else 100 * min(course["seen"][1:])

    listed = [
        Goal(f"every frame within {REACHED:g} at its time", "{:.2g}", lambda e: e <= REACHED, at_times),
        Goal(
            f"the last one within {HELD:g} at each of {LONG_ENOUGH:,} steps",
            "{:.2g}",
            lambda e: e <= HELD,
            held,
        ),
        Goal(
            f"below {BACK:g} again in {OFTEN_ENOUGH:g} % of {MANY_ENOUGH} trials, {100 * SHARE:g} % erased",
            "{:.0f} %",
            lambda share: share >= OFTEN_ENOUGH,
            back,
        ),
        Goal(
            f"trained in {SOON_ENOUGH:g} minutes", "{:.1f} min", lambda spent: spent <= SOON_ENOUGH, minutes
        ),
        Goal(
            f"targets cover {100 * COVERED:g} % of the lattice",
            "{:.0f} %",
            lambda share: share >= 100 * COVERED,
            covered,
        ),
    ]
    lines = [
        "## Goals",
        "",
        f"Of the rule *{OURS}*, seed by seed: what was measured, and of how many seeds it is enough.",
        "",
        "| goal | " + " | ".join(f"seed {seed}" for seed in seeds) + " | reached |",
        "|---|" + "---:|" * len(seeds) + "---:|",
    ]
    for goal in listed:
        values = [goal.value(seed) for seed in seeds]
        cells = ["not measured" if value is None else _told(goal, value) for value in values]
        enough = sum(value is not None and goal.reached(value) for value in values)
        lines.append(f"| {goal.words} | " + " | ".join(cells) + f" | {enough} of {len(seeds)} |")
    return [*lines, ""]


def _told(goal: Goal, value: float | int) -> str:
    return "diverged" if value != value else goal.form.format(value)
