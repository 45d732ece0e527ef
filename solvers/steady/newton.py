"""Newton's method on F(u) = 0 with SciPy's GMRES, held back by a shift that vanishes with the residual."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse.linalg
from numpy.typing import NDArray

from .operator import ReferenceOperator, Vector
from .preconditioner import LinearSpectrum

_LARGEST_BASIS: Final = 400
_TRUST_FLOOR: Final = 1e-4
# steps in which the best residual must fall by a tenth
_PATIENCE: Final = 10


@dataclass(frozen=True)
class NewtonResult:
    """Where Newton's method ended.

    Arguments:
        vector: u.
        velocity: of the frame, one per axis that moves (length/time).
        residuals: largest relative rate before each step and at the end (1/time).
        num_products: Jacobian-vector products.
        reason: why it ended, "converged" or otherwise.
    """

    vector: Vector
    velocity: NDArray[np.float64]
    residuals: list[float]
    num_products: int
    reason: str


def newton_krylov(
    operator: ReferenceOperator,
    linear: LinearSpectrum,
    vector: Vector,
    measure: Callable[[Vector], float],
    tolerance: float,
    *,
    moving: bool = False,
    max_iterations: int = 40,
    max_products: int = 20_000,
) -> NewtonResult:
    """Solve F(u) = 0, or F(u) + c·∇u = 0 for the pattern u and its velocity c.

        (J(u) - s) δ = -F(u),   s = |F| / κ

    The shift s makes each step one of implicit Euler of length 1/s: far from the solution it follows the
    trajectory, near it s vanishes as fast as the residual and the steps are Newton's. It also keeps the
    system solvable where J is singular, along translations and every other symmetry: a step along them is of
    second order and stays so. Conserved means are taken out of the residual and the steps. The trust κ, the
    change per step that is allowed relative to the state's scale, grows while the residual falls and shrinks
    when it rises.

    Arguments:
        operator: F.
        linear: L, for the preconditioner (L - σ)⁻¹.
        vector: where to begin.
        measure: residual -> its size relative to the state's scale (1/time).
        tolerance: of that (1/time).
        moving: whether to solve for a velocity too; the phase is then pinned, δ ⟂ ∂u/∂x.
        max_iterations: steps at most.
        max_products: Jacobian-vector products at most.

    Returns:
        The best point reached, whether or not it is a solution.
    """
    conserved = operator.conserved(vector)
    floor = 1e-16 * linear.stiffness
    trust, num_products, forcing = 1.0, 0, 0.1
    velocity = _velocity(operator, vector) if moving else np.zeros(len(operator.moving_axes))
    residual = _residual(operator, vector, velocity)
    size = measure(residual)
    sizes, best = [size], (size, vector, velocity)
    reason = "too many iterations"
    for _ in range(max_iterations):
        if size <= tolerance:
            reason = "converged"
            break
        if not math.isfinite(size):
            reason = "the residual is not finite"
            break
        if num_products > max_products:
            reason = "too many Jacobian products"
            break
        if len(sizes) > _PATIENCE and min(sizes[-_PATIENCE:]) > 0.9 * min(sizes[:-_PATIENCE]):
            reason = "the residual no longer falls"
            break
        shift = size / trust
        step, change, products = _solve(
            operator, linear, vector, velocity, residual, conserved, shift, forcing, moving
        )
        num_products += products
        trial, trial_velocity = vector + step, velocity + change
        trial_residual = _residual(operator, trial, trial_velocity)
        trial_size = measure(trial_residual)
        if math.isfinite(trial_size) and trial_size < 1.5 * size:
            forcing = min(0.1, max(0.3 * (trial_size / size) ** 1.5, 1e-4))
            trust = min(trust * (4 if trial_size < 0.5 * size else 1), 1e6)
            stalled = trial_size > 0.9 * size and size < 1e3 * floor
            vector, velocity, residual, size = trial, trial_velocity, trial_residual, trial_size
            sizes.append(size)
            if size < best[0]:
                best = (size, vector, velocity)
            if stalled:
                reason = "rounding"
                break
        else:
            trust, forcing = trust / 4, 0.1
            if trust < _TRUST_FLOOR:
                reason = "no step lowers the residual"
                break
    else:
        reason = "converged" if size <= tolerance else reason
    return NewtonResult(best[1], best[2], [*sizes[:-1], best[0]], num_products, reason)


def _velocity(operator: ReferenceOperator, vector: Vector) -> NDArray[np.float64]:
    """The velocity that explains most of the rate, F + c·∇u least."""
    slopes = _slopes(operator, vector)
    if slopes.shape[1] == 0:
        return np.zeros(0)
    # stripes vary along one axis only: the shortest solution leaves the other at rest
    return np.asarray(np.linalg.lstsq(slopes, -operator.rate(vector), rcond=1e-10)[0])


def _slopes(operator: ReferenceOperator, vector: Vector) -> NDArray[np.float64]:
    columns = [operator.slope(vector, axis) for axis in operator.moving_axes]
    return np.stack(columns, 1) if columns else np.zeros((operator.size, 0))


def _residual(operator: ReferenceOperator, vector: Vector, velocity: NDArray[np.float64]) -> Vector:
    rate = operator.rate(vector)
    if not velocity.any():
        return rate
    return rate + _slopes(operator, vector) @ velocity


def _solve(
    operator: ReferenceOperator,
    linear: LinearSpectrum,
    vector: Vector,
    velocity: NDArray[np.float64],
    residual: Vector,
    conserved: NDArray[np.float64],
    shift: float,
    forcing: float,
    moving: bool,
) -> tuple[Vector, NDArray[np.float64], int]:
    """One shifted Newton step (δu, δc) and its Jacobian products."""
    jacobian, products = operator.jacobian(vector), 0
    slopes = _slopes(operator, vector) if moving else np.zeros((operator.size, 0))
    lengths = np.linalg.norm(slopes, axis=0)
    varying = lengths * np.array([operator.grid.extent[a] for a in operator.moving_axes][: len(lengths)])
    borders = np.flatnonzero(varying > 1e-8 * np.linalg.norm(vector)) if moving else np.zeros(0, dtype=int)
    border = slopes[:, borders] / lengths[borders]
    size, num_borders = operator.size, len(borders)

    def times(x: Vector) -> Vector:
        nonlocal products
        products += 1
        tangent, change = x[:size], x[size:]
        image = jacobian(tangent) - shift * tangent
        if moving:
            image = image + _slopes(operator, tangent) @ velocity + border @ change
        image = operator.remove_conserved(image, conserved)
        return np.concatenate((image, border.T @ tangent))

    # the waves of L that would grow, or decay slower than the local dynamics, are handed to GMRES undivided
    sigma = max(shift, linear.largest + 0.3 * operator.rate_scale(vector))
    inverse = linear.solver(max(sigma, 1e-12 * linear.stiffness, 1e-300))

    def precondition(x: Vector) -> Vector:
        return np.concatenate((operator.remove_conserved(inverse(x[:size]), conserved), x[size:]))

    length = size + num_borders
    right = np.concatenate((-operator.remove_conserved(residual, conserved), np.zeros(num_borders)))
    solution, _ = scipy.sparse.linalg.gmres(
        scipy.sparse.linalg.LinearOperator((length, length), times, dtype=np.float64),
        right,
        rtol=forcing,
        restart=min(_LARGEST_BASIS, length),
        maxiter=1,
        M=scipy.sparse.linalg.LinearOperator((length, length), precondition, dtype=np.float64),
    )
    change = np.zeros(len(velocity))
    change[borders] = solution[size:] / lengths[borders]
    return operator.remove_conserved(solution[:size], conserved), change, products
