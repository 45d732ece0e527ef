"""Is a fixed point of a map stable?"""

import math
from dataclasses import dataclass
from typing import Any, Final, cast, get_args

import numpy as np
import torch
from jaxtyping import Complex, Float
from numpy.typing import NDArray
from torch import Tensor

from pdenca.core import BadInputError

from .neutral import NullModes, neutral_basis
from .preconditioning import Preconditioned
from .rows import Map, RowMap, positive_time, sizes
from .spectrum import LARGEST_DENSE, Method, Spectrum, spectra

# what a grid may do to a translation: eigenvalues this near to 1 still count as one
_LARGEST_PINNING: Final = 0.01
# relative residual above which a state is no fixed point
_NO_FIXED_POINT: Final = 1e-3


@dataclass(frozen=True, eq=False)
class MapStability:
    """The leading eigenvalues λ of J at a state of one sample, and what they say of z ← f(z).

    Arguments:
        verdict: "stable": a small perturbation decays, or moves the state along its null modes; "unstable":
            some grow; "neutral": none grows, but some that no null mode explains do not decay either;
            "undecided".
        reason: the verdict in words.
        eigenvalues: λ, largest modulus first, pairs of conjugates together.
        eigenvectors: of length 1.
        residuals: ‖J v - λ v‖.
        kinds: of each eigenvalue: "unstable" |λ| > 1, "stable" |λ| < 1, "neutral" λ = 1 along the null modes,
            "marginal" |λ| = 1 otherwise, or "undecided" within three times its residual.
        spectral_radius: largest |λ|, neutral ones included; NaN if none was found.
        growth_rates: log |λ| / Δt (1/time); None if no time step is known.
        num_unstable: eigenvalues that grow.
        num_neutral: eigenvalues along the null modes.
        num_marginal: eigenvalues on the unit circle that are not explained.
        pinning: largest ‖P J t - t‖ of a null mode t: how far it is from exactly neutral, for instance
            because a coarse grid holds a pattern in place; 0 without null modes.
        relative_residual: ‖f(z) - z‖ / ‖f(z)‖ of the state itself.
        tolerance: | |λ| - 1 | below this is not told from 0.
        method: "dense", "arnoldi" or "shift-invert".
    """

    verdict: str
    reason: str
    eigenvalues: Complex[Tensor, " mode"]
    eigenvectors: Complex[Tensor, " mode *shape"]
    residuals: Float[Tensor, " mode"]
    kinds: tuple[str, ...]
    spectral_radius: float
    growth_rates: Float[Tensor, " mode"] | None
    num_unstable: int
    num_neutral: int
    num_marginal: int
    pinning: float
    relative_residual: float
    tolerance: float
    method: str


@torch.no_grad()
def stability_of(
    step: Map,
    state: Float[Tensor, " batch *shape"],
    *,
    num_eigenvalues: int = 6,
    null_modes: NullModes | None = None,
    time_step: float | None = None,
    tolerance: float | None = None,
    method: str | None = None,
) -> tuple[MapStability, ...]:
    """Judge the stability of fixed points of z ← f(z) by the leading eigenvalues of J.

    Solvers find unstable fixed points as readily as stable ones; the iteration itself, or the process that f
    stands for, ends only in stable ones. "dense" forms J by one product per entry and finds all eigenvalues;
    "arnoldi" is matrix-free (ARPACK). Both see complex pairs, which power iteration does not. "shift-invert"
    does much less work where many λ are near 1, with a step that has a preconditioner: it finds those nearest
    to 1, see :class:`~pdenca.equilibrium.shift_invert.NearOne`, and of the others the largest only as far as
    they stand apart.

    The verdict is on infinitesimal perturbations; :func:`perturbed_rollout` tries finite ones. It says
    nothing on transient growth, which a non-normal J allows even where all eigenvalues are small; and where f
    has a kink, as ReLU at exactly 0, J is one of several one-sided derivatives: try
    :func:`perturbed_rollout` there.

    Arguments:
        step: f.
        state: its fixed points.
        num_eigenvalues: how many to find, more than there are unstable and neutral ones; "dense" judges by
            all of them and reports so many.
        null_modes: state -> neutral directions, such as the derivatives of a pattern on a torus. Eigenvectors
            that lie in their span, with λ = 1 or as near to it as ``pinning``, are no instabilities.
        time_step: time that one application takes (time); by default the step's own.
        tolerance: of | |λ| - 1 |; by default the root of the rounding error.
        method: "dense", "arnoldi" or "shift-invert"; by default dense up to 300 entries, beyond that
            shift-invert for a step with a preconditioner.

    Returns:
        One verdict per sample.

    Raises:
        BadInputError: for a method or numbers that do not fit, or a map without derivative.

    Source: Lehoucq, Sorensen and Yang, ARPACK users' guide (1998).
    """
    if method not in (None, *get_args(Method)):
        raise BadInputError(f"method must be one of {', '.join(get_args(Method))}, got {method!r}")
    if method == "shift-invert" and not isinstance(step, Preconditioned):
        raise BadInputError(
            "shift-invert needs a step that has a preconditioner; usual cure: method='arnoldi'"
        )
    if num_eigenvalues < 1:
        raise BadInputError(f"num_eigenvalues must be at least 1, got {num_eigenvalues}")
    if tolerance is not None and not 0 <= tolerance < 1:
        raise BadInputError(f"tolerance must be at least 0 and below 1, got {tolerance}; usual cure: None")
    time_step = positive_time(step, time_step)
    map = RowMap(step, state)
    rows = map.rows(state)
    num_entries = rows.shape[1]
    if method is None:
        beyond = "shift-invert" if isinstance(step, Preconditioned) else "arnoldi"
        method = "dense" if num_entries <= LARGEST_DENSE else beyond
    if method != "dense" and num_entries < 4:
        method = "dense"  # ARPACK leaves at least two eigenvalues out
    values = map(rows)
    residuals = sizes(values - rows) / sizes(values).clamp(min=torch.finfo(rows.dtype).tiny)
    tolerance = torch.finfo(rows.dtype).eps ** 0.5 if tolerance is None else tolerance
    asked = num_entries if method == "dense" else num_eigenvalues
    found = spectra(map, state, asked, cast(Method, method))
    bases = (
        np.zeros((len(rows), num_entries, 0))
        if null_modes is None
        else neutral_basis(null_modes, map, state).double().cpu().numpy()
    )
    return tuple(
        _judge(
            spectrum,
            basis[:, np.linalg.norm(basis, axis=0) > 0],
            float(residual),
            tolerance,
            time_step,
            method,
            tuple(state.shape[1:]),
            num_eigenvalues,
        )
        for spectrum, basis, residual in zip(found, bases, residuals.tolist(), strict=True)
    )


def _judge(
    spectrum: Spectrum,
    basis: NDArray[np.float64],
    relative_residual: float,
    tolerance: float,
    time_step: float | None,
    method: str,
    shape: tuple[int, ...],
    shown: int,
) -> MapStability:
    values, residuals = spectrum.values, spectrum.residuals
    images = [spectrum.times(np.ascontiguousarray(mode)) - mode for mode in basis.T]
    pinning = max((float(np.linalg.norm(basis.T @ image)) for image in images), default=0.0)
    modulus = np.abs(values)
    limits = np.maximum(tolerance, 3 * residuals)
    inside = np.linalg.norm(basis.T @ spectrum.vectors, axis=0) if basis.shape[1] else np.zeros(len(values))
    near_one = np.abs(values - 1) <= max(tolerance, min(3 * pinning, _LARGEST_PINNING))
    neutral = (inside > 0.9) & near_one
    unstable = ~neutral & (modulus > 1 + limits)
    stable = ~neutral & (modulus < 1 - limits)
    marginal = ~neutral & ~unstable & ~stable & (3 * residuals <= tolerance)
    kinds = tuple(
        _kind(*flags)
        for flags in zip(neutral.tolist(), unstable.tolist(), stable.tolist(), marginal.tolist(), strict=True)
    )
    verdict, reason = _verdict(kinds, modulus, spectrum, relative_residual)
    keep = slice(None) if len(values) <= shown else slice(shown + int(_splits_pair(values, shown)))
    logarithms = np.log(np.maximum(modulus, 1e-300))
    return MapStability(
        verdict=verdict,
        reason=reason,
        eigenvalues=torch.from_numpy(values[keep].copy()),
        eigenvectors=torch.from_numpy(np.ascontiguousarray(spectrum.vectors.T[keep])).reshape(-1, *shape),
        residuals=torch.from_numpy(residuals[keep].copy()),
        kinds=kinds[keep],
        spectral_radius=float(modulus.max()) if len(modulus) else math.nan,
        growth_rates=None if time_step is None else torch.from_numpy(logarithms[keep] / time_step),
        num_unstable=int(unstable.sum()),
        num_neutral=int(neutral.sum()),
        num_marginal=int(marginal.sum()),
        pinning=pinning,
        relative_residual=relative_residual,
        tolerance=tolerance,
        method=method,
    )


def _kind(neutral: bool, unstable: bool, stable: bool, marginal: bool) -> str:
    if neutral:
        return "neutral"
    if unstable:
        return "unstable"
    if stable:
        return "stable"
    return "marginal" if marginal else "undecided"


def _splits_pair(values: NDArray[Any], count: int) -> bool:
    return bool(np.isclose(values[count], values[count - 1].conj(), rtol=1e-9, atol=0))


def _verdict(
    kinds: tuple[str, ...], modulus: NDArray[np.float64], spectrum: Spectrum, relative_residual: float
) -> tuple[str, str]:
    count = {kind: kinds.count(kind) for kind in set(kinds)}
    if not relative_residual <= _NO_FIXED_POINT:
        return "undecided", f"no fixed point: the relative residual is {relative_residual:.2e}"
    if count.get("unstable"):
        return "unstable", f"{count['unstable']} modes grow, the fastest by {modulus.max():.6g} per step"
    if spectrum.failure:
        return "undecided", f"{spectrum.failure}; usual cure: another num_eigenvalues, or method='dense'"
    if count.get("undecided"):
        return "undecided", "a leading mode neither grows nor decays beyond its residual"
    if count.get("marginal"):
        return "neutral", (
            f"{count['marginal']} modes neither grow nor decay, which the null modes given do not explain"
        )
    if not count.get("stable") and not spectrum.complete:
        return "undecided", "no decaying mode among those found; usual cure: more num_eigenvalues"
    decaying = [size for size, kind in zip(modulus, kinds, strict=True) if kind == "stable"]
    slowest = f", the slowest decays by {max(decaying):.6g} per step" if decaying else ""
    neutral = f", {count['neutral']} along the null modes" if count.get("neutral") else ""
    return "stable", f"no mode grows{slowest}{neutral}"
