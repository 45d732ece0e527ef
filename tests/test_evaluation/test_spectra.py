"""Power spectra: Parseval, single waves, and distances with known answers."""

import math

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.evaluation import (
    SpectrumShells,
    dominant_wavenumber,
    log_spectral_distance,
    radial_spectrum,
    spatial_variance,
    wavelength_error,
)
from pdenca.solvers.grid import Grid

GRIDS = {
    "1-D even": Grid((16,), (0.25,), ("periodic",)),
    "1-D odd": Grid((15,), (0.25,), ("periodic",)),
    "2-D": Grid((12, 16), (0.5, 0.5), ("periodic", "periodic")),
    "2-D odd, uneven spacing": Grid((9, 15), (0.5, 0.2), ("periodic", "periodic")),
    "2-D no-flux": Grid((10, 7), (0.5, 0.5), ("no-flux", "no-flux")),
    "2-D mixed": Grid((10, 7), (0.5, 0.5), ("periodic", "no-flux")),
    "3-D": Grid((4, 6, 5), (1.0, 0.5, 0.5), ("periodic", "no-flux", "periodic")),
}


@pytest.fixture(params=GRIDS.values(), ids=GRIDS.keys())
def grid(request):
    return request.param


def noise(grid, generator, dtype=torch.float64):
    return torch.rand((2, 3, 2, *grid.shape), generator=generator, dtype=dtype)


def wave(grid, cycles, dtype=torch.float64):
    """One trajectory, frame and field: cos(2 pi k x) along the first axis, k = cycles per domain."""
    x = grid.coordinates()[0] / grid.extent[0]
    values = torch.cos(2 * math.pi * cycles * x + 0.3).reshape(-1, *(1,) * (grid.num_dims - 1))
    return values.expand(1, 1, 1, *grid.shape).to(dtype)


def test_parseval(grid, generator, dtype):
    values = noise(grid, generator, dtype)
    spectrum = radial_spectrum(values, grid)
    assert spectrum.energy.dtype == dtype
    torch.testing.assert_close((spectrum.energy * spectrum.width).sum(-1), spatial_variance(values))


def test_every_mode_is_in_one_shell(grid):
    shells = SpectrumShells(grid)
    mirrored = [
        cells * (1 + (name == "no-flux")) for cells, name in zip(grid.shape, grid.boundaries, strict=True)
    ]
    assert int(shells.num_modes.sum()) == math.prod(mirrored)
    assert int(shells.num_modes[0]) == 1


def test_shells_against_a_loop_over_all_modes(generator):
    grid = Grid((5, 6), (0.5, 0.25), ("periodic", "periodic"))
    values = torch.rand(1, 1, 1, 5, 6, generator=generator, dtype=torch.float64)
    spectrum = radial_spectrum(values, grid)
    modes = torch.fft.fft2(values[0, 0, 0] - values.mean()) / 30
    expected = [0.0] * len(spectrum.wavenumber)
    for i in range(5):
        for j in range(6):
            kx = (i if i <= 2 else i - 5) / 2.5
            ky = (j if j <= 3 else j - 6) / 1.5
            expected[round(math.hypot(kx, ky) / (1 / 2.5))] += float(modes[i, j].abs() ** 2) * 2.5
    assert spectrum.energy[0, 0, 0].tolist() == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("cycles", [1, 3, 7])
def test_a_wave_lies_in_its_own_shell(cycles):
    grid = Grid.uniform((16, 20), 0.5)  # 8 x 10 long; shells are 0.1 wide
    spectrum = radial_spectrum(wave(grid, cycles), grid)
    peak = int(spectrum.energy.argmax())
    assert float(spectrum.wavenumber[peak]) == pytest.approx(cycles / 8, abs=0.05)
    assert float(spectrum.energy.flatten()[peak] * spectrum.width) == pytest.approx(0.5, rel=1e-12)
    assert spectrum.nyquist == 1.0


def test_a_cosine_between_walls_is_one_mode():
    grid = Grid((32,), (0.25,), ("no-flux",))  # 8 long; half a wave fits between the walls
    x = grid.coordinates()[0]
    values = torch.cos(math.pi * 5 * x / 8).reshape(1, 1, 1, -1)
    spectrum = radial_spectrum(values, grid)
    energy = spectrum.energy.flatten() * spectrum.width
    assert float(spectrum.wavenumber[energy.argmax()]) == pytest.approx(5 / 16)
    assert float(energy.max() / energy.sum()) == pytest.approx(1.0, abs=1e-12)


def test_shifts_rotations_and_reflections_leave_the_spectrum_alone(generator):
    grid = Grid.uniform(12, 0.5)
    values = noise(grid, generator)
    expected = radial_spectrum(values, grid).energy
    for moved in (values.roll((3, 5), (-2, -1)), values.rot90(1, (-2, -1)), values.flip(-1), 4 - values):
        torch.testing.assert_close(radial_spectrum(moved, grid).energy, expected)


def test_the_axis_is_physical():
    coarse, fine = Grid.uniform(16, 0.5), Grid.uniform(32, 0.25)
    for grid in (coarse, fine):
        assert float(dominant_wavenumber(radial_spectrum(wave(grid, 4), grid))) == pytest.approx(0.5)


def test_distance_of_a_spectrum_to_itself_is_zero(grid, generator):
    spectrum = radial_spectrum(noise(grid, generator), grid)
    assert torch.equal(log_spectral_distance(spectrum, spectrum), torch.zeros(2, 3, 2, dtype=torch.float64))


def test_ten_times_the_energy_is_one_decade(generator):
    grid = Grid.uniform(16, 0.5)
    values = noise(grid, generator)
    louder = radial_spectrum(math.sqrt(10) * values, grid)
    distance = log_spectral_distance(louder, radial_spectrum(values, grid))
    torch.testing.assert_close(distance, torch.ones_like(distance), rtol=1e-4, atol=0)


def test_a_flat_prediction_is_far_but_finitely_so(generator):
    grid = Grid.uniform(8, 0.5)
    values = noise(grid, generator)
    truth, flat = radial_spectrum(values, grid), radial_spectrum(torch.full_like(values, 0.3), grid)
    distance = log_spectral_distance(flat, truth)
    assert (distance > 4).all()
    assert (distance <= 6).all()
    assert torch.equal(wavelength_error(flat, truth), torch.ones_like(distance))
    assert log_spectral_distance(truth, flat).isfinite().sum() == 0


def test_a_prediction_that_is_not_finite_has_no_spectrum(generator):
    grid = Grid.uniform(8, 0.5)
    values = noise(grid, generator)
    truth = radial_spectrum(values, grid)
    for bad in (math.nan, math.inf):
        broken = values.clone()
        broken[1, 2, 0, 4, 4] = bad
        spectrum = radial_spectrum(broken, grid)
        for result in (log_spectral_distance(spectrum, truth), wavelength_error(spectrum, truth)):
            assert result.isnan().sum() == 1
            assert result[1, 2, 0].isnan()


@pytest.mark.parametrize("centre", [0.4, 0.433, 0.447, 0.46])
def test_the_peak_is_found_between_shells(centre):
    """A ring of modes with Gaussian E(k): log E is a parabola, so the refinement is almost exact."""
    grid = Grid.uniform(128, 0.25)
    shells = SpectrumShells(grid)
    k = torch.fft.fftfreq(128, 0.25, dtype=torch.float64)
    radius = torch.hypot(k[:, None], k[None, : 128 // 2 + 1].abs())
    shell = (radius / shells.width).round().long()
    wanted = torch.exp(-((shells.wavenumber - centre) ** 2) / (2 * 0.06**2))
    modes = (wanted / shells.num_modes.clamp(min=1)).sqrt()[shell]
    generator = torch.Generator().manual_seed(1)
    white = torch.fft.rfft2(torch.randn(128, 128, generator=generator, dtype=torch.float64))
    values = torch.fft.irfft2(modes * white / white.abs(), s=(128, 128))[None, None, None]
    found = float(dominant_wavenumber(radial_spectrum(values, grid)))
    assert found == pytest.approx(centre, abs=0.1 * shells.width)


def test_wavelength_error_is_relative():
    grid = Grid.uniform(32, 0.5)
    four, five = (radial_spectrum(wave(grid, cycles), grid) for cycles in (4, 5))
    assert float(wavelength_error(five, four)) == pytest.approx(0.25, abs=1e-6)
    assert float(wavelength_error(four, four)) == 0.0


def test_frames_on_another_grid_are_refused(generator):
    with pytest.raises(BadInputError, match="but the grid has"):
        radial_spectrum(torch.zeros(1, 1, 1, 8, 9), Grid.uniform(8, 0.5))
