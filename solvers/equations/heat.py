"""The heat equation: the exactly solvable case against which every solver is measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.field import Field

from ..equation import Preset
from ..parameters import Parameter
from ..reaction_diffusion import Diffusivity, ReactionDiffusion


@dataclass(frozen=True, eq=False)
class Heat(ReactionDiffusion):
    """Plain diffusion of one field.

        ∂T/∂t = D ∇²T

    Periodic waves exp(i k·x) and, with no-flux walls, products of cos(π n x / L) decay as exp(-D k² t).

    Arguments:
        diffusivity: D (length²/time); a number, (batch,), (batch, *space), or one of these per axis.
    """

    name: ClassVar[str] = "heat"
    fields: ClassVar[tuple[Field, ...]] = (Field("T"),)
    presets: ClassVar[Mapping[str, Preset]] = {
        "noise": Preset(
            description="rough random temperatures that smooth out, short waves first",
            parameters={"diffusivity": 0.01},
            initial_condition="smooth-noise",
            initial_options={"means": (0.5,), "amplitudes": (0.5,), "density": 8.0},
            num_cells=64,
            spacing=1 / 32,
            num_frames=51,
            frame_interval=0.02,
            time_step=0.02,
        ),
    }

    diffusivity: Diffusivity

    def parameters(self) -> dict[str, Parameter]:
        """Return the diffusivity; nothing if there is one per axis."""
        return {} if isinstance(self.diffusivity, tuple) else {"diffusivity": self.diffusivity}

    def diffusivities(self) -> tuple[Diffusivity, ...]:
        """Return D."""
        return (self.diffusivity,)

    def reaction(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return zero: nothing reacts."""
        return torch.zeros_like(state)

    def budget(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, " batch"]:
        """Return zero: heat is conserved."""
        return torch.zeros_like(state[:, 0].flatten(1)[:, 0])

    def homogeneous_states(self) -> tuple[tuple[Parameter, ...], ...]:
        """Return 0; every other constant is steady too."""
        return ((0.0,),)
