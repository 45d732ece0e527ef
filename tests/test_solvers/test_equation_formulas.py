"""Each equation is that of the literature, written here a second time; and its exact solutions."""

import math

import pytest
import torch

from pdenca.core.errors import BadInputError
from pdenca.solvers import (
    EQUATIONS,
    AdvectionDiffusion,
    AllenCahn,
    Brusselator,
    CahnHilliard,
    ComplexGinzburgLandau,
    FisherKPP,
    FitzHughNagumo,
    GiererMeinhardt,
    GrayScott,
    Grid,
    Heat,
    Schnakenberg,
    SpectralDerivatives,
    SwiftHohenberg,
    simulate,
)


def _gray_scott(u, lap):
    a, b = u
    return 0.02 * lap(a) - a * b**2 + 0.03 * (1 - a), 0.01 * lap(b) + a * b**2 - (0.03 + 0.06) * b


def _fitzhugh_nagumo(u, lap):
    u, v = u
    return 0.1 * lap(u) + u - u**3 - v - 0.2, 0.3 * lap(v) + 0.05 * (u - 0.7 * v)


def _brusselator(u, lap):
    u, v = u
    return 0.2 * lap(u) + 4.5 - (7 + 1) * u + u**2 * v, 1.6 * lap(v) + 7 * u - u**2 * v


def _schnakenberg(u, lap):
    u, v = u
    return lap(u) + 0.1 - u + u**2 * v, 10 * lap(v) + 0.9 - u**2 * v


def _gierer_meinhardt(u, lap):
    a, h = u
    activator = 0.5 * lap(a) + 1.1 * a**2 / ((1 + 0.2 * a**2) * h) - 0.9 * a + 0.03
    return activator, 7 * lap(h) + 1.1 * a**2 - 1.8 * h


def _swift_hohenberg(u, lap):
    (u,) = u
    once = u + lap(u)
    return (0.3 * u - (once + lap(once)) + 0.8 * u**2 - u**3,)


def _cahn_hilliard(u, lap):
    (c,) = u
    return (0.7 * lap(c**3 - c - 0.4 * lap(c)),)


def _complex_ginzburg_landau(u, lap):
    a = torch.complex(u[0], u[1])
    spread = torch.complex(lap(u[0]), lap(u[1]))
    rate = a + (1 + 1.5j) * spread - (1 - 0.7j) * a.abs() ** 2 * a
    return rate.real, rate.imag


FORMULAS = {
    "gray-scott": (GrayScott(0.03, 0.06, 0.02, 0.01), _gray_scott),
    "fitzhugh-nagumo": (FitzHughNagumo(0.2, 0.05, 0.7, 0.1, 0.3), _fitzhugh_nagumo),
    "brusselator": (Brusselator(4.5, 7.0, 0.2, 1.6), _brusselator),
    "schnakenberg": (Schnakenberg(0.1, 0.9, 1.0, 10.0), _schnakenberg),
    "gierer-meinhardt": (
        GiererMeinhardt(1.1, 0.9, 1.8, saturation=0.2, supply=0.03, diffusivity_a=0.5, diffusivity_h=7.0),
        _gierer_meinhardt,
    ),
    "swift-hohenberg": (SwiftHohenberg(0.3, 0.8), _swift_hohenberg),
    "cahn-hilliard": (CahnHilliard(0.7, 0.4), _cahn_hilliard),
    "allen-cahn": (AllenCahn(0.3, 0.1), lambda u, lap: (0.3 * lap(u[0]) + u[0] - u[0] ** 3 + 0.1,)),
    "fisher-kpp": (FisherKPP(1.3, 0.4), lambda u, lap: (0.4 * lap(u[0]) + 1.3 * u[0] * (1 - u[0]),)),
    "complex-ginzburg-landau": (ComplexGinzburgLandau(1.5, -0.7), _complex_ginzburg_landau),
    "heat": (Heat(0.3), lambda u, lap: (0.3 * lap(u[0]),)),
}


@pytest.mark.parametrize("name", [name for name in EQUATIONS if name != "advection-diffusion"])
@pytest.mark.parametrize("shape", [(16,), (12, 15), (8, 9, 10)])
def test_the_rate_is_the_formula_of_the_literature(name, shape, smooth_field):
    equation, formula = FORMULAS[name]
    grid = Grid.uniform(shape, 0.4)
    state = smooth_field(grid, len(equation.fields))
    squares = torch.zeros(())
    for axis, (cells, h) in enumerate(zip(grid.shape, grid.spacing, strict=True)):
        k = 2 * math.pi * torch.fft.fftfreq(cells, h, dtype=torch.float64)
        squares = squares + (k**2).reshape([-1 if other == axis else 1 for other in range(grid.num_dims)])

    def lap(field):
        return torch.fft.ifftn(-squares * torch.fft.fftn(field)).real

    expected = torch.stack(formula(state[0].unbind(0), lap))[None]
    found = equation.rate(state, SpectralDerivatives(grid))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11 * float(expected.abs().max()))


def test_advection_diffusion_carries_spreads_and_nothing_else():
    """Two slanted waves on a box of unequal sides, against exp(i k·(x - v t) - Σ D_d k_d² t)."""
    equation = AdvectionDiffusion(0.7, -0.4, diffusivity=(0.02, 0.05))
    grid = Grid((32, 20), (0.1, 0.15), ("periodic", "periodic"))
    x, y = (line.reshape(shape) for line, shape in zip(grid.coordinates(), ((-1, 1), (1, -1)), strict=True))
    kx, ky = (2 * math.pi / length for length in grid.extent)

    def exact(t):
        total = torch.ones(grid.shape, dtype=torch.float64)
        for height, m, n in ((0.5, 1, 2), (0.3, -3, 1)):
            a, b = m * kx, n * ky
            decay = math.exp(-(0.02 * a**2 + 0.05 * b**2) * t)
            total = total + height * decay * torch.cos(a * (x - 0.7 * t) + b * (y + 0.4 * t))
        return total[None, None]

    frames = simulate(equation, grid, exact(0.0), num_frames=3, frame_interval=0.5, time_step=0.5)
    for number in range(3):
        torch.testing.assert_close(frames[:, number], exact(0.5 * number), rtol=0, atol=1e-12)
    stencil = {"method": "rk4", "stencil": "order-6", "time_step": 0.01}
    found = simulate(equation, grid, exact(0.0), num_frames=2, frame_interval=1.0, **stencil)[:, -1]
    torch.testing.assert_close(found, exact(1.0), rtol=0, atol=2e-3)


def test_three_dimensional_streams():
    equation = AdvectionDiffusion(0.1, 0.2, 0.3, diffusivity=0.0)
    grid = Grid.uniform(8, 0.5, num_dims=3)
    start = torch.rand(1, 1, 8, 8, 8, dtype=torch.float64)
    start = start - 0.5 * (start - start.mean())
    smooth = torch.fft.rfftn(start, dim=(2, 3, 4))
    smooth[..., 4, :, :], smooth[..., 4, :], smooth[..., 4] = 0, 0, 0
    start = torch.fft.irfftn(smooth, s=(8, 8, 8), dim=(2, 3, 4))
    # after t = 5 the stream has moved by 1, 2 and 3 cells
    moved = simulate(equation, grid, start, num_frames=2, frame_interval=5.0, time_step=5.0)[:, -1]
    torch.testing.assert_close(moved, start.roll((1, 2, 3), (2, 3, 4)), rtol=0, atol=1e-12)


def test_fisher_fronts_move_as_the_exact_one():
    """Ablowitz and Zeppetella, c = 5 √(r D / 6), between walls far from the front."""
    r, d = 1.5, 0.6
    grid = Grid((300,), (0.2,), ("no-flux",))
    (x,) = grid.coordinates()
    speed = 5 * math.sqrt(r * d / 6)

    def exact(t):
        return (1 + torch.exp((x - 20 - speed * t) * math.sqrt(r / (6 * d)))) ** -2

    equation = FisherKPP(r, d)
    start = exact(0.0)[None, None]
    frames = simulate(equation, grid, start, num_frames=2, frame_interval=5.0, time_step=0.01, method="rk4")
    torch.testing.assert_close(frames[0, -1, 0], exact(5.0), rtol=0, atol=2e-5)


def test_plane_waves_of_the_complex_ginzburg_landau_equation():
    """A = √(1 - Q²) exp(iQx - iωt), ω = c + (b - c) Q²."""
    b, c = 1.2, 0.4
    grid = Grid((32,), (0.75,), ("periodic",))
    q = 2 * math.pi / grid.extent[0]
    omega = c + (b - c) * q**2

    def exact(t):
        phase = q * grid.coordinates()[0] - omega * t
        return math.sqrt(1 - q**2) * torch.stack((torch.cos(phase), torch.sin(phase)))[None]

    equation = ComplexGinzburgLandau(b, c)
    frames = simulate(equation, grid, exact(0.0), num_frames=2, frame_interval=3.0, time_step=0.02)
    torch.testing.assert_close(frames[:, -1], exact(3.0), rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("equation", "width"), [(AllenCahn(0.8), math.sqrt(1.6)), (CahnHilliard(1.0, 0.8), math.sqrt(1.6))]
)
def test_walls_between_phases_are_at_rest(equation, width):
    """tanh(x / √(2D)) and tanh(x / √(2γ)), two walls on a long ring."""
    grid = Grid((400,), (0.2,), ("periodic",))
    (x,) = grid.coordinates()
    profile = torch.tanh((x - 20) / width) * torch.tanh((60 - x) / width)
    rate = equation.rate(profile[None, None], SpectralDerivatives(grid))
    assert float(rate.abs().max()) < 1e-8


def test_swift_hohenberg_stripes_have_the_amplitude_of_the_docstring():
    """2 √(r/3), up to order r."""
    grid = Grid((32,), (2 * math.pi / 32,), ("periodic",))
    start = 0.1 * torch.cos(grid.coordinates()[0])[None, None]
    equation = SwiftHohenberg(0.04)
    frames = simulate(equation, grid, start, num_frames=2, frame_interval=400.0, time_step=0.5)
    assert float(frames[0, -1].max()) == pytest.approx(2 * math.sqrt(0.04 / 3), rel=0.01)


def test_a_bias_drives_allen_cahn_walls_at_the_speed_of_the_docstring():
    """(3/√2) h √D to first order in h: what two walls gain is twice the path, times the height 2."""
    d, h = 0.8, 0.02
    grid = Grid((400,), (0.2,), ("periodic",))
    (x,) = grid.coordinates()
    width = math.sqrt(2 * d)
    start = (-torch.tanh((x - 20) / width) * torch.tanh((60 - x) / width))[None, None]
    frames = simulate(AllenCahn(d, h), grid, start, num_frames=3, frame_interval=20.0, time_step=0.1)
    gained = float((frames[0, 2] - frames[0, 1]).mean()) * 80.0
    assert gained / (2 * 2 * 20.0) == pytest.approx(3 / math.sqrt(2) * h * math.sqrt(d), rel=0.02)


def test_gray_scott_has_reacted_states_where_the_docstring_says():
    assert GrayScott(0.03, 0.06).homogeneous_states() == ((1.0, 0.0),)
    states = GrayScott(0.098, 0.057).homogeneous_states()
    assert len(states) == 3
    assert len(GrayScott(0.04, math.sqrt(0.04) / 2 - 0.04 - 1e-6).homogeneous_states()) == 3
    assert len(GrayScott(0.04, math.sqrt(0.04) / 2 - 0.04 + 1e-6).homogeneous_states()) == 1


def test_fitzhugh_nagumo_has_as_many_steady_states_as_the_docstring_says():
    assert len(FitzHughNagumo(0.05, recovery_decay=2.0).homogeneous_states()) == 3
    assert len(FitzHughNagumo(0.05, recovery_decay=0.9).homogeneous_states()) == 1
    assert FitzHughNagumo(torch.ones(2)).homogeneous_states() == ()
    (state,) = FitzHughNagumo(5e-3).homogeneous_states()
    assert state[0] == pytest.approx(-(5e-3 ** (1 / 3)))


def test_a_constant_that_varies_in_space_makes_no_closed_steady_state():
    varying = torch.rand(1, 4, 4, dtype=torch.float64)
    assert GrayScott(varying, 0.06).homogeneous_states() == ((1.0, 0.0),)
    assert Schnakenberg(varying).homogeneous_states() == ()
    assert Brusselator(varying).homogeneous_states() == ()
    assert GiererMeinhardt(supply=varying).homogeneous_states() == ()
    assert AllenCahn(bias=0.1).homogeneous_states() == ()
    assert GiererMeinhardt(saturation=varying).homogeneous_states() == ()
    assert len(GiererMeinhardt(saturation=0.25).homogeneous_states()) == 1
    assert SwiftHohenberg(varying).homogeneous_states() == ((0.0,),)
    assert len(SwiftHohenberg(-0.2, 1.6).homogeneous_states()) == 1
    assert len(SwiftHohenberg(0.9, 1.6).homogeneous_states()) == 3


def test_anisotropic_diffusion_needs_one_number_per_axis(small_state):
    """Heat along one axis only, and the wrong number of axes."""
    grid = Grid.uniform(8, 0.3)
    derivatives = SpectralDerivatives(grid)
    found = Heat((0.2, 0.0)).rate(small_state[:, :1], derivatives)
    torch.testing.assert_close(found, 0.2 * derivatives.second(small_state[:, :1], 0))
    assert Heat((0.2, 0.0)).parameters() == {}
    assert Heat.from_parameters({"diffusivity": [0.2, 0.1]}).diffusivity == (0.2, 0.1)
    with pytest.raises(BadInputError, match="on 2 axes needs 2 diffusivities"):
        Heat((0.2, 0.0, 0.1)).rate(small_state[:, :1], derivatives)
