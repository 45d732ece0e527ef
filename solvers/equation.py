"""What an equation is: fields, a rate of change, and its split into a linear and a nonlinear part."""

import dataclasses
import difflib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdenca.core.errors import BadInputError
from pdenca.core.field import Field

from .derivatives import Derivatives
from .parameters import Constant, Parameter
from .waves import Waves, continuum_waves

Symbol = Parameter | Callable[[Waves], Tensor]
"""A number, or a function of the waves that multiplies each wave by its own number."""


@dataclasses.dataclass(frozen=True, eq=False)
class Factored:
    """A nonlinear term written so that a spectral solver needs as few Fourier transforms as possible.

        nonlinear_i(u) = source_i + coefficients_i · product_i(u)

    where ``product`` returns either one channel per field or a single channel that all fields share.

    Arguments:
        product: ``"batch channel *space"`` -> ``"batch product *space"``, product = 1 or the number of
            fields; acts in every point by itself.
        coefficients: one per field: a number, or an operator given by its eigenvalues, ∇² for example as
            ``lambda waves: waves.laplacian``.
        source: one constant in space per field, a number or a tensor (batch,).
    """

    product: Callable[[Tensor], Tensor]
    coefficients: tuple[Symbol, ...]
    source: tuple[Parameter, ...]


@dataclasses.dataclass(frozen=True)
class Preset:
    """Values that work: parameters, a domain that shows the pattern, and how long it takes to form.

    Arguments:
        description: the pattern in a few words. "Becomes steady" is said of its shape: without a free energy
            a pattern that has no mirror symmetry may drift slowly for ever (see ``find_steady_state``).
        parameters: constants of the equation, name -> value; the others keep their defaults.
        initial_condition: a key of ``INITIAL_CONDITIONS``.
        initial_options: its keyword arguments.
        num_cells: cells along each side.
        spacing: cell size (length).
        boundary: name of a boundary, for every axis.
        num_frames: stored frames, the initial one included.
        frame_interval: time between them.
        time_step: Δt with which "etdrk4" is accurate on this grid (time).
        num_dims: axes of space.
    """

    description: str
    parameters: Mapping[str, float | tuple[float, ...]]
    initial_condition: str
    initial_options: Mapping[str, Any]
    num_cells: int
    spacing: float
    num_frames: int
    frame_interval: float
    time_step: float
    boundary: str = "periodic"
    num_dims: int = 2


class Equation(ABC):
    """A partial differential equation ∂u/∂t = L u + N(u), first order in time and autonomous.

    L is linear with constant coefficients and N what remains. A subclass is a frozen dataclass whose
    attributes are the constants of the equation. It must say ``name``, ``fields``, :meth:`parameters`,
    :meth:`rate`, :meth:`linear_symbol` and :meth:`factored_nonlinear`; diffusion with a local reaction, the
    usual case, needs less: see :class:`~pdenca.solvers.reaction_diffusion.ReactionDiffusion`. Constants may
    be numbers or tensors of shape (batch,), one value per trajectory, and, where an equation says so, fields
    in space (batch, *space).

    Attributes:
        name: key in ``EQUATIONS``.
        fields: the fields in channel order.
        presets: values that work, the first one being the usual example.
    """

    name: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    presets: ClassVar[Mapping[str, Preset]] = {}

    @abstractmethod
    def parameters(self) -> dict[str, Parameter]:
        """Return the parameters that distinguish the regimes of this equation, name -> value."""

    @abstractmethod
    def rate(
        self, state: Float[Tensor, "batch channel *space"], derivatives: Derivatives
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∂u/∂t, the whole right-hand side.

        Arguments:
            state: u.
            derivatives: the derivatives in space, by whichever discretisation.
        """

    @abstractmethod
    def linear_symbol(self, waves: Waves) -> Float[Tensor, "..."] | Complex[Tensor, "..."]:
        """Return the eigenvalues of L, the part that exponential and semi-implicit methods treat exactly.

        Any split of the right-hand side is correct; the more of its stiff part is in L, the larger the usable
        step.

        Arguments:
            waves: the eigenvalues of the derivatives.

        Returns:
            Shape (1 or batch, field, *modes), or (1 or batch, field, field, *modes) if L couples the fields:
            a matrix for every wave. Complex if L shifts phases, as advection does.

        Raises:
            BadInputError: if a coefficient of L varies in space.
        """

    def transport_symbol(self, waves: Waves) -> Float[Tensor, "..."] | Complex[Tensor, "..."]:
        """Return how the eigenvalues of L differ from that of the constant wave, shaped as those.

        It decides the largest stable step of explicit methods; where a coefficient varies in space, it is a
        bound.
        """
        still = continuum_waves(torch.zeros(1, len(waves.seconds), device=waves.laplacian.device))
        own, constant = self.linear_symbol(waves), self.linear_symbol(still)
        return own - constant.reshape(*constant.shape[:-1], *(1,) * waves.laplacian.ndim)

    @abstractmethod
    def factored_nonlinear(self) -> Factored:
        """Return N in the form that costs a spectral solver the fewest transforms."""

    def budget(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, " batch"] | None:
        """Return d/dt of the spatial mean of Σ_i u_i, exact with periodic and no-flux walls, or None.

        Diffusion moves matter but neither makes nor destroys it, so only the reaction remains.
        """
        return None

    def free_energy(
        self, state: Float[Tensor, "batch channel *space"], derivatives: Derivatives
    ) -> Float[Tensor, " batch"] | None:
        """Return the spatial mean of the free energy density, which never grows in time, or None."""
        return None

    def homogeneous_states(self) -> tuple[tuple[Parameter, ...], ...]:
        """Return the steady states without a pattern, as values of the fields, as far as they are known."""
        return ()

    def with_parameters(self, values: Mapping[str, Constant]) -> Self:
        """Return the same equation with some constants replaced.

        Arguments:
            values: constructor argument -> number or tensor.

        Raises:
            BadInputError: for a name this equation does not have, or a number that is not finite.
        """
        constants = {name: getattr(self, name) for name in _constant_names(type(self))}
        return self.from_parameters({**constants, **values})

    @classmethod
    def from_parameters(cls, values: Mapping[str, Constant | list[float]]) -> Self:
        """Build the equation from a mapping of its constants.

        Arguments:
            values: constructor argument -> number or tensor, or one per axis; lists, as JSON has them, stand
                for tuples.

        Raises:
            BadInputError: for a name this equation does not have, a number that is not finite, or a constant
                without default that is missing.
        """
        known = _constant_names(cls)
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"expected some of {', '.join(known)}"
                raise BadInputError(f"equation {cls.name!r} has no parameter {name!r}: {hint}")
        single = _single_constants(cls)
        for name, value in values.items():
            if isinstance(value, tuple | list) and name in single:
                raise BadInputError(
                    f"{name} of equation {cls.name!r} is not one per axis, got {value}; expected a number, "
                    "or a tensor with one value per trajectory or place"
                )
            parts = value if isinstance(value, tuple | list) else (value,)
            if not all(math.isfinite(part) for part in parts if isinstance(part, int | float)):
                raise BadInputError(f"{name} of equation {cls.name!r} must be finite, got {value}")
        try:
            return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
        except TypeError as error:
            raise BadInputError(
                f"equation {cls.name!r} needs more than {sorted(values)}: expected {', '.join(known)} "
                f"({error})"
            ) from None


def _constant_names(equation_type: type[Equation]) -> list[str]:
    if not dataclasses.is_dataclass(equation_type):
        raise TypeError(f"{equation_type.__name__} must be a frozen dataclass to be an Equation")
    return [item.name for item in dataclasses.fields(equation_type)]


def _single_constants(equation_type: type[Equation]) -> list[str]:
    """The constants that are not one per axis, by how they are annotated."""
    assert dataclasses.is_dataclass(equation_type)
    return [item.name for item in dataclasses.fields(equation_type) if item.type == Parameter]
