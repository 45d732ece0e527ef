"""An embedded Runge-Kutta pair that chooses its own steps, for every boundary condition."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pdenca.core.errors import BadInputError, NonFiniteError, StabilityError

from ..derivatives import StencilDerivatives
from ..equation import Equation
from ..grid import Grid
from ..kernels import flushed_denormals
from ..stencils import Stencil
from .batches import equation_of
from .integrator import Integrator
from .runge_kutta import Tableau, largest_stable_step

DORMAND_PRINCE: Final = Tableau(
    "dormand-prince",
    5,
    (
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    ),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
    3.3065,
)

# fifth-order weights less the embedded fourth-order ones; the last slope is the first one of the next step
_ERROR_WEIGHTS: Final = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
# of the proportional-integral controller (Hairer, Nørsett, Wanner, section IV.2)
_SAFETY: Final = 0.9
_PROPORTIONAL: Final = 0.17
_INTEGRAL: Final = 0.04
_SMALLEST_FACTOR: Final = 0.2
_LARGEST_FACTOR: Final = 5.0


@dataclass(frozen=True, eq=False)
class StepHistory:
    """What an adaptive march did.

    Arguments:
        steps: the steps tried (time), 0 for trajectories that had arrived already.
        accepted: which of them were kept.
    """

    steps: Float[Tensor, "attempt batch"]
    accepted: Bool[Tensor, "attempt batch"]

    @property
    def num_accepted(self) -> Int[Tensor, " batch"]:
        """Steps kept, for each trajectory."""
        return self.accepted.sum(0)

    @property
    def num_rejected(self) -> Int[Tensor, " batch"]:
        """Steps tried again with a smaller one, for each trajectory."""
        return ((self.steps > 0) & ~self.accepted).sum(0)

    @property
    def num_evaluations(self) -> Int[Tensor, " batch"]:
        """Evaluations of the rate of change, for each trajectory: two to begin with, six for each step."""
        return 2 + 6 * (self.steps > 0).sum(0)


@final
@dataclass(frozen=True, eq=False)
class AdaptiveRungeKutta(Integrator):
    """Dormand-Prince 5(4) on finite differences, with steps chosen by their error.

    A step is kept if, for every field, the root mean square over space of the estimated error is at most

        absolute_tolerance + tolerance · (root mean square of the field)

    and the next one is chosen from the last two errors. Steps also stay within the stability limit of
    transport, so that a solution at rest stays there. Every trajectory has its own steps: what becomes of it
    does not depend on the others in the batch. Those that arrive early drop out of the computation.

    It is a Step of ``time_step`` in as many steps of its own as it needs, and lands on the end exactly.

    Not differentiable.

    Arguments:
        equation: what is solved.
        grid: where; cell values, every boundary.
        time_step: how far one call goes (time).
        tolerance: largest error of one step relative to each field.
        absolute_tolerance: the same in the unit of the fields, for fields that vanish.
        stencil: a key of ``STENCILS``, or a Stencil.
        longest_step: a limit to the steps (time).

    Raises:
        BadInputError: if a time or tolerance is not positive, or the stencil is unknown.

    References:
        J. R. Dormand, P. J. Prince, J. Comput. Appl. Math. 6 (1980) 19, table 2;
        E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I (1993), sections II.4
        and II.5.
    """

    equation: Equation
    grid: Grid
    time_step: float
    tolerance: float = 1e-6
    absolute_tolerance: float = 1e-9
    stencil: str | Stencil = "order-4"
    longest_step: float = math.inf

    order = 5

    def __post_init__(self) -> None:
        if not 0 < self.time_step < math.inf:
            raise BadInputError(f"time_step must be positive, got {self.time_step}")
        if not self.longest_step > 0:
            raise BadInputError(f"longest_step must be positive, got {self.longest_step}")
        for name in ("tolerance", "absolute_tolerance"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise BadInputError(f"{name} must be between 0 and 1, got {value}; usual cure: 1e-6")
        _ = self.stability_limit  # refuses what does not fit the grid

    @cached_property
    def stability_limit(self) -> float:
        """The longest step for which transport is stable (time)."""
        return largest_stable_step(self.equation, self.grid, self.stencil, DORMAND_PRINCE)

    @cached_property
    def _longest_step(self) -> float:
        return min(self.longest_step, self.stability_limit)

    @cached_property
    def _derivatives(self) -> StencilDerivatives:
        return StencilDerivatives(self.grid, self.stencil)

    def march(
        self, state: Float[Tensor, "batch channel *space"], num_steps: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the state ``num_steps`` times ``time_step`` later."""
        return self.march_with_history(state, num_steps)[0]

    def march_with_history(
        self, state: Float[Tensor, "batch channel *space"], num_steps: int
    ) -> tuple[Float[Tensor, "batch channel *space"], StepHistory]:
        """Return the state ``num_steps`` times ``time_step`` later, and the steps that led there.

        Raises:
            NonFiniteError: if a state or its rate of change is not finite, naming trajectory and time.
            StabilityError: if a step had to become too small to change the time: the solution blows up.
            BadInputError: for a state of another shape, or one that asks for gradients.
        """
        self._check(state, num_steps)
        if state.requires_grad and torch.is_grad_enabled():
            raise BadInputError(
                "AdaptiveRungeKutta has no gradients; usual cure: state.detach(), or RungeKutta"
            )
        with torch.no_grad(), flushed_denormals():
            return self._march(state, num_steps * self.time_step)

    def _march(self, state: Tensor, duration: float) -> tuple[Tensor, StepHistory]:
        result, batch = state.clone(), len(state)
        steps: list[Tensor] = []
        kept: list[Tensor] = []
        run = _Run.begin(self, state, duration) if duration > 0 and batch else None
        while run is not None and len(run.rows):
            step, accepted = run.attempt()
            for record, value in ((steps, step), (kept, accepted)):
                record.append(value.new_zeros(batch).index_copy_(0, run.rows, value))
            arrived = run.time >= duration
            if bool(arrived.any()):
                result[run.rows[arrived]] = run.state[arrived]
                run = run.without(arrived)
        if not steps:
            empty = torch.zeros(0, batch, dtype=torch.float64, device=state.device)
            return result, StepHistory(empty, empty.bool())
        return result, StepHistory(torch.stack(steps), torch.stack(kept))


@dataclass(eq=False)
class _Run:
    """The trajectories on their way; all but the first three have one entry for each."""

    solver: AdaptiveRungeKutta
    equation: Equation
    duration: float
    rows: Tensor  # their numbers in the batch
    state: Tensor
    slope: Tensor
    time: Tensor
    step: Tensor  # the next one to try
    last_error: Tensor  # of the last step kept, in units of what is allowed

    @classmethod
    def begin(cls, solver: AdaptiveRungeKutta, state: Tensor, duration: float) -> "_Run":
        """Choose the first steps (Hairer, Nørsett, Wanner, section II.4, "starting step size")."""
        slope = solver.equation.rate(state, solver._derivatives)
        nothing = torch.zeros(len(state), dtype=torch.float64, device=state.device)
        rows = torch.arange(len(state), device=state.device)
        run = cls(solver, solver.equation, duration, rows, state, slope, nothing, nothing, nothing + 1)
        run._require_finite(slope)
        allowed = run._allowed(state)
        size, speed = _size(state, allowed), _size(slope, allowed)
        guess = torch.where((size < 1e-5) | (speed < 1e-5), 1e-6, 0.01 * size / speed)
        guess = guess.clamp(max=min(duration, solver._longest_step))
        change = solver.equation.rate(state + _per_state(guess, state) * slope, solver._derivatives) - slope
        fastest = torch.maximum(speed, _size(change, allowed) / guess)
        by_error = (0.01 / fastest.clamp(min=1e-300)) ** (1 / 5)
        run.step = torch.minimum(torch.where(fastest <= 1e-15, 1e3 * guess, by_error), 100 * guess)
        return run

    def attempt(self) -> tuple[Tensor, Tensor]:
        """Try one step on each trajectory; return the steps, and which were kept."""
        remaining = self.duration - self.time
        planned = self.step.clamp(max=self.solver._longest_step)
        # two equal steps to the end rather than a whole one and a crumb
        step = torch.where(2 * planned > remaining, remaining / 2, planned)
        step = torch.where(planned >= remaining, remaining, step)
        wide = _per_state(step, self.state)
        slopes = [self.slope]
        for row in (*DORMAND_PRINCE.stages, DORMAND_PRINCE.weights):
            state = torch.addcmul(self.state, wide, _weighted(row, slopes))
            slopes.append(self.equation.rate(state, self.solver._derivatives))
        difference = wide * _weighted(_ERROR_WEIGHTS, slopes)
        allowed = torch.maximum(self._allowed(self.state), self._allowed(state))
        error = _size(difference, allowed)
        error = torch.where(_is_finite(slopes[-1]) & torch.isfinite(error), error, torch.inf)
        accepted = error <= 1
        factor = _SAFETY * error.clamp(min=1e-10) ** -_PROPORTIONAL * self.last_error**_INTEGRAL
        factor = factor.clamp(_SMALLEST_FACTOR, _LARGEST_FACTOR)
        factor = torch.where(accepted, factor, factor.clamp(max=_SAFETY))
        wanted = step * factor
        # a step cut short by the end says nothing against the one that was planned
        self.step = torch.where(accepted & (step < self.step), torch.maximum(wanted, self.step), wanted)
        self.time = torch.where(
            accepted, torch.where(step == remaining, self.duration, self.time + step), self.time
        )
        self.last_error = torch.where(accepted, error.clamp(min=1e-4), self.last_error)
        keep = _per_state(accepted, state)
        self.state = torch.where(keep, state, self.state)
        self.slope = torch.where(keep, slopes[-1], self.slope)
        self._require_progress()
        return step, accepted

    def without(self, arrived: Tensor) -> "_Run | None":
        """Drop the trajectories that have arrived."""
        if bool(arrived.all()):
            return None
        left = ~arrived
        rows = self.rows[left]
        equation = equation_of(self.solver.equation, rows)
        parts = (self.state, self.slope, self.time, self.step, self.last_error)
        return _Run(self.solver, equation, self.duration, rows, *(part[left] for part in parts))

    def _allowed(self, state: Tensor) -> Tensor:
        """The error allowed for each trajectory and field."""
        size = state.double().flatten(2).square().mean(2).sqrt()
        return self.solver.absolute_tolerance + self.solver.tolerance * size

    def _require_finite(self, slope: Tensor) -> None:
        finite = _is_finite(slope)
        if not bool(finite.all()):
            raise NonFiniteError(
                f"trajectory {int((~finite).nonzero()[0])}: the rate of change is not finite at the start of "
                "the march; usual cure: an initial state within the physical range"
            )

    def _require_progress(self) -> None:
        smallest = (4 * torch.finfo(torch.float64).eps * self.time).clamp(min=1e-30 * self.duration)
        stuck = (self.step < smallest) & (self.time < self.duration)
        if bool(stuck.any()):
            which = int(stuck.nonzero()[0])
            raise StabilityError(
                f"trajectory {int(self.rows[which])}: steps had to become smaller than "
                f"{float(self.step[which]):.3g} after {float(self.time[which]):.6g} time units of this "
                "march: the solution grows without bound, or a tolerance of "
                f"{self.solver.tolerance:g} is less than rounding allows; usual cure: an initial state "
                "within the physical range, or a larger tolerance"
            )


def _weighted(weights: tuple[float, ...], slopes: list[Tensor]) -> Tensor:
    total = slopes[0] * weights[0]
    for weight, slope in zip(weights[1:], slopes[1:], strict=True):
        if weight != 0:
            total.add_(slope, alpha=weight)
    return total


def _size(values: Tensor, allowed: Tensor) -> Tensor:
    """The largest, over the fields, of root mean squares in units of what is allowed, (batch,)."""
    return (values.double().flatten(2).square().mean(2).sqrt() / allowed).amax(1)


def _is_finite(values: Tensor) -> Tensor:
    return torch.isfinite(values).flatten(1).all(1)


def _per_state(values: Tensor, state: Tensor) -> Tensor:
    """Shape one value per trajectory to broadcast against the states."""
    wide = values.reshape(-1, *(1,) * (state.ndim - 1))
    return wide if wide.dtype == torch.bool else wide.to(state.dtype)
