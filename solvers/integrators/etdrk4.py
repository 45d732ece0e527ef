"""Exponential time differencing of fourth order in Fourier space, the reference method on periodic grids."""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError

from ..equation import Equation, per_field
from ..grid import Grid
from ..spectral import laplacian_symbol, require_periodic
from .integrator import Integrator

_NUM_CONTOUR_POINTS = 32


@dataclass(frozen=True, eq=False)
class _Coefficients:
    """The functions of cΔt, per (1 or batch, field, *modes), already dealiased and times the product's weight.

    All are real; the trailing axis of 2 repeats each value so that they act on (real, imaginary) pairs. ``source``
    is what the constant source adds to the mean of each field, in a half step and in the whole step.
    """

    half: Tensor  # e^{cΔt/2}
    full: Tensor  # e^{cΔt}
    q: Tensor
    f1: Tensor
    f2: Tensor  # twice the f₂ of the paper, as it is used
    f3: Tensor
    half_source: Tensor
    full_source: Tensor


@final
class SpectralETDRK4(Integrator):
    """Fourier pseudo-spectral in space, ETDRK4 in time; periodic grids only.

    Each Fourier mode obeys dû/dt = c û + N̂(u) with c = r - D |k|². The linear part is integrated exactly and the
    nonlinear one by four stages:

        a  = e^{cΔt/2} u + Q N(u)
        b  = e^{cΔt/2} u + Q N(a)
        c' = e^{cΔt/2} a + Q (2 N(b) - N(u))
        u(t + Δt) = e^{cΔt} u + f₁ N(u) + 2 f₂ (N(a) + N(b)) + f₃ N(c')

    so diffusion never limits the step. Q, f₁, f₂, f₃ are means over a circle in the complex plane, which avoids the
    cancellation of the closed formulas near cΔt = 0.

    A product of fields holds waves that the grid cannot represent and would fold back onto long ones (aliasing).
    The transformed nonlinear term is therefore cut to |index| < dealiasing · cells / 2 on every axis. With 2/3 a
    quadratic product is free of aliasing, and a cubic one as in Gray-Scott aliases only from its shortest waves;
    1/2 removes all aliasing of cubic products and costs resolution; 1 cuts nothing.

    Not differentiable: it works in place.

    Arguments:
        equation: what is solved; diffusivities and linear rates constant in space, possibly one per trajectory.
        grid: a periodic grid, any number of cells per axis (products of small primes are fast).
        time_step: Δt (time).
        dealiasing: fraction of the waves kept in the nonlinear term, in (0, 1].
        dtype: torch.float64 or torch.float32, that of the states.
        device: that of the states; torch's default device if None.

    Raises:
        BadInputError: if the grid is not periodic, or Δt or the fraction is out of range.

    References:
        S. M. Cox, P. C. Matthews, J. Comput. Phys. 176 (2002) 430, equations (26)-(29);
        A.-K. Kassam, L. N. Trefethen, SIAM J. Sci. Comput. 26 (2005) 1214, sections 2 and 3.
    """

    def __init__(
        self,
        equation: Equation,
        grid: Grid,
        time_step: float,
        dealiasing: float = 2 / 3,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
    ) -> None:
        require_periodic(grid, "SpectralETDRK4")
        if not time_step > 0:
            raise BadInputError(f"time_step must be positive, got {time_step}")
        if not 0 < dealiasing <= 1:
            raise BadInputError(f"dealiasing is the fraction of waves kept, in (0, 1], got {dealiasing}")
        if dtype not in (torch.float32, torch.float64):
            raise BadInputError(f"dtype must be torch.float32 or torch.float64, got {dtype}")
        self.equation = equation
        self.grid = grid
        self.time_step = time_step
        self.dealiasing = dealiasing
        self.dtype = dtype
        self.device = torch.device(device) if device is not None else torch.get_default_device()
        self._nonlinear = equation.factored_nonlinear()
        self._dims = tuple(range(-grid.num_dims, 0))
        self._mean = (..., *(0,) * grid.num_dims, 0)  # the real part of the mode k = 0
        self._coefficients = self._make_coefficients()

    def march(
        self, state: Float[Tensor, "batch channel *space"], num_steps: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the state ``num_steps`` steps later, staying in Fourier space in between.

        Raises:
            BadInputError: for a state of another shape, dtype or device, or one that asks for gradients.
        """
        self._check(state, num_steps)
        if state.dtype != self.dtype:
            raise BadInputError(
                f"the state is {state.dtype} but this SpectralETDRK4 was built for {self.dtype}; usual cure: "
                "state.to(dtype), or build it with the state's dtype"
            )
        if state.requires_grad and torch.is_grad_enabled():
            raise BadInputError("SpectralETDRK4 has no gradients; usual cure: state.detach(), or RungeKutta")
        with torch.no_grad():
            spectrum = torch.view_as_real(torch.fft.rfftn(state, dim=self._dims)).contiguous()
            for _ in range(num_steps):
                spectrum = self._advance(spectrum)
            return self._to_space(spectrum)

    def _advance(self, u: Tensor) -> Tensor:
        """One step of the spectrum ``"batch channel *modes 2"``, overwriting it."""
        c, mean = self._coefficients, self._mean
        n_u = self._product(u)
        carried = u * c.half
        a = torch.addcmul(carried, c.q, n_u)
        a[mean] += c.half_source
        n_a = self._product(a)
        b = carried.addcmul_(c.q, n_a)
        b[mean] += c.half_source
        n_b = self._product(b)
        u.mul_(c.full).addcmul_(c.f1, n_u).addcmul_(c.f2, n_a.add_(n_b))
        c_stage = a.mul_(c.half).addcmul_(c.q, n_b.mul_(2).sub_(n_u))
        c_stage[mean] += c.half_source
        u.addcmul_(c.f3, self._product(c_stage))
        u[mean] += c.full_source
        return u

    def _product(self, spectrum: Tensor) -> Tensor:
        product = self._nonlinear.product(self._to_space(spectrum))
        return torch.view_as_real(torch.fft.rfftn(product, dim=self._dims))

    def _to_space(self, spectrum: Tensor) -> Tensor:
        return torch.fft.irfftn(torch.view_as_complex(spectrum), s=self.grid.shape, dim=self._dims)

    def _make_coefficients(self) -> _Coefficients:
        # float64 throughout, whatever the dtype of the states
        like = torch.empty(1, 1, *(1,) * self.grid.num_dims, dtype=torch.float64, device=self.device)
        diffusivity = _constant_in_space(per_field(self.equation.diffusivities(), like), "diffusivities")
        rate = _constant_in_space(per_field(self.equation.linear_rate(), like), "linear rates")
        source = _constant_in_space(per_field(self._nonlinear.source, like), "sources")
        weight = per_field(self._nonlinear.coefficients, like)
        symbol = laplacian_symbol(self.grid, self.device)
        z = (rate + diffusivity * symbol) * self.time_step
        q, f1, f2, f3 = (self.time_step * value for value in _contour_means(z))
        zero_mode = (..., *(0,) * self.grid.num_dims)
        scale = source[zero_mode] * self.grid.num_cells
        kept = weight * self._kept_waves()
        return _Coefficients(
            half=self._paired(torch.exp(z / 2)),
            full=self._paired(torch.exp(z)),
            q=self._paired(q * kept),
            f1=self._paired(f1 * kept),
            f2=self._paired(2 * f2 * kept),
            f3=self._paired(f3 * kept),
            half_source=(scale * q[zero_mode]).to(self.dtype),
            full_source=(scale * (f1 + 4 * f2 + f3)[zero_mode]).to(self.dtype),
        )

    def _kept_waves(self) -> Tensor:
        """1 for the waves that dealiasing keeps, 0 for the others."""
        kept = torch.ones(1, dtype=torch.float64, device=self.device)
        for axis, cells in enumerate(self.grid.shape):
            frequencies = torch.fft.rfftfreq if axis == self.grid.num_dims - 1 else torch.fft.fftfreq
            index = frequencies(cells, 1 / cells, device=self.device).abs().round()
            keep = (index < self.dealiasing * cells / 2) | (self.dealiasing == 1)
            kept = kept[..., None] * keep
        return kept

    def _paired(self, values: Tensor) -> Tensor:
        return values.to(self.dtype)[..., None].expand(*values.shape, 2).contiguous()


def _contour_means(z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return Q, f₁, f₂, f₃ over Δt for real z = cΔt: means over the upper half of a unit circle around z."""
    sums = [torch.zeros_like(z) for _ in range(4)]
    for number in range(_NUM_CONTOUR_POINTS):
        angle = math.pi * (number + 0.5) / _NUM_CONTOUR_POINTS
        w = torch.complex(z + math.cos(angle), torch.full_like(z, math.sin(angle)))
        e = torch.exp(w)
        sums[0] += ((torch.exp(w / 2) - 1) / w).real
        sums[1] += ((-4 - w + e * (4 - 3 * w + w**2)) / w**3).real
        sums[2] += ((2 + w + e * (w - 2)) / w**3).real
        sums[3] += ((-4 - 3 * w - w**2 + e * (4 - w)) / w**3).real
    q, f1, f2, f3 = (total / _NUM_CONTOUR_POINTS for total in sums)
    return q, f1, f2, f3


def _constant_in_space(values: Tensor, what: str) -> Tensor:
    if any(size != 1 for size in values.shape[2:]):
        raise BadInputError(
            f"SpectralETDRK4 needs {what} that are constant in space, got shape {tuple(values.shape)}; "
            "usual cure: a stencil method (method='rk4')"
        )
    return values
