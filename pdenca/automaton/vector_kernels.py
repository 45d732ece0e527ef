"""Hidden vectors: a state of scalars and vectors, kernels between them, and a rule that gates."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.core.field import Kind
from pdenca.solvers.grid import Grid
from pdenca.solvers.padding import pad
from pdenca.symmetry import CONVOLUTIONS, GatedLayer, Group, kernel_basis

from .perception import Gathered, Perception
from .rule import LocalRule


class VectorKernels(Perception):
    """All kernels between scalars and vectors that commute with a group, side by side.

        features = [K_m * z as scalars, for all members m | K_n * z as vectors, for all members n]

    with K_m and K_n the bases of :func:`~pdenca.symmetry.kernel_basis`. From scalars come the cell, its
    neighbours' differences (Laplacians) and gradients, from vectors the divergence, the vector itself and its
    Laplacians. Kernels that reach further than the cell are freed of their constant part, so that on a
    homogeneous state only the cell's own values are left. Nothing is learned here; kernels are in units of
    cells: a rule built on them holds for the spacing it was trained at.

    Arguments:
        kinds: how the channels of the state transform: ``"scalar"`` or ``"vector"``, a vector taking one
            channel per space axis.
        group: the symmetries; acts on as many axes as the grid.
        radius: reach (cells).

    Raises:
        BadInputError: for pseudoscalars, or a group without kernels from these fields.
    """

    def __init__(self, kinds: Sequence[Kind], group: Group, radius: int = 1) -> None:
        super().__init__()
        if "pseudoscalar" in kinds:
            raise BadInputError("vector kernels know scalars and vectors, got a pseudoscalar field")
        self.kinds, self.group, self.radius, self.num_dims = tuple(kinds), group, radius, group.num_dims
        scalars = _without_constant_part(group, self.kinds, "scalar", radius)
        vectors = _without_constant_part(group, self.kinds, "vector", radius)
        self.num_scalars, self.num_vectors = len(scalars), len(vectors)
        self.num_features = self.num_scalars + self.num_dims * self.num_vectors
        # fixed by the group, kinds and reach, so no part of a checkpoint
        self.members: Tensor
        members = torch.cat((scalars.flatten(0, 1), vectors.flatten(0, 1)))
        self.register_buffer("members", members, persistent=False)

    def gather(self, state: Float[Tensor, "batch *space channel"], grid: Grid) -> Gathered:
        """Apply every member to the state."""
        padded = pad(state, grid, self.radius, channels_last=True).movedim(-1, 1)
        found: Tensor = CONVOLUTIONS[self.num_dims](padded, self.members.to(state))
        return (found.movedim(1, -1),)

    def combine(self, gathered: Gathered, spacing: float, parameters: Tensor | None = None) -> Tensor:
        """Return what was gathered."""
        return gathered[0]


class GatedRule(LocalRule):
    """A rule on scalars and vectors: :class:`~pdenca.symmetry.GatedLayer` in every cell.

    features = [scalars | vectors, component by component], proposal likewise in the order of the state's
    channels: scalars first, then vectors. An untrained rule leaves every state as it is.

    Arguments:
        num_scalars: scalars among the features.
        num_vectors: vectors among the features.
        num_parameters: parameters told, scalars too.
        num_scalars_out: scalar channels of the state.
        num_vectors_out: vector fields of the state.
        num_hidden: hidden units.
        num_dims: space axes.
        chiral: whether left and right are told apart, for groups without reflections.
        generator: source of the random start.
    """

    def __init__(
        self,
        num_scalars: int,
        num_vectors: int,
        num_parameters: int,
        num_scalars_out: int,
        num_vectors_out: int,
        num_hidden: int,
        *,
        num_dims: int = 2,
        chiral: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.num_scalars, self.num_dims = num_scalars, num_dims
        self.gated = GatedLayer(
            num_scalars + num_parameters,
            num_vectors,
            num_scalars_out,
            num_vectors_out,
            num_hidden,
            chiral=chiral,
            num_dims=num_dims,
            generator=generator,
        )

    def forward(
        self, features: Float[Tensor, "*cells feature"], parameters: Float[Tensor, "*cells_or_1 parameter"]
    ) -> Float[Tensor, "*cells channel"]:
        """Return the proposal of every cell."""
        scalars, components = features[..., : self.num_scalars], features[..., self.num_scalars :]
        told = parameters.expand(*features.shape[:-1], parameters.shape[-1])
        scalars_out, vectors_out = self.gated(
            torch.cat((scalars, told), dim=-1), components.unflatten(-1, (-1, self.num_dims))
        )
        return torch.cat((scalars_out, vectors_out.flatten(-2)), dim=-1)


def _without_constant_part(
    group: Group, kinds: Sequence[Kind], kind_out: Kind, radius: int
) -> Float[Tensor, "member out in *taps"]:
    """Return the basis from all fields to one, its members that reach beyond the cell summing to nothing."""
    basis = kernel_basis(group, kinds, (kind_out,), radius)
    taps = basis.flatten(3)
    middle = taps.shape[-1] // 2
    inside = taps[..., middle].abs().sum((1, 2)) > 0  # an orbit lies in the middle as a whole, or not at all
    rest = torch.where(inside[:, None, None], 0.0, taps.sum(-1))
    taps = torch.cat(
        (taps[..., :middle], (taps[..., middle] - rest)[..., None], taps[..., middle + 1 :]), dim=-1
    )
    return taps.view_as(basis)
