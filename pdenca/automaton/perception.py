"""Perception: what a cell sees of itself and its neighbours.

A perception works in two halves. ``gather`` reads the neighbourhood off a lattice and has no parameters;
``combine`` mixes what was gathered, cell by cell, with learned weights. The split is what makes derivative
matching cheap: the gathered part of a training set is computed once, everything learned is pointwise.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.core import BadInputError
from pdenca.solvers.grid import Grid

from .lattice import Lattice, common_spacing, shell_sums
from .moments import (
    UNIT,
    ParameterWeights,
    kernel_from_moments,
    no_moments,
    own_moments,
    weigh_crossed,
    weigh_shells,
)

Gathered = tuple[Tensor, ...]
"""Tensors ``"batch *space channel"`` (or ``"cell channel"``) that ``gather`` hands to ``combine``."""


class Perception(ABC, nn.Module):
    """What a cell sees.

    Attributes:
        radius: reach of the neighbourhood in cells.
        num_features: features per cell that the rule receives.
        lattice_kind: the kind of domain whose neighbourhoods it can read.
    """

    radius: int
    num_features: int
    lattice_kind: ClassVar[type[Lattice]] = Grid

    # Any: a Grid or a Graph, as ``lattice_kind`` says, which an automaton checks when it is bound
    @abstractmethod
    def gather(self, state: Float[Tensor, "batch *space channel"], grid: Any) -> Gathered:  # noqa: ANN401
        """Read the neighbourhood of every cell; linear or not, but without parameters."""

    @abstractmethod
    def combine(self, gathered: Gathered, spacing: float, parameters: Tensor | None = None) -> Tensor:
        """Mix what was gathered into features ``"... feature"``, cell by cell.

        Arguments:
            gathered: of some cells.
            spacing: cell size (length).
            parameters: of the equation, ``"... parameter"``, broadcastable over the cells; only perceptions
                whose kernels depend on them need them.
        """

    def forward(
        self,
        state: Float[Tensor, "batch *space channel"],
        grid: Any,  # noqa: ANN401
        parameters: Tensor | None = None,
    ) -> Tensor:
        """Return the features of every cell: both halves at once, for those that have a faster way."""
        return self.combine(self.gather(state, grid), spacing_of(grid), parameters)

    def heard(
        self,
        state: Float[Tensor, "batch *space channel"],
        grid: Any,  # noqa: ANN401
        weight: Float[Tensor, "heard feature"],
        parameters: Tensor | None = None,
    ) -> Float[Tensor, "batch *space heard"]:
        """Return a linear map of the features, for those that need not lay them out for it."""
        return nn.functional.linear(self(state, grid, parameters), weight)


class IsotropicKernels(Perception):
    """Learned kernels that treat all directions of the square alike, parameterised by their moments.

    Each channel c is seen twice, through a *sample* kernel of small reach (where the reaction reads its
    concentrations) and a *transport* kernel (what flows in from the neighbours):

        sampled_c = z_c + 1/20 Σ_m s_cm δ^m z_c,     transport_c = 1/20 Σ_m k_cm δ^m z_c,

    with δ^m the symmetrised central differences of :func:`~pdenca.automaton.lattice.moment_weights`. A moment
    weighs one even derivative, so a kernel of reach 3 in 2-D has the five parameters of ∇², ∂⁴ and ∂⁶ kinds
    instead of 25 taps, all of like size, and no constant part: a homogeneous state stays homogeneous.
    Sampling through a slight blur is what makes one explicit step second-order in time, as in Strang's
    splitting (half a step of diffusion, the reaction, half a step of diffusion).

    On another spacing h the moments are scaled by (h0 / h)^(2 |m|), h0 the training spacing, so that the rule
    stays the same differential operator in physical units.

    With ``weights`` the kernels are *crossed*: they lead from every channel i to every channel c, and the
    equation's parameters weigh them,

        transport_c = 1/20 Σ_i Σ_j w_j(p) Σ_m k_cijm δ^m z_i,   w = (1, (p - p0) / p_scale),

    and likewise what is added to z_c in sampled_c: what equations with cross-diffusion need, or with
    transport that depends on a parameter, such as (1 + ib) ∇² of the complex Ginzburg-Landau equation.

    Arguments:
        num_channels: channels of the state.
        radius: reach of the transport kernel, 1 to ``LARGEST_RADIUS`` cells.
        sample_radius: reach of the sample kernel, 0 (the cell itself) to ``radius``.
        num_dims: space axes.
        reference_spacing: h0, the spacing of the training data (length).
        weights: of crossed kernels; None: every channel sees itself alone, whatever the parameters.

    Raises:
        BadInputError: for a reach outside those bounds.

    Source: moments of learned differential kernels follow Long et al., PDE-Net (ICML 2018); the splitting is
    Strang, SIAM J. Numer. Anal. 5 (1968).
    """

    LARGEST_RADIUS: Final = 6
    UNIT: Final = UNIT

    def __init__(
        self,
        num_channels: int,
        radius: int = 3,
        sample_radius: int = 1,
        num_dims: int = 2,
        reference_spacing: float = 1.0,
        weights: ParameterWeights | None = None,
    ) -> None:
        super().__init__()
        if not 1 <= radius <= self.LARGEST_RADIUS:
            raise BadInputError(
                f"the reach of the transport kernel must be 1 to {self.LARGEST_RADIUS} cells, got {radius}"
            )
        if not 0 <= sample_radius <= radius:
            raise BadInputError(f"the sample kernel's reach must be 0 to {radius}, got {sample_radius}")
        self.radius, self.sample_radius, self.num_dims = radius, sample_radius, num_dims
        self.reference_spacing, self.weights = reference_spacing, weights
        self.num_features = 2 * num_channels
        self.num_sampled = num_channels
        self.transport = no_moments(radius, num_dims, num_channels, weights)
        self.sample = no_moments(sample_radius, num_dims, num_channels, weights)
        with torch.no_grad():
            own_moments(self.transport)[0] = 1.0

    def gather(self, state: Float[Tensor, "batch *space channel"], grid: Grid) -> Gathered:
        """Sum every shell of neighbours."""
        return shell_sums(state, grid, self.radius)

    def shell_kernels(self, spacing: float) -> tuple[Tensor, Tensor]:
        """Return the sample and transport kernels on a lattice of this spacing.

        They are ``"shell channel"``, or ``"shell source weight channel"`` if crossed.
        """
        ratio = self.reference_spacing / spacing
        return (
            kernel_from_moments(self.sample, self.sample_radius, self.num_dims, ratio),
            kernel_from_moments(self.transport, self.radius, self.num_dims, ratio),
        )

    def combine(self, gathered: Gathered, spacing: float, parameters: Tensor | None = None) -> Tensor:
        """Weigh the shells: features are [sampled | transport]."""
        sample, transport = self.shell_kernels(spacing)
        if self.weights is not None:
            # both at once: one pass over the shells
            beyond = sample.new_zeros(len(transport) - len(sample), *sample.shape[1:])
            both = torch.cat((torch.cat((_with_itself(sample), beyond)), transport), dim=-1)
            return weigh_crossed(gathered, both, self.weights(parameters))
        sampled = gathered[0]
        if self.sample_radius:
            sampled = sampled + weigh_shells(gathered, sample)
        return torch.cat((sampled, weigh_shells(gathered, transport)), dim=-1)

    def kernel_images(self, spacing: float | None = None) -> Float[Tensor, "kind channel *taps"]:
        """Return the kernels as arrays of taps, kinds (sample, transport), for pictures.

        Of crossed kernels, what every channel gets from itself at the parameters p0.
        """
        h = self.reference_spacing if spacing is None else spacing
        size = 2 * self.radius + 1
        images = self.transport.new_zeros(2, self.num_sampled, *(size,) * self.num_dims)
        impulse = self.transport.new_zeros(1, *(size,) * self.num_dims, 1)
        impulse[(0, *(self.radius,) * self.num_dims, 0)] = 1
        sums = shell_sums(impulse, Grid.uniform((size,) * self.num_dims, h), self.radius)
        for kind, kernel in enumerate(self.shell_kernels(h)):
            for total, weight in zip(sums, own_moments(kernel.detach()), strict=False):
                images[kind] += weight.view(-1, *(1,) * self.num_dims) * total[0, ..., 0]
        images[0] += impulse[0, ..., 0]
        return images


def _with_itself(kernel: Float[Tensor, "shell source weight channel"]) -> Tensor:
    """Return a crossed kernel plus the cell itself, whatever the parameters."""
    _, channels, weights, _ = kernel.shape
    itself = torch.eye(channels).to(kernel)[:, None] * torch.eye(weights)[0].to(kernel)[:, None]
    return torch.cat((kernel[:1] + itself, kernel[1:]))


def require_isotropic(perception: Perception) -> IsotropicKernels:
    """Return the perception as :class:`IsotropicKernels`.

    Raises:
        BadInputError: if it is another kind, which has no learned kernels to show.
    """
    if not isinstance(perception, IsotropicKernels):
        raise BadInputError(
            f"a {type(perception).__name__} perception has no learned kernels; expected IsotropicKernels"
        )
    return perception


def spacing_of(lattice: Lattice) -> float:
    """Return the spacing that ``combine`` needs; 1 where cells have no distance, as on a graph."""
    return common_spacing(lattice) if isinstance(lattice, Grid) else 1.0
