"""Diffusion with a local reaction: the equations of most pattern-forming systems."""

from abc import abstractmethod
from typing import cast

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdenca.core.errors import BadInputError

from .derivatives import Derivatives
from .equation import Equation, Factored
from .parameters import Parameter, per_mode, scale_fields, stack_fields, varies_in_space
from .waves import Waves

Diffusivity = Parameter | tuple[Parameter, ...]
"""One diffusivity, or one per axis of space."""


class ReactionDiffusion(Equation):
    """Fields that diffuse and react where they are: ∂u_i/∂t = ∇·(D_i ∇u_i) + R_i(u).

    A subclass must say ``name``, ``fields``, :meth:`parameters`, :meth:`diffusivities` and :meth:`reaction`;
    everything else has a correct default.
    """

    @abstractmethod
    def diffusivities(self) -> tuple[Diffusivity, ...]:
        """Return D_i (length²/time), one per field.

        Each is a number or a tensor (batch,), a field in space (batch, *space), or a tuple of these, one per
        axis, if diffusion is anisotropic.
        """

    @abstractmethod
    def reaction(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return R(u), all terms without derivatives."""

    def rate(
        self, state: Float[Tensor, "batch channel *space"], derivatives: Derivatives
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∇·(D ∇u) + R(u)."""
        return self.reaction(state) + diffuse(self.diffusivities(), state, derivatives)

    def linear_rate(self) -> tuple[Parameter, ...]:
        """Return r_i of the part r_i u_i of the reaction that exponential integrators treat exactly.

        Any choice is correct; the closer r_i u_i is to the stiff part of the reaction the larger the usable
        step. Constant in space.
        """
        return (0.0,) * len(self.fields)

    def linear_symbol(self, waves: Waves) -> Float[Tensor, "..."] | Complex[Tensor, "..."]:
        """Return r_i - D_i |k|²."""
        rows = [
            per_mode(rate, waves, "linear rates") + diffusion_symbol(diffusivity, waves)
            for rate, diffusivity in zip(self.linear_rate(), self.diffusivities(), strict=True)
        ]
        return stack_fields(rows)

    def transport_symbol(self, waves: Waves) -> Float[Tensor, "..."] | Complex[Tensor, "..."]:
        """Return -D_i |k|², with the largest D_i where it varies in space."""
        num_dims = len(waves.seconds)
        rows = [
            diffusion_symbol(tuple(map(largest_diffusivity, _per_axis(value, num_dims))), waves)
            if isinstance(value, tuple)
            else diffusion_symbol(largest_diffusivity(value), waves)
            for value in self.diffusivities()
        ]
        return stack_fields(rows)

    def nonlinear(
        self, state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return R_i(u) - r_i u_i, what remains beside :meth:`linear_rate`."""
        return self.reaction(state) - scale_fields(self.linear_rate(), state)

    def factored_nonlinear(self) -> Factored:
        """Return :meth:`nonlinear` as one product per field."""
        num_fields = len(self.fields)
        return Factored(self.nonlinear, (1.0,) * num_fields, (0.0,) * num_fields)


def diffuse(
    diffusivities: tuple[Diffusivity, ...],
    state: Float[Tensor, "batch channel *space"],
    derivatives: Derivatives,
) -> Float[Tensor, "batch channel *space"]:
    """Return ∇·(D_i ∇u_i), in the cheapest form that the diffusivities allow.

    Arguments:
        diffusivities: one per field; see :meth:`ReactionDiffusion.diffusivities`.
        state: the fields.
        derivatives: the discretisation.
    """
    num_dims = derivatives.grid.num_dims
    varying = any(varies_in_space(part) for value in diffusivities for part in _per_axis(value, num_dims))
    if not varying and not any(isinstance(value, tuple) for value in diffusivities):
        return scale_fields(cast(tuple[Parameter, ...], diffusivities), derivatives.laplacian(state))
    total = torch.zeros_like(state)
    for axis in range(num_dims):
        along = tuple(_per_axis(value, num_dims)[axis] for value in diffusivities)
        if varying:
            spread = scale_fields(along, torch.ones_like(state))
            total = total + derivatives.divergence_of_flux(spread, state, axis)
        else:
            total = total + scale_fields(along, derivatives.second(state, axis))
    return total


def diffusion_symbol(diffusivity: Diffusivity, waves: Waves) -> Float[Tensor, "..."]:
    """Return the eigenvalues of ∇·(D ∇), shape (1 or batch, *modes).

    Raises:
        BadInputError: if D varies in space, or is negative somewhere: such an equation has no solution.
    """
    what = "diffusivities"
    parts = _per_axis(diffusivity, len(waves.seconds))
    for part in parts:
        _require_not_negative(part)
    if not isinstance(diffusivity, tuple):
        return per_mode(diffusivity, waves, what) * waves.laplacian
    total = per_mode(0.0, waves, what) * waves.laplacian
    for axis, part in enumerate(parts):
        total = total + per_mode(part, waves, what) * waves.second(axis)
    return total


def _per_axis(value: Diffusivity, num_dims: int) -> tuple[Parameter, ...]:
    if not isinstance(value, tuple):
        return (value,) * num_dims
    if len(value) != num_dims:
        raise BadInputError(
            f"anisotropic diffusion on {num_dims} axes needs {num_dims} diffusivities per field, got {value}"
        )
    return value


def largest_diffusivity(value: Parameter) -> Parameter:
    """Return the largest diffusivity in space.

    Raises:
        BadInputError: for a negative one: such an equation has no solution.
    """
    _require_not_negative(value)
    return value.flatten(1).amax(1) if isinstance(value, Tensor) and value.ndim > 1 else value


def _require_not_negative(value: Parameter) -> None:
    least = float(torch.as_tensor(value).min())
    if not least >= 0:
        raise BadInputError(f"a diffusivity must not be negative, got {least:g}")
