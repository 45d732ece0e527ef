"""A semi-implicit Runge-Kutta method: the linear part implicit wave by wave, the rest explicit."""

import math
from collections.abc import Callable
from typing import Final, final

import torch
from torch import Tensor

from pdenca.core.errors import StabilityError

from ..equation import Equation
from ..grid import Grid
from ..stencils import Stencil
from .pseudo_spectral import Coefficients, LinearPart, PseudoSpectral, add_to_mean

_GAMMA: Final = 1 - math.sqrt(1 / 2)
_DELTA: Final = 1 - 1 / (2 * _GAMMA)


@final
class SemiImplicit(PseudoSpectral):
    """The two-stage method ARS(2,2,2) of second order; periodic and no-flux axes in any combination.

    With du/dt = L u + N(u), γ = 1 - 1/√2 and δ = 1 - 1/(2γ),

        v = u + γ Δt (N(u) + L v)
        u(t + Δt) = u + Δt (δ N(u) + (1 - δ) N(v)) + Δt ((1 - γ) L v + γ L u(t + Δt))

    The linear part damps short waves at any Δt (the method is L-stable in L), so stiff equations of fourth
    order take steps that their slow dynamics allow. It needs no values of earlier steps, and so no start-up,
    and each step is a whole one by itself. At equal steps the exponential methods are more accurate; this one
    has what they have not: with ``stencil`` it solves the very finite-difference equations that the stencil
    methods solve, whose linear part the same waves diagonalise.

    Not differentiable: it works in place.

    Arguments:
        equation: what is solved; the constants of its linear part constant in space, possibly one per
            trajectory.
        grid: periodic and no-flux axes.
        time_step: Δt (time).
        dealiasing: fraction of the waves kept in the nonlinear term, in (0, 1].
        dtype: torch.float64 or torch.float32, that of the states.
        device: that of the states; torch's default device if None.
        stencil: a key of ``STENCILS``, or a Stencil, whose derivatives are used; exact ones if None.

    Raises:
        BadInputError: as :class:`SpectralETDRK4`.
        StabilityError: at construction, if the linear part grows by more than e^(1/2γ) = 5.5 in one step:
            twice that growth rate, and the implicit equation has no solution.

    References:
        U. M. Ascher, S. J. Ruuth, R. J. Spiteri, Appl. Numer. Math. 25 (1997) 151, section 2.6.
    """

    order = 2

    def __init__(
        self,
        equation: Equation,
        grid: Grid,
        time_step: float,
        dealiasing: float = 1.0,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
        stencil: str | Stencil | None = None,
    ) -> None:
        self.stencil = stencil
        super().__init__(equation, grid, time_step, dealiasing, dtype, device, stencil)

    def _make_coefficients(self, parts: LinearPart) -> Coefficients:
        z = parts.symbol * self.time_step
        if parts.is_coupled:
            matrices = z.movedim((1, 2), (-2, -1))
            self._require_decay(torch.linalg.eigvals(matrices).real)
            identity = torch.eye(matrices.shape[-1], dtype=z.dtype, device=z.device)
            solve = torch.linalg.inv(identity - _GAMMA * matrices).movedim((-2, -1), (1, 2))
        else:
            self._require_decay(z.real)
            solve = 1 / (1 - _GAMMA * z)
        # L v is what v has over u and N(u)
        ratio = (1 - _GAMMA) / _GAMMA
        carry = (self._multiplier(value * solve, parts) for value in (1, 1 - ratio, ratio))
        weights = (_GAMMA, _DELTA - 1 + _GAMMA, 1 - _DELTA)
        kept = parts.weighted(self.time_step * solve)
        weigh = (self._multiplier(weight * kept, parts) for weight in weights)
        source = parts.on_source(_GAMMA * self.time_step * solve).to(self.dtype)
        return Coefficients((*carry, *weigh), (source,))

    def _require_decay(self, exponents: Tensor) -> None:
        growth = float(exponents.max())
        if growth * _GAMMA > 1 / 2:
            limit = self.time_step / (2 * _GAMMA * growth)
            raise StabilityError(
                f"time_step {self.time_step:g} is too large for the growth of the linear part, by "
                f"exp({growth:.4g}) in one step; usual cure: a time_step of at most {limit:.4g}"
            )

    def _advance(self, u: Tensor, c: Coefficients, nonlinear: Callable[[Tensor], Tensor]) -> Tensor:
        solve, keep, again, first, start, middle = c.multipliers
        n_u = nonlinear(u)
        v = first.add_to(solve.times(u), n_u)
        add_to_mean(v, c.sources[0])
        n_v = nonlinear(v)
        u = again.add_to(keep.multiply(u), v)
        u = middle.add_to(start.add_to(u, n_u), n_v)
        add_to_mean(u, c.sources[0])
        return u
