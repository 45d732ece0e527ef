"""Emission: how what a cell makes is handed to its neighbours within the same step."""

from jaxtyping import Float
from torch import Tensor, nn

from pdenca.core import BadInputError
from pdenca.solvers.grid import Grid

from .lattice import common_spacing, shell_sums
from .moments import ParameterWeights, kernel_from_moments, no_moments, weigh_crossed, weigh_shells


class Emission(nn.Module):
    """A learned isotropic kernel of small reach through which the reaction's products spread within a step.

        emitted_c = r_c + 1/20 Σ_m e_cm δ^m r_c

    with r the reaction and δ^m as in :class:`~pdenca.automaton.perception.IsotropicKernels`. It is the
    counterpart of the sample kernel: what reacts in the middle of a time step has diffused for half a step
    before, and its products diffuse for half a step after. Together the two halves make a step with one
    evaluation of the reaction second-order in time, as in Strang's splitting,

        z(t + dt) ≈ G z + G_½ * [Φ(G_½ * z) - G_½ * z],

    G_½ half a step of diffusion, Φ the reaction alone. A moment weighs a difference, so what a cell makes is
    all kept. At a wall with a Dirichlet value, which is one of the fields, nothing reacts: the reaction is
    continued oddly about 0.

    Arguments:
        num_channels: channels of the reaction.
        radius: reach (cells), at least 1.
        num_dims: space axes.
        reference_spacing: the spacing at which the moments are learned (length); as for the perception, they
            are scaled on another one.
        weights: of crossed kernels, from every channel to every channel and weighed by the parameters; None:
            every channel spreads by itself.

    Raises:
        BadInputError: for a reach below 1.

    Source: G. Strang, SIAM J. Numer. Anal. 5 (1968) 506.
    """

    def __init__(
        self,
        num_channels: int,
        radius: int = 1,
        num_dims: int = 2,
        reference_spacing: float = 1.0,
        weights: ParameterWeights | None = None,
    ) -> None:
        super().__init__()
        if radius < 1:
            raise BadInputError(f"an emission kernel reaches at least 1 cell, got {radius}")
        self.radius, self.num_dims, self.reference_spacing = radius, num_dims, reference_spacing
        self.weights = weights
        self.moments = no_moments(radius, num_dims, num_channels, weights)

    def shell_kernel(self, spacing: float) -> Float[Tensor, " shell *kernels"]:
        """Return the kernel without the cell's own 1, on a lattice of this spacing."""
        return kernel_from_moments(self.moments, self.radius, self.num_dims, self.reference_spacing / spacing)

    def forward(
        self, reaction: Float[Tensor, "batch *space channel"], grid: Grid, parameters: Tensor | None = None
    ) -> Float[Tensor, "batch *space channel"]:
        """Return what arrives in every cell."""
        sums = shell_sums(reaction, grid.with_zero_walls(), self.radius)
        kernel = self.shell_kernel(common_spacing(grid))
        if self.weights is None:
            return reaction + weigh_shells(sums, kernel)
        return reaction + weigh_crossed(sums, kernel, self.weights(parameters))
