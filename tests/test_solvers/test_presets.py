"""The presets do what their descriptions say: run, stay finite, make a pattern or fade."""

import pytest
import torch

from pdenca.core.errors import BadInputError
from pdenca.solvers import (
    EQUATIONS,
    PEARSON,
    REGIMES,
    GrayScott,
    Grid,
    Preset,
    equation_from_name,
    initial_state_of,
    preset_of,
    simulate,
)
from pdenca.solvers.initial_conditions import gaussian_blobs

PRESETS = [(name, preset) for name, equation in EQUATIONS.items() for preset in equation.presets]
# what is left of the variation in the end: presets that are expected to become uniform
FADING = {
    ("allen-cahn", "coarsening"),
    ("allen-cahn", "invasion"),
    ("fisher-kpp", "invasion"),
    ("fisher-kpp", "front"),
    ("heat", "noise"),
    ("advection-diffusion", "stream"),
    ("advection-diffusion", "slanted"),
}


def _run(name: str, preset: Preset, num_cells: int, num_frames: int, num_steps: int):
    """Frames of a preset on fewer cells, at most ``num_steps`` steps of it."""
    equation = equation_from_name(name, preset.parameters)
    grid = Grid.uniform(num_cells, preset.spacing, preset.boundary, num_dims=preset.num_dims)
    state = initial_state_of(preset, grid, torch.Generator().manual_seed(0), 1)
    assert state.shape == (1, len(equation.fields), *grid.shape)
    whole = round(preset.frame_interval * (preset.num_frames - 1) / preset.time_step)
    interval = max(1, min(whole, num_steps) // (num_frames - 1)) * preset.time_step
    return simulate(
        equation,
        grid,
        state,
        num_frames=num_frames,
        frame_interval=interval,
        time_step=preset.time_step,
        method="etdrk4",
    )


@pytest.mark.parametrize("name", EQUATIONS)
def test_the_first_preset_starts_and_moves(name):
    preset = preset_of(EQUATIONS[name])
    frames = _run(name, preset, 24 if name != "fisher-kpp" else 48, 3, 60)
    assert bool(frames.isfinite().all())
    spread = frames[0, 0].flatten(1).std(1)
    assert float(spread.max()) > 0.01
    moved = (frames[0, 1:] - frames[0, :-1]).abs().flatten(1).amax(1)
    assert float(moved.min()) > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(("name", "chosen"), PRESETS)
def test_every_preset_makes_what_it_says(name, chosen):
    preset = EQUATIONS[name].presets[chosen]
    cells = 96 if chosen == "pearson-alpha" else 64  # dies out in smaller domains
    steps = 5000 if (name, chosen) == ("gray-scott", "spots") else 2500
    frames = _run(name, preset, cells, 9, steps)
    assert bool(frames.isfinite().all())
    spread = frames[0].flatten(2).std(2).amax(1)  # of the most varied field, frame by frame
    if (name, chosen) in FADING:
        assert float(spread[1:-1].max()) > 0.05
        assert float(spread[-1]) < 0.75 * float(spread.max())
    else:
        assert float(spread[-4:].min()) > 0.03
    change = (frames[0, 1:] - frames[0, :-1]).abs().flatten(2).mean((1, 2))
    if "becomes steady" in preset.description or "comes to rest" in preset.description:
        assert float(change[-1]) < 0.2 * float(change.max())
    if "never steady" in preset.description or "chaos" in preset.description:
        assert float(change[-1]) > 0.2 * float(change.max())


@pytest.mark.slow
def test_the_classes_of_pearson_that_die_are_said_to_die():
    """From Gaussian blobs; the neighbour that the description names lives."""
    pairs = [(0.036, 0.0655), (0.044, 0.066), (0.044, 0.065)]
    assert pairs[:2] == [(PEARSON[name].feed_rate, PEARSON[name].kill_rate) for name in ("lambda", "mu")]
    assert all("dies out" in PEARSON[name].description for name in ("lambda", "mu"))
    feed, kill = torch.tensor(pairs, dtype=torch.float64).unbind(1)
    grid = Grid.uniform(64, 1 / 64)
    state = gaussian_blobs(grid, torch.Generator().manual_seed(0), 1).expand(3, -1, -1, -1)
    frames = simulate(
        GrayScott(feed, kill),
        grid,
        state,
        num_frames=2,
        frame_interval=1000.0,
        time_step=1.0,
        method="etdrk4",
    )
    spread = frames[:, -1, 1].flatten(1).std(1).tolist()
    assert max(spread[:2]) < 1e-4
    assert spread[2] > 0.05


def test_regimes_are_those_of_the_well():
    pairs = {name: (regime.feed_rate, regime.kill_rate) for name, regime in REGIMES.items()}
    assert pairs == {
        "gliders": (0.014, 0.054),
        "bubbles": (0.098, 0.057),
        "maze": (0.029, 0.057),
        "worms": (0.058, 0.065),
        "spirals": (0.018, 0.051),
        "spots": (0.030, 0.062),
    }
    assert list(PEARSON)[:6] == ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]
    assert list(PEARSON)[6:] == ["eta", "theta", "iota", "kappa", "lambda", "mu"]


def test_the_pdebench_preset_is_its_configuration():
    preset = preset_of(EQUATIONS["fitzhugh-nagumo"], "pdebench")
    assert (preset.num_cells, preset.num_cells * preset.spacing) == (128, 2.0)
    assert (preset.num_frames, (preset.num_frames - 1) * preset.frame_interval) == (101, 5.0)
    assert preset.boundary == "no-flux"
    equation = equation_from_name("fitzhugh-nagumo", preset.parameters)
    state = torch.rand(1, 2, 4, 4, dtype=torch.float64)
    u, v = state.unbind(1)
    expected = torch.stack((u - u**3 - 5e-3 - v, u - v), dim=1)
    torch.testing.assert_close(equation.reaction(state), expected)
    assert equation.diffusivities() == (1e-3, 5e-3)


def test_refusals():
    preset = preset_of(GrayScott)
    grid, generator = Grid.uniform(8, 1 / 8), torch.Generator()
    for changed, message in (
        (
            {"initial_condition": "blob"},
            "initial condition 'blob' is unknown; expected one of gaussian-blobs",
        ),
        ({"initial_options": {"numbre": 3}}, "cannot take the options {'numbre': 3}"),
    ):
        broken = Preset(**{**vars(preset), **changed})
        with pytest.raises(BadInputError, match=message):
            initial_state_of(broken, grid, generator, 1)
