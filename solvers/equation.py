"""What a reaction-diffusion equation is: fields, diffusivities and a local reaction."""

import dataclasses
import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Self

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError
from pdenca.core.field import Field

Parameter = float | Tensor
"""A number, or a tensor of shape () or (batch,), or, where an equation allows it, (batch, *space)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Factored:
    """A nonlinear term written so that a spectral solver needs as few Fourier transforms as possible.

        nonlinear_i(u) = source_i + coefficients_i · product_i(u)

    where ``product`` returns either one channel per field or a single channel that all fields share.

    Arguments:
        product: ``"batch channel *space"`` -> ``"batch product *space"``, product = 1 or the number of
            fields.
        coefficients: one number per field.
        source: one constant in space per field, a number or a tensor (batch,).
    """

    product: Callable[[Tensor], Tensor]
    coefficients: tuple[float, ...]
    source: tuple[Parameter, ...]


class Equation(ABC):
    """A reaction-diffusion equation ∂u_i/∂t = D_i ∇²u_i + R_i(u) without explicit time dependence.

    A subclass is a frozen dataclass whose attributes are the constants of the equation. It must say ``name``,
    ``fields``, :meth:`parameters`, :meth:`diffusivities` and :meth:`reaction`; everything else has a correct
    default. Constants may be numbers or tensors of shape (batch,), one value per trajectory.

    Attributes:
        name: key in ``EQUATIONS``.
        fields: the fields in channel order.
    """

    name: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]

    @abstractmethod
    def parameters(self) -> dict[str, Parameter]:
        """Return the parameters that distinguish the regimes of this equation, name -> value."""

    @abstractmethod
    def diffusivities(self) -> tuple[Parameter, ...]:
        """Return D_i (length²/time), one per field, constant in space."""

    @abstractmethod
    def reaction(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return R(u), all terms without derivatives."""

    def rate(
        self,
        state: Float[Tensor, "batch channel *space"],
        laplacian: Float[Tensor, "batch channel *space"],
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∂u/∂t = D ∇²u + R(u).

        Arguments:
            state: u.
            laplacian: ∇²u of the same shape, from whichever discretisation.
        """
        return self.reaction(state) + scale_fields(self.diffusivities(), laplacian)

    def linear_rate(self) -> tuple[Parameter, ...]:
        """Return r_i of the part r_i u_i of the reaction that exponential integrators treat exactly.

        Any choice is correct; the closer r_i u_i is to the stiff part of the reaction the larger the usable
        step.
        """
        return (0.0,) * len(self.fields)

    def nonlinear(
        self, state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return R_i(u) - r_i u_i, what remains beside :meth:`linear_rate`."""
        return self.reaction(state) - scale_fields(self.linear_rate(), state)

    def factored_nonlinear(self) -> Factored:
        """Return :meth:`nonlinear` in the form that costs a spectral solver the fewest transforms."""
        num_fields = len(self.fields)
        return Factored(self.nonlinear, (1.0,) * num_fields, (0.0,) * num_fields)

    def budget(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, " batch"] | None:
        """Return d/dt of the spatial mean of Σ_i u_i, exact with periodic and no-flux walls, or None.

        Diffusion moves matter but neither makes nor destroys it, so only the reaction remains.
        """
        return None

    def with_parameters(self, values: Mapping[str, Parameter]) -> Self:
        """Return the same equation with some constants replaced.

        Arguments:
            values: constructor argument -> number or tensor.

        Raises:
            BadInputError: for a name this equation does not have.
        """
        constants = {name: getattr(self, name) for name in _constant_names(type(self))}
        return self.from_parameters({**constants, **values})

    @classmethod
    def from_parameters(cls, values: Mapping[str, Parameter]) -> Self:
        """Build the equation from a mapping of its constants.

        Arguments:
            values: constructor argument -> number or tensor.

        Raises:
            BadInputError: for a name this equation does not have, or a constant without default that is
                missing.
        """
        known = _constant_names(cls)
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"expected some of {', '.join(known)}"
                raise BadInputError(f"equation {cls.name!r} has no parameter {name!r}: {hint}")
        try:
            return cls(**values)
        except TypeError as error:
            raise BadInputError(
                f"equation {cls.name!r} needs more than {sorted(values)}: expected {', '.join(known)} "
                f"({error})"
            ) from None


def scale_fields(
    values: tuple[Parameter, ...], state: Float[Tensor, "batch channel *space"]
) -> Float[Tensor, "batch channel *space"]:
    """Multiply each field by its own constant.

    Arguments:
        values: one number or tensor of shape (), (batch,) or (batch, *space) per field.
        state: the fields.

    Returns:
        values_i · state_i.
    """
    fields = state.unbind(1)
    return torch.stack([expand(value, field) * field for value, field in zip(values, fields, strict=True)], 1)


def expand(value: Parameter, field: Tensor) -> Parameter:
    """Align one parameter with one field ``"batch *space"`` for pointwise arithmetic.

    Arguments:
        value: a number, or a tensor of shape (), (batch,) or (batch, *space).
        field: gives dtype, device and number of space axes.

    Returns:
        The number, or a tensor in the field's dtype that broadcasts against it.

    Raises:
        BadInputError: if the tensor fits neither the batch nor the field.
    """
    if not isinstance(value, Tensor):
        return value
    shape = (*value.shape, *(1,) * (field.ndim - 1)) if value.ndim == 1 else tuple(value.shape)
    broadcasts = len(shape) == field.ndim and all(
        have in (1, want) for have, want in zip(shape, field.shape, strict=True)
    )
    if shape and not broadcasts:
        raise BadInputError(
            f"a parameter of shape {tuple(value.shape)} does not fit a field of shape {tuple(field.shape)}; "
            f"expected a number, ({field.shape[0]},) or {tuple(field.shape)}"
        )
    return value.to(field).reshape(shape)


def _constant_names(equation_type: type[Equation]) -> list[str]:
    if not dataclasses.is_dataclass(equation_type):
        raise TypeError(f"{equation_type.__name__} must be a frozen dataclass to be an Equation")
    return [item.name for item in dataclasses.fields(equation_type)]
