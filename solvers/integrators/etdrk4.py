"""Exponential time differencing of fourth order in Fourier space, the reference method on periodic grids."""

import math
from dataclasses import dataclass, fields
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError

from ..equation import Equation
from ..grid import Grid
from ..parameters import Parameter, per_mode, stack_fields
from ..spectral import require_periodic
from ..waves import Waves, fourier_waves
from .integrator import Integrator

_NUM_CONTOUR_POINTS = 32
# of spectrum; in float64 with two fields: 4 trajectories of 128² cells, 1 of 256²
_CACHED_BYTES = 1_200_000


@dataclass(frozen=True, eq=False)
class _Coefficients:
    """The functions of cΔt, (1 or batch, field, *modes), dealiased and times the coefficient of the product.

    All are real; the trailing axis of 2 repeats each value so that they act on (real, imaginary) pairs.
    ``source`` is what the constant source adds to the mean of each field, in a half step and in the whole
    step.
    """

    half: Tensor  # e^{cΔt/2}
    full: Tensor  # e^{cΔt}
    q: Tensor
    f1: Tensor
    f2: Tensor  # twice the f₂ of the paper, as it is used
    f3: Tensor
    half_source: Tensor
    full_source: Tensor

    def rows(self, start: int, number: int) -> "_Coefficients":
        """The coefficients of some trajectories; all of them if they are the same for every trajectory."""
        if len(self.half) == 1:
            return self
        return _Coefficients(*(getattr(self, item.name)[start : start + number] for item in fields(self)))


@final
class SpectralETDRK4(Integrator):
    """Fourier pseudo-spectral in space, ETDRK4 in time; periodic grids only.

    Each Fourier mode obeys dû/dt = c û + N̂(u) with c = r - D |k|². The linear part is integrated exactly and
    the nonlinear one by four stages:

        a  = e^{cΔt/2} u + Q N(u)
        b  = e^{cΔt/2} u + Q N(a)
        c' = e^{cΔt/2} a + Q (2 N(b) - N(u))
        u(t + Δt) = e^{cΔt} u + f₁ N(u) + 2 f₂ (N(a) + N(b)) + f₃ N(c')

    so diffusion never limits the step. Q, f₁, f₂, f₃ are means over a circle in the complex plane, which
    avoids the cancellation of the closed formulas near cΔt = 0.

    A product of fields holds waves that the grid cannot represent and folds back onto long ones (aliasing).
    With ``dealiasing`` < 1 the transformed nonlinear term is cut to |index| < dealiasing · cells / 2 on every
    axis. 2/3 frees quadratic products of aliasing; cubic ones, as in Gray-Scott, keep some near the cut and
    need 1/2.

    The default 1 cuts nothing, because in reaction-diffusion the diffusion removes the aliased waves anyway
    while the cut costs resolution. Measured on Gray-Scott maze from Gaussian blobs at t = 50, largest error
    of A against 512 cells, dealiasing 1 / 2/3 / 1/2: with 128 cells 6e-3 / 1e-1 / 3e-1, with 256 cells 5e-6 /
    2e-3 / 2e-2. Equations that move energy to short waves (advection) do need the cut.

    Not differentiable: it works in place.

    Arguments:
        equation: what is solved; diffusivities and linear rates constant in space, possibly one per
            trajectory.
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

    order = 4

    def __init__(
        self,
        equation: Equation,
        grid: Grid,
        time_step: float,
        dealiasing: float = 1.0,
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
        if state.device != self._coefficients.half.device:
            raise BadInputError(
                f"the state is on {state.device} but this SpectralETDRK4 was built on "
                f"{self._coefficients.half.device}; usual cure: build it with device=state.device"
            )
        if state.requires_grad and torch.is_grad_enabled():
            raise BadInputError("SpectralETDRK4 has no gradients; usual cure: state.detach(), or RungeKutta")
        batch = len(self._coefficients.half)
        if batch not in (1, len(state)):
            raise BadInputError(
                f"the equation has parameters for {batch} trajectories, the state has {len(state)}"
            )
        size = self._trajectories_at_once(len(state))
        with torch.no_grad():
            chunks = [
                self._march(chunk, num_steps, self._coefficients.rows(number * size, size))
                for number, chunk in enumerate(torch.split(state, size))
            ]
        return torch.cat(chunks)

    def _trajectories_at_once(self, num_trajectories: int) -> int:
        """A few at a time on CPU, so that the working set stays in its cache; all at once elsewhere."""
        if self.device.type != "cpu":
            return max(1, num_trajectories)
        size_of_one = self._coefficients.half[:1].numel() * self._coefficients.half.element_size()
        return max(1, _CACHED_BYTES // size_of_one)

    def _march(self, state: Tensor, num_steps: int, c: _Coefficients) -> Tensor:
        u = torch.view_as_real(torch.fft.rfftn(state, dim=self._dims)).contiguous()
        for _ in range(num_steps):
            self._advance(u, c)
        return self._to_space(u)

    def _advance(self, u: Tensor, c: _Coefficients) -> None:
        """Overwrite the spectrum ``"batch channel *modes 2"`` by the one a step later."""
        n_u = self._product(u)
        carried = u * c.half
        a = torch.addcmul(carried, c.q, n_u)
        _add_to_mean(a, c.half_source)
        n_a = self._product(a)
        b = carried.addcmul_(c.q, n_a)
        _add_to_mean(b, c.half_source)
        n_b = self._product(b)
        u.mul_(c.full).addcmul_(c.f1, n_u).addcmul_(c.f2, n_a.add_(n_b))
        last = a.mul_(c.half).addcmul_(c.q, n_b.mul_(2).sub_(n_u))
        _add_to_mean(last, c.half_source)
        u.addcmul_(c.f3, self._product(last))
        _add_to_mean(u, c.full_source)

    def _product(self, spectrum: Tensor) -> Tensor:
        product = self._nonlinear.product(self._to_space(spectrum))
        return torch.view_as_real(torch.fft.rfftn(product, dim=self._dims))

    def _to_space(self, spectrum: Tensor) -> Tensor:
        state: Tensor = torch.fft.irfftn(torch.view_as_complex(spectrum), s=self.grid.shape, dim=self._dims)
        return state

    def _make_coefficients(self) -> _Coefficients:
        # float64 throughout, whatever the dtype of the states
        waves = fourier_waves(self.grid, self.device)
        source = self._per_mode(self._nonlinear.source, "sources")
        weight = self._weights(waves)
        z = self.equation.linear_symbol(waves) * self.time_step
        z = z.expand(max(len(z), len(source)), *z.shape[1:])
        q, f1, f2, f3 = (self.time_step * value for value in _contour_means(z))
        half_source = (source * q).flatten(2)[:, :, 0] * self.grid.num_cells
        full_source = (source * (f1 + 4 * f2 + f3)).flatten(2)[:, :, 0] * self.grid.num_cells
        kept = weight * self._kept_waves()
        return _Coefficients(
            half=self._paired(torch.exp(z / 2)),
            full=self._paired(torch.exp(z)),
            q=self._paired(q * kept),
            f1=self._paired(f1 * kept),
            f2=self._paired(2 * f2 * kept),
            f3=self._paired(f3 * kept),
            half_source=half_source.to(self.dtype),
            full_source=full_source.to(self.dtype),
        )

    def _weights(self, waves: Waves) -> Tensor:
        """The coefficients of the product, (1 or batch, field, *modes) or that shape with ones."""
        rows = [
            value(waves)[None] if callable(value) else per_mode(value, waves, "coefficients")
            for value in self._nonlinear.coefficients
        ]
        return stack_fields(rows)

    def _per_mode(self, values: tuple[Parameter, ...], what: str) -> Tensor:
        """Stack one constant per field to (1 or batch, field, 1 ...), which broadcasts against the modes."""
        constants = [torch.as_tensor(value, dtype=torch.float64, device=self.device) for value in values]
        if any(constant.ndim > 1 for constant in constants):
            raise BadInputError(
                f"SpectralETDRK4 needs {what} that are constant in space, numbers or (batch,), got shapes "
                f"{[tuple(constant.shape) for constant in constants]}; usual cure: a stencil method ('rk4')"
            )
        batch = max(constant.numel() for constant in constants)
        stacked = torch.stack([constant.expand(batch) for constant in constants], dim=1)
        return stacked.reshape(batch, len(constants), *(1,) * self.grid.num_dims)

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


def _add_to_mean(spectrum: Tensor, source: Tensor) -> None:
    """Add to the real part of the mode k = 0 of ``"batch channel *modes 2"``, in place."""
    spectrum.view(*spectrum.shape[:2], -1)[:, :, 0] += source


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
