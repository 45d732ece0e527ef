"""Exponential time differencing of second order: half the work of a step of ETDRK4."""

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from ..equation import Equation
from ..grid import Grid
from .phi import contour_means, matrix_phis
from .pseudo_spectral import Coefficients, LinearPart, PseudoSpectral, add_to_mean


@final
class SpectralETDRK2(PseudoSpectral):
    """Pseudo-spectral in space, ETDRK2 in time; as :class:`SpectralETDRK4`, with two stages:

        a = e^{cΔt} u + Δt φ₁(cΔt) N(u)
        u(t + Δt) = a + Δt φ₂(cΔt) (N(a) - N(u))

    At equal error it is dearer than ETDRK4 unless a few per cent are enough; it is here for comparison and
    for rough solutions, on which no method reaches fourth order.

    Arguments:
        equation: what is solved; the constants of its linear part constant in space, possibly one per
            trajectory.
        grid: periodic and no-flux axes, any number of cells.
        time_step: Δt (time).
        dealiasing: fraction of the waves kept in the nonlinear term, in (0, 1].
        dtype: torch.float64 or torch.float32, that of the states.
        device: that of the states; torch's default device if None.

    Raises:
        BadInputError: as :class:`SpectralETDRK4`.

    References:
        S. M. Cox, P. C. Matthews, J. Comput. Phys. 176 (2002) 430, equations (20)-(22).
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
    ) -> None:
        super().__init__(equation, grid, time_step, dealiasing, dtype, device)

    def _make_coefficients(self, parts: LinearPart) -> Coefficients:
        z = parts.symbol * self.time_step
        if parts.is_coupled:
            full, one, two, _ = matrix_phis(z.movedim((1, 2), (-2, -1)))
            full, one, two = (value.movedim((-2, -1), (1, 2)) for value in (full, one, two))
        else:
            one, two = contour_means(lambda w: (torch.expm1(w) / w, (torch.expm1(w) - w) / w**2), z)
            full = torch.exp(z)
        one, two = self.time_step * one, self.time_step * two
        weigh = (self._multiplier(parts.weighted(value), parts) for value in (one, two))
        return Coefficients((self._multiplier(full, parts), *weigh), (parts.on_source(one).to(self.dtype),))

    def _advance(self, u: Tensor, c: Coefficients, nonlinear: Callable[[Tensor], Tensor]) -> Tensor:
        full, one, two = c.multipliers
        n_u = nonlinear(u)
        a = one.add_to(full.multiply(u), n_u)
        add_to_mean(a, c.sources[0])
        return two.add_to(a, nonlinear(a).sub_(n_u))
