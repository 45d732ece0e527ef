"""Initial states: functions of space, not of the grid; deterministic; in range; at constant density."""

import math

import pytest
import torch

from pdenca.core.errors import BadInputError
from pdenca.solvers import INITIAL_CONDITIONS, REGIMES, Grid, restrict
from pdenca.solvers.initial_conditions import (
    blocks,
    fourier_noise,
    front,
    gaussian_blobs,
    random_blocks,
    seeds,
    smooth_noise,
    spiral,
    square,
    white_noise,
)

OPTIONS = {
    "fourier-noise": {"feed_rate": 0.029, "kill_rate": 0.057},
    "blocks": {"width": 0.05},
    "random-blocks": {"width": 0.05, "sides": (0.2, 0.8), "density": (1.0, 2.0)},
    "smooth-noise": {"means": (0.5, -1.0), "amplitudes": (0.2, 0.3), "density": 6.0},
    "white-noise": {"means": (0.5, -1.0), "amplitudes": (0.2, 0.3)},
    "seeds": {"outside": (1.0, -1.0), "inside": (0.0, 2.0), "radius": 0.15, "density": 2.0},
    "front": {
        "behind": (1.0, -1.0),
        "ahead": (0.0, 2.0),
        "width": 0.15,
        "roughness": 0.3,
        "density": 3.0,
    },
    "spiral": {"means": (0.5, -1.0), "amplitudes": (0.2, 0.3), "sharpness": 2.0},
}
RESOLUTION_DEPENDENT = {"white-noise"}


def _make(name, grid, seed=0, num_trajectories=2):
    generator = torch.Generator().manual_seed(seed)
    return INITIAL_CONDITIONS[name](grid, generator, num_trajectories, **OPTIONS.get(name, {}))


@pytest.fixture(params=INITIAL_CONDITIONS)
def name(request) -> str:
    return request.param


def test_shape_dtype_and_determinism(name):
    grid = Grid.uniform((12, 16), 1 / 8)
    state = _make(name, grid)
    assert state.shape == (2, 2, 12, 16)
    assert state.dtype == torch.float64
    assert torch.equal(state, _make(name, grid))
    assert float((state[0] - state[1]).abs().max()) > 0.01
    if name != "blocks":
        assert float((state - _make(name, grid, seed=1)).abs().max()) > 0.01


@pytest.mark.parametrize("name", sorted(set(INITIAL_CONDITIONS) - RESOLUTION_DEPENDENT))
@pytest.mark.parametrize("boundary", ["periodic", "no-flux", "dirichlet(0.5)"])
def test_a_finer_grid_samples_the_same_function(name, boundary):
    """With an odd factor each coarse centre is a fine centre."""
    grid = Grid.uniform((12, 16), 1 / 8, boundary)
    fine = _make(name, grid.refined(3))[..., 1::3, 1::3]
    torch.testing.assert_close(fine, _make(name, grid), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["gaussian-blobs", "fourier-noise", "square"])
def test_the_restriction_of_a_resolved_state_is_the_state(name):
    """The function is periodic and smooth: its Fourier series converges."""
    grid = Grid.uniform(64, 1 / 48)
    fine = grid.refined(2)
    tolerance = {"gaussian-blobs": 1e-5, "fourier-noise": 1e-11, "square": 2e-2}[name]
    difference = restrict(_make(name, fine), fine, grid) - _make(name, grid)
    assert float(difference.abs().max()) < tolerance


@pytest.mark.parametrize("name", sorted(set(INITIAL_CONDITIONS) - RESOLUTION_DEPENDENT - {"front"}))
@pytest.mark.parametrize("boundary", ["no-flux", "dirichlet(0.5)"])
def test_no_flux_states_are_flat_at_the_walls(name, boundary):
    """The slope at the wall, measured on very thin cells, vanishes against that inside."""
    grid = Grid((2048, 8), (1 / 1024, 1 / 4), (boundary, boundary))
    slopes = _make(name, grid).diff(dim=2).abs().amax((0, 1, 3))
    assert float(torch.maximum(slopes[0], slopes[-1])) < 0.1 * float(slopes.max())


@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_blobs_fill_the_unit_interval_in_every_dimension(num_dims):
    grid = Grid.uniform(96 if num_dims < 3 else 40, 1 / 96 if num_dims < 3 else 1 / 40, num_dims=num_dims)
    state = gaussian_blobs(grid, torch.Generator().manual_seed(3), 2)
    assert float(state.min()) > -1e-7
    assert float(state.max()) < 1 + 1e-7
    lows, highs = state.flatten(2).amin(2), state.flatten(2).amax(2)
    loss = 300 * num_dims * (grid.spacing[0] / 2) ** 2  # how far samples can miss a peak
    assert float(lows.max()) < 2 * loss
    assert float(highs.min()) > 1 - 2 * loss


def test_number_of_blobs_follows_the_area(monkeypatch):
    """The Well's 10 to 100 blobs on area 4, and as many per area elsewhere."""
    limits = []
    original = torch.randint

    def spy(low, high, *arguments, **options):
        limits.append((low, high - 1))
        return original(low, high, *arguments, **options)

    monkeypatch.setattr(torch, "randint", spy)
    for cells in (16, 64, 128, 256):
        gaussian_blobs(Grid.uniform(cells, 1 / 64), torch.Generator().manual_seed(0), 1)
    assert sorted(set(limits)) == [(1, 2), (2, 25), (10, 100), (40, 400)]


def test_blobs_are_the_sum_of_their_periodic_images():
    """One wide blob, its centre read off the phase of its first waves, against a tiling of 7 x 7 copies."""
    grid = Grid.uniform(60, 1 / 30)
    generator = torch.Generator().manual_seed(5)
    b = gaussian_blobs(grid, generator, 1, density=(1e-3, 1e-3), exponent=(2.0, 2.0))[0, 1]
    x = grid.coordinates()[0]
    spectrum = torch.fft.fft2(b)
    centre = [float(x[0] - torch.angle(wave) / math.pi) for wave in (spectrum[1, 0], spectrum[0, 1])]
    lines = [sum(torch.exp(-2 * (x - c - 2 * image) ** 2) for image in range(-3, 4)) for c in centre]
    total = lines[0][:, None] * lines[1]
    ratio = (total - total.mean()) / (b - b.mean())
    torch.testing.assert_close(ratio, ratio[0, 0].expand_as(ratio), rtol=1e-6, atol=0)


def test_noise_of_five_regimes_surrounds_the_bare_state_and_of_bubbles_the_reacted_one():
    grid = Grid.uniform(64, 1 / 32)
    for regime_name, regime in REGIMES.items():
        feed, kill = regime.feed_rate, regime.kill_rate
        state = fourier_noise(grid, torch.Generator().manual_seed(0), 2, feed_rate=feed, kill_rate=kill)
        mean = state.mean((0, 2, 3)).tolist()
        if regime_name == "bubbles":
            a, b = mean
            assert abs(feed * (1 - a) - a * b**2) < 2e-3
            assert abs(a * b**2 - (feed + kill) * b) < 2e-3
            assert b > 0.3
            assert float(state.min()) > 0
        else:
            assert mean == pytest.approx([1.0, 0.0], abs=0.02)
            assert float(state[:, 1].min()) < -0.2


def test_noise_interpolates_the_lattice_it_was_drawn_on():
    """At the noise points themselves the values are the uniform draws, half of [-1/2, 1/2]."""
    for boundary in ("periodic", "no-flux"):
        grid = Grid.uniform((32, 16), 1 / 16, boundary)
        state = fourier_noise(grid, torch.Generator().manual_seed(1), 2, feed_rate=0.029, kill_rate=0.057)
        draws = (
            torch.rand((2, 2, 32, 16), generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 0.5
        )
        mean = torch.tensor([1.0, 0.0], dtype=torch.float64)[:, None, None]
        torch.testing.assert_close(state, mean + 0.5 * draws, rtol=0, atol=1e-13)


def test_noise_has_the_same_wavelengths_on_every_domain():
    for cells in (64, 128):
        grid = Grid.uniform(cells, 1 / 32)
        state = fourier_noise(grid, torch.Generator().manual_seed(0), 1, feed_rate=0.029, kill_rate=0.057)
        power = torch.fft.rfft2(state[0, 1]).abs()
        highest = cells // 4  # 16 points per unit length resolve waves up to 8 per unit length
        assert float(power[:, highest + 1 :].max()) < 1e-9 * float(power.max())
        assert float(power[: highest - 1, : highest - 1].median()) > 0.05 * float(power.max())


@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_a_centred_square_is_where_it_should_be_and_symmetric(num_dims):
    grid = Grid.uniform(32, 1 / 32, num_dims=num_dims)
    state = square(grid, torch.Generator(), 1, side=0.5, width=0.01, centre=(0.5,) * num_dims)
    inside = state[0, 1] / 0.25
    assert float(inside.sum() / 32**num_dims) == pytest.approx(0.5**num_dims, rel=1e-6)
    torch.testing.assert_close(state[0, 0], 1 - inside / 2)
    for axis in range(num_dims):
        torch.testing.assert_close(inside.flip(axis), inside, rtol=0, atol=1e-13)


def test_a_square_wraps_around_periodic_edges_only():
    corner = {"side": 0.5, "width": 0.01, "centre": (0.0, 0.0)}
    periodic = square(Grid.uniform(32, 1 / 32), torch.Generator(), 1, **corner)[0, 1]
    walled = square(Grid.uniform(32, 1 / 32, "no-flux"), torch.Generator(), 1, **corner)[0, 1]
    assert float(periodic[-1, -1]) == pytest.approx(0.25, abs=1e-6)
    assert float(walled[-1, -1]) == pytest.approx(0.0, abs=1e-6)
    assert float(walled.max()) < 0.25 + 1e-9


def test_blocks_are_four_sharp_drawings():
    state = blocks(Grid.uniform(64, 1.0), torch.Generator(), 4)
    a, b = state.unbind(1)
    assert set(b.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(a, 1 - b)
    sizes = b.sum((-1, -2)).tolist()
    assert sizes[0] == 16 * 16
    assert sizes[1] == 2 * 8 * 8 + 2 * 20 * 20
    assert sizes[2] > 4 * 64
    again = blocks(Grid.uniform(64, 1.0), torch.Generator(), 2, patterns=(3, 0))
    assert torch.equal(again, state[[3, 0]])


def test_random_blocks_are_sharp_rectangles():
    grid = Grid.uniform(64, 1.0)
    state = random_blocks(grid, torch.Generator().manual_seed(0), 30)
    a, b = state.unbind(1)
    assert set(b.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(a, 1 - b)
    covered = b.sum((-1, -2))
    assert covered.min() >= 3 * 3
    assert covered.max() <= 5 * 21 * 21
    assert len(set(covered.tolist())) > 20
    one = random_blocks(grid, torch.Generator().manual_seed(0), 1, sides=(8.0, 8.0), density=(1e-9, 1e-9))
    assert float(one[0, 1].sum()) in (49, 56, 64, 72, 81), "as many centres as lie within 8 x 8"
    # beyond the edge of a torus it goes on at the other side
    many = random_blocks(
        grid, torch.Generator().manual_seed(1), 200, sides=(20.0, 20.0), density=(1e-9, 1e-9)
    )
    assert many[:, 1].sum((-1, -2)).min() >= 19 * 19
    for told in ({"sides": (0.0, 1.0)}, {"density": (2.0, 1.0)}, {"width": -1.0}):
        with pytest.raises(BadInputError):
            random_blocks(grid, torch.Generator(), 1, **told)


def test_smooth_noise_surrounds_its_means_on_any_number_of_fields_and_axes():
    for num_dims, num_fields in ((1, 1), (2, 3), (3, 2)):
        grid = Grid.uniform(24, 1 / 8, num_dims=num_dims)
        means, amplitudes = tuple(map(float, range(num_fields))), (0.3,) * num_fields
        state = smooth_noise(grid, torch.Generator().manual_seed(0), 4, means=means, amplitudes=amplitudes)
        assert state.shape == (4, num_fields, *grid.shape)
        found = state.transpose(0, 1).flatten(1)
        assert found.mean(1).tolist() == pytest.approx(means, abs=0.12)
        # uniform numbers in [-0.3, 0.3] have deviation 0.3/√3; as dense as the grid here, so nothing is lost
        assert found.std(1).tolist() == pytest.approx([0.3 / math.sqrt(3)] * num_fields, rel=0.2)


def test_smooth_noise_has_no_waves_shorter_than_two_points():
    grid = Grid.uniform(64, 1 / 16)
    state = smooth_noise(
        grid, torch.Generator().manual_seed(0), 1, means=(0.0,), amplitudes=(1.0,), density=4.0
    )
    power = torch.fft.rfft2(state[0, 0]).abs()
    assert float(power[:, 9:].max()) < 1e-10 * float(power.max())
    assert float(power[:8, :8].median()) > 0.1 * float(power.max()) / 8


def test_white_noise_is_normal_and_independent_in_every_cell():
    grid = Grid.uniform(64, 1.0)
    state = white_noise(grid, torch.Generator().manual_seed(0), 2, means=(1.0, -2.0), amplitudes=(1.0, 0.5))
    flat = state.transpose(0, 1).flatten(1)
    assert flat.mean(1).tolist() == pytest.approx([1.0, -2.0], abs=0.05)
    assert flat.std(1).tolist() == pytest.approx([1.0, 0.5], rel=0.05)
    inside = ((flat[0] - 1).abs() < 1).double().mean()
    assert float(inside) == pytest.approx(0.683, abs=0.02)
    neighbours = ((state[:, 0] - 1) * (state[:, 0].roll(1, -1) - 1)).mean()
    assert abs(float(neighbours)) < 0.05


def test_seeds_are_as_many_as_the_density_says_and_reach_the_inner_state():
    grid = Grid.uniform(128, 1 / 16)
    state = seeds(
        grid,
        torch.Generator().manual_seed(2),
        3,
        outside=(1.0, 0.0),
        inside=(0.0, 2.0),
        radius=0.15,
        density=4 / 64,
    )
    shape = state[:, 1] / 2
    torch.testing.assert_close(state[:, 0], 1 - shape)
    assert float(shape.min()) >= 0
    assert float(shape.amax((1, 2)).min()) > 0.9
    # four seeds that rarely overlap: each has the area 2π R²
    area = shape.sum((1, 2)) / 16**2 / (2 * math.pi * 0.15**2)
    assert area.tolist() == pytest.approx([4.0] * 3, abs=0.2)


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_a_front_stands_where_it_was_drawn(boundary):
    grid = Grid((4000,), (0.01,), (boundary,))
    options = {"behind": (2.0, -1.0), "ahead": (0.0, 1.0), "width": 0.5, "position": (0.3, 0.3)}
    state = front(grid, torch.Generator().manual_seed(0), 1, **options)[0]
    shape = state[0] / 2
    torch.testing.assert_close(state[1], 1 - 2 * shape)
    crossings = grid.coordinates()[0][1:][(shape[1:] - 0.5).sign() != (shape[:-1] - 0.5).sign()]
    expected = [12.0] if boundary == "no-flux" else [6.0, 34.0]
    assert crossings.tolist() == pytest.approx(expected, abs=0.02)
    slope = float(shape.diff().abs().max()) / 0.01
    assert slope == pytest.approx(1 / (2 * 0.5), rel=0.01)
    assert float(shape.diff()[[0, -1]].abs().max()) < 1e-4


def test_a_rough_front_wanders_no_further_than_it_may():
    grid = Grid((400, 60), (0.1, 0.5), ("no-flux", "periodic"))
    options = {"behind": (1.0,), "ahead": (0.0,), "width": 0.1, "position": (0.4, 0.4), "roughness": 3.0}
    state = front(grid, torch.Generator().manual_seed(0), 2, **options)[:, 0]
    positions = state.sum(1) * 0.1
    assert float((positions - 16).abs().max()) < 3.01
    assert float((positions - 16).abs().max()) > 1.0
    assert float(positions.diff(dim=1).abs().max()) < 2.0


@pytest.mark.parametrize(("boundary", "charges"), [("periodic", [-1, -1, 1, 1]), ("no-flux", [1])])
def test_spirals_wind_around_their_centres(boundary, charges):
    """The phase of (u - mean, v - mean) turns once around each."""
    grid = Grid.uniform(40, 1.0, boundary)
    state = spiral(grid, torch.Generator().manual_seed(1), 1, means=(0.5, -1.0), amplitudes=(0.2, 0.3))
    phase = torch.angle(torch.complex((state[0, 0] - 0.5) / 0.2, (state[0, 1] + 1.0) / 0.3))
    if boundary == "periodic":
        phase = torch.nn.functional.pad(phase[None, None], (0, 1, 0, 1), mode="circular")[0, 0]

    def turn(a):
        return torch.remainder(a + math.pi, 2 * math.pi) - math.pi

    down, right = turn(phase.diff(dim=0)), turn(phase.diff(dim=1))
    winding = (down[:, :-1] + right[1:] - down[:, 1:] - right[:-1]) / (2 * math.pi)
    found = winding[winding.abs() > 0.5].round().int().tolist()
    assert sorted(found) == charges


def test_refusals():
    grid, generator = Grid.uniform(8, 0.25), torch.Generator()
    for name, function in INITIAL_CONDITIONS.items():
        with pytest.raises(BadInputError, match="num_trajectories must be at least 1, got 0"):
            function(grid, generator, 0, **OPTIONS.get(name, {}))
    with pytest.raises(BadInputError, match=r"density must be a range of positive numbers"):
        gaussian_blobs(grid, generator, 1, density=(0.0, 1.0))
    with pytest.raises(BadInputError, match=r"exponent must be a range .* got \(3.0, 2.0\)"):
        gaussian_blobs(grid, generator, 1, exponent=(3.0, 2.0))
    with pytest.raises(BadInputError, match="overlap to a constant"):
        gaussian_blobs(Grid.uniform(8, 1 / 32), generator, 1, exponent=(1.0, 1.0))
    with pytest.raises(BadInputError, match="density must be a positive number of noise points"):
        fourier_noise(grid, generator, 1, feed_rate=0.03, kill_rate=0.06, density=0.0)
    with pytest.raises(BadInputError, match="side > 0 and width >= 0"):
        square(grid, generator, 1, side=0.0)
    with pytest.raises(BadInputError, match="one coordinate per axis"):
        square(grid, generator, 1, centre=(0.5,))
    with pytest.raises(BadInputError, match="two dimensions, got a grid of 1; usual cure: square"):
        blocks(Grid.uniform(8, 0.25, num_dims=1), generator, 1)
    with pytest.raises(BadInputError, match="drawings 0 to 3, one for each of 5"):
        blocks(grid, generator, 5)
    with pytest.raises(BadInputError, match="width must be at least 0"):
        blocks(grid, generator, 1, width=-1.0)
    with pytest.raises(BadInputError, match="one number per field"):
        smooth_noise(grid, generator, 1, means=(0.0, 1.0), amplitudes=(0.1,))
    with pytest.raises(BadInputError, match="one number per field"):
        white_noise(grid, generator, 1, means=(), amplitudes=())
    with pytest.raises(BadInputError, match="density must be a positive number of noise points"):
        smooth_noise(grid, generator, 1, means=(0.0,), amplitudes=(0.1,), density=-1.0)
    with pytest.raises(BadInputError, match="positive radius and density, got 0"):
        seeds(grid, generator, 1, outside=(0.0,), inside=(1.0,), radius=0.0, density=1.0)
    with pytest.raises(BadInputError, match="both states need one value per field"):
        seeds(grid, generator, 1, outside=(0.0,), inside=(1.0, 2.0), radius=0.1, density=1.0)
    states = {"behind": (1.0,), "ahead": (0.0,)}
    with pytest.raises(BadInputError, match=r"after displacement by 0.5 of the domain.*less roughness"):
        front(grid, generator, 1, **states, roughness=1.0)
    with pytest.raises(BadInputError, match="positive width and density, got 0"):
        front(grid, generator, 1, **states, width=0.0)
    with pytest.raises(BadInputError, match="a spiral needs two axes, got a grid of 1"):
        spiral(Grid.uniform(8, 0.25, num_dims=1), generator, 1, means=(0.0, 0.0), amplitudes=(1.0, 1.0))
    with pytest.raises(BadInputError, match="a spiral is made of two fields"):
        spiral(grid, generator, 1, means=(0.0,), amplitudes=(1.0,))
    with pytest.raises(BadInputError, match="sharpness must be positive"):
        spiral(grid, generator, 1, means=(0.0, 0.0), amplitudes=(1.0, 1.0), sharpness=0.0)
