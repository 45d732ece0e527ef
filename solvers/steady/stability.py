"""The stability of a steady state: the leading eigenvalues of the Jacobian, neutral modes told apart."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.linalg
import torch
from jaxtyping import Complex, Float
from numpy.typing import NDArray
from torch import Tensor

from pdenca.core.errors import BadInputError

from ..derivatives import Derivatives
from ..equation import Equation
from ..grid import Grid
from .flow_map import leading_modes
from .operator import ReferenceOperator, Vector, of_trajectory, reference_derivatives
from .preconditioner import LinearSpectrum

# unknowns up to which all eigenvalues are computed at once: 1 s on one thread
_LARGEST_DENSE: Final = 600


@dataclass(frozen=True, eq=False)
class Stability:
    """What :func:`stability_of` found.

    Arguments:
        verdict: "stable", "unstable" or "undecided".
        reason: in words, on what the verdict rests.
        eigenvalues: the leading ones by real part, complex128 (1/time).
        eigenvectors: their modes, of norm 1, "mode channel *space", complex128.
        residuals: ‖J v - λ v‖ of each pair (1/time).
        kinds: "unstable", "neutral", "stable", or "undecided" within three times its residual of neither.
        num_unstable: eigenvalues that grow.
        num_neutral: eigenvalues that do neither.
        num_translations: neutral directions that only shift the pattern.
        num_conserved: neutral directions that change a conserved mean.
        pinning: <t, J t> / <t, t> of t = ∂u/∂x, zero but for the grid: how firmly the grid holds the pattern
            where it is (1/time).
        relative_rate: of the state itself, rms ∂u/∂t over rms u (1/time).
        tolerance: growth rates smaller than this are not told from 0 (1/time).
        method: "dense" or "flow-map".
    """

    verdict: str
    reason: str
    eigenvalues: Complex[Tensor, " mode"]
    eigenvectors: Complex[Tensor, "mode channel *space"]
    residuals: Float[Tensor, " mode"]
    kinds: tuple[str, ...]
    num_unstable: int
    num_neutral: int
    num_translations: int
    num_conserved: int
    pinning: float
    relative_rate: float
    tolerance: float
    method: str


def stability_of(
    equation: Equation,
    grid: Grid,
    state: Float[Tensor, "batch channel *space"],
    *,
    trajectory: int = 0,
    velocity: Float[Tensor, " axis"] | None = None,
    num_eigenvalues: int = 8,
    tolerance: float | None = None,
    method: str | None = None,
    time_step: float | None = None,
    derivatives: Derivatives | None = None,
) -> Stability:
    """Find the leading eigenvalues of the Jacobian of F at a steady state F(u) = 0 and judge by them.

    "dense" computes all of them. "flow-map" is matrix-free: ARPACK's largest eigenvalues exp(λT) of the
    linearised flow, a central difference of two marches over a time T, are those of largest growth rate
    whatever their frequency, which shift and invert cannot promise. Their modes span a space in which J
    itself, by exact products, is solved for the eigenvalues; ‖J v - λ v‖ is reported for each. Measured on
    Gray-Scott (bubbles, 32² cells): both agree to 1e-7, 0.5 s against 30 s for dense.

    Neutral modes are no instabilities: on periodic axes every broken translation gives one, ∂u/∂x, and every
    conserved mean one more. They are counted by comparing the neutral modes with these directions; a coarse
    grid pins the pattern and moves these eigenvalues away from 0 by about ``pinning``, which is allowed for.
    Neutral modes that neither explains (a bifurcation point, another symmetry) leave the verdict open.

    Arguments:
        equation: as it was solved.
        grid: the domain.
        state: a steady state, usually from ``find_steady_state``.
        trajectory: which one of the batch.
        velocity: of a travelling state (length/time), which is steady in the frame that moves with it.
        num_eigenvalues: how many to find; more than there are unstable and neutral ones.
        tolerance: growth rates up to this count as neutral (1/time); by default 1e-5 of the rate of the local
            dynamics.
        method: "dense" or "flow-map"; by default dense up to 600 unknowns.
        time_step: Δt of the marches of the flow map (time); by default a quarter of the time of the local
            dynamics.
        derivatives: another reference operator.

    Returns:
        Eigenvalues, modes, residuals, counts and the verdict.

    Raises:
        BadInputError: for shapes, a method or numbers that do not fit.
    """
    if method not in (None, "dense", "flow-map"):
        raise BadInputError(f"method must be 'dense' or 'flow-map', got {method!r}")
    if num_eigenvalues < 1 or not 0 <= trajectory < len(state):
        raise BadInputError(
            f"expected num_eigenvalues >= 1 and a trajectory below {len(state)}, got {num_eigenvalues} and "
            f"{trajectory}"
        )
    if tolerance is not None and not 0 <= tolerance < math.inf:
        raise BadInputError(f"tolerance must be a rate of at least 0, got {tolerance}; usual cure: None")
    derivatives = reference_derivatives(grid) if derivatives is None else derivatives
    velocity = torch.zeros(grid.num_dims, dtype=torch.float64) if velocity is None else velocity
    if len(velocity) != grid.num_dims:
        raise BadInputError(f"velocity needs one component per axis, got {len(velocity)}")
    operator = ReferenceOperator(
        of_trajectory(equation, trajectory, len(state)), derivatives, tuple(velocity.tolist())
    )
    if tuple(state.shape[1:]) != operator.shape[1:]:
        raise BadInputError(
            f"a state of equation {equation.name!r} on this grid has shape (batch, "
            f"{', '.join(map(str, operator.shape[1:]))}), got {tuple(state.shape)}; usual cure: state[None]"
        )
    vector = state[trajectory].detach().double().cpu().reshape(-1).numpy().copy()
    method = method or ("dense" if operator.size <= _LARGEST_DENSE else "flow-map")
    if method == "dense":
        values, modes = scipy.linalg.eig(operator.dense_jacobian(vector))
    else:
        values, modes = leading_modes(operator, vector, num_eigenvalues, time_step)
    values, modes = values.astype(np.complex128), modes.astype(np.complex128)
    order = np.argsort(-values.real, kind="stable")[: num_eigenvalues + 1]
    if len(order) > num_eigenvalues and not np.isclose(
        values[order[-1]], values[order[-2]].conj(), rtol=1e-9, atol=0
    ):
        order = order[:-1]  # pairs of conjugates stay together
    values, modes = values[order], modes[:, order] / np.linalg.norm(modes[:, order], axis=0)
    times = operator.jacobian(vector)
    residuals = np.array(
        [
            np.linalg.norm(times(mode) - value * mode)
            for value, mode in zip(values, np.ascontiguousarray(modes.T), strict=True)
        ]
    )
    return _judge(operator, vector, values, modes, residuals, tolerance, method)


def _judge(
    operator: ReferenceOperator,
    vector: Vector,
    values: NDArray[np.complex128],
    modes: NDArray[np.complex128],
    residuals: NDArray[np.float64],
    tolerance: float | None,
    method: str,
) -> Stability:
    linear = LinearSpectrum(operator.equation, operator.grid)
    rate = operator.rate_scale(vector, linear.slowest)
    tolerance = 1e-5 * rate if tolerance is None else tolerance
    times, slopes = operator.jacobian(vector), operator.translations(vector)
    shifts = [abs(float(slope @ times(slope) / (slope @ slope))) for slope in np.ascontiguousarray(slopes.T)]
    pinning = max(shifts, default=0.0)
    inside = _shares(modes, slopes)
    limits = np.maximum(tolerance, 3 * residuals)
    neutral = (np.abs(values) <= tolerance) | ((inside > 0.9) & (np.abs(values) <= 3 * pinning))
    unstable = ~neutral & (values.real > limits)
    stable = ~neutral & (values.real < -limits)
    kinds = tuple(
        "neutral" if is_neutral else "unstable" if grows else "stable" if decays else "undecided"
        for is_neutral, grows, decays in zip(neutral, unstable, stable, strict=True)
    )
    num_translations = int((_shares(slopes, modes[:, neutral]) > 0.9).sum())
    num_conserved = _num_conserved(operator, vector, modes[:, neutral])
    own = operator.rate(vector)
    relative = float(np.linalg.norm(own) / (np.linalg.norm(vector) or 1.0))
    num_unstable, num_neutral = int(unstable.sum()), int(neutral.sum())
    explained = num_translations + num_conserved
    if relative > 1e-3 * rate:
        verdict, reason = "undecided", f"no steady state: its relative rate is {relative:.2e}"
    elif num_unstable:
        verdict, reason = "unstable", f"{num_unstable} modes grow, the fastest at {values.real.max():.3g}"
    elif "undecided" in kinds[: kinds.index("stable") if "stable" in kinds else None]:
        verdict = "undecided"
        reason = "a leading mode neither grows nor decays beyond its residual: a smaller time_step may tell"
    elif num_neutral > explained:
        verdict = "undecided"
        reason = f"{num_neutral} neutral modes, of which translations and conserved means explain {explained}"
    elif not stable.any() and len(values) < operator.size:
        verdict, reason = "undecided", "no decaying mode among those found; usual cure: more num_eigenvalues"
    else:
        slowest = f", the slowest mode decays at {-values.real[stable].max():.3g}" if stable.any() else ""
        verdict, reason = "stable", f"no mode grows{slowest}"
    return Stability(
        verdict=verdict,
        reason=reason,
        eigenvalues=torch.from_numpy(values),
        eigenvectors=torch.from_numpy(np.ascontiguousarray(modes.T)).reshape(-1, *operator.shape[1:]),
        residuals=torch.from_numpy(residuals),
        kinds=kinds,
        num_unstable=num_unstable,
        num_neutral=num_neutral,
        num_translations=num_translations,
        num_conserved=num_conserved,
        pinning=pinning,
        relative_rate=relative,
        tolerance=tolerance,
        method=method,
    )


def _shares(vectors: NDArray[Any], space: NDArray[Any]) -> NDArray[np.float64]:
    """How much of each column lies in the span of other columns, from 0 to 1."""
    if space.shape[1] == 0 or vectors.shape[1] == 0:
        return np.zeros(vectors.shape[1])
    basis, sizes, _ = np.linalg.svd(space, full_matrices=False)
    basis = basis[:, sizes > 1e-8 * sizes[0]]
    return np.asarray(np.linalg.norm(basis.conj().T @ vectors, axis=0) / np.linalg.norm(vectors, axis=0))


def _num_conserved(operator: ReferenceOperator, vector: Vector, neutral: NDArray[Any]) -> int:
    """How many directions of the neutral space change a conserved mean; decaying modes cannot."""
    conserved = operator.conserved(vector)
    if conserved.shape[1] == 0 or neutral.shape[1] == 0:
        return 0
    fields = neutral.reshape(operator.shape[1], -1, neutral.shape[1])
    means = conserved.T @ fields.mean(1) * math.sqrt(fields.shape[1])
    return int((np.linalg.svd(means, compute_uv=False) > 1e-3).sum())
