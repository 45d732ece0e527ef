"""The budget's quadrature: exact where it must be, of fourth order, and sharp."""

import math

import pytest
import torch

from pdenca.datasets.budget import budget_residual, mean_flow
from pdenca.solvers import GrayScott, Grid, Heat

EQUATION = GrayScott(0.03, 0.06)


def homogeneous(interval: float, num_frames: int = 9) -> torch.Tensor:
    """Exact homogeneous decay towards A = 1 with B = 0: A = 1 - exp(-F t) / 2."""
    times = torch.arange(num_frames, dtype=torch.float64) * interval
    a = 1 - 0.5 * torch.exp(-0.03 * times)
    return torch.stack((a, torch.zeros_like(a)), dim=1)[..., None].expand(-1, -1, 4)


def test_an_exact_solution_passes():
    residual, tolerance, resolved = budget_residual(
        EQUATION, Grid.uniform(4, 0.1, num_dims=1), homogeneous(5.0), 5.0
    )
    assert resolved.all()
    assert (residual < 0.5 * tolerance).all()


@pytest.mark.parametrize("num_frames", [3, 9])
def test_the_quadrature_error_falls_with_the_fifth_power_of_the_interval(num_frames):
    """The corrected trapezoidal rule: h⁵/720 of the fourth derivative of the budget, per interval."""
    grid = Grid.uniform(4, 0.1, num_dims=1)
    errors = [
        float(budget_residual(EQUATION, grid, homogeneous(h, num_frames), h)[0][0]) for h in (20.0, 10.0)
    ]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(5, abs=0.3)
    assert errors[1] == pytest.approx(10.0**5 / 720 * 0.5 * 0.03**5, rel=0.2)


def test_the_cubic_quadrature_is_exact_for_cubics():
    times = torch.arange(6, dtype=torch.float64)
    means = mean_flow(1 + times - 2 * times**2 + times**3)
    torch.testing.assert_close(means, (times + times**2 / 2 - 2 * times**3 / 3 + times**4 / 4).diff())


@pytest.mark.parametrize("fault", [1.001, 0.999])
def test_a_tenth_of_a_percent_is_seen(fault):
    frames = homogeneous(5.0).clone()
    frames[4] *= fault
    residual, tolerance, _ = budget_residual(EQUATION, Grid.uniform(4, 0.1, num_dims=1), frames, 5.0)
    assert torch.nonzero(residual > tolerance).flatten().tolist() == [3, 4]


def test_a_conserved_quantity_may_not_change():
    grid = Grid.uniform(8, 0.1, "no-flux", num_dims=1)
    frames = torch.rand(6, 1, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    frames += 1 - frames.mean(-1, keepdim=True)
    residual, tolerance, _ = budget_residual(Heat(0.1), grid, frames, 1.0)
    assert (residual < 1e-12).all()
    frames[3] += 1e-4
    residual, tolerance, _ = budget_residual(Heat(0.1), grid, frames, 1.0)
    assert torch.nonzero(residual > tolerance).flatten().tolist() == [2, 3]


def test_one_frame_has_no_budget():
    assert budget_residual(EQUATION, Grid.uniform(4, 0.1, num_dims=1), homogeneous(1.0, 1), 1.0) is None
