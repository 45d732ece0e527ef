"""Perception with invariants of gradients: what a rule needs whose transport is not linear."""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.solvers.grid import Grid
from pdenca.symmetry import determinants, inner_products

from .lattice import first_differences
from .perception import Gathered, IsotropicKernels, Perception


class GradientInvariants(Perception):
    """What :class:`~pdenca.automaton.perception.IsotropicKernels` sees, and the products of the gradients.

        features = [sampled | ∇z_i·∇z_j (i <= j) | ∇z_i × ∇z_j (i < j), if chiral | transport]

    The gradients are Sobel-smoothed central differences, in units of the training spacing. Their inner
    products commute with all rotations and reflections of the square, and let a pointwise rule say |∇u|²
    (growing fronts) or ∇u·∇v (taxis, diffusion that depends on a concentration), which no isotropic kernel
    can. The cross products change their sign under reflections: with them the rule commutes with rotations
    alone. In one dimension ∇z_i itself takes their place, in three the triple products.

    Arguments:
        num_channels: channels of the state, all scalars.
        radius: reach of the transport kernel.
        sample_radius: reach of the sample kernel.
        num_dims: space axes.
        reference_spacing: the spacing of the training data (length).
        chiral: whether left and right are told apart.

    Raises:
        BadInputError: for a reach that isotropic kernels cannot have.
    """

    TYPICAL: Final = 0.25  # a product of gradients of waves of a dozen cells, in units of their variance

    def __init__(
        self,
        num_channels: int,
        radius: int = 2,
        sample_radius: int = 1,
        num_dims: int = 2,
        reference_spacing: float = 1.0,
        *,
        chiral: bool = False,
    ) -> None:
        super().__init__()
        self.kernels = IsotropicKernels(num_channels, radius, sample_radius, num_dims, reference_spacing)
        self.radius, self.sample_radius, self.num_dims = radius, sample_radius, num_dims
        self.chiral = chiral
        probe = self.invariants(torch.zeros(num_channels, num_dims), 1.0)
        self.num_sampled = num_channels + probe.shape[-1]
        self.num_features = self.num_sampled + num_channels

    def gather(self, state: Float[Tensor, "batch *space channel"], grid: Grid) -> Gathered:
        """Sum every shell of neighbours, and take the differences along each axis."""
        return (*first_differences(state, grid), *self.kernels.gather(state, grid))

    def combine(self, gathered: Gathered, spacing: float, parameters: Tensor | None = None) -> Tensor:
        """Weigh the shells and multiply the differences."""
        gradients = torch.stack(gathered[: self.num_dims], dim=-1)
        sampled, transport = self.kernels.combine(gathered[self.num_dims :], spacing).chunk(2, dim=-1)
        ratio = self.kernels.reference_spacing / spacing
        return torch.cat((sampled, self.invariants(gradients, ratio), transport), dim=-1)

    def invariants(self, gradients: Float[Tensor, "... channel axis"], ratio: float) -> Tensor:
        """Return the products of gradients, "... product".

        Arguments:
            gradients: differences in units of one cell.
            ratio: training spacing / spacing now.
        """
        scaled = ratio * gradients
        parts = [inner_products(scaled)]
        if self.chiral:
            parts.append(determinants(scaled))
        return torch.cat(parts, dim=-1)

    def typical_sizes(self, field_std: Float[Tensor, " channel"]) -> Float[Tensor, " product"]:
        """Return what the products are expected to be like, for fields of these standard deviations."""
        slopes = field_std * self.TYPICAL**0.5
        parts = [torch.combinations(slopes, 2, with_replacement=True).prod(-1)]
        if self.chiral:
            parts.append(torch.combinations(slopes, self.num_dims).prod(-1))
        return torch.cat(parts)
