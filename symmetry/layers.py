"""Convolution layers: free, or constrained to commute with a group chosen by the user."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.core import BadInputError
from pdenca.core.field import Kind

from .groups import Group
from .kernels import count_channels, field_blocks, kernel_basis

CONVOLUTIONS: Final[dict[int, Callable[..., Tensor]]] = {
    1: nn.functional.conv1d,
    2: nn.functional.conv2d,
    3: nn.functional.conv3d,
}
"""Number of space axes -> torch's convolution."""

Padding = str | Callable[[Tensor, int], Tensor]
"""A padding mode of ``torch.nn.functional.pad``, or a function (state, radius) -> padded state."""


class Convolution(ABC, nn.Module):
    """A local linear map between fields, the same in every cell:

        y_o(x) = b_o + Σ_i Σ_s K_oi(s) z_i(x + s),   |s_d| <= radius.

    What the padding puts beyond the walls must treat all directions alike (all of torch's modes do), or the
    layer will not commute with anything, whatever its kernel.

    Attributes:
        kinds_in: how the input fields transform, in channel order.
        kinds_out: likewise of the output fields.
        radius: reach (cells).
        num_dims: space axes.
        depth_wise: whether each output field sees only the input field in its place.
        padding: what lies beyond the walls.
    """

    def __init__(
        self,
        kinds_in: Sequence[Kind],
        kinds_out: Sequence[Kind],
        radius: int,
        num_dims: int,
        depth_wise: bool,
        padding: Padding,
    ) -> None:
        super().__init__()
        if num_dims not in CONVOLUTIONS:
            raise BadInputError(f"a layer acts on 1, 2 or 3 space axes, got {num_dims}")
        if depth_wise and tuple(kinds_in) != tuple(kinds_out):
            raise BadInputError(
                "a depth-wise layer maps every field to one of its own kind, got "
                f"{tuple(kinds_in)} -> {tuple(kinds_out)}; usual cure: depth_wise=False"
            )
        self.kinds_in, self.kinds_out = tuple(kinds_in), tuple(kinds_out)
        self.radius, self.num_dims, self.depth_wise, self.padding = radius, num_dims, depth_wise, padding

    @abstractmethod
    def kernel(self) -> Float[Tensor, "out in *taps"]:
        """Return K."""

    @abstractmethod
    def offset(self) -> Float[Tensor, " out"] | None:
        """Return b; None if there is none."""

    @abstractmethod
    def constrained(self, group: Group) -> "ConstrainedLayer":
        """Return the nearest layer that commutes with every element of the group.

        Its kernel (and b) is the average of this layer's over the group, and stays in the space of such
        averages however its weights are trained.

        Arguments:
            group: the symmetries; acts on as many axes as the layer.

        Raises:
            BadInputError: if it does not.
        """

    def exported(self) -> "KernelLayer":
        """Return a free layer with the same outputs."""
        bias = self.offset()
        plain = KernelLayer(
            self.kinds_in,
            self.kinds_out,
            self.radius,
            self.num_dims,
            depth_wise=self.depth_wise,
            bias=bias is not None,
            padding=self.padding,
        ).to(self.kernel())
        with torch.no_grad():
            plain.weight.copy_(self.kernel())
            if plain.bias is not None and bias is not None:
                plain.bias.copy_(bias)
        return plain

    def forward(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch out *space"]:
        """Return the mapped fields, same space axes."""
        if state.ndim - 2 != self.num_dims:
            raise BadInputError(
                f"the layer acts on {self.num_dims} space axes, got a state of shape {tuple(state.shape)}; "
                "expected 'batch channel *space'"
            )
        if callable(self.padding):
            padded = self.padding(state, self.radius)
        else:
            padded = nn.functional.pad(state, (self.radius,) * 2 * self.num_dims, mode=self.padding)
        return CONVOLUTIONS[self.num_dims](padded, self.kernel(), self.offset())


class KernelLayer(Convolution):
    """A convolution with free taps.

    Arguments:
        kinds_in: how the input fields transform, in channel order; a vector has one channel per space axis.
        kinds_out: likewise of the output fields.
        radius: reach (cells).
        num_dims: space axes, 1 to 3.
        depth_wise: whether each output field sees only the input field in its place.
        bias: whether a constant is added to the outputs.
        padding: what lies beyond the walls: a mode of ``torch.nn.functional.pad`` (``"circular"``: periodic)
            or a function (state, radius) -> padded state.
        generator: source of the random start, normal with variance 1 / inputs.

    Raises:
        BadInputError: for no fields, a negative reach, or a depth-wise layer between different kinds.
    """

    def __init__(
        self,
        kinds_in: Sequence[Kind],
        kinds_out: Sequence[Kind],
        radius: int = 1,
        num_dims: int = 2,
        *,
        depth_wise: bool = False,
        bias: bool = True,
        padding: Padding = "circular",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(kinds_in, kinds_out, radius, num_dims, depth_wise, padding)
        if radius < 0 or not kinds_in or not kinds_out:
            raise BadInputError(
                f"a layer needs a radius of at least 0 and fields on both sides, got radius {radius}, "
                f"{tuple(kinds_in)} -> {tuple(kinds_out)}"
            )
        num_out, num_in = (count_channels(kinds, num_dims) for kinds in (kinds_out, kinds_in))
        shape = (num_out, num_in, *(2 * radius + 1,) * num_dims)
        spread = 1 / math.sqrt(num_in * (2 * radius + 1) ** num_dims)
        self.weight = nn.Parameter(spread * torch.randn(shape, generator=generator))
        self.bias = nn.Parameter(spread * torch.randn(num_out, generator=generator)) if bias else None
        self.mask: Tensor
        mask = torch.ones(num_out, num_in)
        if depth_wise:
            blocks = torch.tensor(field_blocks(self.kinds_in, num_dims))
            mask = (blocks[:, None] == blocks).to(mask)
        # fixed by the kinds, so no part of a checkpoint
        self.register_buffer("mask", mask.view(num_out, num_in, *(1,) * num_dims), persistent=False)

    def kernel(self) -> Float[Tensor, "out in *taps"]:
        """Return the taps; those between different fields of a depth-wise layer are zero."""
        return self.weight * self.mask

    def offset(self) -> Float[Tensor, " out"] | None:
        """Return the bias."""
        return self.bias

    def constrained(self, group: Group) -> "ConstrainedLayer":
        """Return the nearest layer that commutes with the group."""
        return ConstrainedLayer(self, group)


class ConstrainedLayer(Convolution):
    """A convolution that commutes with a group whatever its weights: made by :meth:`Convolution.constrained`.

        K = Σ_m w_m K_m,   b = Σ_m c_m b_m

    with K_m the orthonormal basis of :func:`~pdenca.symmetry.kernel_basis` and b_m that of the constants
    which the group leaves alone: all for scalars, for vectors and, where there are reflections, for
    pseudoscalars mostly none.

    Arguments:
        layer: where to start from.
        group: the symmetries.

    Raises:
        BadInputError: if the group acts on another number of axes.
    """

    def __init__(self, layer: Convolution, group: Group) -> None:
        super().__init__(
            layer.kinds_in, layer.kinds_out, layer.radius, layer.num_dims, layer.depth_wise, layer.padding
        )
        if group.num_dims != layer.num_dims:
            raise BadInputError(
                f"{group.name} acts on {group.num_dims} space axes, the layer on {layer.num_dims}; usual "
                "cure: a group of pdenca.symmetry.GROUPS with that many axes"
            )
        self.group = group
        kernel, bias = layer.kernel().detach(), layer.offset()
        basis = kernel_basis(group, self.kinds_in, self.kinds_out, self.radius)
        if self.depth_wise:
            own = torch.tensor(field_blocks(self.kinds_in, self.num_dims))
            outside = own[:, None] != own
            # an orbit never leaves its pair of fields, so a member lies inside or outside as a whole
            basis = basis[basis.flatten(3).abs().sum(-1)[:, outside].sum(-1) == 0]
        self.basis: Tensor
        self.constants: Tensor
        self.register_buffer("basis", basis.to(kernel), persistent=False)
        self.weights = nn.Parameter(torch.einsum("m..., ... -> m", self.basis, kernel))
        self.offsets: nn.Parameter | None = None
        if bias is not None:
            constants = kernel_basis(group, ("scalar",), self.kinds_out, 0).flatten(1)
            self.register_buffer("constants", constants.to(kernel), persistent=False)
            self.offsets = nn.Parameter(self.constants @ bias.detach())

    def kernel(self) -> Float[Tensor, "out in *taps"]:
        """Return Σ_m w_m K_m."""
        return torch.einsum("m, m... -> ...", self.weights, self.basis)

    def offset(self) -> Float[Tensor, " out"] | None:
        """Return Σ_m c_m b_m."""
        return None if self.offsets is None else self.offsets @ self.constants

    def constrained(self, group: Group) -> "ConstrainedLayer":
        """Return the nearest layer that commutes with another group; this one's symmetry is kept only if it
        is contained in the new one.
        """
        return ConstrainedLayer(self, group)
