"""Kernels of shells of neighbours, told by their moments."""

from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .lattice import as_tensor, moment_weights, shells
from .weighing import weighed_linear

UNIT: Final = 0.05
"""A second moment of 1 means a diffusion number D dt / h² of this size: learned moments are of order 1."""


def kernel_from_moments(
    moments: Float[Tensor, " moment *kernels"], radius: int, num_dims: int, ratio: float
) -> Float[Tensor, " shell *kernels"]:
    """Return the weights of the shells of a kernel without constant part.

        kernel = UNIT Σ_m moments_m ratio^(2 |m|) δ^m,

    δ^m the symmetrised central differences of :func:`~pdenca.automaton.lattice.moment_weights`.

    Arguments:
        moments: one per shell but the first, for every kernel.
        radius: reach of the kernel (cells).
        num_dims: space axes.
        ratio: spacing at which the moments were learned / spacing now.
    """
    names = shells(radius, num_dims)
    scales = as_tensor(tuple((UNIT * ratio ** (2 * sum(name)),) for name in names), moments)
    weights = as_tensor(moment_weights(radius, num_dims), moments)
    return torch.einsum("ms,m...->s...", weights[1:] * scales[1:], moments)


def no_moments(
    radius: int, num_dims: int, num_channels: int, weights: "ParameterWeights | None"
) -> nn.Parameter:
    """Return moments that are all zero, those of crossed kernels if there are weights."""
    kernels = (num_channels,) if weights is None else (num_channels, weights.num_weights, num_channels)
    return nn.Parameter(torch.zeros(len(shells(radius, num_dims)) - 1, *kernels))


def own_moments(moments: Float[Tensor, " moment *kernels"]) -> Float[Tensor, "moment channel"]:
    """Return a view of what leads from each channel to itself at the parameters p0."""
    return moments if moments.ndim == 2 else moments[:, :, 0].diagonal(dim1=1, dim2=2)


def weigh_shells(
    sums: Sequence[Float[Tensor, "... channel"]], kernel: Float[Tensor, "shell channel"]
) -> Float[Tensor, "... channel"]:
    """Return Σ_s kernel_s sums_s over the shells of the kernel, the nearest of ``sums``."""
    total = _weigh(sums[0], kernel[0])
    for part, weight in zip(sums[1 : len(kernel)], kernel[1:], strict=True):
        total = total + _weigh(part, weight)
    return total


def weigh_crossed(
    sums: Sequence[Float[Tensor, "... source"]],
    kernel: Float[Tensor, "shell source weight channel"],
    weights: Float[Tensor, "... weight"],
) -> Float[Tensor, "... channel"]:
    """Return Σ_w weights_w Σ_s Σ_source kernel_(s, source, w) sums_s over the shells of the kernel."""
    told = torch.cat(tuple(sums[: len(kernel)]), dim=-1)
    return weighed_linear(told, kernel.flatten(0, 1), weights)


class ParameterWeights(nn.Module):
    """What an equation's parameters weigh kernels by: 1 and (p - p0) / p_scale.

    Arguments:
        centre: p0, one per parameter.
        scale: p_scale, one per parameter.
    """

    def __init__(self, centre: Float[Tensor, " parameter"], scale: Float[Tensor, " parameter"]) -> None:
        super().__init__()
        self.centre: Tensor
        self.scale: Tensor
        self.register_buffer("centre", centre)
        self.register_buffer("scale", scale)

    @property
    def num_weights(self) -> int:
        """One more than the parameters."""
        return 1 + len(self.centre)

    def forward(self, parameters: Float[Tensor, "... parameter"] | None) -> Float[Tensor, "... weight"]:
        """Return the weights of parameters, those of p0 if there are none."""
        scaled = ((self.centre if parameters is None else parameters) - self.centre) / self.scale
        return torch.cat((scaled.new_ones(*scaled.shape[:-1], 1), scaled), dim=-1)


def _weigh(sums: Tensor, weight: Tensor) -> Tensor:
    # same as sums * weight; two channels make a short last axis, so a row of cells is multiplied at once
    if sums.ndim < 3:
        return sums * weight
    return (sums.flatten(-2) * weight.repeat(sums.shape[-2])).view_as(sums)
