"""What a kernel is: which derivatives it takes, how alike in all directions, and what it does to a wave."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from .taps import Taps

ORDERS = (0, 1, 2, 3, 4, 5, 6)
AGREES = 0.05
"""A moment agrees with the exact one if it differs by no more than this share."""
NUM_CURVE = 24
_NODES = 24
_REACH = 0.5

Symbol = Callable[[Float[Tensor, "wave axis"]], Complex[Tensor, " wave"]]
"""Wavevectors (1/length) -> what a kernel multiplies each wave exp(i k·x) by."""


def directions(num_dims: int) -> dict[str, tuple[float, ...]]:
    """Return the axes and the diagonals of the first octant, as vectors of length 1."""
    found = {
        "xyz"[axis]: tuple(float(other == axis) for other in range(num_dims)) for axis in range(num_dims)
    }
    if num_dims > 1:
        # a kernel without mirror symmetry tells the two diagonals of the plane apart
        half = math.sqrt(0.5)
        found["xy"] = (half, half, *(0.0,) * (num_dims - 2))
        found["x-y"] = (half, -half, *(0.0,) * (num_dims - 2))
    if num_dims == 3:
        found["xyz"] = (math.sqrt(1 / 3),) * 3
    return found


def offsets(shape: Sequence[int], spacing: float) -> Float[np.ndarray, "tap axis"]:
    """Return where the taps of a kernel sit, relative to its middle (length)."""
    axes = [np.arange(size) - size // 2 for size in shape]
    return np.stack([grid.ravel() for grid in np.meshgrid(*axes, indexing="ij")], axis=1) * spacing


def directional_moments(
    weights: Float[Tensor, "*taps"], spacing: float, direction: Sequence[float]
) -> tuple[float, ...]:
    """Expand a kernel in derivatives along e: w * z = Σ_n m_n (e·∇)^n z for fields that vary along e only.

        m_n = Σ_o w_o (o·e)^n / n!

    Arguments:
        weights: w_o.
        spacing: cell size (length).
        direction: e, of length 1.

    Returns:
        m_n for n = 0 to 6, in length^n times the unit of the weights.
    """
    along = offsets(weights.shape, spacing) @ np.asarray(direction)
    taps = weights.detach().double().cpu().numpy().ravel()
    return tuple(float((taps * along**order).sum()) / math.factorial(order) for order in ORDERS)


def symbol_of(weights: Float[Tensor, "... taps"], places: Float[np.ndarray, "tap axis"]) -> Symbol:
    """Return what a kernel multiplies waves by, Σ_o w_o exp(i k·o).

    Arguments:
        weights: w_o.
        places: o (length).
    """
    where = torch.from_numpy(places)

    def symbol(wavevectors: Tensor) -> Tensor:
        phases = torch.exp(1j * (wavevectors.double() @ where.T))
        return phases @ weights.detach().double().cpu().to(phases.dtype)

    return symbol


def moments_of_symbol(symbol: Symbol, direction: Sequence[float], reach: float) -> tuple[float, ...]:
    """Return the moments that belong to a symbol: its Taylor coefficients, symbol(q e) = Σ_n m_n (i q)^n.

    Arguments:
        symbol: an analytic function of the wavevector.
        direction: e, of length 1.
        reach: wavenumber up to which it is a low polynomial (1/length).

    Returns:
        m_n for n = 0 to 6, by interpolation in Chebyshev nodes.
    """
    angle = (np.arange(_NODES) + 0.5) * math.pi / _NODES
    nodes = np.cos(angle)
    vectors = torch.from_numpy(nodes[:, None] * reach * np.asarray(direction)[None])
    values = symbol(vectors).numpy()
    series = np.polynomial.chebyshev.chebfit(nodes, values, _NODES // 2)
    found = np.polynomial.chebyshev.cheb2poly(series)
    coefficients = np.pad(found, (0, len(series) - len(found)))  # a constant comes back as one number
    return tuple(float((coefficients[order] / (1j * reach) ** order).real) for order in ORDERS)


@dataclass(frozen=True, eq=False)
class KernelReading:
    """A kernel beside the one that a perfect rule would have.

    Attributes:
        taps: the kernel.
        spacing: of the lattice it is on (length).
        moments: direction -> m_0 ... m_6 (see :func:`directional_moments`).
        exact_moments: the same of the exact kernel; None where there is none to compare with.
        exact_name: what the exact kernel is, in words.
        symbol_errors: wavenumber (rad/length) -> largest difference of the symbols over the directions,
            relative to the exact one.
        curve: the same at many wavenumbers, for a figure.
    """

    taps: Taps
    spacing: float
    moments: dict[str, tuple[float, ...]]
    exact_moments: dict[str, tuple[float, ...]] | None
    exact_name: str
    symbol_errors: dict[float, float]
    curve: dict[float, float]

    @property
    def isotropy_error(self) -> float | None:
        """How much the fourth moment differs between directions, relative to the exact one or to its mean.

        None for one direction or without fourth moments.
        """
        fourth = [values[4] for values in self.moments.values()]
        mean = abs(sum(fourth)) / len(fourth)
        known = [name for name in self.moments if self._matters(name, 4)]
        if self.exact_moments is not None and known:
            mean = max(abs(self.exact_moments[name][4]) for name in known)
        if len(fourth) < 2 or mean == 0:
            return None
        return (max(fourth) - min(fourth)) / mean

    def _matters(self, direction: str, order: int) -> bool:
        """Whether the exact kernel has such a moment, rather than rounding."""
        if self.exact_moments is None:
            return False
        # moments of like size are those in units of the spacing
        values = enumerate(self.exact_moments[direction])
        sizes = [abs(value) / self.spacing**number for number, value in values]
        return sizes[order] > 1e-9 * max(sizes)

    def ratio(self, direction: str, order: int) -> float | None:
        """Return a moment in units of the exact one; None where that is zero or unknown."""
        if self.exact_moments is None or not self._matters(direction, order):
            return None
        return self.moments[direction][order] / self.exact_moments[direction][order]

    @property
    def agreement(self) -> int | None:
        """The order up to which all even moments agree within 5 %; 0 if not even the second does."""
        if self.exact_moments is None:
            return None
        reached = 0
        for order in (2, 4, 6):
            ratios = [self.ratio(direction, order) for direction in self.moments]
            known = [value for value in ratios if value is not None]
            if not known or any(abs(value - 1) > AGREES for value in known):
                break
            reached = order
        return reached


def curve_wavenumbers(spacing: float) -> tuple[float, ...]:
    """Return wavenumbers up to the shortest wave of the grid, for curves (rad/length)."""
    return tuple(math.pi / spacing * number / NUM_CURVE for number in range(1, NUM_CURVE + 1))


def read_kernel(
    taps: Taps,
    spacing: float,
    exact: Symbol | None,
    exact_name: str,
    wavenumbers: Sequence[float],
) -> KernelReading:
    """Compare a kernel with the exact one, derivative by derivative and wave by wave.

    Arguments:
        taps: the kernel.
        spacing: cell size (length).
        exact: symbol of the kernel it should be; None if there is nothing to compare with.
        exact_name: what that is, in words.
        wavenumbers: at which to compare the symbols (rad/length).
    """
    chosen = directions(taps.weights.ndim)
    places = offsets(taps.weights.shape, spacing)
    own = symbol_of(taps.weights.flatten(), places)
    along = torch.tensor(list(chosen.values()), dtype=torch.float64)

    def errors(at: Sequence[float]) -> dict[float, float]:
        if exact is None:
            return {}
        targets = [exact(k * along) for k in at]
        differences = [own(k * along) - target for k, target in zip(at, targets, strict=True)]
        return {
            k: float((difference / target).abs().max())
            for k, difference, target in zip(at, differences, targets, strict=True)
        }

    return KernelReading(
        taps=taps,
        spacing=spacing,
        moments={name: directional_moments(taps.weights, spacing, e) for name, e in chosen.items()},
        exact_moments=None
        if exact is None
        else {name: moments_of_symbol(exact, e, _REACH / spacing) for name, e in chosen.items()},
        exact_name=exact_name,
        symbol_errors=errors(wavenumbers),
        curve=errors(curve_wavenumbers(spacing)),
    )
