"""The Gierer-Meinhardt equations: local activation, long-range inhibition."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.field import Field

from ..equation import Factored, Preset
from ..parameters import Parameter, expand, mean_over_space, varies_in_space
from ..reaction_diffusion import Diffusivity, ReactionDiffusion


def _preset(
    description: str,
    saturation: float,
    diffusivity_h: float,
    *,
    means: tuple[float, float],
    spacing: float,
) -> Preset:
    return Preset(
        description=description,
        parameters={"saturation": saturation, "supply": 0.02, "diffusivity_h": diffusivity_h},
        initial_condition="smooth-noise",
        initial_options={"means": means, "amplitudes": (0.1, 0.0), "density": 0.5},
        num_cells=128,
        spacing=spacing,
        num_frames=101,
        frame_interval=2.0,
        time_step=0.05,
    )


@dataclass(frozen=True, eq=False)
class GiererMeinhardt(ReactionDiffusion):
    """A theory of how tissue finds its places: an activator that calls its own inhibitor.

        ∂a/∂t = D_a ∇²a + ρ a² / ((1 + κ a²) h) - μ a + σ
        ∂h/∂t = D_h ∇²h + ρ a² - ν h

    a, the activator, makes more of itself, and of the inhibitor h, which slows it down and spreads further
    (D_h >> D_a). Spots of activator appear at a distance from each other; saturation of the autocatalysis,
    κ > 0, widens them into stripes. σ is a small supply everywhere, which lets new spots arise in empty
    ground. Without saturation the homogeneous steady state is a = (ν + σ)/μ, h = ρ a²/ν; it does not
    oscillate if the inhibitor is quick, 2 ν μ/(ν + σ) < μ + ν, and is unstable to waves if moreover D_h / D_a
    is large (12.1 for the defaults). Everything is dimensionless.

    Arguments:
        production: ρ; a number, (batch,) or (batch, *space).
        activator_decay: μ (1/time); likewise.
        inhibitor_decay: ν (1/time); likewise.
        saturation: κ; likewise.
        supply: σ (1/time); likewise.
        diffusivity_a: D_a (length²/time); a number, (batch,), (batch, *space), or one of these per axis.
        diffusivity_h: D_h (length²/time); likewise.

    Validity: h must stay positive; starts with h <= 0 somewhere blow up.

    References:
        A. Gierer, H. Meinhardt, A theory of biological pattern formation, Kybernetik 12 (1972) 30; saturation
        and stripes: A. J. Koch, H. Meinhardt, Biological pattern formation: from basic mechanisms to complex
        structures, Rev. Mod. Phys. 66 (1994) 1481.
    """

    name: ClassVar[str] = "gierer-meinhardt"
    fields: ClassVar[tuple[Field, ...]] = (Field("a"), Field("h"))
    presets: ClassVar[Mapping[str, Preset]] = {
        "spots": _preset(
            "isolated spots of activator; becomes steady", 0.0, 30.0, means=(2.02, 2.04), spacing=0.5
        ),
        "stripes": _preset(
            "stripes, because the activator saturates; becomes steady",
            0.15,
            100.0,
            means=(1.51, 1.14),
            spacing=0.75,
        ),
    }

    production: Parameter = 1.0
    activator_decay: Parameter = 1.0
    inhibitor_decay: Parameter = 2.0
    saturation: Parameter = 0.0
    supply: Parameter = 0.02
    diffusivity_a: Diffusivity = 1.0
    diffusivity_h: Diffusivity = 30.0

    def parameters(self) -> dict[str, Parameter]:
        """Return production, activator_decay, inhibitor_decay, saturation and supply."""
        names = ("production", "activator_decay", "inhibitor_decay", "saturation", "supply")
        return {name: getattr(self, name) for name in names}

    def diffusivities(self) -> tuple[Diffusivity, ...]:
        """Return D_a and D_h."""
        return (self.diffusivity_a, self.diffusivity_h)

    def reaction(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return (ρ a² / ((1 + κ a²) h) - μ a + σ, ρ a² - ν h)."""
        a, h = state.unbind(1)
        production, inhibitor = self._production(state).unbind(1)
        activator = production - expand(self.activator_decay, a) * a + expand(self.supply, a)
        return torch.stack((activator, inhibitor - expand(self.inhibitor_decay, a) * h), dim=1)

    def linear_rate(self) -> tuple[Parameter, ...]:
        """Return (-μ, -ν); of parameters that vary in space, their means."""
        return (-mean_over_space(self.activator_decay), -mean_over_space(self.inhibitor_decay))

    def factored_nonlinear(self) -> Factored:
        """Return (σ, 0) + ρ a² (1 / ((1 + κ a²) h), 1)."""
        if any(map(varies_in_space, self.parameters().values())):
            return super().factored_nonlinear()
        return Factored(self._production, coefficients=(1.0, 1.0), source=(self.supply, 0.0))

    def budget(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, " batch"]:
        """Return d<a + h>/dt, the mean of the reactions."""
        return self.reaction(state).sum(1).flatten(1).mean(1)

    def homogeneous_states(self) -> tuple[tuple[Parameter, ...], ...]:
        """Return a = (ν + σ)/μ, or with saturation the roots of (μ a - σ)(1 + κ a²) = ν; h = ρ a²/ν.

        None if a constant varies in space, or there is saturation and a constant is not a number.
        """
        if any(map(varies_in_space, self.parameters().values())):
            return ()
        decay, inhibitor_decay = self.activator_decay, self.inhibitor_decay
        if not isinstance(self.saturation, Tensor) and self.saturation == 0:
            a = (inhibitor_decay + self.supply) / decay
            return ((a, self.production * a**2 / inhibitor_decay),)
        numbers = (self.saturation, decay, inhibitor_decay, self.supply)
        if any(isinstance(value, Tensor) for value in numbers):
            return ()
        k, mu, nu, sigma = map(float, numbers)
        roots = np.roots([mu * k, -sigma * k, mu, -sigma - nu])
        real = sorted(float(root.real) for root in roots if abs(root.imag) < 1e-9 and root.real > 0)
        return tuple((a, self.production * a**2 / inhibitor_decay) for a in real)

    def _production(self, state: Tensor) -> Tensor:
        a, h = state.unbind(1)
        square = a * a
        made = expand(self.production, a) * square
        return torch.stack((made / ((1 + expand(self.saturation, a) * square) * h), made), dim=1)
