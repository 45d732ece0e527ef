"""How a solver crosses one frame: which scheme, in how many steps."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

from pdenca.core import BadInputError, StabilityError
from pdenca.solvers.equation import Equation
from pdenca.solvers.grid import Grid
from pdenca.solvers.integrators import EULER, MIDPOINT, RK4, Tableau, largest_stable_step

SCHEMES = (RK4, MIDPOINT, EULER)
"""What may be chosen for a given number of evaluations, highest order first."""


class Schedule(ABC):
    """How a frame interval is cut into steps, decided when equation and grid are known."""

    @property
    @abstractmethod
    def description(self) -> str:
        """The rule in words."""

    @abstractmethod
    def choose(
        self, equation: Equation, grid: Grid, frame_interval: float, stencil: str
    ) -> tuple[Tableau, int]:
        """Return the scheme and its number of steps per frame."""


@final
@dataclass(frozen=True)
class FixedSteps(Schedule):
    """A named scheme with a fixed number of steps per frame.

    Arguments:
        tableau: the scheme.
        steps_per_frame: at least 1.
    """

    tableau: Tableau = RK4
    steps_per_frame: int = 10

    def __post_init__(self) -> None:
        if self.steps_per_frame < 1:
            raise BadInputError(f"steps_per_frame must be at least 1, got {self.steps_per_frame}")

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"{self.steps_per_frame} {self.tableau.name} steps a frame"

    def choose(
        self, equation: Equation, grid: Grid, frame_interval: float, stencil: str
    ) -> tuple[Tableau, int]:
        """Return the scheme and its number of steps per frame."""
        return self.tableau, self.steps_per_frame


@final
@dataclass(frozen=True)
class ConvergedInTime(Schedule):
    """RK4 with steps so small that the error left is that of the stencil alone.

    The step is at most ``max_time_step`` (the time scale of the reaction; Gray-Scott's local rates stay
    below about 1) and at most ``stable_fraction`` of the stability limit of diffusion. With the defaults the
    fastest diffusive mode has D |k|^2 dt <= 0.84, where RK4 is off by 0.003 of its amplitude in a step; a
    mode ten times slower, as those that carry a pattern are, by less than a millionth.

    Arguments:
        max_time_step: longest step, positive.
        stable_fraction: of the largest stable step, in (0, 1].
    """

    max_time_step: float = 1.0
    stable_fraction: float = 0.3

    def __post_init__(self) -> None:
        if not self.max_time_step > 0:
            raise BadInputError(f"max_time_step must be positive, got {self.max_time_step}")
        if not 0 < self.stable_fraction <= 1:
            raise BadInputError(f"stable_fraction must lie in (0, 1], got {self.stable_fraction}")

    @property
    def description(self) -> str:
        """The rule in words."""
        return "rk4 converged in time"

    def choose(
        self, equation: Equation, grid: Grid, frame_interval: float, stencil: str
    ) -> tuple[Tableau, int]:
        """Return RK4 and the smallest number of steps that keeps the promise."""
        stable = largest_stable_step(equation, grid, stencil, RK4)
        step = min(self.max_time_step, self.stable_fraction * stable)
        return RK4, math.ceil(frame_interval / step * (1 - 1e-12))


@final
@dataclass(frozen=True)
class EqualEvaluations(Schedule):
    """Exactly as many evaluations of the stencil per frame as a model makes of its neighbourhood.

    Of RK4, midpoint and Euler the one of highest order is taken whose number of stages divides the number of
    evaluations and whose step keeps below 80 % of its stability limit on the grid at hand (the limit counts
    diffusion only; reactions need some room too): it comes closest to what the stencil can do.
    That is not always the smallest score: on Gray-Scott rollouts beyond ten frames the error of a long Euler
    step partly cancels that of the stencil. ``FixedSteps(EULER, n)`` shows that rival too.

    Arguments:
        num_evaluations: stencil evaluations per frame, at least 1.
    """

    MARGIN: ClassVar[float] = 0.8

    num_evaluations: int

    def __post_init__(self) -> None:
        if self.num_evaluations < 1:
            raise BadInputError(f"num_evaluations must be at least 1, got {self.num_evaluations}")

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"{self.num_evaluations} stencil evaluations a frame"

    def choose(
        self, equation: Equation, grid: Grid, frame_interval: float, stencil: str
    ) -> tuple[Tableau, int]:
        """Return the scheme of highest order that fits and is stable, and its number of steps.

        Raises:
            StabilityError: if no scheme is stable with so few evaluations.
        """
        for tableau in SCHEMES:
            num_steps, rest = divmod(self.num_evaluations, len(tableau.weights))
            limit = largest_stable_step(equation, grid, stencil, tableau)
            if tableau is not EULER:  # the last resort may go to its limit
                limit *= self.MARGIN
            if rest == 0 and frame_interval <= num_steps * limit * (1 + 1e-12):
                return tableau, num_steps
        least = math.ceil(frame_interval / largest_stable_step(equation, grid, stencil, EULER))
        raise StabilityError(
            f"{self.num_evaluations} evaluations of the {stencil} stencil are too few to cross a frame of "
            f"{frame_interval:g} time units stably with rk4, midpoint or euler on a grid of spacing "
            f"{min(grid.spacing):g}; usual cure: at least {least} evaluations, or a stencil of lower order"
        )
