"""The FitzHugh-Nagumo equations: nerve pulses, spiral waves, labyrinths."""

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

_PDEBENCH = {
    "threshold": 5e-3,
    "recovery_rate": 1.0,
    "recovery_decay": 1.0,
    "diffusivity_u": 1e-3,
    "diffusivity_v": 5e-3,
}


@dataclass(frozen=True, eq=False)
class FitzHughNagumo(ReactionDiffusion):
    """An excitable medium: a voltage that fires and a recovery that follows it.

        ∂u/∂t = D_u ∇²u + u - u³ - v - k
        ∂v/∂t = D_v ∇²v + ε (u - γ v)

    u, the activator (membrane voltage), jumps between two branches near -1 and +1 of the cubic; v, the
    recovery, follows at rate ε and pushes it back. The homogeneous steady states are the roots of
    u - u³ - u/γ = k with v = u/γ: one for γ <= 1, up to three beyond. What happens depends on where they lie:

    - ε << 1, one state with |u| > 1/√3: **excitable**; a push beyond the threshold fires one pulse, broken
      pulses curl into spirals;
    - ε << 1, one state with |u| < 1/√3: it oscillates;
    - γ > 1, three states: **bistable**; fronts, which a fast inhibitor (D_v > D_u) bends into labyrinths;
    - ε of order 1, D_v >> D_u, |u| < 1/√3: **Turing** patterns, if with f = 1 - 3u² and d = D_v / D_u
      both f < εγ and d f - εγ > 2 √(d ε (1 - γ f)).

    PDEBench's "2D diffusion-reaction" is ε = γ = 1, D_u = 1e-3, D_v = 5e-3, k = 5e-3 on a square of side 2
    with no-flux walls: preset "pdebench". Everything is dimensionless.

    Arguments:
        threshold: k; a number, (batch,) or (batch, *space).
        recovery_rate: ε (1/time); likewise.
        recovery_decay: γ; likewise.
        diffusivity_u: D_u (length²/time); a number, (batch,), (batch, *space), or one of these per axis.
        diffusivity_v: D_v (length²/time); likewise.

    References:
        R. FitzHugh, Impulses and physiological states in theoretical models of nerve membrane, Biophys. J. 1
        (1961) 445; labyrinths: A. Hagberg, E. Meron, From labyrinthine patterns to spiral turbulence, Phys.
        Rev. Lett. 72 (1994) 2494; the benchmark: M. Takamoto et al., PDEBench, arXiv 2210.07182.
    """

    name: ClassVar[str] = "fitzhugh-nagumo"
    fields: ClassVar[tuple[Field, ...]] = (Field("u"), Field("v"))
    presets: ClassVar[Mapping[str, Preset]] = {
        "labyrinth": Preset(
            description="fronts that bend and fill the plane with a labyrinth; becomes steady",
            parameters={
                "threshold": 0.05,
                "recovery_rate": 0.05,
                "recovery_decay": 2.0,
                "diffusivity_u": 1.0,
                "diffusivity_v": 4.0,
            },
            initial_condition="seeds",
            initial_options={
                "outside": (-0.7, -0.35),
                "inside": (0.8, -0.2),
                "radius": 4.0,
                "density": 1e-3,
            },
            num_cells=128,
            spacing=1.0,
            num_frames=101,
            frame_interval=6.0,
            time_step=0.1,
        ),
        "spirals": Preset(
            description="a rotating spiral wave in an excitable medium; never steady",
            parameters={
                "threshold": 0.82,
                "recovery_rate": 0.06,
                "recovery_decay": 0.5,
                "diffusivity_u": 1.0,
                "diffusivity_v": 0.0,
            },
            initial_condition="spiral",
            initial_options={"means": (0.0, -0.8), "amplitudes": (1.0, 0.4), "sharpness": 4.0},
            num_cells=128,
            spacing=1.0,
            num_frames=201,
            frame_interval=2.0,
            time_step=0.1,
            boundary="no-flux",
        ),
        "turing": Preset(
            description="PDEBench's constants, run until the Turing pattern is complete",
            parameters=_PDEBENCH,
            initial_condition="smooth-noise",
            initial_options={"means": (-0.17, -0.17), "amplitudes": (0.1, 0.1), "density": 16.0},
            num_cells=128,
            spacing=1 / 64,
            num_frames=101,
            frame_interval=2.0,
            time_step=0.1,
        ),
        "pdebench": Preset(
            description="PDEBench's 2-D diffusion-reaction, its start, walls, grid and frames",
            parameters=_PDEBENCH,
            initial_condition="white-noise",
            initial_options={"means": (0.0, 0.0), "amplitudes": (1.0, 1.0)},
            num_cells=128,
            spacing=1 / 64,
            num_frames=101,
            frame_interval=0.05,
            time_step=0.01,
            boundary="no-flux",
        ),
    }

    threshold: Parameter = 5e-3
    recovery_rate: Parameter = 1.0
    recovery_decay: Parameter = 1.0
    diffusivity_u: Diffusivity = 1e-3
    diffusivity_v: Diffusivity = 5e-3

    def parameters(self) -> dict[str, Parameter]:
        """Return threshold, recovery_rate and recovery_decay."""
        return {
            "threshold": self.threshold,
            "recovery_rate": self.recovery_rate,
            "recovery_decay": self.recovery_decay,
        }

    def diffusivities(self) -> tuple[Diffusivity, ...]:
        """Return D_u and D_v."""
        return (self.diffusivity_u, self.diffusivity_v)

    def reaction(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return (u - u³ - v - k, ε (u - γ v))."""
        u, v = state.unbind(1)
        rate, decay = expand(self.recovery_rate, u), expand(self.recovery_decay, u)
        return torch.stack((u - u**3 - v - expand(self.threshold, u), rate * (u - decay * v)), dim=1)

    def linear_rate(self) -> tuple[Parameter, ...]:
        """Return (-2, -εγ), how u relaxes on its outer branches ±1; of what varies in space, the means."""
        return (-2.0, -(mean_over_space(self.recovery_rate) * mean_over_space(self.recovery_decay)))

    def factored_nonlinear(self) -> Factored:
        """Return (-k, 0) + (3u - u³ - v, ε u)."""
        if any(map(varies_in_space, (self.threshold, self.recovery_rate, self.recovery_decay))):
            return super().factored_nonlinear()

        def product(state: Tensor) -> Tensor:
            u, v = state.unbind(1)
            return torch.stack((u * (3 - u * u) - v, u), dim=1)

        return Factored(product, coefficients=(1.0, self.recovery_rate), source=(-self.threshold, 0.0))

    def budget(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, " batch"]:
        """Return d<u + v>/dt, the mean of the reactions."""
        return self.reaction(state).sum(1).flatten(1).mean(1)

    def homogeneous_states(self) -> tuple[tuple[Parameter, ...], ...]:
        """Return the real roots of u - u³ - u/γ = k with v = u/γ; none unless k and γ > 0 are numbers."""
        k, decay = self.threshold, self.recovery_decay
        if isinstance(k, Tensor) or isinstance(decay, Tensor) or decay <= 0:
            return ()
        roots = np.roots([1.0, 0.0, 1 / decay - 1, k])
        real = sorted(float(root.real) for root in roots if abs(root.imag) < 1e-9)
        return tuple((u, u / decay) for u in real)
