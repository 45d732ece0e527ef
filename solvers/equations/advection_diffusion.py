"""Linear advection-diffusion: a stain in a steady stream, exactly solvable and with a direction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdenca.core.errors import BadInputError
from pdenca.core.field import Field

from ..derivatives import Derivatives
from ..equation import Equation, Factored, Preset
from ..parameters import Parameter, expand, per_mode, varies_in_space
from ..reaction_diffusion import Diffusivity, diffuse, diffusion_symbol, largest_diffusivity
from ..waves import Waves


def _preset(description: str, diffusivity: float | tuple[float, float], **velocity: float) -> Preset:
    return Preset(
        description=description,
        parameters={"diffusivity": diffusivity, **velocity},
        initial_condition="seeds",
        initial_options={"outside": (0.0,), "inside": (1.0,), "radius": 0.1, "density": 2.0},
        num_cells=128,
        spacing=1 / 64,
        num_frames=101,
        frame_interval=0.05,
        time_step=0.05,
    )


@dataclass(frozen=True, eq=False)
class AdvectionDiffusion(Equation):
    """A substance carried along by a uniform stream while it spreads.

        ∂c/∂t = -v·∇c + Σ_d D_d ∂²c/∂x_d²

    c is a concentration. Every wave exp(i k·x) keeps its shape, turns its phase at rate -k·v and decays at
    rate Σ D_d k_d², so on a periodic domain the solution is known exactly, and a Gaussian of variances s_d²
    moves with v and widens to s_d² + 2 D_d t. Along v space is not the same forwards and backwards: the
    equation has no mirror and, in two and three dimensions, no rotation symmetry, which makes it the control
    case in which a symmetric automaton must fail.

    Arguments:
        velocity_x: v along the first axis (length/time); a number, (batch,) or (batch, *space).
        velocity_y: v along the second axis; 0 on a grid that has none.
        velocity_z: v along the third axis; likewise.
        diffusivity: D (length²/time); a number, (batch,), (batch, *space), or one of these per axis.

    Raises:
        BadInputError: when used on a grid without the axis of a velocity that is not 0.

    Validity: the stream passes through the ends of an axis, so the axes along which it flows should be
    periodic, or hold the value that flows in. A no-flux wall keeps c flat but does not stop the stream.
    Against central differences and a spectral method the grid must resolve c: D above about |v| spacing / 2.
    """

    name: ClassVar[str] = "advection-diffusion"
    fields: ClassVar[tuple[Field, ...]] = (Field("c"),)
    presets: ClassVar[Mapping[str, Preset]] = {
        "stream": _preset("stains carried along the first axis, fading", 0.005, velocity_x=0.5),
        "slanted": _preset(
            "a slanted stream, spreading more along the first axis",
            (0.01, 0.002),
            velocity_x=0.5,
            velocity_y=0.25,
        ),
    }

    velocity_x: Parameter = 0.5
    velocity_y: Parameter = 0.0
    velocity_z: Parameter = 0.0
    diffusivity: Diffusivity = 0.005

    def parameters(self) -> dict[str, Parameter]:
        """Return velocity_x, velocity_y and velocity_z."""
        return {
            "velocity_x": self.velocity_x,
            "velocity_y": self.velocity_y,
            "velocity_z": self.velocity_z,
        }

    def velocity(self, num_dims: int) -> tuple[Parameter, ...]:
        """Return v, one component per axis.

        Raises:
            BadInputError: if a component beyond ``num_dims`` is not 0.
        """
        components = tuple(self.parameters().values())
        for name, value in list(self.parameters().items())[num_dims:]:
            if bool((torch.as_tensor(value) != 0).any()):
                raise BadInputError(
                    f"{name} is the velocity along an axis that a grid of {num_dims} axes does not have; "
                    f"expected {name}=0 there"
                )
        return components[:num_dims]

    def rate(
        self, state: Float[Tensor, "batch channel *space"], derivatives: Derivatives
    ) -> Float[Tensor, "batch channel *space"]:
        """Return -v·∇c + ∇·(D ∇c)."""
        total = diffuse((self.diffusivity,), state, derivatives)
        for axis, component in enumerate(self.velocity(derivatives.grid.num_dims)):
            if isinstance(component, Tensor) or component != 0:
                slope = derivatives.first(state, axis)[:, 0]
                total = total - (expand(component, slope) * slope)[:, None]
        return total

    def linear_symbol(self, waves: Waves) -> Complex[Tensor, "..."]:
        """Return -i k·v - Σ D_d k_d²."""
        total = diffusion_symbol(self.diffusivity, waves).to(torch.complex128)
        for axis, component in enumerate(self.velocity(len(waves.seconds))):
            if isinstance(component, Tensor) or component != 0:
                total = total - per_mode(component, waves, "velocities") * waves.first(axis)
        return total[:, None]

    def transport_symbol(self, waves: Waves) -> Complex[Tensor, "..."]:
        """Return the eigenvalues for the largest |v| and D, where they vary in space."""
        spread = self.diffusivity
        bounds: dict[str, Any] = {name: _fastest(value) for name, value in self.parameters().items()}
        if isinstance(spread, tuple):
            bounds["diffusivity"] = tuple(map(largest_diffusivity, spread))
        else:
            bounds["diffusivity"] = largest_diffusivity(spread)
        return self.with_parameters(bounds).linear_symbol(waves)

    def factored_nonlinear(self) -> Factored:
        """Return nothing: the equation is linear."""
        return Factored(torch.zeros_like, coefficients=(0.0,), source=(0.0,))

    def homogeneous_states(self) -> tuple[tuple[Parameter, ...], ...]:
        """Return 0; every other constant is steady too."""
        return ((0.0,),)


def _fastest(velocity: Parameter) -> Parameter:
    """The largest |v| in space, or v itself."""
    if isinstance(velocity, Tensor) and varies_in_space(velocity):
        return velocity.abs().flatten(1).amax(1)
    return velocity
