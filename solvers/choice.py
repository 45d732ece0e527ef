"""Which method and which time step: picked by equation, boundaries and tolerance, and said why."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError, StabilityError

from .equation import Equation
from .grid import Grid
from .integrators import AdaptiveRungeKutta, SpectralETDRK4
from .marches import March
from .transform import require_spectral
from .waves import waves_of

_MOST_STEPS = 2**13
_LONGEST_GAP = 7
_STEPS_AT_ONCE = 64
_SIMILAR = 1.2
# of the tolerance for a whole interval, for one step of the adaptive method
_PER_STEP = 1e-2


@dataclass(frozen=True)
class Choice:
    """A method and a time step, and why.

    Arguments:
        method: a key of ``INTEGRATORS``.
        time_step: Δt (time), a frame interval over a power of 2; of "adaptive", which picks its own, the
            longest it may take, or None.
        tolerance: what the method is given as its own tolerance; None for methods of fixed step.
        reason: why, in words.
    """

    method: str
    time_step: float | None
    tolerance: float | None
    reason: str

    def __str__(self) -> str:
        if self.tolerance is not None:
            return f"{self.method}, tolerance {self.tolerance:g}: {self.reason}"
        return f"{self.method}, time step {self.time_step:g}: {self.reason}"


def choose_method(
    equation: Equation,
    grid: Grid,
    initial_state: Float[Tensor, "batch channel *space"],
    *,
    frame_interval: float,
    tolerance: float = 1e-4,
    longest_step: float | None = None,
) -> Choice:
    """Pick the method and time step for a solution that starts from a state.

    "etdrk4" if every axis is periodic or no-flux and the linear part has an eigenvalue, or a matrix, for each
    wave: however stiff, of whatever order in space, it is then integrated exactly. Else "adaptive".

    The step of "etdrk4" is the longest of ``frame_interval`` / 2, / 4, ... whose error over the first
    interval, by comparison with steps of half the size, is within the tolerance: root mean square over space
    of each field and trajectory in standard deviations of the field (at least 1e-3 of its root mean square).
    Later intervals may need shorter steps: ``simulate(method="auto")`` goes on checking.

    Arguments:
        equation: what is solved.
        grid: where.
        initial_state: the fields at t = 0; float32 or float64.
        frame_interval: the time over which the error counts.
        tolerance: the error allowed in it.
        longest_step: a limit to the step (time).

    Returns:
        The choice.

    Raises:
        BadInputError: for a tolerance that is not between 0 and 1.
        StabilityError: if even steps of ``frame_interval`` / 8192 are not accurate enough.
    """
    if not 0 < tolerance < 1:
        raise BadInputError(f"tolerance must be between 0 and 1, got {tolerance}; usual cure: 1e-4")
    obstacle = _obstacle_to_waves(equation, grid)
    if obstacle:
        own = AdaptiveRungeKutta(equation, grid, frame_interval)
        limit = own.stability_limit
        stiffness = f"stable steps are at most {limit:.3g}" if limit < frame_interval else "not stiff"
        reason = f"no spectral method, for {obstacle}; finite differences, {stiffness}"
        return Choice("adaptive", longest_step, max(_PER_STEP * tolerance, 1e-13), reason)
    march = SelfCheckingMarch(equation, grid, frame_interval, tolerance, longest_step)
    _, error = march.try_steps(initial_state)
    walls = "periodic" if grid.is_periodic else "waves end at the walls as cosines"
    exact = "a matrix for each wave" if _couples(equation, grid) else "a number for each wave and field"
    reason = (
        f"{walls}, and the linear part, {exact}, is integrated exactly; over the first {frame_interval:g} "
        f"time units the step errs by {error:.1e}, {tolerance:g} is allowed"
    )
    return Choice("etdrk4", march.time_step, None, reason)


@final
class SelfCheckingMarch(March):
    """ETDRK4 from frame to frame, in steps of frame interval / 2^n that are checked against their halves.

    An interval is checked by solving it with steps of half the size as well. If the two differ by more than
    the tolerance, steps are halved until they do not; if the error would allow twice the step by far, the
    next interval tries that. After changes every interval is checked, then every second, fourth and eighth,
    as long as the fields vary in space as much as before.

    Arguments:
        equation, grid: what is solved, and where.
        frame_interval: the time of one interval.
        tolerance: the error allowed in it; see :func:`choose_method`.
        longest_step: a limit to the step (time), or None.
        first_step: the step to begin with, ``frame_interval`` / 2^n; the longest if None.
    """

    def __init__(
        self,
        equation: Equation,
        grid: Grid,
        frame_interval: float,
        tolerance: float = 1e-4,
        longest_step: float | None = None,
        first_step: float | None = None,
    ) -> None:
        self._equation, self._grid, self._interval = equation, grid, frame_interval
        self._tolerance = tolerance
        self._solvers: dict[tuple[int, torch.dtype, torch.device], SpectralETDRK4] = {}
        ratio = 1.0 if longest_step is None else frame_interval / longest_step
        self._fewest = max(2, 2 ** math.ceil(math.log2(ratio) - 1e-9))
        self.num_steps = self._fewest if first_step is None else round(frame_interval / first_step)
        self._used: list[int] = []
        self._gap = self._unchecked = 0
        self._checked = torch.zeros(0)

    @property
    def time_step(self) -> float:
        """The present Δt."""
        return self._interval / self.num_steps

    def try_steps(self, state: Tensor) -> tuple[Tensor, float]:
        """Find the step for one interval by trying; return the state at its end, and the step's error."""
        coarse = self._march(state, self.num_steps)
        while True:
            fine = self._march(state, 2 * self.num_steps)
            error = _difference(fine, coarse)
            if error <= self._tolerance:
                return fine, error
            self.num_steps *= 2
            coarse = fine
            if self.num_steps > _MOST_STEPS:
                raise StabilityError(
                    f"no step of {self._interval:g} / {_MOST_STEPS} or longer is accurate to "
                    f"{self._tolerance:g}: the solution blows up, or rounding is larger; usual cure: an "
                    "initial state within the physical range, a larger tolerance, or float64"
                )

    def advance(self, state: Tensor, number: int) -> Tensor:
        """Return frame ``number`` from the one before."""
        if self._unchecked > 0 and self._resembles_checked(state):
            self._unchecked -= 1
            result = self._solver(self.num_steps, state).march(state, self.num_steps)
            if bool(torch.isfinite(result).all()):
                self._used.append(self.num_steps)
                return result
        before = self.num_steps
        result, error = self.try_steps(state)
        self._used.append(self.num_steps)
        if error * 2 ** (SpectralETDRK4.order + 1) < self._tolerance and self.num_steps > self._fewest:
            self.num_steps //= 2
        self._gap = min(2 * self._gap + 1, _LONGEST_GAP) if self.num_steps == before else 0
        self._unchecked = self._gap
        self._checked = _spread(result)
        return result

    def _resembles_checked(self, state: Tensor) -> bool:
        """Whether each field varies in space about as much as when last checked."""
        ratio = _spread(state) / self._checked
        return bool(((ratio > 1 / _SIMILAR) & (ratio < _SIMILAR)).all())

    def summary(self) -> str:
        """Say which steps were taken."""
        used = sorted({self._interval / number for number in self._used or [self.num_steps]})
        sizes = f"{used[0]:g}" if len(used) == 1 else f"{used[0]:g} to {used[-1]:g}"
        return f"etdrk4, time step {sizes}"

    def _march(self, state: Tensor, num_steps: int) -> Tensor:
        """Take that many steps over one interval, or fewer if the state is not finite any more."""
        solver = self._solver(num_steps, state)
        for first in range(0, num_steps, _STEPS_AT_ONCE):
            state = solver.march(state, min(_STEPS_AT_ONCE, num_steps - first))
            if not bool(torch.isfinite(state).all()):
                break
        return state

    def _solver(self, num_steps: int, state: Tensor) -> SpectralETDRK4:
        key = (num_steps, state.dtype, state.device)
        if key not in self._solvers:
            self._solvers[key] = SpectralETDRK4(
                self._equation,
                self._grid,
                self._interval / num_steps,
                dtype=state.dtype,
                device=state.device,
            )
        return self._solvers[key]


def _obstacle_to_waves(equation: Equation, grid: Grid) -> str | None:
    """Why "etdrk4" cannot solve this, None if it can."""
    attempts: tuple[Callable[[], object], ...] = (
        lambda: require_spectral(grid, "that"),
        lambda: SpectralETDRK4(equation, grid, 1.0),
    )
    for attempt in attempts:
        try:
            attempt()
        except BadInputError as error:
            return str(error).split("; usual cure", maxsplit=1)[0]
    return None


def _couples(equation: Equation, grid: Grid) -> bool:
    return equation.linear_symbol(waves_of(grid)).ndim == grid.num_dims + 3


def _difference(state: Tensor, other: Tensor) -> float:
    """Root mean square over space in standard deviations of the field, the worst field and trajectory.

    NaN is passed on.
    """
    difference = (state.double() - other.double()).flatten(2).square().mean(2).sqrt()
    return float((difference / _spread(state)).max()) if difference.numel() else 0.0


def _spread(state: Tensor) -> Tensor:
    """Standard deviation over space of each field, at least 1e-3 of its root mean square."""
    fields = state.double().flatten(2)
    size = fields.square().mean(2).sqrt()
    return torch.maximum(fields.std(2, correction=0), 1e-3 * size).clamp(min=1e-300)
