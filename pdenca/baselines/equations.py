"""The true equations on the same grid: what a model that learnt the physics, and no more, would score.

All of them read the equation's parameters from the context, as a conditioned model does.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, Codec, Context, LastFrame
from pdenca.solvers.grid import Grid
from pdenca.solvers.integrators import Integrator, RungeKutta, SpectralETDRK4
from pdenca.solvers.transform import is_spectral

from .family import AnyEquation, as_family
from .reach import reach_of
from .schedules import ConvergedInTime, EqualEvaluations, Schedule
from .trivial import require_interval


@final
@dataclass(frozen=True)
class SolverFrame:
    """An integrator's steps from one stored frame to the next, as one Step.

    Arguments:
        make_integrator: builds the integrator for states like the given one; called once per dtype and
            device.
        steps_per_frame: how many of its steps make a frame.
        time_step: physical time between frames.
        description: which scheme with how many steps, for tables and reports.
        evaluations_per_frame: how often a frame evaluates the equation's rate.
    """

    make_integrator: Callable[[Tensor], Integrator]
    steps_per_frame: int
    time_step: float
    description: str
    evaluations_per_frame: int
    _made: dict[tuple[torch.dtype, torch.device], Integrator] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def deterministic(self) -> bool:
        """Always."""
        return True

    def __call__(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return the state one frame later."""
        key = (state.dtype, state.device)
        if key not in self._made:
            self._made[key] = self.make_integrator(state)
        return self._made[key].march(state, self.steps_per_frame)


@final
@dataclass(frozen=True)
class EquationsOnGrid:
    """The true equations with a finite-difference stencil on the grid of the data, an Emulator.

    A solver whose stencil reaches as far as an automaton's neighbourhood is the automaton's fair rival: both
    see the same cells, and the solver knows the equations. Use :meth:`converged_in_time` for what the
    stencil can do at best and :meth:`equal_evaluations` for what it can do at the automaton's price.

    Arguments:
        equation: a key of ``EQUATIONS``, an Equation class, or a family, which tells other constants than
            the defaults; the parameters come from the context.
        frame_interval: physical time between frames.
        stencil: a key of ``STENCILS``.
        schedule: how a frame is cut into steps.

    Raises:
        BadInputError: for a frame interval that is not positive; at :meth:`bind`, for an unknown equation,
            stencil or parameter.
    """

    equation: AnyEquation
    frame_interval: float
    stencil: str = "order-4"
    schedule: Schedule = field(default_factory=ConvergedInTime)

    def __post_init__(self) -> None:
        require_interval(self.frame_interval)

    @classmethod
    def converged_in_time(
        cls,
        equation: AnyEquation,
        frame_interval: float,
        stencil: str = "order-4",
        max_time_step: float = 1.0,
    ) -> "EquationsOnGrid":
        """Return the stencil with so many RK4 steps that only its spatial error is left."""
        return cls(equation, frame_interval, stencil, ConvergedInTime(max_time_step))

    @classmethod
    def equal_evaluations(
        cls,
        equation: AnyEquation,
        frame_interval: float,
        num_evaluations: int,
        stencil: str = "order-4",
    ) -> "EquationsOnGrid":
        """Return the stencil with exactly ``num_evaluations`` evaluations a frame."""
        return cls(equation, frame_interval, stencil, EqualEvaluations(num_evaluations))

    @property
    def codec(self) -> Codec:
        """The state is the last given frame."""
        return LastFrame()

    @property
    def num_parameters(self) -> int:
        """Nothing is learned."""
        return 0

    @property
    def radius(self) -> int:
        """How far one evaluation of the rate looks (cells): twice the stencil's reach where there is a ∇⁴."""
        return reach_of(self.equation, self.stencil)

    @property
    def description(self) -> str:
        """What it does, for tables and reports; the bound step's ``description`` names the scheme chosen."""
        return f"{_name(self.equation)} equations, {self.stencil} stencil, {self.schedule.description}"

    def bind(self, lattice: Grid, context: Context, generator: torch.Generator | None = None) -> SolverFrame:
        """Return the Step that solves the equations with the context's parameters for one frame.

        Arguments:
            lattice: the grid.
            context: the equation's parameters, one entry per trajectory.
            generator: not used, solvers draw nothing.

        Raises:
            BadInputError: for an unknown equation, stencil or parameter.
            StabilityError: if the steps are too long for the grid.
        """
        equation = as_family(self.equation).at(context)
        tableau, num_steps = self.schedule.choose(equation, lattice, self.frame_interval, self.stencil)
        integrator = RungeKutta(equation, lattice, self.frame_interval / num_steps, self.stencil, tableau)
        description = (
            f"{_name(self.equation)} equations, {self.stencil} stencil, {num_steps} {tableau.name} steps "
            f"a frame, {num_steps * integrator.evaluations_per_step} stencil evaluations"
        )
        evaluations = num_steps * integrator.evaluations_per_step
        return SolverFrame(lambda state: integrator, num_steps, self.frame_interval, description, evaluations)


@final
@dataclass(frozen=True)
class SpectralOnGrid:
    """The true equations by ETDRK4 in waves on the grid of the data: the strongest honest rival.

    Where all axes are periodic or no-flux, no other method here gets as much out of the same cells: once it
    is converged in time, its error is what the grid itself cannot resolve, the *resolution floor* (the
    spectral solve of the truth restricted to the coarse cells). It sees the whole domain at once, which no
    local rule can. :func:`~pdenca.baselines.largest_usable_step` finds how long its steps may be.

    Arguments:
        equation: a key of ``EQUATIONS``, an Equation class, or a family, which tells other constants than
            the defaults; the parameters come from the context.
        frame_interval: physical time between frames.
        max_time_step: longest step; a frame is cut into the fewest equal steps that are no longer.
        dealiasing: fraction of the waves kept in the nonlinear term. On Gray-Scott at the resolutions used
            here keeping all of them (1) is stable and several times more accurate than the usual 2/3, which
            throws away the waves that a coarse grid is short of: pooled VRMSE of frames 6:12 at spacing 1/64
            was 0.007 with 1, 0.058 with 2/3 and 0.030 for the order-6 stencil.

    Raises:
        BadInputError: for an interval or step that is not positive; at :meth:`bind`, for an axis that is
            neither periodic nor no-flux.
    """

    equation: AnyEquation
    frame_interval: float
    max_time_step: float = 1.0
    dealiasing: float = 1.0

    def __post_init__(self) -> None:
        require_interval(self.frame_interval)
        if not self.max_time_step > 0:
            raise BadInputError(f"max_time_step must be positive, got {self.max_time_step}")

    @property
    def codec(self) -> Codec:
        """The state is the last given frame."""
        return LastFrame()

    @property
    def num_parameters(self) -> int:
        """Nothing is learned."""
        return 0

    @property
    def radius(self) -> None:
        """The whole domain."""
        return

    @property
    def steps_per_frame(self) -> int:
        """How many steps make a frame."""
        return math.ceil(self.frame_interval / self.max_time_step * (1 - 1e-12))

    @property
    def description(self) -> str:
        """What it does, for tables and reports."""
        return f"{_name(self.equation)} equations, spectral, {self.steps_per_frame} etdrk4 steps a frame"

    def bind(self, lattice: Grid, context: Context, generator: torch.Generator | None = None) -> SolverFrame:
        """Return the Step that solves the equations with the context's parameters for one frame.

        Arguments:
            lattice: a grid with periodic and no-flux axes in any combination.
            context: the equation's parameters, one entry per trajectory, constant in space.
            generator: not used, solvers draw nothing.

        Raises:
            BadInputError: for an unknown equation or parameter, or an axis that is neither periodic nor
                no-flux.
        """
        equation = as_family(self.equation).at(context)
        time_step = self.frame_interval / self.steps_per_frame
        if not is_spectral(lattice):
            raise BadInputError(
                f"a spectral solver needs periodic or no-flux axes, got boundaries {lattice.boundaries}; "
                "usual cure: EquationsOnGrid"
            )

        def make(state: Tensor) -> Integrator:
            return SpectralETDRK4(equation, lattice, time_step, self.dealiasing, state.dtype, state.device)

        evaluations = 4 * self.steps_per_frame
        return SolverFrame(make, self.steps_per_frame, self.frame_interval, self.description, evaluations)


def _name(equation: AnyEquation) -> str:
    return as_family(equation).name
