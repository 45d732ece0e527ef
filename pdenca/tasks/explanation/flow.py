"""Taking the time step out of a learned map: the rate whose flow it is."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from .terms import Term, columns_of

MOST_CORRECTIONS, FLOW_STEPS, FITTED_CELLS = 12, 8, 512
CONVERGED, EXACT = 1e-3, 1e-16


def rate_of_step(
    terms: Sequence[Term],
    fields: Float[np.ndarray, "cell field"],
    parameters: Mapping[str, Float[np.ndarray, " cell"]],
    proposal: Float[np.ndarray, "cell field"],
    time_step: float,
) -> Float[np.ndarray, "cell field"]:
    """Return the rate r whose flow over dt is the map g(z) = z + dt f(z).

    A polynomial q of the library whose flow over dt is nearest to g is found by the Gauss-Newton method; what
    is left of f, which the library cannot say, is added as it is: r = q + f - (Φ_q(z) - z) / dt. So only in
    this remainder a relative error of the order of (rate times dt) stays.

    Arguments:
        terms: the library.
        fields, parameters: z and the constants.
        proposal: f.
        time_step: dt.

    Returns:
        r at every z.
    """
    columns = columns_of(terms, fields, parameters)
    size = np.sqrt((columns**2).mean(0))
    unit = np.where(size > 0, size, 1.0)
    some = slice(None, None, max(1, len(fields) // FITTED_CELLS))
    few = {name: values[some] for name, values in parameters.items()}
    weights = np.linalg.lstsq(columns / unit, proposal, rcond=1e-9)[0] / unit[:, None]
    best, kept = np.inf, weights
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(MOST_CORRECTIONS):
            end, slopes = _flow(terms, fields[some], few, weights, time_step, True)
            left = proposal[some] - (end - fields[some]) / time_step
            wrong = float((left**2).mean())
            if not wrong < best * (1 - CONVERGED):
                break
            best, kept = wrong, weights
            if wrong <= EXACT * float((proposal[some] ** 2).mean()):
                break
            scale = np.repeat(unit, fields.shape[1])
            rows = slopes.reshape(-1, len(scale)) / time_step / scale
            correction = np.linalg.lstsq(rows, left.reshape(-1), rcond=1e-9)[0] / scale
            weights = weights + correction.reshape(weights.shape)
        end, _ = _flow(terms, fields, parameters, kept, time_step, False)
    rate = columns @ kept + proposal - (end - fields) / time_step
    # where even the best polynomial runs away within a step there is no telling: the proposal as it is
    return np.where(np.isfinite(rate), rate, proposal)


def _flow(
    terms: Sequence[Term],
    fields: np.ndarray,
    parameters: Mapping[str, np.ndarray],
    weights: np.ndarray,
    time_step: float,
    with_slopes: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """March z' = columns(z) weights, and the derivative by each weight, (cell, field, term * field)."""
    count, num_fields = fields.shape
    eye = np.eye(num_fields)
    lowered = [
        [
            Term(tuple(p - (k == j) for k, p in enumerate(term.powers)), term.parameter)
            if term.powers[j]
            else Term(term.powers, term.parameter)
            for term in terms
        ]
        for j in range(num_fields)
    ]
    powers = [np.array([term.powers[j] for term in terms], dtype=float) for j in range(num_fields)]

    def slope(state: np.ndarray, sensitivity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        columns = columns_of(terms, state, parameters)
        rate = columns @ weights
        if not with_slopes:
            return rate, sensitivity
        jacobian = np.stack(
            [(columns_of(lowered[j], state, parameters) * powers[j]) @ weights for j in range(num_fields)], 2
        )
        source = (columns[:, None, :, None] * eye[None, :, None, :]).reshape(sensitivity.shape)
        return rate, jacobian @ sensitivity + source

    dt = time_step / FLOW_STEPS
    state = fields
    sensitivity = np.zeros((count, num_fields, len(terms) * num_fields) if with_slopes else (1, 1, 1))
    for _ in range(FLOW_STEPS):
        a, s = slope(state, sensitivity)
        b, t = slope(state + dt / 2 * a, sensitivity + dt / 2 * s)
        c, u = slope(state + dt / 2 * b, sensitivity + dt / 2 * t)
        d, v = slope(state + dt * c, sensitivity + dt * u)
        state = state + dt / 6 * (a + 2 * b + 2 * c + d)
        sensitivity = sensitivity + dt / 6 * (s + 2 * t + 2 * u + v)
    return state, sensitivity
