"""The Fisher-KPP equation: a population that invades."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from pdenca.core.field import Field

from ..equation import Factored, Preset
from ..parameters import Parameter, expand, mean_over_space, varies_in_space
from ..reaction_diffusion import Diffusivity, ReactionDiffusion


@dataclass(frozen=True, eq=False)
class FisherKPP(ReactionDiffusion):
    """Growth up to a capacity, and spreading.

        ∂u/∂t = D ∇²u + r u (1 - u)

    u is the density of a population as a fraction of what the ground carries. u = 0 is unstable, u = 1
    stable; from any localised start a front invades the empty ground at speed 2 √(r D), approached slowly
    from below. Faster fronts exist from starts that decay slowly; one is known exactly,

        u = (1 + exp((x - c t) √(r / 6D)))⁻²,   c = 5 √(r D / 6).

    Arguments:
        growth_rate: r (1/time); a number, (batch,) or (batch, *space).
        diffusivity: D (length²/time); a number, (batch,), (batch, *space), or one of these per axis.

    Validity: for u < 0 the solution runs away to -∞ in finite time; start with u >= 0.

    References:
        R. A. Fisher, The wave of advance of advantageous genes, Ann. Eugenics 7 (1937) 355; A. Kolmogorov, I.
        Petrovsky, N. Piskunov (1937); the exact front: M. J. Ablowitz, A. Zeppetella, Bull. Math. Biol. 41
        (1979) 835.
    """

    name: ClassVar[str] = "fisher-kpp"
    fields: ClassVar[tuple[Field, ...]] = (Field("u"),)
    presets: ClassVar[Mapping[str, Preset]] = {
        "invasion": Preset(
            description="circular fronts from a few seeds, until the plane is full",
            parameters={"growth_rate": 1.0, "diffusivity": 1.0},
            initial_condition="seeds",
            initial_options={"outside": (0.0,), "inside": (1.0,), "radius": 2.0, "density": 3e-4},
            num_cells=128,
            spacing=0.75,
            num_frames=101,
            frame_interval=0.25,
            time_step=0.125,
        ),
        "front": Preset(
            description="one ragged front that straightens as it advances; walls at both ends",
            parameters={"growth_rate": 1.0, "diffusivity": 1.0},
            initial_condition="front",
            initial_options={"behind": (1.0,), "ahead": (0.0,), "position": (0.1, 0.2), "roughness": 3.0},
            num_cells=128,
            spacing=0.75,
            num_frames=101,
            frame_interval=0.3,
            time_step=0.1,
            boundary="no-flux",
        ),
    }

    growth_rate: Parameter = 1.0
    diffusivity: Diffusivity = 1.0

    def parameters(self) -> dict[str, Parameter]:
        """Return the growth rate."""
        return {"growth_rate": self.growth_rate}

    def diffusivities(self) -> tuple[Diffusivity, ...]:
        """Return D."""
        return (self.diffusivity,)

    def reaction(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return r u (1 - u)."""
        u = state[:, 0]
        return (expand(self.growth_rate, u) * u * (1 - u))[:, None]

    def linear_rate(self) -> tuple[Parameter, ...]:
        """Return -r, how the capacity is approached; of a rate that varies in space, the mean."""
        return (-mean_over_space(self.growth_rate),)

    def factored_nonlinear(self) -> Factored:
        """Return r (2u - u²)."""
        if varies_in_space(self.growth_rate):
            return super().factored_nonlinear()
        return Factored(lambda state: state * (2 - state), coefficients=(self.growth_rate,), source=(0.0,))

    def budget(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, " batch"]:
        """Return d<u>/dt = <r u (1 - u)>."""
        return self.reaction(state).flatten(1).mean(1)

    def homogeneous_states(self) -> tuple[tuple[Parameter, ...], ...]:
        """Return 0 and 1."""
        return ((0.0,), (1.0,))
