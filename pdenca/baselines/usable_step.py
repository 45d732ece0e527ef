"""How far a solver can be pushed before its answer suffers: the fair price of the spectral rival."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from pdenca.core import BadInputError

from .equations import SpectralOnGrid
from .family import AnyEquation

SLACK = 0.1
"""How much worse than converged an answer may be to count as usable."""


@dataclass(frozen=True)
class UsableStep:
    """What was found.

    Attributes:
        solver: the spectral solver with the longest usable step.
        score: its validation score.
        converged: the solver whose halved step changes nothing that matters.
        converged_score: its score.
    """

    solver: SpectralOnGrid
    score: float
    converged: SpectralOnGrid
    converged_score: float


def largest_usable_step(
    equation: AnyEquation,
    frame_interval: float,
    score: Callable[[SpectralOnGrid], float],
    *,
    slack: float = SLACK,
    first_guess: int = 8,
    most_steps: int = 256,
) -> UsableStep:
    """Find the spectral solver with the fewest equal steps per frame that is still as good as converged.

    The number of steps is doubled until halving the step changes the score by less than a tenth of the
    slack; then 1, 2, 3, ... steps are tried and the first with a finite score within the slack is taken.

    Arguments:
        equation: a key of ``EQUATIONS``, an Equation class, or a family with its constants.
        frame_interval: physical time between frames.
        score: solver -> error on validation data, lower is better; NaN where it blows up.
        slack: relative, positive.
        first_guess: steps per frame to begin with.
        most_steps: steps per frame at which the search ends.

    Raises:
        BadInputError: for a slack that is not positive, or if the score does not settle.
    """
    if not slack > 0:
        raise BadInputError(f"slack must be positive, got {slack}")
    known: dict[int, float] = {}

    def at(steps: int) -> float:
        if steps not in known:
            known[steps] = score(_solver(equation, frame_interval, steps))
        return known[steps]

    steps = first_guess
    while not abs(at(2 * steps) - at(steps)) <= 0.1 * slack * at(2 * steps):  # also while there is no number
        steps *= 2
        if steps > most_steps:
            raise BadInputError(
                f"the spectral solver's score does not settle up to {most_steps} steps a frame; usual cure: "
                "a shorter frame interval"
            )
    converged = at(steps)
    fewest = next(
        count
        for count in range(1, steps + 1)
        if math.isfinite(at(count)) and at(count) <= (1 + slack) * converged
    )
    return UsableStep(
        _solver(equation, frame_interval, fewest),
        at(fewest),
        _solver(equation, frame_interval, steps),
        converged,
    )


def _solver(equation: AnyEquation, frame_interval: float, steps: int) -> SpectralOnGrid:
    return SpectralOnGrid(equation, frame_interval, frame_interval / steps)
