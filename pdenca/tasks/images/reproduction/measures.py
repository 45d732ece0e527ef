"""What is measured of one trained rule."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from pdenca.automaton import Automaton
from pdenca.core import BadInputError
from pdenca.plots import save
from pdenca.symmetry import D4, act
from pdenca.training import step_generator

from ...measuring import by_count
from ...phases import Tell
from ..adversary import GOALS, find_change
from ..course import decades, follow_anew, held_at, still_errors
from ..pictures import draw_strip
from ..pruning import pruned
from ..regrowth import random_ages, regrow
from ..series import Series
from ..settings import ImageSettings
from .plan import BACK, BROKEN, FEWER, LATER, LOOKS, PRUNED, SHARE, SHARES, SHIFT, SOON

LOOKS_OF_HOLDING: Final = 50
"""Beside powers of ten, evenly."""
Found = Mapping[str, Any]


def measure_course(
    hold: int, strip: Path, model: Automaton, series: Series, settings: ImageSettings, tell: Tell
) -> Found:
    """Go through the frames, hold the last one, and draw both."""
    often = range(0, hold + 1, max(1, hold // LOOKS_OF_HOLDING))
    looks = tuple(sorted({*decades(hold), *often} - {0}))
    course = follow_anew(model, series, settings, looks, by_count(tell))
    still = still_errors(series, len(looks))
    seen = [float(series.seen(frame).double().mean()) for frame in range(series.frames.shape[1])]
    save(draw_strip(model, series, settings.steps_per_interval, hold=hold, seed=settings.seed), strip, 150)
    told = {"hold": hold, "nothing_done": still, "seen": seen, "parameters": model.num_parameters}
    return {**course.to_dict(), **told}


class Held:
    """States of one rule at random times of the hold, made when they are first asked for.

    Arguments:
        hold: its length (steps).
        count: of the times.
    """

    def __init__(self, hold: int, count: int) -> None:
        self.hold, self.count = hold, count
        self._states: Tensor | None = None

    def ages(self, settings: ImageSettings) -> list[int]:
        """Return the times, drawn by the seed of the rule."""
        return random_ages(self.hold, self.count, settings.seed)

    def states(self, model: Automaton, series: Series, settings: ImageSettings, tell: Tell) -> Tensor:
        """Return the states then."""
        if self._states is None:
            generator = step_generator(settings.seed, "study")
            ages, steps = self.ages(settings), settings.steps_per_interval
            self._states = held_at(model, series, steps, ages, generator, by_count(tell))
        return self._states


def measure_damage(
    held: Held, damage: str, model: Automaton, series: Series, settings: ImageSettings, tell: Tell
) -> Found:
    """Damage what is held, every time at another age and another place."""
    states = held.states(model, series, settings, tell)
    found = regrow(
        model, series, states, damage, SHARE,
        num_trials=held.count, steps=LOOKS, threshold=BACK, seed=settings.seed, progress=by_count(tell),
    )  # fmt: skip
    return {
        "hold": held.hold,
        "ages": held.ages(settings),
        "trials": len(found.errors),
        "steps": list(LOOKS),
        "before": found.before,
        "hurt": float(found.hurt.median()),
        "errors": found.errors.median(0).values.tolist(),
        "upper": found.errors.quantile(0.95, 0).tolist(),
        "back": found.back,
    }


def measure_basin(
    held: Held, damage: str, model: Automaton, series: Series, settings: ImageSettings, tell: Tell
) -> Found:
    """Damage more and more of what is held, until it does not come back."""
    states = held.states(model, series, settings, tell)
    back, hurt, count = [], [], max(1, held.count // FEWER)
    for number, share in enumerate(SHARES):
        found = regrow(
            model, series, states, damage, share,
            num_trials=count, steps=LOOKS[-1:], threshold=BACK, seed=settings.seed,
        )  # fmt: skip
        back.append(found.back)
        hurt.append(float(found.hurt.median()))
        tell(number + 1, len(SHARES), f"damage: {damage}")
    return {"shares": list(SHARES), "back": back, "hurt": hurt, "trials": count, "steps": LOOKS[-1]}


def turned_and_mirrored(series: Series) -> dict[str, Tensor]:
    """Return name -> the frames of a series in one of the eight ways, as they are first."""
    flat = series.frames.flatten(0, 1)
    return {element.name: act(element, flat).view_as(series.frames) for element in D4}


def measure_turned(model: Automaton, series: Series, settings: ImageSettings, tell: Tell) -> Found:
    """Turn, mirror and shift the first frame: the outcome should be turned, mirrored and shifted."""
    series = replace(series, frames=series.frames[:1])  # of a rule that was trained on all ways: the first
    shift = round(SHIFT * series.grid.shape[0])
    moved = turned_and_mirrored(series)
    moved["shift"] = series.frames.roll((shift, shift), (-2, -1))
    found = {}
    for number, (name, frames) in enumerate(moved.items()):
        course = follow_anew(model, replace(series, frames=frames), settings, (LATER,))
        found[name] = list(course.errors)
        tell(number + 1, len(moved), name)
    return {"errors": found, "steps": list(course.steps), "wanted": list(course.wanted)}


def measure_changes(model: Automaton, series: Series, settings: ImageSettings, tell: Tell) -> Found:
    """Find the smallest change of the start that breaks the outcome, and the largest that keeps it."""
    found: dict[str, Any] = {}
    for goal in GOALS:
        try:
            change = find_change(
                model,
                series,
                settings.steps_per_interval,
                goal,
                threshold=BROKEN,
                seed=settings.seed,
                progress=by_count(tell),
            )
        except BadInputError as error:  # the outcome is not reached: there is nothing to break
            return {"refused": str(error)}
        found[goal] = {name: getattr(change, name) for name in ("size", "error", "again", "random")}
    return found


def measure_pruned(model: Automaton, series: Series, settings: ImageSettings, tell: Tell) -> Found:
    """Take the smallest weights away."""
    errors = []
    for number, share in enumerate(PRUNED):
        course = follow_anew(pruned(model, share), series, settings, (SOON,))
        errors.append(course.mean_error)
        tell(number + 1, len(PRUNED), "")
    return {"shares": list(PRUNED), "errors": errors}
