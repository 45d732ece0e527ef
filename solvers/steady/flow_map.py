"""Leading eigenvalues without a matrix: ARPACK on the linearised flow, then exact projection of J."""

import math
from typing import Any, Final

import numpy as np
import scipy.sparse.linalg
import torch
from numpy.typing import NDArray

from pdenca.core.errors import BadInputError

from ..integrators import INTEGRATORS, Integrator, largest_stable_step
from ..transform import is_spectral
from .operator import ReferenceOperator, Vector
from .preconditioner import LinearSpectrum

# of the flow map, in units of the time of the local dynamics: its length, and its step
_FLOW_TIME, _FLOW_STEP = 10.0, 0.25
# of the finite difference that applies the flow map, relative to the state
_DIFFERENCE: Final = 1e-5
# times tried, each a quarter of the one before; the residual, in units of that rate, that is good enough
_FLOW_TRIALS, _FLOW_RESIDUAL = 3, 1e-3
_RESTARTS, _MOST_RUNS = 20, 5
_SEED: Final = 20240426


def leading_modes(
    operator: ReferenceOperator, vector: Vector, num_eigenvalues: int, time_step: float | None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return eigenvalues and modes (columns) of the Jacobian with the largest growth rates, and a few more.

    Arguments:
        operator: F.
        vector: the steady state.
        num_eigenvalues: how many must be accurate.
        time_step: Δt of the marches; None for a quarter of the time of the local dynamics.

    Raises:
        BadInputError: if J = 0, or ARPACK finds nothing.
    """
    rate = operator.rate_scale(vector, LinearSpectrum(operator.equation, operator.grid).slowest)
    if rate == 0:
        raise BadInputError("nothing happens in this equation: J = 0; expected a rate to compare with")
    name, options = ("etdrk4", {"device": "cpu"}) if is_spectral(operator.grid) else ("rk4", {})
    step = time_step or _FLOW_STEP / rate
    if name == "rk4" and time_step is None:
        step = min(step, 0.9 * largest_stable_step(operator.equation, operator.grid))
    integrator = INTEGRATORS[name](operator.equation, operator.grid, step, **options)
    duration, best = _FLOW_TIME / rate, (math.inf, np.zeros(0), np.zeros((operator.size, 0)))
    for _ in range(_FLOW_TRIALS):
        num_steps = max(1, round(duration / step))
        values, modes, errors = _all_leading(operator, vector, integrator, num_steps, num_eigenvalues, rate)
        worst = float(errors[np.argsort(-values.real)[:num_eigenvalues]].max())
        if worst < best[0]:
            best = (worst, values, modes)
        if worst <= _FLOW_RESIDUAL * rate:
            break
        # what has decayed below the rounding of the differences cannot be found
        duration /= 4
    return best[1], best[2]


def _all_leading(
    operator: ReferenceOperator,
    vector: Vector,
    integrator: Integrator,
    num_steps: int,
    num_eigenvalues: int,
    rate: float,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Eigenvalues, modes and residuals in the span of several Arnoldi runs.

    One run finds a single mode of each multiple eigenvalue, and symmetric problems have many of those. Runs
    from other starts are added until the leading eigenvalues, with their multiplicity, stay as they are.
    """
    times, generator = operator.jacobian(vector), np.random.default_rng(_SEED)
    columns: list[NDArray[Any]] = []
    known = np.full(num_eigenvalues, np.inf)
    for _ in range(_MOST_RUNS):
        start = generator.standard_normal(operator.size)
        found = _arnoldi(operator, vector, integrator, num_steps, num_eigenvalues, start)
        columns += [found.real, found.imag]
        basis, sizes, _ = np.linalg.svd(np.concatenate(columns, 1), full_matrices=False)
        basis = basis[:, sizes > 1e-6 * sizes[0]]
        images = np.stack([times(column) for column in np.ascontiguousarray(basis.T)], 1)
        values, coefficients = np.linalg.eig(basis.T @ images)
        leading = -np.sort(-values.real)[:num_eigenvalues]
        if len(leading) == len(known) and np.abs(leading - known).max() < _FLOW_RESIDUAL * rate:
            break
        known = leading
    modes = basis @ coefficients
    return values, modes, np.linalg.norm(images @ coefficients - modes * values, axis=0)


def _arnoldi(
    operator: ReferenceOperator,
    vector: Vector,
    integrator: Integrator,
    num_steps: int,
    num_eigenvalues: int,
    start: Vector,
) -> NDArray[Any]:
    """Modes of the largest eigenvalues of the linearised flow over some steps, as columns."""
    typical = float(np.sqrt(np.mean(vector**2))) or 1.0

    def flow(direction: Vector) -> Vector:
        size = _DIFFERENCE * typical * math.sqrt(operator.size) / float(np.linalg.norm(direction))
        pair = torch.cat([operator.fields(vector + sign * size * direction) for sign in (1, -1)])
        after = integrator.march(pair, num_steps)
        moved = operator.in_frame(after[:1] - after[1:], num_steps * integrator.time_step)
        return np.asarray(moved.reshape(-1).numpy() / (2 * size))

    # a few more than asked for: the last ones converge late, and a pair may stand at the end
    wanted = min(num_eigenvalues + 4, operator.size - 2)
    flow_map = scipy.sparse.linalg.LinearOperator((operator.size,) * 2, flow, dtype=np.float64)
    try:
        _, modes = scipy.sparse.linalg.eigs(
            flow_map,
            k=wanted,
            ncv=min(operator.size, max(3 * wanted, 30)),
            tol=1e-7,
            maxiter=_RESTARTS,
            v0=start,
        )
    except scipy.sparse.linalg.ArpackNoConvergence as error:
        modes = error.eigenvectors  # the residuals of these tell; without any there is nothing to tell
        if modes.shape[1] == 0:
            raise BadInputError(
                f"no eigenvalue of the linearised flow was found in {_RESTARTS} restarts of ARPACK; usual "
                "cure: fewer num_eigenvalues, or method='dense'"
            ) from None
    return np.asarray(modes)
