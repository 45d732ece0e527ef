"""Kernels of shells of neighbours, told by their moments."""

from collections.abc import Sequence
from typing import Final

from jaxtyping import Float
from torch import Tensor

from .lattice import as_tensor, moment_weights, shells

UNIT: Final = 0.05
"""A second moment of 1 means a diffusion number D dt / h² of this size: learned moments are of order 1."""


def kernel_from_moments(
    moments: Float[Tensor, "moment channel"], radius: int, num_dims: int, ratio: float
) -> Float[Tensor, "shell channel"]:
    """Return the weights of the shells of a kernel without constant part.

        kernel = UNIT Σ_m moments_m ratio^(2 |m|) δ^m,

    δ^m the symmetrised central differences of :func:`~pdenca.automaton.lattice.moment_weights`.

    Arguments:
        moments: one per shell but the first, and channel.
        radius: reach of the kernel (cells).
        num_dims: space axes.
        ratio: spacing at which the moments were learned / spacing now.
    """
    names = shells(radius, num_dims)
    scales = as_tensor(tuple((UNIT * ratio ** (2 * sum(name)),) for name in names), moments)
    weights = as_tensor(moment_weights(radius, num_dims), moments)
    return weights[1:].T @ (moments * scales[1:])


def weigh_shells(
    sums: Sequence[Float[Tensor, "... channel"]], kernel: Float[Tensor, "shell channel"]
) -> Float[Tensor, "... channel"]:
    """Return Σ_s kernel_s sums_s over the shells of the kernel, the nearest of ``sums``."""
    total = _weigh(sums[0], kernel[0])
    for part, weight in zip(sums[1 : len(kernel)], kernel[1:], strict=True):
        total = total + _weigh(part, weight)
    return total


def _weigh(sums: Tensor, weight: Tensor) -> Tensor:
    # same as sums * weight; two channels make a short last axis, so a row of cells is multiplied at once
    if sums.ndim < 3:
        return sums * weight
    return (sums.flatten(-2) * weight.repeat(sums.shape[-2])).view_as(sums)
