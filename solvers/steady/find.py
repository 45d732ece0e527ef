"""From any state to the steady state that it tends to: march, then Newton's method."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdenca.core.errors import BadInputError, NonFiniteError

from ..derivatives import Derivatives
from ..equation import Equation
from ..grid import Grid
from ..integrators import INTEGRATORS, Integrator, options_of
from ..transform import is_spectral
from .newton import NewtonResult, newton_krylov
from .operator import ReferenceOperator, Vector, of_trajectory, reference_derivatives
from .preconditioner import LinearSpectrum

# of max_time: the first stretch, and the growth of the next ones
_FIRST_STRETCH: Final = 1 / 64
_GROWTH: Final = 1.5
# a Jacobian product with its share of GMRES costs about as much as 3 steps of "etdrk4"
_STEPS_PER_PRODUCT: Final = 3
_FEWEST_PRODUCTS: Final = 500
# a pattern drifts if this much of its rate or less remains in the best moving frame
_DRIFT: Final = 0.3


@dataclass(frozen=True)
class SearchRecord:
    """One entry of the history of a search.

    Arguments:
        stage: "march", "newton" or "newton, moving frame".
        time: marched so far.
        relative_rate: largest rms of ∂u/∂t of a field relative to its scale, in the moving frame for the last
            stage (1/time).
    """

    stage: str
    time: float
    relative_rate: float


@dataclass(frozen=True, eq=False)
class SteadyState:
    """What :func:`find_steady_state` found, trajectory by trajectory; look at ``converged`` first.

    Arguments:
        state: the fields, ``"batch channel *space"``, float64; of a trajectory that did not converge the last
            state marched to.
        converged: whether F(u) = 0 to the tolerance.
        travelling: whether u moves at a constant velocity without changing its shape, F(u) + c·∇u = 0 to the
            tolerance, and is not steady.
        reasons: in words, why each search ended as it did.
        scale: rms of each field, its mean included; the largest on the way, (batch, channel).
        rate_rms: rms of ∂u/∂t under the reference operator, (batch, channel) (field/time).
        rate_max: largest |∂u/∂t|, likewise.
        relative_rate: largest rate_rms / scale of the fields, (batch,) (1/time).
        velocity: c of travelling states, else 0, (batch, axis) (length/time).
        residual: relative_rate in the frame that moves with c, (batch,) (1/time).
        time: marched until the end or until Newton's method took over, (batch,).
        products: of the Jacobian with vectors, in all tries of Newton's method, (batch,).
        moved: largest change by Newton's method relative to the scale, (batch,).
        history: of each trajectory.
    """

    state: Float[Tensor, "batch channel *space"]
    converged: tuple[bool, ...]
    travelling: tuple[bool, ...]
    reasons: tuple[str, ...]
    scale: Float[Tensor, "batch channel"]
    rate_rms: Float[Tensor, "batch channel"]
    rate_max: Float[Tensor, "batch channel"]
    relative_rate: Float[Tensor, " batch"]
    velocity: Float[Tensor, "batch axis"]
    residual: Float[Tensor, " batch"]
    time: Float[Tensor, " batch"]
    products: Int[Tensor, " batch"]
    moved: Float[Tensor, " batch"]
    history: tuple[tuple[SearchRecord, ...], ...]


def find_steady_state(
    equation: Equation,
    grid: Grid,
    state: Float[Tensor, "batch channel *space"],
    *,
    time_step: float,
    max_time: float,
    tolerance: float = 1e-11,
    method: str | None = None,
    newton_below: float = 1e-3,
    derivatives: Derivatives | None = None,
) -> SteadyState:
    """March each trajectory towards its steady state and finish with Newton-Krylov.

    The rate ∂u/∂t = F(u) is that of the *reference operator*, whatever marched there: spectral derivatives
    on periodic and no-flux axes, else stencils of fourth order. It is a rate, per unit of time: how little
    one step changes says nothing, a step can be short.

    The march goes on in stretches that grow by half. After each one, trajectories whose relative rate is
    below ``newton_below`` are handed to Newton's method (:func:`newton_krylov`), and marched on if that does
    not converge. On periodic axes every shifted pattern is a solution too; the shift of the Newton step keeps
    the phase that the trajectory had, up to second order. Conserved means (Cahn-Hilliard) are kept to
    rounding.

    A pattern without mirror symmetry on a periodic axis has no reason to rest: unless the equation has a free
    energy it drifts in general, if ever so slowly, and F(u) = 0 has no solution near it. Where a velocity
    explains most of the rate, F(u) + c·∇u = 0 is solved for u and c; such a result is ``travelling``, not
    ``converged``. A grid that hardly resolves the pattern pins it or makes it creep; that goes away on a
    finer one.

    Newton's method finds unstable steady states as readily as stable ones, for instance a saddle that the
    trajectory would have passed: ``moved`` says how far it went, and ``stability_of`` judges the result.

    Arguments:
        equation: what is solved; constants as for the state's trajectories.
        grid: the domain.
        state: where to begin.
        time_step: Δt of the march (time).
        max_time: when to give up (time).
        tolerance: of the relative rate, rms of ∂u/∂t over rms of u (1/time). In double precision about 1e-16
            times the largest eigenvalue of the linear part can be reached.
        method: a key of ``INTEGRATORS``; by default "etdrk4", and "rk4" if a wall holds a value.
        newton_below: relative rate below which Newton's method is tried, in units of the rate of the local
            dynamics (that of J on constant fields; without any, of the slowest wave of L); 0 for marching
            only.
        derivatives: another reference operator.

    Returns:
        State, residuals, flags, reasons and history. Nothing is raised for a search that does not converge.

    Raises:
        BadInputError: for shapes, a method or times that do not fit.
        StabilityError: if Δt exceeds the stability limit of the method.
        NonFiniteError: if the march leaves the finite numbers.
    """
    if not (0 < time_step <= max_time < math.inf and tolerance > 0 and newton_below >= 0):
        raise BadInputError(
            "expected 0 < time_step <= max_time, tolerance > 0 and newton_below >= 0, got "
            f"{time_step}, {max_time}, {tolerance} and {newton_below}"
        )
    expected = (len(equation.fields), *grid.shape)
    if tuple(state.shape[1:]) != expected:
        raise BadInputError(
            f"a state of equation {equation.name!r} on this grid has shape (batch, "
            f"{', '.join(map(str, expected))}), got {tuple(state.shape)}; usual cure: state[None]"
        )
    derivatives = reference_derivatives(grid) if derivatives is None else derivatives
    number = len(state)
    searches = [
        _Search(ReferenceOperator(of_trajectory(equation, index, number), derivatives), tolerance)
        for index in range(number)
    ]
    march = _integrator(equation, grid, state, time_step, method)
    current, time, num_steps = state.double(), 0.0, 0
    stretch = _FIRST_STRETCH * max_time
    while True:
        for search, fields in zip(searches, current, strict=True):
            search.look(fields, time, newton_below, num_steps)
        if all(search.done for search in searches) or time >= max_time * (1 - 1e-12):
            break
        steps = max(1, math.ceil(min(stretch, max_time - time) / time_step * (1 - 1e-9)))
        current = march.march(current, steps)
        num_steps += steps
        time = num_steps * time_step
        stretch *= _GROWTH
        _require_finite(current, time)
    return _collect(searches, state)


class _Search:
    """The search of one trajectory."""

    def __init__(self, operator: ReferenceOperator, tolerance: float) -> None:
        self.operator, self.tolerance = operator, tolerance
        self.linear = LinearSpectrum(operator.equation, operator.grid)
        self.scale = np.zeros(operator.shape[1])
        self.vector: Vector = np.zeros(operator.size)
        self.velocity = np.zeros(operator.grid.num_dims)
        self.converged = self.travelling = False
        self.reason, self.moved, self.time, self.products = "", 0.0, 0.0, 0
        self.history: list[SearchRecord] = []

    @property
    def done(self) -> bool:
        return self.converged or self.travelling

    def look(self, fields: Tensor, time: float, newton_below: float, num_steps: int) -> None:
        """Judge the state that the march reached, and try Newton's method for at most as long as it took."""
        if self.done:
            return
        self.vector, self.time = fields.reshape(-1).cpu().numpy().copy(), time
        size = np.sqrt((self.vector.reshape(len(self.scale), -1) ** 2).mean(1))
        self.scale = np.maximum(self.scale, size)
        rate = self.relative(self.operator.rate(self.vector))
        self.history.append(SearchRecord("march", time, rate))
        if rate <= self.tolerance:
            self.converged, self.reason = True, "the march reached the tolerance"
            return
        self.reason = f"relative rate {rate:.2e} at t = {time:g}, max_time reached"
        newton_below = newton_below * self.operator.rate_scale(self.vector, self.linear.slowest)
        products = max(_FEWEST_PRODUCTS, num_steps // _STEPS_PER_PRODUCT)
        if rate < newton_below and self._newton(products):
            return
        rest = self._rest_of_drift()
        if rest < _DRIFT * rate:
            self.reason += f", of which {rest:.2e} is no drift"
            if rest < newton_below:
                self._newton_moving(products)

    def _newton(self, products: int) -> bool:
        result = self._solve(products, moving=False)
        self.converged = self._note(result, "newton")
        if not self.converged:
            self.reason += f"; Newton's method: {result.reason} at {min(result.residuals):.2e}"
        return self.converged

    def _newton_moving(self, products: int) -> None:
        result = self._solve(products, moving=True)
        if not self._note(result, "newton, moving frame"):
            self.reason += f"; in a moving frame: {result.reason} at {min(result.residuals):.2e}"
            return
        self.velocity[list(self.operator.moving_axes)] = result.velocity
        own = self.relative(self.operator.rate(self.vector))
        self.converged, self.travelling = own <= self.tolerance, own > self.tolerance
        if self.travelling:
            velocity = ", ".join(f"{part:.3g}" for part in self.velocity)
            steps = zip(self.velocity, self.operator.grid.spacing, strict=True)
            crossing = min(h / abs(part) for part, h in steps if part != 0)
            self.reason = (
                f"not steady: the pattern travels at constant velocity ({velocity}), a cell in {crossing:.2g}"
            )

    def _solve(self, products: int, moving: bool) -> NewtonResult:
        return newton_krylov(
            self.operator,
            self.linear,
            self.vector,
            self.relative,
            self.tolerance,
            moving=moving,
            max_products=products,
        )

    def _rest_of_drift(self) -> float:
        """The relative rate that remains when the best velocity is taken out."""
        rate, slopes = self.operator.rate(self.vector), self.operator.translations(self.vector)
        if slopes.shape[1] == 0:
            return math.inf
        return self.relative(rate - slopes @ np.linalg.lstsq(slopes, rate, rcond=None)[0])

    def relative(self, rate: Vector) -> float:
        """The largest rms rate of a field over its scale."""
        size = np.sqrt((rate.reshape(len(self.scale), -1) ** 2).mean(1))
        return float((size / self.safe_scale).max())

    @property
    def safe_scale(self) -> Vector:
        """The scale; of a field that is zero everywhere that of the largest field."""
        largest = self.scale.max() or 1.0
        return np.where(self.scale > 0, self.scale, largest)

    def _note(self, result: NewtonResult, stage: str) -> bool:
        self.products += result.num_products
        self.history.extend(SearchRecord(stage, self.time, size) for size in result.residuals)
        if result.reason != "converged":
            return False
        change = np.abs(result.vector - self.vector).reshape(len(self.scale), -1).max(1)
        self.moved = float((change / self.safe_scale).max())
        self.vector = result.vector
        self.reason = "Newton's method converged"
        return True


def _integrator(
    equation: Equation, grid: Grid, state: Tensor, time_step: float, method: str | None
) -> Integrator:
    name = method or ("etdrk4" if is_spectral(grid) else "rk4")
    if name not in INTEGRATORS:
        raise BadInputError(f"method {name!r} is unknown; expected one of {', '.join(INTEGRATORS)}")
    options: dict[str, Any] = {"device": state.device} if "device" in options_of(name) else {}
    return INTEGRATORS[name](equation, grid, time_step, **options)


def _require_finite(state: Tensor, time: float) -> None:
    finite = torch.isfinite(state).flatten(1).all(1)
    if not finite.all():
        raise NonFiniteError(
            f"trajectory {int((~finite).nonzero()[0])} is not finite at t = {time:g} of the march; usual "
            "cure: a smaller time_step, or an initial state within the physical range"
        )


def _collect(searches: list[_Search], given: Tensor) -> SteadyState:
    def stack(rows: list[Any]) -> Tensor:
        return torch.as_tensor(np.array(rows, dtype=np.float64), device=given.device)

    rates = [search.operator.rate(search.vector).reshape(given.shape[1], -1) for search in searches]
    moving = [
        search.operator.rate(search.vector)
        + sum(
            (search.velocity[axis] * search.operator.slope(search.vector, axis) for axis in axes),
            start=np.zeros(search.operator.size),
        )
        for search in searches
        for axes in [[axis for axis in search.operator.moving_axes if search.velocity[axis] != 0]]
    ]
    return SteadyState(
        state=stack([search.vector for search in searches]).reshape(given.shape),
        converged=tuple(search.converged for search in searches),
        travelling=tuple(search.travelling for search in searches),
        reasons=tuple(search.reason for search in searches),
        scale=stack([search.scale for search in searches]),
        rate_rms=stack([np.sqrt((rate**2).mean(1)) for rate in rates]),
        rate_max=stack([np.abs(rate).max(1) for rate in rates]),
        relative_rate=stack([search.relative(rate) for search, rate in zip(searches, rates, strict=True)]),
        velocity=stack([search.velocity for search in searches]),
        residual=stack([search.relative(rate) for search, rate in zip(searches, moving, strict=True)]),
        time=stack([search.time for search in searches]),
        products=torch.tensor([search.products for search in searches], device=given.device),
        moved=stack([search.moved for search in searches]),
        history=tuple(tuple(search.history) for search in searches),
    )
