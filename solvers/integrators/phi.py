"""Functions of the linear part that exponential integrators need: of numbers, and of matrices.

    φ_0(z) = e^z,   φ_{k+1}(z) = (φ_k(z) - 1/k!) / z

Closed formulas cancel near z = 0. For numbers, a mean over a circle around z avoids that, because an entire
function equals its mean (A.-K. Kassam, L. N. Trefethen, SIAM J. Sci. Comput. 26 (2005) 1214, section 3). For
matrices, a Taylor series near 0 is doubled up to z (B. Skaflestad, W. M. Wright, Appl. Numer. Math. 59 (2009)
783, section 2), which needs neither eigenvectors nor an inverse.
"""

import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

_NUM_CONTOUR_POINTS: Final = 32
_NUM_PHIS: Final = 4
_TAYLOR_TERMS: Final = 14  # of arguments up to 1/2 the rest is below 1e-17


def contour_means(functions: Callable[[Tensor], tuple[Tensor, ...]], z: Tensor) -> tuple[Tensor, ...]:
    """Return entire functions of z as means over a circle of radius 1 around it.

    Arguments:
        functions: complex w -> the functions, real on the real axis.
        z: any shape, float64 or complex128; for real z half a circle is enough.

    Returns:
        One tensor per function, shaped and typed as z.
    """
    turn, first = (2 * math.pi, 0.25) if z.is_complex() else (math.pi, 0.5)
    angles = [turn * (number + first) / _NUM_CONTOUR_POINTS for number in range(_NUM_CONTOUR_POINTS)]
    totals: list[Tensor] = []
    for angle in angles:
        if z.is_complex():
            values = functions(z + complex(math.cos(angle), math.sin(angle)))
        else:
            w = torch.complex(z + math.cos(angle), torch.full_like(z, math.sin(angle)))
            values = tuple(value.real for value in functions(w))
        totals = totals or [torch.zeros_like(value) for value in values]
        for total, value in zip(totals, values, strict=True):
            total += value
    return tuple(total / _NUM_CONTOUR_POINTS for total in totals)


def matrix_phis(matrices: Tensor) -> tuple[Tensor, ...]:
    """Return φ_0 ... φ_3 of square matrices, diagonalisable or not.

    Arguments:
        matrices: (..., n, n), float64 or complex128.

    Returns:
        Four tensors of that shape.
    """
    identity = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    norms = torch.linalg.matrix_norm(matrices, float("inf"))
    # as many doublings as each matrix needs and not more: every one doubles the relative rounding error
    doublings = torch.log2(2 * norms).ceil().clamp(min=0)
    small = matrices / 2 ** doublings[..., None, None]
    phis = [_taylor(small, identity, k) for k in range(_NUM_PHIS)]
    for number in range(int(doublings.max()) if doublings.numel() else 0):
        active = (doublings > number)[..., None, None]
        doubled = _double(phis)
        phis = [torch.where(active, new, old) for new, old in zip(doubled, phis, strict=True)]
    return tuple(phis)


def _taylor(matrices: Tensor, identity: Tensor, k: int) -> Tensor:
    """φ_k = Σ_j z^j / (j + k)! by Horner's scheme."""
    total = (identity / math.factorial(_TAYLOR_TERMS + k)).expand_as(matrices)
    for power in reversed(range(_TAYLOR_TERMS)):
        total = matrices @ total + identity / math.factorial(power + k)
    return total


def _double(phis: list[Tensor]) -> list[Tensor]:
    """φ_k(2z) = 2^-k (φ_0(z) φ_k(z) + Σ_{j=1..k} φ_j(z) / (k - j)!)."""
    return [
        (phis[0] @ phi + sum(phis[j] / math.factorial(k - j) for j in range(1, k + 1))) / 2**k
        for k, phi in enumerate(phis)
    ]
