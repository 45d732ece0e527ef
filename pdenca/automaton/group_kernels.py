"""Learned kernels whose symmetry is chosen: any group of the lattice, from none to all of the square's."""

from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.core import BadInputError
from pdenca.solvers.grid import Grid
from pdenca.solvers.padding import pad
from pdenca.symmetry import CONVOLUTIONS, DifferenceBasis, Group, kernel_basis, trivial_group

from .lattice import Offset, offset_sums
from .moments import UNIT, weigh_shells
from .perception import Gathered, Perception, spacing_of


class GroupKernels(Perception):
    """Sample and transport kernels of square reach that commute with a chosen group.

        sampled_c = z_c + 1/20 Σ_m s_cm D_m z_c,     transport_c = 1/20 Σ_m k_cm D_m z_c,

    with D_m the signed sums of finite differences of :class:`~pdenca.symmetry.DifferenceBasis`. Under C1 they
    are free taps in other words, under D4 the kernels of
    :class:`~pdenca.automaton.perception.IsotropicKernels` and those of the square's corners beyond; whatever
    the group, no kernel has a constant part, so a homogeneous state stays homogeneous, and a weight belongs
    to one order of derivative. As there, weights are of order one and scale with (h0 / h)^order on another
    spacing. The start is the five-point Laplacian.

    Each channel has kernels of its own and is carried along as a scalar.

    Arguments:
        num_channels: channels of the state.
        group: the symmetries; acts on as many axes as the grid.
        radius: reach of the transport kernel, 1 to 3 cells along each axis.
        sample_radius: reach of the sample kernel, 0 (the cell itself) to ``radius``.
        reference_spacing: h0, the spacing of the training data (length).

    Raises:
        BadInputError: for a reach outside those bounds.
    """

    LARGEST_RADIUS: Final = 3

    def __init__(
        self,
        num_channels: int,
        group: Group,
        radius: int = 2,
        sample_radius: int = 1,
        reference_spacing: float = 1.0,
    ) -> None:
        super().__init__()
        if not 1 <= radius <= self.LARGEST_RADIUS:
            raise BadInputError(
                f"the reach of group kernels must be 1 to {self.LARGEST_RADIUS} cells, got {radius}"
            )
        if not 0 <= sample_radius <= radius:
            raise BadInputError(f"the sample kernel's reach must be 0 to {radius}, got {sample_radius}")
        self.group, self.radius, self.sample_radius = group, radius, sample_radius
        self.num_dims, self.reference_spacing = group.num_dims, reference_spacing
        self.num_features = 2 * num_channels
        self.num_sampled = num_channels
        self.orbits = _orbits(group, radius)
        self.transport_basis, self.sample_basis = (
            DifferenceBasis(group, radius),
            DifferenceBasis(group, sample_radius),
        )
        self.transport = nn.Parameter(torch.zeros(len(self.transport_basis.names), num_channels))
        self.sample = nn.Parameter(torch.zeros(len(self.sample_basis.names), num_channels))
        with torch.no_grad():
            for number, powers in enumerate(self.transport_basis.names):
                if sum(powers) == max(powers) == 2:  # second differences along an axis: the Laplacian
                    self.transport[number] = 1.0
        # fixed by the group and the reach, so no part of a checkpoint
        self.transport_taps: Tensor
        self.sample_taps: Tensor
        for name, basis in (("transport_taps", self.transport_basis), ("sample_taps", self.sample_basis)):
            self.register_buffer(name, self._on_orbits(basis).to(self.transport), persistent=False)
        marks = torch.zeros(len(self.orbits), *(2 * radius + 1,) * group.num_dims, dtype=torch.float64)
        for number, orbit in enumerate(self.orbits):
            for offset in orbit:
                marks[(number, *(part + radius for part in offset))] = 1
        self.orbit_taps: Tensor
        self.register_buffer("orbit_taps", marks.flatten(1).to(self.transport), persistent=False)
        # the orbits are sorted by distance, so the sample kernel has the first of them
        self.num_sample_orbits = sum(max(map(abs, orbit[0])) <= sample_radius for orbit in self.orbits)

    def _on_orbits(self, basis: DifferenceBasis) -> Float[Tensor, "orbit member"]:
        """Return the value of every member on every orbit of taps, the cell itself first."""
        taps = torch.zeros(len(self.orbits), len(basis.names), dtype=torch.float64)
        kernels = basis.kernels.movedim(0, -1)
        for number, orbit in enumerate(self.orbits):
            if max(map(abs, orbit[0])) <= basis.radius:
                taps[number] = kernels[tuple(part + basis.radius for part in orbit[0])]
        return taps

    def gather(self, state: Float[Tensor, "batch *space channel"], grid: Grid) -> Gathered:
        """Sum the neighbours on every orbit of the group; under C1 each neighbour is its own."""
        if grid.num_dims != self.num_dims:
            raise BadInputError(
                f"kernels with the symmetry {self.group.name} act on {self.num_dims} axes, the grid has "
                f"{grid.num_dims}"
            )
        return (state, *offset_sums(state, grid, self.radius, self.orbits[1:]))

    def orbit_kernels(self, spacing: float) -> tuple[Tensor, Tensor]:
        """Return the sample and transport kernels, ``"orbit channel"``, without the sample's own 1."""
        ratio = self.reference_spacing / spacing

        def kernel(weights: Tensor, taps: Tensor, basis: DifferenceBasis) -> Tensor:
            scales = weights.new_tensor([UNIT * ratio**order for order in basis.orders])
            return (taps * scales) @ weights

        return (
            kernel(self.sample, self.sample_taps, self.sample_basis),
            kernel(self.transport, self.transport_taps, self.transport_basis),
        )

    def combine(self, gathered: Gathered, spacing: float, parameters: Tensor | None = None) -> Tensor:
        """Weigh the orbits: features are [sampled | transport]."""
        sample, transport = self.orbit_kernels(spacing)
        sampled = gathered[0]
        if self.sample_radius:
            sampled = sampled + weigh_shells(gathered, sample[: self.num_sample_orbits])
        return torch.cat((sampled, weigh_shells(gathered, transport)), dim=-1)

    def forward(
        self,
        state: Float[Tensor, "batch *space channel"],
        grid: Grid,
        parameters: Tensor | None = None,
    ) -> Tensor:
        """Return the features by one convolution: faster than many small sums where the group is small."""
        kernels = self.taps(spacing_of(grid)).transpose(0, 1).flatten(0, 1)[:, None]
        padded = pad(state, grid, self.radius, channels_last=True).movedim(-1, 1)
        found: Tensor = CONVOLUTIONS[self.num_dims](padded, kernels, groups=self.num_sampled)
        # channel by channel (sample, transport): to all samples, then all transports
        num = self.num_sampled
        return torch.cat((found[:, 0 : 2 * num : 2], found[:, 1 : 2 * num : 2]), dim=1).movedim(1, -1)

    def constrained(self, group: Group) -> "GroupKernels":
        """Return the nearest kernels that commute with another group: this one's, averaged over it.

        Arguments:
            group: the symmetries; acts on the same axes.

        Raises:
            BadInputError: if it does not.
        """
        if group.num_dims != self.num_dims:
            raise BadInputError(f"{group.name} acts on {group.num_dims} axes, the kernels on {self.num_dims}")
        other = GroupKernels(
            self.num_sampled, group, self.radius, self.sample_radius, self.reference_spacing
        ).to(self.transport)
        with torch.no_grad():
            other.transport.copy_(other.transport_basis.average(self.transport, self.transport_basis))
            other.sample.copy_(other.sample_basis.average(self.sample, self.sample_basis))
        return other

    def exported(self) -> "GroupKernels":
        """Return free kernels with the same outputs."""
        return self.constrained(trivial_group(self.num_dims))

    def taps(self, spacing: float) -> Float[Tensor, "kind channel *taps"]:
        """Return the kernels as arrays of taps on a lattice of this spacing, kinds (sample, transport)."""
        sample, transport = (kernel.T @ self.orbit_taps for kernel in self.orbit_kernels(spacing))
        flat = torch.stack((sample + self.orbit_taps[0], transport))
        return flat.view(2, self.num_sampled, *(2 * self.radius + 1,) * self.num_dims)

    def kernel_images(self, spacing: float | None = None) -> Float[Tensor, "kind channel *taps"]:
        """Return :meth:`taps` for pictures, on the training spacing by default."""
        return self.taps(self.reference_spacing if spacing is None else spacing).detach()


def _orbits(group: Group, radius: int) -> tuple[Sequence[Offset], ...]:
    """Return the sets of taps that the group maps onto each other, the cell itself first."""
    basis = kernel_basis(group, ("scalar",), ("scalar",), radius)[:, 0, 0]
    found: list[Sequence[Offset]] = [
        tuple(tuple(int(part) - radius for part in place) for place in member.nonzero()) for member in basis
    ]
    return tuple(sorted(found, key=lambda orbit: (max(map(abs, orbit[0])), orbit[0])))
