"""The Allen-Cahn equation: two phases, and walls between them that shorten."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from pdenca.core.field import Field

from ..derivatives import Derivatives
from ..equation import Factored, Preset
from ..parameters import Parameter, expand, varies_in_space
from ..reaction_diffusion import Diffusivity, ReactionDiffusion, diffuse


@dataclass(frozen=True, eq=False)
class AllenCahn(ReactionDiffusion):
    """Ordering into two equal phases, with nothing conserved.

        ∂u/∂t = D ∇²u + u - u³ + h

    u is the order parameter: the phases are u = ±1 (shifted a little by the bias h), and u = 0 is unstable.
    From noise, domains form within a few time units, separated by walls of profile tanh(x / √(2D)). For h = 0
    a wall moves towards its centre of curvature at speed D · curvature, so a disc of radius R vanishes after
    R² / (2D) and domains grow as √t. A bias makes the favoured phase advance, straight walls at speed
    ≈ (3/√2) h √D for small h. It is the gradient flow of

        F = < ¼ (1 - u²)² - h u + ½ D |∇u|² >.

    Arguments:
        diffusivity: D (length²/time); a number, (batch,), (batch, *space), or one of these per axis.
        bias: h; a number, (batch,) or (batch, *space).

    References:
        S. M. Allen, J. W. Cahn, A microscopic theory for antiphase boundary motion and its application to
        antiphase domain coarsening, Acta Metall. 27 (1979) 1085.
    """

    name: ClassVar[str] = "allen-cahn"
    fields: ClassVar[tuple[Field, ...]] = (Field("u"),)
    presets: ClassVar[Mapping[str, Preset]] = {
        "coarsening": Preset(
            description="domains of two phases that grow, usually until one remains",
            parameters={"diffusivity": 1.0},
            initial_condition="smooth-noise",
            initial_options={"means": (0.0,), "amplitudes": (0.5,), "density": 0.25},
            num_cells=128,
            spacing=0.75,
            num_frames=101,
            frame_interval=2.0,
            time_step=0.1,
        ),
        "invasion": Preset(
            description="the favoured phase grows from seeds and takes all",
            parameters={"diffusivity": 1.0, "bias": 0.15},
            initial_condition="seeds",
            initial_options={"outside": (-0.91,), "inside": (1.07,), "radius": 10.0, "density": 3e-4},
            num_cells=128,
            spacing=0.75,
            num_frames=101,
            frame_interval=1.0,
            time_step=0.1,
        ),
    }

    diffusivity: Diffusivity = 1.0
    bias: Parameter = 0.0

    def parameters(self) -> dict[str, Parameter]:
        """Return the bias."""
        return {"bias": self.bias}

    def diffusivities(self) -> tuple[Diffusivity, ...]:
        """Return D."""
        return (self.diffusivity,)

    def reaction(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return u - u³ + h."""
        u = state[:, 0]
        return (u - u**3 + expand(self.bias, u))[:, None]

    def linear_rate(self) -> tuple[Parameter, ...]:
        """Return -2, at which both phases are approached: in them nothing nonlinear remains to first order.

        That keeps large time steps stable.
        """
        return (-2.0,)

    def factored_nonlinear(self) -> Factored:
        """Return h + 3u - u³."""
        if varies_in_space(self.bias):
            return super().factored_nonlinear()
        return Factored(lambda state: state * (3 - state * state), coefficients=(1.0,), source=(self.bias,))

    def budget(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, " batch"]:
        """Return d<u>/dt, the mean of the reaction."""
        return self.reaction(state).flatten(1).mean(1)

    def free_energy(
        self, state: Float[Tensor, "batch channel *space"], derivatives: Derivatives
    ) -> Float[Tensor, " batch"]:
        """Return F, the gradient term written as -½ u ∇·(D ∇u) so that stencils make it fall too."""
        u = state[:, 0]
        spread = diffuse(self.diffusivities(), state, derivatives)[:, 0]
        density = (1 - u**2) ** 2 / 4 - expand(self.bias, u) * u - u * spread / 2
        return density.flatten(1).mean(1)

    def homogeneous_states(self) -> tuple[tuple[Parameter, ...], ...]:
        """Return -1, 0 and 1 without bias; none if there is one."""
        if isinstance(self.bias, Tensor) or self.bias != 0:
            return ()
        return ((-1.0,), (0.0,), (1.0,))
