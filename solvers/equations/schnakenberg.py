"""The Schnakenberg equations: the simplest chemistry with a Turing pattern."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.field import Field

from ..equation import Factored, Preset
from ..parameters import Parameter, expand, varies_in_space
from ..reaction_diffusion import Diffusivity, ReactionDiffusion


def _preset(description: str, supply_u: float, supply_v: float, diffusivity_v: float) -> Preset:
    state = (supply_u + supply_v, supply_v / (supply_u + supply_v) ** 2)
    return Preset(
        description=description,
        parameters={"supply_u": supply_u, "supply_v": supply_v, "diffusivity_v": diffusivity_v},
        initial_condition="smooth-noise",
        initial_options={"means": state, "amplitudes": (0.1, 0.0), "density": 0.5},
        num_cells=128,
        spacing=0.75,
        num_frames=101,
        frame_interval=5.0,
        time_step=0.25,
    )


@dataclass(frozen=True, eq=False)
class Schnakenberg(ReactionDiffusion):
    """An activator that multiplies on a substrate: A -> U, B -> V, 2U + V -> 3U, U -> out.

        ∂u/∂t = D_u ∇²u + a - u + u² v
        ∂v/∂t = D_v ∇²v + b - u² v

    u, the activator, is supplied at rate a, decays, and makes more of itself from the substrate v, which is
    supplied at rate b. Everything is dimensionless: time in lifetimes of u, lengths in √(D_u · time).

    The only homogeneous steady state is u = a + b, v = b / (a + b)². Without diffusion it is stable if
    b - a < (a + b)³, else it oscillates (Hopf). With d = D_v / D_u it is unstable to waves (Turing) if

        d (b - a)/(a + b) - (a + b)² > 2 √d (a + b),

    that is, if the substrate spreads much faster than the activator: d > 8.57 for a = 0.1, b = 0.9. Just
    above, the waves of k² = (a + b) / √(D_u D_v) grow. Spots in hexagons are usual. For b = 8a the quadratic
    terms cancel on the critical waves, which leaves stripes within some 10% above the threshold (11.39 for
    a = 1/8, b = 1).

    Arguments:
        supply_u: a (1/time); a number, (batch,) or (batch, *space).
        supply_v: b (1/time); likewise.
        diffusivity_u: D_u (length²/time); a number, (batch,), (batch, *space), or one of these per axis.
        diffusivity_v: D_v (length²/time); likewise.

    References:
        J. Schnakenberg, Simple chemical reaction systems with limit cycle behaviour, J. Theor. Biol. 81
        (1979) 389; conditions of instability: J. D. Murray, Mathematical Biology II, 3rd edition (2003),
        chapter 2.
    """

    name: ClassVar[str] = "schnakenberg"
    fields: ClassVar[tuple[Field, ...]] = (Field("u"), Field("v"))
    presets: ClassVar[Mapping[str, Preset]] = {
        "spots": _preset("spots of activator in a hexagonal lattice, which orders slowly", 0.1, 0.9, 10.0),
        "stripes": _preset("stripes and their defects, which anneal slowly", 0.125, 1.0, 12.3),
    }

    supply_u: Parameter = 0.1
    supply_v: Parameter = 0.9
    diffusivity_u: Diffusivity = 1.0
    diffusivity_v: Diffusivity = 10.0

    def parameters(self) -> dict[str, Parameter]:
        """Return supply_u and supply_v."""
        return {"supply_u": self.supply_u, "supply_v": self.supply_v}

    def diffusivities(self) -> tuple[Diffusivity, ...]:
        """Return D_u and D_v."""
        return (self.diffusivity_u, self.diffusivity_v)

    def reaction(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return (a - u + u² v, b - u² v)."""
        u, v = state.unbind(1)
        conversion = u * u * v
        return torch.stack(
            (expand(self.supply_u, u) - u + conversion, expand(self.supply_v, u) - conversion), dim=1
        )

    def linear_rate(self) -> tuple[Parameter, ...]:
        """Return (-1, 0)."""
        return (-1.0, 0.0)

    def factored_nonlinear(self) -> Factored:
        """Return (a, b) + (+1, -1) u² v: both fields share the one product."""
        if varies_in_space(self.supply_u) or varies_in_space(self.supply_v):
            return super().factored_nonlinear()
        return Factored(_conversion, coefficients=(1.0, -1.0), source=(self.supply_u, self.supply_v))

    def budget(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, " batch"]:
        """Return d<u + v>/dt = <a + b - u>."""
        u = state[:, 0]
        return (expand(self.supply_u, u) + expand(self.supply_v, u) - u).flatten(1).mean(1)

    def homogeneous_states(self) -> tuple[tuple[Parameter, ...], ...]:
        """Return (a + b, b / (a + b)²); none if a or b varies in space."""
        if varies_in_space(self.supply_u) or varies_in_space(self.supply_v):
            return ()
        u = self.supply_u + self.supply_v
        return ((u, self.supply_v / u**2),)


def _conversion(state: Tensor) -> Tensor:
    u, v = state[:, :1], state[:, 1:]
    return (u * u).mul_(v)
