"""Radial power spectra and the wavelength at which they peak.

Wavenumbers are in cycles per unit length (a pattern of wavelength 0.25 peaks at 4), so that spectra of
different resolutions and domain sizes share one axis.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdenca.core.errors import BadInputError

from .grid import Grid

RELATIVE_ENERGY_FLOOR = 1e-6
"""Energies this far below the strongest shell are taken for rounding noise."""


@dataclass(frozen=True)
class RadialSpectrum:
    """Power spectra of many frames over shared shells of wavenumbers.

    Attributes:
        wavenumber: centre of each shell, b * width for b = 0, 1, ..., in cycles per unit length.
        energy: E(k), variance per unit wavenumber: ``(energy * width).sum(-1)`` is the spatial variance.
        num_modes: number of Fourier modes in each shell; ``energy * width / num_modes`` is the radial
            average of the power of one mode.
        width: width of a shell, one cycle per longest side of the domain.
        nyquist: radius up to which shells are complete on this grid.
    """

    wavenumber: Float[Tensor, " shell"]
    energy: Float[Tensor, "batch time channel shell"]
    num_modes: Int[Tensor, " shell"]
    width: float
    nyquist: float


class SpectrumShells:
    """The Fourier modes of one grid sorted into shells, made once and applied to many frames.

    Mode k belongs to the shell b whose centre b * width is nearest to |k|. Axes without flux through their
    ends are mirrored first (what the cosine transform does), so that the jump between the two ends of such
    an axis does not fill the spectrum.

    Arguments:
        grid: 1 to 3 dimensions, cell-centred.
        device: where the frames will be.
    """

    def __init__(self, grid: Grid, device: torch.device | str = "cpu") -> None:
        self._space = tuple(range(-grid.num_dims, 0))
        self._mirrored = [
            axis
            for axis, boundary in zip(self._space, grid.boundaries, strict=True)
            if boundary != "periodic"
        ]
        cells = [
            count * (2 if axis in self._mirrored else 1)
            for axis, count in zip(self._space, grid.shape, strict=True)
        ]
        self._shape = tuple(grid.shape)
        self._num_cells = math.prod(cells)
        spacings = [float(spacing) for spacing in grid.spacing]
        self.width = 1 / max(count * spacing for count, spacing in zip(cells, spacings, strict=True))
        self.nyquist = min(0.5 / spacing for spacing in spacings)
        axes = [
            torch.fft.fftfreq(count, spacing, dtype=torch.float64)
            for count, spacing in zip(cells, spacings, strict=True)
        ]
        axes[-1] = torch.fft.rfftfreq(cells[-1], spacings[-1], dtype=torch.float64)
        squares = torch.stack(torch.meshgrid(*[axis.square() for axis in axes], indexing="ij")).sum(dim=0)
        shells = (squares.sqrt() / self.width).round().to(torch.int64)
        # half of the last axis is not stored because it is the complex conjugate of the other half
        twin = torch.full((cells[-1] // 2 + 1,), 2.0, dtype=torch.float64)
        twin[0] = 1
        if cells[-1] % 2 == 0:
            twin[-1] = 1
        multiplicity = twin.expand(shells.shape)
        num_shells = int(shells.max()) + 1
        counts = torch.zeros(num_shells, dtype=torch.float64)
        counts.index_add_(0, shells.flatten(), multiplicity.flatten())
        self.num_modes = counts.to(torch.int64).to(device)
        self.wavenumber = (torch.arange(num_shells, dtype=torch.float64) * self.width).to(device)
        self._shells = shells.flatten().to(device)
        self._multiplicity = multiplicity.flatten().to(device)

    def spectrum(self, values: Float[Tensor, "batch time channel *space"]) -> RadialSpectrum:
        """Sort the power of every frame into the shells.

        Arguments:
            values: frames on the grid of these shells; the spatial mean is removed.

        Returns:
            The spectra, on the values' dtype and device; NaN wherever a frame is not finite.

        Raises:
            BadInputError: if the frames are not on the grid.
        """
        if tuple(values.shape[3:]) != self._shape:
            raise BadInputError(
                f"frames have {tuple(values.shape[3:])} cells but the grid has {self._shape}; "
                "usual cure: pass the grid the frames were stored on"
            )
        centred = values - values.mean(dim=self._space, keepdim=True)
        for axis in self._mirrored:
            centred = torch.cat([centred, centred.flip(axis)], dim=axis)
        modes = torch.fft.rfftn(centred, dim=self._space).flatten(3)
        power = (modes.real.square() + modes.imag.square()) * self._multiplicity.to(values)
        energy = values.new_zeros((*values.shape[:3], len(self.num_modes)))
        energy.index_add_(-1, self._shells.to(values.device), power)
        energy = energy / (self._num_cells**2 * self.width)
        return RadialSpectrum(
            self.wavenumber.to(values),
            energy,
            self.num_modes.to(values.device),
            self.width,
            self.nyquist,
        )


def radial_spectrum(values: Float[Tensor, "batch time channel *space"], grid: Grid) -> RadialSpectrum:
    """Radial power spectrum E(k) of every frame and field.

    With a_k the discrete Fourier coefficients of v - <v> divided by the number of cells,
    E(k_b) = sum of |a_k|^2 over the modes whose |k| is nearest to k_b = b dk, divided by dk, where dk is one
    cycle per longest side of the domain. Parseval: sum over b of E(k_b) dk = <(v - <v>)^2>, exactly.
    Mirrored axes (no-flux) count as twice as long.

    Arguments:
        values: the frames, in the unit of each field.
        grid: where they live, 1 to 3 dimensions.

    Returns:
        Shell centres, E(k) and the number of modes per shell; shells beyond ``nyquist`` hold only the
        corners of the box of modes.
    """
    return SpectrumShells(grid, values.device).spectrum(values)


def dominant_wavenumber(spectrum: RadialSpectrum) -> Float[Tensor, "batch time channel"]:
    """Wavenumber at which E(k) peaks, refined between shells, in cycles per unit length.

    The refinement is the top of the parabola through log E of the strongest shell and its two neighbours,
    whose energies are taken as at least 1e-6 of the peak's, so that a single wave stays where it is. It
    resolves a fraction of a shell for a peak a few shells wide and is exact for a Gaussian one. A frame
    without structure has wavenumber 0 (no wave fits); one that is not finite has NaN.

    Returns:
        The wavenumber of every frame and field; 1 / it is the dominant wavelength.
    """
    energy = spectrum.energy
    peak = energy.argmax(dim=-1)
    below, above = (peak - 1).clamp(min=0), (peak + 1).clamp(max=energy.shape[-1] - 1)
    left, top, right = (energy.gather(-1, index[..., None]).squeeze(-1) for index in (below, peak, above))
    inside = (peak > 1) & (above > peak) & (top > 0)
    least = RELATIVE_ENERGY_FLOOR * top
    left, right = torch.maximum(left, least) / top, torch.maximum(right, least) / top
    curvature = left.log() + right.log()  # of log E / top, whose value at the peak is 0
    shift = torch.where(inside & (curvature < 0), 0.5 * (left / right).log() / curvature, 0.0)
    wavenumber = torch.where(top > 0, (peak.to(energy) + shift) * spectrum.width, 0.0)
    return torch.where(energy.isfinite().all(dim=-1), wavenumber, torch.full_like(top, torch.nan))
