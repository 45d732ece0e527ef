"""Explicit Runge-Kutta schemes on finite-difference grids, for every boundary condition."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, cast

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError, StabilityError

from ..derivatives import StencilDerivatives
from ..equation import Equation
from ..grid import Grid
from ..kernels import (
    CompiledMarch,
    FusedMarch,
    InPlaceMarch,
    Program,
    UntraceableError,
    flushed_denormals,
    has_numba,
    trace_rate,
)
from ..stencils import Stencil, as_stencil
from ..waves import stencil_waves
from .integrator import Integrator


@dataclass(frozen=True)
class Tableau:
    """An explicit Runge-Kutta scheme for du/dt = f(u).

        k_1 = f(u),   k_i = f(u + Δt Σ_{j<i} stages[i-2][j] k_j),   u(t + Δt) = u + Δt Σ_i weights[i] k_i

    Arguments:
        name: how error texts call it.
        order: order of accuracy in Δt.
        stages: the rows of the lower triangle below the first stage.
        weights: one per stage.
        real_axis_limit: the largest x for which |R(-x)| <= 1 on all of [0, x], R the stability function.
    """

    name: str
    order: int
    stages: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    real_axis_limit: float

    def stability(self, z: Tensor) -> Tensor:
        """Return R(z), by which one step multiplies u if du/dt = λu and z = λΔt."""
        stages: list[Tensor] = [torch.ones_like(z)]
        for row in self.stages:
            stages.append(1 + z * sum(weight * stage for weight, stage in zip(row, stages, strict=False)))
        return 1 + z * sum(weight * stage for weight, stage in zip(self.weights, stages, strict=True))


EULER: Final = Tableau("euler", 1, (), (1.0,), 2.0)
MIDPOINT: Final = Tableau("midpoint", 2, ((1 / 2,),), (0.0, 1.0), 2.0)
RK4: Final = Tableau(
    "rk4", 4, ((1 / 2,), (0.0, 1 / 2), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6), 2.7852935634052816
)


def largest_stable_step(
    equation: Equation, grid: Grid, stencil: str | Stencil = "order-4", tableau: Tableau = RK4
) -> float:
    """Return the largest time step for which diffusion is stable, real_axis_limit / (max D · max |symbol|).

    Only what depends on the wavelength counts: the eigenvalues of the linear part less that of the constant
    wave. Reactions rarely limit the step of a resolved problem.

    Arguments:
        equation: what is solved; of diffusivities that vary in space the largest counts.
        grid: the domain.
        stencil: a key of ``STENCILS``, or a Stencil.
        tableau: the scheme.

    Returns:
        The limit (time); infinity without transport.
    """
    return _stable_step(tableau, _transport(equation, grid, as_stencil(stencil)))


def _transport(equation: Equation, grid: Grid, stencil: Stencil) -> Tensor:
    """The eigenvalues (1/time) that transport in space gives to the waves of the grid, complex, flat."""
    # the middle of the angles is the constant wave
    symbol = equation.transport_symbol(stencil_waves(grid, stencil))
    coupled = symbol.ndim == grid.num_dims + 3
    if coupled:
        symbol = torch.linalg.eigvals(symbol.flatten(3).movedim(3, 1)).movedim(1, 2)
    return symbol.to(torch.complex128).flatten()


def _stable_step(tableau: Tableau, eigenvalues: Tensor) -> float:
    """The largest Δt for which |R(λΔt)| <= 1 for all eigenvalues, up to those that grow by themselves."""
    stiffness = float(eigenvalues.abs().max())
    if stiffness == 0:
        return float("inf")
    growing = float(eigenvalues.real.max().clamp(min=0))

    def is_stable(step: float, some: Tensor) -> bool:
        gain = float(tableau.stability(some * step).abs().max())
        return gain <= math.exp(growing * step) * (1 + 1e-10)

    real = float(eigenvalues.imag.abs().max()) <= 1e-12 * stiffness
    if real and growing <= 1e-12 * stiffness:  # not above zero but for rounding
        return tableau.real_axis_limit / stiffness
    # the stable steps need not be an interval, so the search goes up from small ones, with some of the waves
    few = eigenvalues[:: max(1, len(eigenvalues) // 1000)]
    step = 1e-4 / stiffness
    while step * stiffness < 10 and is_stable(1.02 * step, few):
        step *= 1.02
    while step * stiffness > 1e-4 and not is_stable(step, eigenvalues):
        step /= 1.02
    return step if is_stable(step, eigenvalues) else 0.0


BACKENDS: Final = ("auto", "eager", "compile", "numba")
"""Ways to take the steps of :class:`RungeKutta`."""

# cell updates that torch makes in the time that numba needs to compile a kernel
_WORTH_COMPILING = 5e7


@dataclass(frozen=True, eq=False)
class RungeKutta(Integrator):
    """An explicit Runge-Kutta Step with finite differences.

    Works with every boundary, on any device and in any floating dtype (it computes in the state's), and can
    be differentiated through. Steps allocate nothing where no gradient is asked for and the rate of change is
    arithmetic on the fields and their derivatives (see :func:`~pdenca.solvers.kernels.trace_rate`). During a
    march numbers below the smallest normal one count as 0, because a background that decays into that range
    costs two to four times as much (see :func:`~pdenca.solvers.kernels.flushed_denormals`).

    ``backend`` says how steps are taken; all agree to rounding:

    - "eager": operation by operation with torch.
    - "numba": one pass over the cells per stage, compiled for this form of equation (extra ``fast``). CPU,
      float32 and float64, and the same rates as above. Compiling takes 1 to 4 s at the first march, once per
      process and form; afterwards steps are 10 to 40 times as fast as "eager".
    - "compile": the step by ``torch.compile``, on CPU and GPU; needs a C++ compiler and ten seconds or more.
    - "auto": "numba" where it is possible and the march is long enough to win back the compiling, else
      "eager".

    What was asked for and cannot be is said once, with the reason, and "eager" steps in. So it does,
    silently, where gradients are asked for.

    Arguments:
        equation: what is solved.
        grid: where; cell values, boundaries per axis.
        time_step: Δt (time), within :func:`largest_stable_step`.
        stencil: a key of ``STENCILS``, or a Stencil.
        tableau: ``EULER``, ``MIDPOINT`` or ``RK4``.
        backend: one of ``BACKENDS``.
        planned_steps: how many steps will be taken altogether, if by more than one march: by it "auto"
            judges whether compiling pays.

    Raises:
        StabilityError: at construction, if Δt exceeds the diffusive stability limit.
        BadInputError: if Δt is not positive, the stencil is unknown or does not fit the grid, or there is no
            such backend.
    """

    equation: Equation
    grid: Grid
    time_step: float
    stencil: str | Stencil = "order-4"
    tableau: Tableau = RK4
    backend: str = "auto"
    planned_steps: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.time_step < math.inf:
            raise BadInputError(f"time_step must be positive, got {self.time_step}")
        if self.backend not in BACKENDS:
            raise BadInputError(f"backend {self.backend!r} is unknown; expected one of {', '.join(BACKENDS)}")
        stencil = as_stencil(self.stencil)
        if stencil.radius > min(self.grid.shape):
            raise BadInputError(
                f"a stencil of radius {stencil.radius} needs axes of at least as many cells, got "
                f"{self.grid.shape}"
            )
        eigenvalues = _transport(self.equation, self.grid, stencil)
        limit = _stable_step(self.tableau, eigenvalues)
        if self.time_step > limit * (1 + 1e-12):
            stiffness = float(eigenvalues.abs().max())
            raise StabilityError(
                f"time_step {self.time_step:g} is unstable: time_step · largest eigenvalue of the transport "
                f"terms on this grid = {self.time_step:g} · {stiffness:.4g} = "
                f"{self.time_step * stiffness:.4g} exceeds {limit * stiffness:.4g}, the limit of "
                f"{self.tableau.name}; usual cure: a time_step of at most {limit:.4g}, or 'etdrk4'"
            )

    @property
    def order(self) -> int:  # type: ignore[override]
        """The order of the tableau."""
        return self.tableau.order

    @property
    def evaluations_per_step(self) -> int:
        """How often one step evaluates the rate of change."""
        return len(self.tableau.weights)

    def march(
        self, state: Float[Tensor, "batch channel *space"], num_steps: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the state ``num_steps`` steps later."""
        self._check(state, num_steps)
        with flushed_denormals():
            return self._marcher(state, num_steps)(state, num_steps)

    def backend_for(self, state: Float[Tensor, "batch channel *space"], num_steps: int) -> str:
        """Return the backend that :meth:`march` takes for such a state: "eager", "compile" or "numba"."""
        owner = type(getattr(self._marcher(state, num_steps), "__self__", None))
        return {FusedMarch: "numba", CompiledMarch: "compile"}.get(owner, "eager")

    def _marcher(self, state: Tensor, num_steps: int) -> Callable[[Tensor, int], Tensor]:
        """The way to take these steps."""
        if torch.is_grad_enabled() and (state.requires_grad or self._has_gradients(state)):
            return self._march_allocating
        program = self._program(state)
        wanted = self.backend
        if wanted == "auto" and isinstance(program, Program):
            updates = state[:, 0].numel() * max(num_steps, self.planned_steps) * self.evaluations_per_step
            pays = updates >= _WORTH_COMPILING and state.device.type == "cpu" and has_numba()
            wanted = "numba" if pays else "eager"
        if wanted in {"numba", "compile"}:
            kernel = self._kernel(wanted, state, program)
            if not isinstance(kernel, str):
                return kernel.march
            if self.backend == wanted:
                _say_once(f"equation {self.equation.name!r} has no kernel, torch takes the steps: {kernel}")
        if not isinstance(program, Program):
            return self._march_allocating
        # buffers belong to one march: integrators are shared between threads, and held for long
        return InPlaceMarch(program, *self._scheme, state).march

    def _march_allocating(self, state: Tensor, num_steps: int) -> Tensor:
        for _ in range(num_steps):
            state = self._advance(state)
        return state

    @cached_property
    def _prepared(self) -> dict[tuple[object, ...], Program | FusedMarch | CompiledMarch | str]:
        """Programs and kernels by batch, dtype and device; instead of one, the reason why there is none."""
        return {}

    def _program(self, state: Tensor) -> Program | str:
        key = ("program", len(state), state.dtype, state.device)
        if key not in self._prepared:
            try:
                self._prepared[key] = trace_rate(self.equation, self._derivatives, state)
            except UntraceableError as error:
                self._prepared[key] = str(error)
        return cast(Program | str, self._prepared[key])

    def _kernel(
        self, backend: str, state: Tensor, program: Program | str
    ) -> FusedMarch | CompiledMarch | str:
        if isinstance(program, str):
            return program
        key = (backend, len(state), state.dtype, state.device)
        if key not in self._prepared:
            march = FusedMarch if backend == "numba" else CompiledMarch
            try:
                self._prepared[key] = march(program, *self._scheme, state)
            except UntraceableError as error:
                self._prepared[key] = str(error)
        return cast(FusedMarch | CompiledMarch | str, self._prepared[key])

    @property
    def _scheme(
        self,
    ) -> tuple[Grid, Stencil, tuple[tuple[float, ...], ...], tuple[float, ...], float]:
        tableau = self.tableau
        return self.grid, as_stencil(self.stencil), tableau.stages, tableau.weights, self.time_step

    def _has_gradients(self, state: Tensor) -> bool:
        """Whether constants of the equation ask for gradients."""
        if "gradients" not in self.__dict__:
            with torch.enable_grad():
                asks = self.equation.rate(state[:, :], self._derivatives).requires_grad
            self.__dict__["gradients"] = asks
        return bool(self.__dict__["gradients"])

    def _advance(self, state: Tensor) -> Tensor:
        slopes = [self._rate(state)]
        for row in self.tableau.stages:
            slopes.append(self._rate(_combine(state, self.time_step, row, slopes)))
        return _combine(state, self.time_step, self.tableau.weights, slopes)

    @cached_property
    def _derivatives(self) -> StencilDerivatives:
        return StencilDerivatives(self.grid, self.stencil)

    def _rate(self, state: Tensor) -> Tensor:
        return self.equation.rate(state, self._derivatives)


def _combine(state: Tensor, time_step: float, weights: tuple[float, ...], slopes: list[Tensor]) -> Tensor:
    for weight, slope in zip(weights, slopes, strict=True):
        if weight != 0:
            state = torch.add(state, slope, alpha=time_step * weight)
    return state


_SAID: Final[set[str]] = set()


def _say_once(text: str) -> None:
    """Warn, unless these words were said before."""
    if text not in _SAID:
        _SAID.add(text)
        warnings.warn(text, RuntimeWarning, stacklevel=4)
