"""The Cahn-Hilliard equation: a mixture that separates, and conserves what it is made of."""

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


def _preset(description: str, mean: float) -> Preset:
    return Preset(
        description=description,
        parameters={"mobility": 1.0, "interface": 1.0},
        initial_condition="smooth-noise",
        initial_options={"means": (mean,), "amplitudes": (0.1,), "density": 0.5},
        num_cells=128,
        spacing=1.0,
        num_frames=101,
        frame_interval=10.0,
        time_step=0.1,
    )


@dataclass(frozen=True, eq=False)
class CahnHilliard(Equation):
    """Separation of a binary mixture whose components can move but not vanish.

        ∂c/∂t = M ∇²μ,   μ = c³ - c - γ ∇²c

    c is the difference of the two concentrations, -1 and +1 in the separated phases, and μ the chemical
    potential. A mixture with |c| < 1/√3 is unstable (spinodal decomposition): the wave k² = 1/(2γ) grows
    fastest, at rate M/(4γ). Near c = 0 the phases interlock, further from it the minority makes droplets;
    both coarsen, their size growing as t^{1/3}. Walls between phases have the profile tanh(x / √(2γ)). The
    mean of c is conserved exactly, and the free energy

        F = < ¼ (1 - c²)² + ½ γ |∇c|² >

    never grows. Every constant c is a homogeneous steady state; :meth:`homogeneous_states` names the phases
    and the even mixture.

    Arguments:
        mobility: M (length²/time); a number or (batch,).
        interface: γ (length²); likewise. Walls are √(2γ) wide: let that be at least 1.4 cells.

    Validity: the term ∇⁴ makes explicit methods need time steps of order spacing⁴; use a spectral one.

    References:
        J. W. Cahn, J. E. Hilliard, Free energy of a nonuniform system I, J. Chem. Phys. 28 (1958) 258;
        J. W. Cahn, On spinodal decomposition, Acta Metall. 9 (1961) 795.
    """

    name: ClassVar[str] = "cahn-hilliard"
    fields: ClassVar[tuple[Field, ...]] = (Field("c"),)
    presets: ClassVar[Mapping[str, Preset]] = {
        "spinodal": _preset("interlocking phases that coarsen ever more slowly", 0.0),
        "droplets": _preset("droplets of the minority that the larger ones take over", -0.4),
    }

    mobility: Parameter = 1.0
    interface: Parameter = 1.0

    def __post_init__(self) -> None:
        if varies_in_space(self.mobility) or varies_in_space(self.interface):
            raise BadInputError(
                "mobility and interface of Cahn-Hilliard are constant in space, numbers or (batch,); got a "
                "field in space"
            )

    def parameters(self) -> dict[str, Parameter]:
        """Return mobility and interface."""
        return {"mobility": self.mobility, "interface": self.interface}

    def rate(
        self, state: Float[Tensor, "batch channel *space"], derivatives: Derivatives
    ) -> Float[Tensor, "batch channel *space"]:
        """Return M (∇²(c³ - c) - γ ∇⁴c)."""
        bulk = derivatives.laplacian_of(lambda c: c**3 - c, state)
        mobility, interface = self._expanded(state)
        return mobility * (bulk - interface * derivatives.biharmonic(state))

    def linear_symbol(self, waves: Waves) -> Float[Tensor, "..."]:
        """Return M (-2|k|² - γ|k|⁴), how each phase relaxes.

        In the phases nothing nonlinear remains to first order, which keeps large time steps stable.
        """
        mobility = per_mode(self.mobility, waves, "mobility")
        interface = per_mode(self.interface, waves, "interface")
        return (mobility * (2 * waves.laplacian - interface * waves.laplacian**2))[:, None]

    def factored_nonlinear(self) -> Factored:
        """Return ∇² of M (c³ - 3c)."""

        def product(state: Tensor) -> Tensor:
            return self._expanded(state)[0] * (state * (state * state - 3))

        return Factored(product, coefficients=(lambda waves: waves.laplacian,), source=(0.0,))

    def budget(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, " batch"]:
        """Return zero: matter is conserved."""
        return torch.zeros_like(state[:, 0].flatten(1)[:, 0])

    def free_energy(
        self, state: Float[Tensor, "batch channel *space"], derivatives: Derivatives
    ) -> Float[Tensor, " batch"]:
        """Return F, the gradient term written as -½ γ c ∇²c so that stencils make it fall too."""
        spread = self._expanded(state)[1] * state * derivatives.laplacian(state)
        return ((1 - state**2) ** 2 / 4 - spread / 2).flatten(1).mean(1)

    def homogeneous_states(self) -> tuple[tuple[Parameter, ...], ...]:
        """Return -1, 0 and 1."""
        return ((-1.0,), (0.0,), (1.0,))

    def _expanded(self, state: Tensor) -> tuple[Parameter, Parameter]:
        """M and γ, shaped to broadcast against ``"batch 1 *space"``."""
        u = state[:, 0]
        return _with_channel(expand(self.mobility, u)), _with_channel(expand(self.interface, u))


def _with_channel(value: Parameter) -> Parameter:
    return value[:, None] if isinstance(value, Tensor) and value.ndim else value
