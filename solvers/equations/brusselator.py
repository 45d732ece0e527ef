"""The Brusselator: hexagons, stripes and chemical waves from one scheme."""

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


def _turing_preset(description: str, supply_b: float) -> Preset:
    return Preset(
        description=description,
        parameters={"supply_a": 4.5, "supply_b": supply_b, "diffusivity_u": 2.0, "diffusivity_v": 16.0},
        initial_condition="smooth-noise",
        initial_options={"means": (4.5, supply_b / 4.5), "amplitudes": (0.1, 0.0), "density": 0.5},
        num_cells=128,
        spacing=0.5,
        num_frames=101,
        frame_interval=2.0,
        time_step=0.05,
    )


@dataclass(frozen=True, eq=False)
class Brusselator(ReactionDiffusion):
    """An autocatalytic scheme A -> U, B + U -> V, 2U + V -> 3U, U -> out.

        ∂u/∂t = D_u ∇²u + A - (B + 1) u + u² v
        ∂v/∂t = D_v ∇²v + B u - u² v

    A and B are the concentrations of two reactants held constant. The only homogeneous steady state is u = A,
    v = B / A. It loses stability in two ways as B grows:

        oscillation (Hopf):  B > 1 + A², with frequency A
        pattern (Turing):    B > (1 + A √(D_u / D_v))², with wavenumber k² = A / √(D_u D_v)

    The smaller threshold wins: a slow u (D_u << D_v) makes patterns, equal diffusivities make oscillations
    that break up into waves. With A = 4.5, D_u = 2, D_v = 16 the Turing threshold is 6.71: hexagons of spots
    just above it, stripes from about B = 7.5. Everything is dimensionless.

    Arguments:
        supply_a: A; a number, (batch,) or (batch, *space).
        supply_b: B; likewise.
        diffusivity_u: D_u (length²/time); a number, (batch,), (batch, *space), or one of these per axis.
        diffusivity_v: D_v (length²/time); likewise.

    References:
        I. Prigogine, R. Lefever, Symmetry breaking instabilities in dissipative systems II, J. Chem. Phys. 48
        (1968) 1695; patterns: B. Peña, C. Pérez-García, Stability of Turing patterns in the Brusselator
        model, Phys. Rev. E 64 (2001) 056213.
    """

    name: ClassVar[str] = "brusselator"
    fields: ClassVar[tuple[Field, ...]] = (Field("u"), Field("v"))
    presets: ClassVar[Mapping[str, Preset]] = {
        "hexagons": _turing_preset("spots in a hexagonal lattice; becomes steady", 7.0),
        "stripes": _turing_preset("stripes and their defects; becomes steady", 8.0),
        "waves": Preset(
            description="an oscillating chemistry, its waves broken into spirals; never steady",
            parameters={"supply_a": 1.0, "supply_b": 3.0, "diffusivity_u": 0.25, "diffusivity_v": 0.25},
            initial_condition="smooth-noise",
            initial_options={"means": (1.0, 3.0), "amplitudes": (1.0, 1.0), "density": 0.05},
            num_cells=128,
            spacing=1.0,
            num_frames=201,
            frame_interval=1.0,
            time_step=0.05,
        ),
    }

    supply_a: Parameter = 4.5
    supply_b: Parameter = 7.0
    diffusivity_u: Diffusivity = 2.0
    diffusivity_v: Diffusivity = 16.0

    def parameters(self) -> dict[str, Parameter]:
        """Return supply_a and supply_b."""
        return {"supply_a": self.supply_a, "supply_b": self.supply_b}

    def diffusivities(self) -> tuple[Diffusivity, ...]:
        """Return D_u and D_v."""
        return (self.diffusivity_u, self.diffusivity_v)

    def reaction(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return (A - (B + 1) u + u² v, B u - u² v)."""
        u, v = state.unbind(1)
        conversion = self._conversion(u, v)
        return torch.stack((expand(self.supply_a, u) - u + conversion, -conversion), dim=1)

    def linear_rate(self) -> tuple[Parameter, ...]:
        """Return (-1, 0)."""
        return (-1.0, 0.0)

    def factored_nonlinear(self) -> Factored:
        """Return (A, 0) + (+1, -1) (u² v - B u): both fields share the one product."""
        if varies_in_space(self.supply_a):
            return super().factored_nonlinear()
        return Factored(
            lambda state: self._conversion(state[:, 0], state[:, 1])[:, None],
            coefficients=(1.0, -1.0),
            source=(self.supply_a, 0.0),
        )

    def budget(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, " batch"]:
        """Return d<u + v>/dt = <A - u>."""
        u = state[:, 0]
        return (expand(self.supply_a, u) - u).flatten(1).mean(1)

    def homogeneous_states(self) -> tuple[tuple[Parameter, ...], ...]:
        """Return (A, B / A); none if A or B varies in space."""
        if varies_in_space(self.supply_a) or varies_in_space(self.supply_b):
            return ()
        return ((self.supply_a, self.supply_b / self.supply_a),)

    def _conversion(self, u: Tensor, v: Tensor) -> Tensor:
        """What V turns into U, less what U turns into V: u² v - B u."""
        return (u * v - expand(self.supply_b, u)) * u
