"""The Swift-Hohenberg equation: one field that chooses its own wavelength."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from pdenca.core.field import Field

from ..derivatives import Derivatives
from ..equation import Equation, Factored, Preset
from ..parameters import Parameter, expand
from ..waves import Waves


def _preset(
    description: str, forcing: float, asymmetry: float, *, frame_interval: float, amplitude: float = 0.1
) -> Preset:
    return Preset(
        description=description,
        parameters={"forcing": forcing, "asymmetry": asymmetry},
        initial_condition="smooth-noise",
        initial_options={"means": (0.0,), "amplitudes": (amplitude,), "density": 0.5},
        num_cells=128,
        spacing=pi / 4,
        num_frames=101,
        frame_interval=frame_interval,
        time_step=0.25,
    )


@dataclass(frozen=True, eq=False)
class SwiftHohenberg(Equation):
    """The normal form of a pattern with a preferred wavelength, first written for convection rolls.

        ∂u/∂t = r u - (1 + ∇²)² u + g u² - u³

    u is the amplitude of the pattern (temperature in the mid-plane of a convection cell). Waves of length 2π
    (|k| = 1) grow at rate r, all others more slowly or not at all: u = 0 is stable for r < 0. It is a
    gradient flow, ∂u/∂t = -δF/δu with

        F = < ½ ((1 + ∇²) u)² - ½ r u² - ⅓ g u³ + ¼ u⁴ >,

    so F falls until the pattern is steady; no oscillation, no chaos. For g = 0 the pattern is stripes, of
    amplitude u ≈ 2 √(r/3) cos(k x). The quadratic term g breaks u -> -u and favours hexagons, which then also
    exist, beside u = 0, at slightly negative r; with g above about 1 patches of them sit in an empty plane.

    Arguments:
        forcing: r (1/time); a number, (batch,) or (batch, *space).
        asymmetry: g; likewise.

    Validity: the term ∇⁴ makes explicit methods need time steps of order spacing⁴; use a spectral one.

    References:
        J. Swift, P. C. Hohenberg, Hydrodynamic fluctuations at the convective instability, Phys. Rev. A 15
        (1977) 319; M. C. Cross, P. C. Hohenberg, Pattern formation outside of equilibrium, Rev. Mod. Phys. 65
        (1993) 851.
    """

    name: ClassVar[str] = "swift-hohenberg"
    fields: ClassVar[tuple[Field, ...]] = (Field("u"),)
    presets: ClassVar[Mapping[str, Preset]] = {
        "stripes": _preset("stripes with defects that anneal; becomes steady", 0.3, 0.0, frame_interval=5.0),
        "hexagons": _preset("spots in a hexagonal lattice; becomes steady", 0.1, 1.0, frame_interval=5.0),
        "localised": Preset(
            description="localised spots in an empty plane; becomes steady",
            parameters={"forcing": -0.2, "asymmetry": 1.6},
            initial_condition="seeds",
            initial_options={"outside": (0.0,), "inside": (1.5,), "radius": 3.0, "density": 5e-4},
            num_cells=128,
            spacing=pi / 4,
            num_frames=101,
            frame_interval=5.0,
            time_step=0.25,
        ),
    }

    forcing: Parameter = 0.3
    asymmetry: Parameter = 0.0

    def parameters(self) -> dict[str, Parameter]:
        """Return forcing and asymmetry."""
        return {"forcing": self.forcing, "asymmetry": self.asymmetry}

    def rate(
        self, state: Float[Tensor, "batch channel *space"], derivatives: Derivatives
    ) -> Float[Tensor, "batch channel *space"]:
        """Return r u - u - 2∇²u - ∇⁴u + g u² - u³."""
        local = self._reaction(state) - state
        return local - 2 * derivatives.laplacian(state) - derivatives.biharmonic(state)

    def linear_symbol(self, waves: Waves) -> Float[Tensor, "..."]:
        """Return -(1 - |k|²)², which never grows; the forcing is left to the nonlinear part."""
        return -((1 + waves.laplacian) ** 2)[None, None]

    def factored_nonlinear(self) -> Factored:
        """Return r u + g u² - u³."""
        return Factored(self._reaction, coefficients=(1.0,), source=(0.0,))

    def budget(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, " batch"]:
        """Return d<u>/dt = <(r - 1) u + g u² - u³>."""
        return (self._reaction(state) - state).flatten(1).mean(1)

    def free_energy(
        self, state: Float[Tensor, "batch channel *space"], derivatives: Derivatives
    ) -> Float[Tensor, " batch"]:
        """Return F, the squared gradient term written as ½ u (1 + ∇²)² u so that stencils decay it too."""
        u = state[:, 0]
        spread = (state + 2 * derivatives.laplacian(state) + derivatives.biharmonic(state))[:, 0]
        forcing, asymmetry = expand(self.forcing, u), expand(self.asymmetry, u)
        density = u * spread / 2 - forcing * u**2 / 2 - asymmetry * u**3 / 3 + u**4 / 4
        return density.flatten(1).mean(1)

    def homogeneous_states(self) -> tuple[tuple[Parameter, ...], ...]:
        """Return 0 and, where they are real, (g ± √(g² + 4 (r - 1))) / 2; only 0 unless both are numbers."""
        if isinstance(self.forcing, Tensor) or isinstance(self.asymmetry, Tensor):
            return ((0.0,),)
        square = self.asymmetry**2 + 4 * (self.forcing - 1)
        if square < 0:
            return ((0.0,),)
        return ((0.0,), *(((self.asymmetry + sign * square**0.5) / 2,) for sign in (-1, 1)))

    def _reaction(self, state: Tensor) -> Tensor:
        u = state[:, 0]
        return (u * (expand(self.forcing, u) + u * (expand(self.asymmetry, u) - u)))[:, None]
