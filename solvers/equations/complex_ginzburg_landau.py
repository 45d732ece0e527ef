"""The complex Ginzburg-Landau equation: what every medium does at the onset of oscillation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError
from pdenca.core.field import Field

from ..derivatives import Derivatives
from ..equation import Equation, Factored, Preset
from ..parameters import Parameter, expand, per_mode, varies_in_space
from ..waves import Waves


def _preset(description: str, linear: float, nonlinear: float, start: str = "smooth-noise") -> Preset:
    options: dict[str, object] = {"means": (0.0, 0.0), "amplitudes": (0.5, 0.5), "density": 0.25}
    if start == "spiral":
        options = {"means": (0.0, 0.0), "amplitudes": (1.0, 1.0)}
    if start == "plane":
        options = {"means": (1.0, 0.0), "amplitudes": (0.05, 0.05), "density": 0.25}
    return Preset(
        description=description,
        parameters={"linear_dispersion": linear, "nonlinear_dispersion": nonlinear},
        initial_condition="spiral" if start == "spiral" else "smooth-noise",
        initial_options=options,
        num_cells=128,
        spacing=1.0,
        num_frames=201,
        frame_interval=1.0,
        time_step=0.05,
    )


@dataclass(frozen=True, eq=False)
class ComplexGinzburgLandau(Equation):
    """The slow amplitude and phase of oscillators that are coupled by diffusion.

        ∂A/∂t = A + (1 + i b) ∇²A - (1 + i c) |A|² A

    stored as two real fields, A = real + i imaginary:

        ∂(real)/∂t      = real + ∇²(real) - b ∇²(imaginary) - |A|² (real - c imaginary)
        ∂(imaginary)/∂t = imaginary + ∇²(imaginary) + b ∇²(real) - |A|² (imaginary + c real)

    Near the onset of oscillation (Hopf) a medium is w = A exp(iω₀t) + its conjugate; time, length and
    amplitude are scaled so that only b, the dispersion of waves, and c, the dependence of the frequency on
    the amplitude, remain. Turning the phase, A -> A exp(iφ), changes nothing. Plane waves

        A = √(1 - Q²) exp(i Q x - i ω t),   ω = c + (b - c) Q²

    are exact solutions. The uniform oscillation is stable if 1 + b c > 0 (Benjamin-Feir-Newell); then spirals
    grow around the zeros of A. Just beyond, the phase alone is chaotic while |A| stays near 1; far beyond,
    zeros are born and vanish all the time (defect turbulence). With b = c = 0 the energy
    < ½ |∇A|² - ½ |A|² + ¼ |A|⁴ > falls.

    Arguments:
        linear_dispersion: b; a number or (batch,).
        nonlinear_dispersion: c; a number, (batch,) or (batch, *space).

    Raises:
        BadInputError: for a linear dispersion that varies in space.

    References:
        I. S. Aranson, L. Kramer, The world of the complex Ginzburg-Landau equation, Rev. Mod. Phys. 74 (2002)
        99, equation (1).
    """

    name: ClassVar[str] = "complex-ginzburg-landau"
    fields: ClassVar[tuple[Field, ...]] = (Field("real"), Field("imaginary"))
    presets: ClassVar[Mapping[str, Preset]] = {
        "frozen-spirals": _preset("many spirals from noise, settling to cells with shocks between", 0.0, 1.0),
        "spirals": _preset("spiral waves in a rotating frame", 0.0, 1.5, "spiral"),
        "defect-turbulence": _preset("zeros of A that are born and vanish: chaos", 2.0, -2.0),
        "phase-turbulence": _preset("chaos of the phase alone; |A| stays near 1", 2.0, -0.75, "plane"),
    }

    linear_dispersion: Parameter = 0.0
    nonlinear_dispersion: Parameter = 1.5

    def __post_init__(self) -> None:
        if varies_in_space(self.linear_dispersion):
            raise BadInputError(
                "linear_dispersion of complex Ginzburg-Landau is constant in space, a number or (batch,); "
                "got a field in space"
            )

    def parameters(self) -> dict[str, Parameter]:
        """Return linear_dispersion and nonlinear_dispersion."""
        return {
            "linear_dispersion": self.linear_dispersion,
            "nonlinear_dispersion": self.nonlinear_dispersion,
        }

    def rate(
        self, state: Float[Tensor, "batch channel *space"], derivatives: Derivatives
    ) -> Float[Tensor, "batch channel *space"]:
        """Return A + (1 + i b) ∇²A - (1 + i c) |A|² A as real and imaginary part."""
        real, imaginary = derivatives.laplacian(state).unbind(1)
        b = expand(self.linear_dispersion, real)
        spread = torch.stack((real - b * imaginary, imaginary + b * real), dim=1)
        return state + spread + self._saturation(state)

    def linear_symbol(self, waves: Waves) -> Float[Tensor, "..."]:
        """Return the matrix ((-2 - k², b k²), (-b k², -2 - k²)) of every wave.

        -2 is how |A| relaxes to 1; taking the growth +1 instead would let rounding errors grow in L.
        """
        b = per_mode(self.linear_dispersion, waves, "linear dispersion")
        turning = b * waves.laplacian
        decay = -2 + waves.laplacian + torch.zeros_like(turning)
        rows = torch.stack((decay, -turning), 1), torch.stack((turning, decay), 1)
        return torch.stack(rows, 1)

    def factored_nonlinear(self) -> Factored:
        """Return 3 A - (1 + i c) |A|² A."""
        return Factored(
            lambda state: 3 * state + self._saturation(state), coefficients=(1.0, 1.0), source=(0.0, 0.0)
        )

    def budget(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, " batch"]:
        """Return d<real + imaginary>/dt, the mean of the terms without derivatives."""
        return (state + self._saturation(state)).sum(1).flatten(1).mean(1)

    def homogeneous_states(self) -> tuple[tuple[Parameter, ...], ...]:
        """Return 0 only: the uniform oscillation |A| = 1 is not steady."""
        return ((0.0, 0.0),)

    def _saturation(self, state: Tensor) -> Tensor:
        real, imaginary = state.unbind(1)
        c, intensity = expand(self.nonlinear_dispersion, real), real * real + imaginary * imaginary
        turned = (real - c * imaginary, imaginary + c * real)
        return torch.stack([-intensity * part for part in turned], dim=1)
