"""What a rule shows, beside what it should."""

from matplotlib.figure import Figure

from pdenca import plots
from pdenca.automaton import Automaton
from pdenca.training import step_generator

from .course import decades, follow
from .series import Series


def draw_strip(
    automaton: Automaton, series: Series, steps_per_interval: int, *, hold: int = 1000, seed: int = 0
) -> Figure:
    """Draw the frames of the first series above what a rule shows at their times and while it holds.

    Arguments:
        automaton: the rule.
        series: the frames.
        steps_per_interval: automaton steps of the shortest time between two of them.
        hold: steps of holding; shown at their end and at powers of ten before.
        seed: of firing.
    """
    course = follow(
        automaton,
        series,
        steps_per_interval,
        hold=decades(hold),
        generator=step_generator(seed, "strip"),
    )
    wanted = [series.frames[0, 0], *(series.frames[0, frame] for frame in course.wanted)]
    shown = [series.frames[0, 0], *course.shown]
    names = ["start", *(f"step {count:,}" for count in course.steps)]
    notes = ["", *(f"{error:.2g}" for error in course.errors)]
    return plots.film_strip({"frames": wanted, "rule": shown}, names, notes=notes)
