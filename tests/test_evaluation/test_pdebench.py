"""PDEBench's errors against loops over cells and waves."""

import cmath
import math

import pytest
import torch

from pdenca.evaluation import fourier_rmse, pdebench_nrmse, well_nrmse
from pdenca.evaluation.pdebench import bands_of


def frames(shape, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def by_loops(error):
    """The definition for one frame, wave by wave."""
    nx, ny = error.shape
    half = min(nx // 2, ny // 2)
    shells = [0.0] * half
    for i in range(nx // 2):
        for j in range(ny // 2):
            shell = math.floor(math.hypot(i, j))
            if shell >= half:
                continue
            wave = sum(
                complex(error[x, y]) * cmath.exp(-2j * math.pi * (i * x / nx + j * y / ny))
                for x in range(nx)
                for y in range(ny)
            )
            shells[shell] += abs(wave) ** 2
    roots = [math.sqrt(value) / (nx * ny) for value in shells]
    return [sum(band) / len(band) if band else math.nan for band in (roots[:4], roots[4:12], roots[12:])]


@pytest.mark.parametrize("shape", [(12, 10), (8, 14), (26, 28)])
def test_bands_are_those_of_the_definition(shape):
    u, v = frames((1, 1, 1, *shape), 0), frames((1, 1, 1, *shape), 1)
    expected = torch.tensor(by_loops((u - v)[0, 0, 0]), dtype=torch.float64)
    found = fourier_rmse(u, v)[0, 0, 0]
    torch.testing.assert_close(found, expected, equal_nan=True)
    names = [name for name, value in zip(("low", "middle", "high"), found, strict=True) if value == value]
    assert tuple(names) == bands_of(shape)


def test_a_wave_stands_in_its_band_alone():
    x = torch.arange(64, dtype=torch.float64)
    for wave, band in ((0, 0), (3, 0), (4, 1), (11, 1), (12, 2), (31, 2)):
        error = 0.3 * torch.cos(2 * math.pi * wave * x / 64)[:, None].expand(64, 64)
        values = fourier_rmse(error.expand(2, 3, 1, 64, 64), torch.zeros(2, 3, 1, 64, 64).double())
        amplitude = 0.3 if wave == 0 else 0.15  # half of it is at the negative wave
        assert values[1, 2, 0, band] == pytest.approx(amplitude / (4, 8, 20)[band])
        assert float(values[..., [other for other in range(3) if other != band]].abs().max()) < 1e-12


def test_one_dimension_counts_all_waves_up_to_nyquist():
    u = frames((2, 1, 1, 32), 3)
    roots = torch.fft.rfft(u[0, 0, 0]).abs() / 32
    expected = torch.stack([roots[:4].mean(), roots[4:12].mean(), roots[12:].mean()])
    torch.testing.assert_close(fourier_rmse(u, torch.zeros_like(u))[0, 0, 0], expected)


def test_three_dimensions_have_bands_too():
    u = frames((1, 1, 1, 8, 8, 10), 4)
    values = fourier_rmse(u, torch.zeros_like(u))[0, 0, 0]
    assert values[0] > 0
    assert values[1:].isnan().all()
    assert bands_of((8, 8, 10)) == ("low",)


def test_nrmse_is_that_of_the_well_but_for_a_constant():
    u, v = frames((2, 3, 2, 6, 5), 5), frames((2, 3, 2, 6, 5), 6)
    root = (u - v).square().flatten(3).mean(-1).sqrt()
    torch.testing.assert_close(pdebench_nrmse(u, v), root / v.square().flatten(3).mean(-1).sqrt())
    torch.testing.assert_close(pdebench_nrmse(u, v), well_nrmse(u, v), rtol=1e-5, atol=0)
    zero = torch.zeros_like(v)
    assert pdebench_nrmse(u, zero).isinf().all()
    assert well_nrmse(u, zero).isfinite().all()


def test_a_nan_is_not_hidden():
    u = frames((2, 1, 1, 26, 26), 7)
    spoilt = u.clone()
    spoilt[1, 0, 0, 3, 3] = math.nan
    values = fourier_rmse(spoilt, u)
    assert values[1].isnan().all()
    assert values[0].abs().max() == 0
