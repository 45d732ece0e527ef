"""A reaction-diffusion equation from a function, without writing a class."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError
from pdenca.core.field import Field

from .equation import Preset
from .parameters import Parameter, expand
from .reaction_diffusion import Diffusivity, ReactionDiffusion


def reaction_diffusion(
    name: str,
    fields: Sequence[str | Field],
    diffusivities: Sequence[Diffusivity],
    reaction: Callable[..., Any],
    *,
    presets: Mapping[str, Preset] | None = None,
    **parameters: Parameter,
) -> ReactionDiffusion:
    """Make the equation ∂u_i/∂t = ∇·(D_i ∇u_i) + R_i(u) from a function for R.

        def growth(prey, hunter, birth, death):
            meals = prey * hunter / (1 + prey)
            return birth * prey * (1 - prey) - meals, meals - death * hunter

        equation = reaction_diffusion(
            "hunting", ("prey", "hunter"), (1.0, 0.5), growth, birth=1.0, death=0.3
        )

    The result works wherever an equation of this package does. Its constants are the parameters and
    ``diffusivity_<field>``; :meth:`~pdenca.solvers.Equation.with_parameters` replaces them by other numbers,
    tensors (batch,), one value per trajectory, or fields in space (batch, *space). The reaction is left to
    the explicit part of every integrator; where it is stiff, a subclass of ``ReactionDiffusion`` with a
    ``linear_rate`` allows larger steps. Written at the top of a module, it is found as "module:equation".

    Arguments:
        name: how files and error texts call it.
        fields: names, or Fields, in channel order.
        diffusivities: D (length²/time), one per field, or a tuple of one per axis for a field.
        reaction: called with one tensor ``"batch *space"`` per field and the parameters by name; returns R,
            one tensor or number per field. It acts in every point by itself, and changes nothing in place.
        presets: values that work, name -> Preset.
        parameters: the constants of the reaction and their usual values.

    Returns:
        The equation.

    Raises:
        BadInputError: for no fields, names that are repeated or taken, or diffusivities that are not one per
            field; later, for a reaction that does not return one rate per field.
    """
    channels = tuple(field if isinstance(field, Field) else Field(field) for field in fields)
    spread = {
        f"diffusivity_{field.name}": value for field, value in zip(channels, diffusivities, strict=False)
    }
    if not channels or len(spread) != len(channels) or len(diffusivities) != len(channels):
        raise BadInputError(
            f"an equation needs fields of different names and one diffusivity for each, got fields "
            f"{[field.name for field in channels]} and {len(diffusivities)} diffusivities"
        )
    if clash := sorted(set(spread) & set(parameters)):
        raise BadInputError(
            f"{', '.join(clash)}: the diffusivity of a field and a parameter have the same name; usual cure: "
            "another name for the parameter"
        )
    if taken := sorted(key for key in parameters if hasattr(_FunctionEquation, key)):
        raise BadInputError(
            f"{', '.join(taken)}: every equation has an attribute of that name; usual cure: another name for "
            "the parameter, 'growth_rate' for example"
        )
    constants = {**parameters, **spread}
    made = dataclasses.make_dataclass(
        "".join(word.capitalize() for word in name.replace("_", "-").split("-")) or "Unnamed",
        [(key, Any, dataclasses.field(default=value)) for key, value in constants.items()],
        bases=(_FunctionEquation,),
        namespace={
            "name": name,
            "fields": channels,
            "presets": dict(presets or {}),
            "_function": staticmethod(reaction),
            "_parameter_names": tuple(parameters),
            "__doc__": reaction.__doc__,
        },
        frozen=True,
        eq=False,
    )
    equation: ReactionDiffusion = made()
    return equation


class _FunctionEquation(ReactionDiffusion):
    """What the classes made by :func:`reaction_diffusion` share."""

    _function: ClassVar[Callable[..., Any]]
    _parameter_names: ClassVar[tuple[str, ...]]

    def parameters(self) -> dict[str, Parameter]:
        """Return the parameters of the reaction."""
        return {name: getattr(self, name) for name in self._parameter_names}

    def diffusivities(self) -> tuple[Diffusivity, ...]:
        """Return one diffusivity per field."""
        return tuple(getattr(self, f"diffusivity_{field.name}") for field in self.fields)

    def reaction(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return what the function returns.

        Raises:
            BadInputError: unless that is one rate per field.
        """
        fields = state.unbind(1)
        constants = {name: expand(value, fields[0]) for name, value in self.parameters().items()}
        rates = self._function(*fields, **constants)
        rates = (rates,) if isinstance(rates, Tensor) else tuple(rates)
        if len(rates) != len(fields):
            raise BadInputError(
                f"the reaction of equation {self.name!r} returned {len(rates)} rates for {len(fields)} "
                "fields; expected a tuple with one for each"
            )
        return torch.stack([torch.as_tensor(rate).to(state).expand_as(fields[0]) for rate in rates], dim=1)

    def budget(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, " batch"]:
        """Return d/dt of the mean of the sum of all fields: the mean of the reactions."""
        return self.reaction(state).sum(1).flatten(1).mean(1)

    def __reduce__(self) -> tuple[Any, ...]:
        content = (self.name, self.fields, self.diffusivities(), self._function, self.presets)
        return _rebuild, (*content, self.parameters())


def _rebuild(
    name: str,
    fields: tuple[Field, ...],
    diffusivities: tuple[Diffusivity, ...],
    reaction: Callable[..., Any],
    presets: Mapping[str, Preset],
    parameters: dict[str, Parameter],
) -> ReactionDiffusion:
    return reaction_diffusion(name, fields, diffusivities, reaction, presets=presets, **parameters)
