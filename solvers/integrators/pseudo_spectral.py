"""What the spectral integrators share: transforms, chunks of trajectories, and the linear part by waves."""

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError

from ..equation import Equation
from ..grid import Grid
from ..kernels import flushed_denormals
from ..parameters import Parameter, per_mode, stack_fields
from ..stencils import Stencil
from ..transform import SpectralTransform, require_spectral
from ..waves import Waves, waves_of
from .batches import batch_of, equation_of
from .integrator import Integrator
from .multipliers import Coupled, Diagonal, Multiplier

# of spectrum; in float64 with two fields: 4 trajectories of 128² cells, 1 of 256²
_CACHED_BYTES = 1_200_000
_CLEAN_EVERY = 50


@dataclass(frozen=True, eq=False)
class Coefficients:
    """What one step multiplies the spectra by, and what the constant source adds to their means.

    Arguments:
        multipliers: operators on the spectra.
        sources: (1 or batch, field), what to add to the coefficient of the constant wave.
    """

    multipliers: tuple[Multiplier, ...]
    sources: tuple[Tensor, ...]

    def rows(self, start: int, number: int) -> "Coefficients":
        """Return those of some trajectories."""
        sources = (s if len(s) == 1 else s[start : start + number] for s in self.sources)
        return Coefficients(tuple(m.rows(start, number) for m in self.multipliers), tuple(sources))


class PseudoSpectral(Integrator):
    """A one-step method in the space of waves, products of fields taken in the points of the grid.

    Each wave obeys dû/dt = c û + N̂(u); c is a number per field, real or complex, or a matrix over the fields.
    A subclass says how c makes the coefficients of a step, and how a step uses them.

    Arguments: see the subclasses.
    """

    def __init__(
        self,
        equation: Equation,
        grid: Grid,
        time_step: float,
        dealiasing: float,
        dtype: torch.dtype,
        device: torch.device | str | None,
        stencil: str | Stencil | None = None,
    ) -> None:
        self._name = type(self).__name__
        require_spectral(grid, self._name)
        if not 0 < time_step < math.inf:
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
        self._transform = SpectralTransform(grid, dtype, self.device)
        self._product = equation.factored_nonlinear().product
        # float64 throughout, whatever the dtype of the states
        waves = waves_of(grid, self.device, stencil)
        parts = LinearPart(equation, waves, self._kept_waves(), grid.num_cells)
        if parts.is_complex and self._transform.is_real:
            raise BadInputError(
                f"{self._name} between no-flux walls needs real eigenvalues, equation {equation.name!r} has "
                "complex ones; usual cure: a periodic axis, or a stencil method ('rk4')"
            )
        # Rounding puts tiny parts into a spectrum that belong to no real field. The nonlinear term cannot
        # see them, so that nothing holds them back where the linear part alone grows.
        self._grows = parts.is_coupled or bool((parts.symbol.real > 0).any())
        self._is_paired = not (parts.is_complex or self._transform.is_real)
        self._coefficients = self._make_coefficients(parts)
        # constants may be in the multipliers, or in the product alone
        sizes = (len(multiplier.values) for multiplier in self._coefficients.multipliers)
        self._batch = max(batch_of(equation), *sizes)
        self._spectral_device = self._coefficients.multipliers[0].values.device

    def march(
        self, state: Float[Tensor, "batch channel *space"], num_steps: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the state ``num_steps`` steps later, staying with the waves in between.

        Raises:
            BadInputError: for a state of another shape, dtype or device, or one that asks for gradients.
        """
        self._check(state, num_steps)
        if state.dtype != self.dtype:
            raise BadInputError(
                f"the state is {state.dtype} but this {self._name} was built for {self.dtype}; usual cure: "
                "state.to(dtype), or build it with the state's dtype"
            )
        if state.device != self._spectral_device:
            raise BadInputError(
                f"the state is on {state.device} but this {self._name} was built on "
                f"{self._spectral_device}; usual cure: build it with device=state.device"
            )
        if state.requires_grad and torch.is_grad_enabled():
            raise BadInputError(f"{self._name} has no gradients; usual cure: state.detach(), or RungeKutta")
        if self._batch not in (1, len(state)):
            raise BadInputError(
                f"the equation has parameters for {self._batch} trajectories, the state has {len(state)}"
            )
        size = self._trajectories_at_once(len(state))
        with torch.no_grad(), flushed_denormals():
            chunks = [
                self._march(chunk, num_steps, number * size)
                for number, chunk in enumerate(torch.split(state, size))
            ]
        return torch.cat(chunks)

    @abstractmethod
    def _make_coefficients(self, parts: "LinearPart") -> Coefficients:
        """The coefficients of a step of ``self.time_step``; called once, at construction."""

    @abstractmethod
    def _advance(self, u: Tensor, c: Coefficients, nonlinear: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the spectrum a step later; ``u`` may be overwritten."""

    def _trajectories_at_once(self, num_trajectories: int) -> int:
        """A few at a time on CPU, so that the working set stays in its cache; all at once elsewhere."""
        if self.device.type != "cpu":
            return max(1, num_trajectories)
        one = self._coefficients.multipliers[0].values[:1]
        return max(1, _CACHED_BYTES // (one.numel() * one.element_size()))

    def _march(self, state: Tensor, num_steps: int, start: int) -> Tensor:
        coefficients = self._coefficients.rows(start, len(state))
        product = self._product
        own = equation_of(self.equation, slice(start, start + len(state)))
        if own is not self.equation:
            product = own.factored_nonlinear().product

        def nonlinear(spectrum: Tensor) -> Tensor:
            return self._to_waves(product(self._to_space(spectrum)))

        u = self._to_waves(state).contiguous()
        for number in range(1, num_steps + 1):
            u = self._advance(u, coefficients, nonlinear)
            if self._grows and number % _CLEAN_EVERY == 0:
                u = self._to_waves(self._to_space(u)).contiguous()
        return self._to_space(u)

    def _to_waves(self, state: Tensor) -> Tensor:
        spectrum = self._transform.forward(state)
        return torch.view_as_real(spectrum) if self._is_paired else spectrum

    def _to_space(self, spectrum: Tensor) -> Tensor:
        return self._transform.inverse(torch.view_as_complex(spectrum) if self._is_paired else spectrum)

    def _multiplier(self, values: Tensor, parts: "LinearPart") -> Multiplier:
        """Cast to the dtype of the spectra; of real values on complex waves each is repeated, as a pair."""
        if parts.is_complex:
            values = values.to(torch.complex64 if self.dtype == torch.float32 else torch.complex128)
        elif self._is_paired:
            values = values.to(self.dtype)[..., None].expand(*values.shape, 2)
        else:
            values = values.to(self.dtype)
        return (Coupled if parts.is_coupled else Diagonal)(values.contiguous())

    def _kept_waves(self) -> Tensor:
        """1 for the waves that dealiasing keeps, 0 for the others."""
        kept = torch.ones(1, dtype=torch.float64, device=self.device)
        periodic = [axis for axis, name in enumerate(self.grid.boundaries) if name == "periodic"]
        for axis, cells in enumerate(self.grid.shape):
            if axis in periodic:
                frequencies = torch.fft.rfftfreq if axis == periodic[-1] else torch.fft.fftfreq
                index = frequencies(cells, 1 / cells, device=self.device).abs().round()
            else:
                # half as many waves in the same length
                index = torch.arange(cells, device=self.device) / 2
            keep = (index < self.dealiasing * cells / 2) | (self.dealiasing == 1)
            kept = kept[..., None] * keep
        return kept


class LinearPart:
    """The eigenvalues of the linear part of an equation, and the linear frame of its nonlinear one."""

    def __init__(self, equation: Equation, waves: Waves, kept: Tensor, num_cells: int) -> None:
        factored = equation.factored_nonlinear()
        num_dims = waves.laplacian.ndim
        self._num_cells = num_cells
        symbol = _real_if_possible(equation.linear_symbol(waves))
        weights = [
            value(waves)[None] if callable(value) else per_mode(value, waves, "coefficients")
            for value in factored.coefficients
        ]
        weight = _real_if_possible(stack_fields(weights)) * kept
        self.source = _constants(factored.source, num_dims, waves.laplacian.device)
        self.is_coupled = symbol.ndim == num_dims + 3
        self.is_complex = symbol.is_complex() or weight.is_complex()
        batch = max(len(symbol), len(self.source), len(weight))
        self.symbol = symbol.expand(batch, *symbol.shape[1:])
        self._weight = weight

    def weighted(self, function: Tensor) -> Tensor:
        """A function of the eigenvalues times the coefficients of the product, dealiased."""
        return function * (self._weight[:, None] if self.is_coupled else self._weight)

    def on_source(self, function: Tensor) -> Tensor:
        """What a function of the eigenvalues makes of the source: coefficients of the constant wave."""
        if self.is_coupled:
            own: Tensor = function.flatten(3)[..., 0]
            total = (own * self.source.flatten(2)[:, None, :, 0]).sum(2)
        else:
            total = (self.source * function).flatten(2)[:, :, 0]
        return total.real * self._num_cells


def _real_if_possible(values: Tensor) -> Tensor:
    return values.real if values.is_complex() and not bool(values.imag.any()) else values


def _constants(values: tuple[Parameter, ...], num_dims: int, device: torch.device) -> Tensor:
    """Stack one constant per field to (1 or batch, field, 1 ...), which broadcasts against the modes."""
    constants = [torch.as_tensor(value, dtype=torch.float64, device=device) for value in values]
    if any(constant.ndim > 1 for constant in constants):
        raise BadInputError(
            "spectral methods need sources that are constant in space, numbers or (batch,), got shapes "
            f"{[tuple(constant.shape) for constant in constants]}; usual cure: a stencil method ('rk4')"
        )
    batch = max(constant.numel() for constant in constants)
    stacked = torch.stack([constant.expand(batch) for constant in constants], dim=1)
    return stacked.reshape(batch, len(constants), *(1,) * num_dims)


def add_to_mean(spectrum: Tensor, source: Tensor) -> None:
    """Add real numbers (1 or batch, field) to the coefficients of the constant wave, in place."""
    for _ in range(spectrum.ndim - 2):
        spectrum = spectrum[:, :, 0]
    spectrum += source
