"""Looking inside a trained model: its kernels, and how exactly it keeps the symmetries of the grid."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from pdenca.automaton import GradientInvariants, GroupKernels, IsotropicKernels
from pdenca.automaton.lattice import shells
from pdenca.automaton.moments import UNIT, own_moments
from pdenca.core import Emulator
from pdenca.evaluation import Case
from pdenca.evaluation.turned import symmetries_of
from pdenca.symmetry import equivariance_residuals

from .models import NeuralEmulator
from .settings import NUM_GIVEN


def learned_kernels(emulator: NeuralEmulator) -> list[tuple[str, np.ndarray, dict[str, float]]]:
    """Return the learned kernels of an emulator as (name, taps, moments), in units per automaton step.

    Of crossed kernels what each field gets from itself, see
    :meth:`~pdenca.automaton.IsotropicKernels.kernel_images`. Empty for a model with fixed kernels. In three
    dimensions the middle plane is returned.
    """
    perception = getattr(emulator.automaton, "perception", None)  # networks have none
    if isinstance(perception, GradientInvariants):
        perception = perception.kernels
    if not isinstance(perception, IsotropicKernels | GroupKernels):
        return []
    images = perception.kernel_images().detach()
    while images.ndim > 4:
        images = images[..., images.shape[-1] // 2]
    if images.ndim == 3:
        images = images[:, :, None]
    found = []
    for kind, (label, moments) in enumerate(
        (("sample", perception.sample), ("transport", perception.transport))
    ):
        names = _powers(perception, label)
        for channel, name in enumerate(emulator.scales.field_names):
            values = {
                _moment_name(powers): float(own_moments(moments.detach())[number, channel]) * UNIT
                for number, powers in enumerate(names)
            }
            found.append((f"{label} {name}", images[kind, channel].numpy(), values))
    return found


def _powers(perception: IsotropicKernels | GroupKernels, label: str) -> Sequence[tuple[int, ...]]:
    """Return how often each moment of the sample or transport kernel differentiates along each axis."""
    if isinstance(perception, GroupKernels):
        basis = perception.sample_basis if label == "sample" else perception.transport_basis
        return basis.names
    radius = perception.sample_radius if label == "sample" else perception.radius
    return [tuple(2 * part for part in shell) for shell in shells(radius, perception.num_dims)[1:]]


def _moment_name(powers: tuple[int, ...]) -> str:
    letters = "xyz"
    return " ".join(f"δ{letters[axis]}^{power}" for axis, power in enumerate(powers) if power)


def symmetry_residuals(
    emulators: Mapping[str, Emulator], case: Case, num_steps: int = 2
) -> dict[str, dict[str, float]]:
    """Return how far each emulator is from commuting with every symmetry of the case's grid.

    Arguments:
        emulators: name -> emulator, working in float64.
        case: gives a state, grid and parameters.
        num_steps: stored frames to advance.

    Returns:
        model -> element -> largest difference relative to the largest value.
    """
    given = case.truth[:1, :NUM_GIVEN].double()
    context = {name: value[:1].double() for name, value in case.context.items()}
    found = {}
    with torch.no_grad():
        for name, emulator in emulators.items():
            step = emulator.bind(case.grid, context, torch.Generator().manual_seed(0))
            state = emulator.codec.lift(given)
            kinds = getattr(emulator, "kinds", None)
            group = symmetries_of(case.grid)
            found[name] = dict(equivariance_residuals(step, group, state, kinds, num_steps))
    return found
