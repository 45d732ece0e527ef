"""From settings to what a cell sees, one function per kind of perception."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from pdenca.automaton import (
    FixedKernels,
    GradientInvariants,
    GroupKernels,
    IsotropicKernels,
    ParameterWeights,
    Perception,
    VectorKernels,
)
from pdenca.core import BadInputError
from pdenca.core.field import Kind
from pdenca.symmetry import GROUPS, Group

from .model_settings import ModelSettings
from .training_data import DataScales


@dataclass(frozen=True, eq=False)
class Perceived:
    """A perception and what the rule behind it has to know.

    Attributes:
        perception: what a cell sees.
        num_features: how many features the pointwise rule gets.
        centre: typical value of each of them.
        scale: typical deviation from it.
        transports: whether further features, one per channel, are transport, added to the rule's answer.
    """

    perception: Perception
    num_features: int
    centre: Tensor
    scale: Tensor
    transports: bool


def state_kinds(model: ModelSettings, scales: DataScales) -> tuple[Kind, ...]:
    """Return how the fields of a model's whole state transform: observed, hidden scalars, hidden vectors.

    The stored fields of all equations are scalars.
    """
    scalar: Kind = "scalar"
    vector: Kind = "vector"
    num_scalars = len(scales.field_names) + model.num_hidden_channels
    return (*(scalar,) * num_scalars, *(vector,) * model.num_hidden_vectors)


def num_channels(model: ModelSettings, scales: DataScales) -> int:
    """Return how many channels the state has."""
    return sum(scales.num_dims if kind == "vector" else 1 for kind in state_kinds(model, scales))


def group_of(model: ModelSettings, scales: DataScales) -> Group:
    """Return the group that the settings name.

    Raises:
        BadInputError: if it acts on another number of axes than the data have.
    """
    group = GROUPS[model.group]
    if group.num_dims != scales.num_dims:
        fitting = ", ".join(name for name, other in GROUPS.items() if other.num_dims == scales.num_dims)
        raise BadInputError(
            f"the group {model.group} acts on {group.num_dims} axes, the data have {scales.num_dims}; usual "
            f"cure: model.group = one of {fitting}"
        )
    return group


def kernel_weights(model: ModelSettings, scales: DataScales) -> ParameterWeights | None:
    """Return what weighs crossed kernels, None if each channel has its own."""
    if not model.crossed_kernels:
        return None
    told = len(scales.parameter_names) if model.parameters_as_input else 0
    centre, scale = (
        torch.tensor(values[:told], dtype=torch.float64)
        for values in (scales.parameter_centre, scales.parameter_scale)
    )
    return ParameterWeights(centre, scale)


def _isotropic(model: ModelSettings, scales: DataScales) -> Perceived:
    perception = IsotropicKernels(
        num_channels(model, scales),
        model.radius,
        model.sample_radius,
        scales.num_dims,
        scales.spacing,
        kernel_weights(model, scales),
    )
    return Perceived(perception, perception.num_sampled, *_fields(scales), transports=True)


def _group(model: ModelSettings, scales: DataScales) -> Perceived:
    perception = GroupKernels(
        num_channels(model, scales),
        group_of(model, scales),
        model.radius,
        model.sample_radius,
        scales.spacing,
    )
    return Perceived(perception, perception.num_sampled, *_fields(scales), transports=True)


def _gradients(model: ModelSettings, scales: DataScales) -> Perceived:
    group = group_of(model, scales)
    perception = GradientInvariants(
        num_channels(model, scales),
        model.radius,
        model.sample_radius,
        scales.num_dims,
        scales.spacing,
        chiral=is_chiral(group),
    )
    mean, std = _fields(scales)
    products = perception.typical_sizes(std)
    centre, scale = torch.cat((mean, 0 * products)), torch.cat((std, products))
    return Perceived(perception, perception.num_sampled, centre, scale, transports=True)


def _fixed(model: ModelSettings, scales: DataScales) -> Perceived:
    perception = FixedKernels(num_channels(model, scales), model.kernels, scales.num_dims)
    mean, std = _fields(scales)
    # only features of the identity and the average have a mean; the others are differences
    blocks = [
        mean if name in ("identity", "average") else 0 * mean
        for name in model.kernels
        for _ in range(scales.num_dims if name == "gradient" else 1)
    ]
    return Perceived(
        perception, perception.num_features, torch.cat(blocks), std.repeat(len(blocks)), transports=False
    )


def _vectors(model: ModelSettings, scales: DataScales) -> Perceived:
    perception = VectorKernels(state_kinds(model, scales), group_of(model, scales), model.radius)
    zeros = torch.zeros(perception.num_features, dtype=torch.float64)
    return Perceived(perception, perception.num_features, zeros, zeros + 1, transports=False)


PERCEPTIONS: Final[dict[str, Callable[[ModelSettings, DataScales], Perceived]]] = {
    "isotropic-kernels": _isotropic,
    "group-kernels": _group,
    "gradient-invariants": _gradients,
    "fixed-kernels": _fixed,
    "vector-kernels": _vectors,
}
"""Value of ``perception`` in the settings -> what makes it."""


def is_chiral(group: Group) -> bool:
    """Return whether a group has no reflection, so that its rules may tell left from right."""
    return all(element.determinant == 1 for element in group)


def _fields(scales: DataScales) -> tuple[Tensor, Tensor]:
    mean, std = (
        torch.tensor(values, dtype=torch.float64) for values in (scales.field_mean, scales.field_std)
    )
    return mean, std
