"""Networks of frames: shapes, padding, symmetry under translations, reach, history, sizes."""

import importlib.util
import sys

import pytest
import torch

from pdenca.baselines.networks import (
    BODIES,
    FrameHistory,
    FrameNetwork,
    NetworkSettings,
    build_body,
    count_parameters,
)
from pdenca.baselines.networks.body import PaddedConvolution
from pdenca.core import BadInputError, Emulator, Step, Trainable
from pdenca.solvers import Grid

GRID = Grid.uniform(16, 1 / 64)
SMALL = {
    "dilated-cnn": {"width": 6, "num_blocks": 1, "dilations": (1, 2, 1)},
    "u-net": {"width": 4, "num_levels": 2},
    "convnext-u-net": {"width": 4, "num_levels": 2, "num_blocks": 1, "scale": 0.5},
    "fno": {"width": 6, "num_modes": 8, "num_layers": 2},
    "tfno": {"width": 6, "num_modes": 8, "num_layers": 2, "rank": 0.3},
}
STRIDES = {"dilated-cnn": 1, "u-net": 4, "convnext-u-net": 4, "fno": 1, "tfno": 1}
NAMES = [
    name
    if name in ("dilated-cnn", "u-net", "convnext-u-net")
    else pytest.param(
        name,
        marks=pytest.mark.skipif(
            importlib.util.find_spec("neuralop") is None, reason="needs the extra `baselines`"
        ),
    )
    for name in BODIES
]


def settings(name, **changes):
    return NetworkSettings.parse({"architecture": name, **SMALL[name], **changes})


def body(name, num_inputs=3, num_dims=2, **changes):
    """A small network with a random last layer: the usual one answers 0 until it is trained."""
    made = build_body(settings(name, **changes), num_inputs, 2, num_dims, seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for value in made.parameters():
            if not value.any():
                value.copy_(0.2 * torch.randn(value.shape, generator=generator, dtype=value.dtype))
    return made if made.single_precision else made.double()


def features(made, *shape):
    values = torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return values.float() if made.single_precision else values


def network(name="u-net", num_frames=1, names=("feed_rate",)):
    return FrameNetwork(
        body(name, 2 * num_frames + len(names)),
        FrameHistory(2, num_frames),
        context_names=names,
        frame_interval=10.0,
        field_centre=torch.tensor([0.5, 0.2]),
        field_scale=torch.tensor([0.3, 0.1]),
        parameter_centre=torch.full((len(names),), 0.03),
        parameter_scale=torch.full((len(names),), 0.01),
        change_scale=torch.tensor([0.2, 0.1]),
    ).cast(torch.float64)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_every_network_maps_channels_to_channels_on_any_grid(name, num_dims):
    made = body(name, num_dims=num_dims)
    for cells in (16, 24):
        grid = Grid.uniform(cells, 1 / 64, num_dims=num_dims)
        found = made(features(made, 2, 3, *grid.shape), grid)
        assert found.shape == (2, 2, *grid.shape)
        assert found.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_shifts_of_a_periodic_grid_are_exact(name):
    made, shift = body(name), STRIDES[name]
    given = features(made, 1, 3, 16, 16)
    atol = 1e-5 if made.single_precision else 1e-12
    found = made(given, GRID)
    assert found.abs().max() > 0.01
    for move in ((shift, 0), (0, 3 * shift), (-shift, shift)):
        torch.testing.assert_close(
            made(given.roll(move, (2, 3)), GRID), found.roll(move, (2, 3)), rtol=0, atol=atol
        )


def test_a_u_net_does_not_commute_with_other_shifts():
    made = body("u-net")
    given = features(made, 1, 3, 16, 16)
    difference = made(given.roll(1, 2), GRID) - made(given, GRID).roll(1, 2)
    assert difference.abs().max() > 1e-5


@pytest.mark.parametrize("dilation", [1, 3])
def test_a_convolution_sees_the_mirror_image_beyond_a_wall(dilation):
    layer = PaddedConvolution(3, 2, 2, dilation=dilation).double()
    given = features(body("u-net"), 1, 3, 16, 16)
    walled = layer(given, Grid((16, 16), (1 / 64,) * 2, ("no-flux", "periodic")))
    doubled = layer(torch.cat((given, given.flip(2)), 2), Grid((32, 16), (1 / 64,) * 2, ("periodic",) * 2))
    torch.testing.assert_close(walled, doubled[:, :, :16])
    assert not torch.allclose(walled, layer(given, GRID))
    # values held at a Dirichlet wall are those of fields, not of these channels
    held = layer(given, Grid((16, 16), (1 / 64,) * 2, ("dirichlet(7)", "periodic")))
    assert torch.equal(held, layer(given, Grid((16, 16), (1 / 64,) * 2, ("dirichlet", "periodic"))))


@pytest.mark.parametrize("name", ["dilated-cnn", "u-net", "convnext-u-net"])
def test_networks_run_between_walls(name):
    made = body(name)
    given = features(made, 1, 3, 16, 16)
    walled = made(given, Grid.uniform(16, 1 / 64, "no-flux"))
    assert walled.isfinite().all()
    assert not torch.allclose(walled, made(given, GRID))


@pytest.mark.parametrize("name", ["dilated-cnn", "u-net", "convnext-u-net"])
def test_the_radius_bounds_what_a_cell_sees(name):
    made = body(name)
    reach = made.radius
    cells = 8 * (2 * reach // 8 + 2)
    grid = Grid.uniform(cells, 1 / 64, num_dims=2)
    given = features(made, 1, 3, cells, cells)
    kicked = given.clone()
    kicked[..., cells // 2, :] += 1
    change = (made(kicked, grid) - made(given, grid)).abs().amax((0, 1, 3))
    distance = (torch.arange(cells) - cells // 2).abs()
    assert change[distance > reach].max() < 1e-12
    # the bound is not idle: what is near is seen
    assert change[distance <= max(1, reach // 3)].min() > 0


@pytest.mark.parametrize("name", NAMES)
def test_the_start_is_of_the_seed_and_the_global_generator_is_left_alone(name):
    before = torch.random.get_rng_state()
    first, again, other = (build_body(settings(name), 3, 2, 2, seed=seed) for seed in (4, 4, 5))
    assert torch.equal(torch.random.get_rng_state(), before)
    same = [torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)]
    assert all(same)
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("name", ["dilated-cnn", "u-net", "convnext-u-net"])
def test_an_untrained_network_predicts_no_change(name):
    made = build_body(settings(name), 3, 2, 2, seed=1)
    assert not made(torch.randn(1, 3, 16, 16), GRID).any()


def test_a_history_keeps_the_newest_frame_first():
    codec = FrameHistory(2, 3)
    given = torch.arange(5.0).view(1, 5, 1, 1, 1).expand(1, 5, 2, 4, 4)
    state = codec.lift(given)
    assert state[0, :, 0, 0].tolist() == [4, 4, 3, 3, 2, 2]
    assert torch.equal(codec.observe(state), given[:, -1])
    assert codec.num_given == 3
    with pytest.raises(BadInputError, match=r"needs 3 given frames of 2 fields, got 2 of 2; usual cure"):
        codec.lift(given[:, :2])
    with pytest.raises(BadInputError, match="got 2 and 0"):
        FrameHistory(2, 0)


@pytest.mark.parametrize("num_frames", [1, 3])
def test_a_frame_is_the_last_one_plus_the_scaled_answer(num_frames):
    model = network(num_frames=num_frames)
    generator = torch.Generator().manual_seed(0)
    given = torch.rand(2, num_frames, 2, 16, 16, generator=generator, dtype=torch.float64)
    context = {"feed_rate": torch.tensor([0.03, 0.05], dtype=torch.float64)}
    step = model.bind(GRID, context)
    assert isinstance(step, Step)
    assert (step.time_step, step.deterministic) == (10.0, True)
    state = model.codec.lift(given)
    following = step(state)
    centre = torch.tensor([0.5, 0.2]).double().view(2, 1, 1)
    scale = torch.tensor([0.3, 0.1]).double().view(2, 1, 1)
    frames = [(given[:, -1 - back] - centre) / scale for back in range(num_frames)]
    told = torch.tensor([0.0, 2.0]).double().view(2, 1, 1, 1).expand(2, 1, 16, 16)
    answer = model.body(torch.cat([*frames, told], 1), GRID)
    expected = given[:, -1] + answer * torch.tensor([0.2, 0.1]).double().view(2, 1, 1)
    torch.testing.assert_close(model.codec.observe(following), expected, rtol=1e-6, atol=1e-7)
    # the older frames move on by one
    assert torch.equal(following[:, 2:], state[:, : 2 * (num_frames - 1)])


def test_parameters_may_vary_in_space_and_none_may_be_missing():
    model = network()
    state = torch.rand(2, 2, 16, 16, dtype=torch.float64)
    values = torch.tensor([0.03, 0.05], dtype=torch.float64)
    whole = model.bind(GRID, {"feed_rate": values})(state)
    field = values.view(2, 1, 1).expand(2, 16, 16)
    torch.testing.assert_close(model.bind(GRID, {"feed_rate": field})(state), whole)
    with pytest.raises(BadInputError, match="needs the parameter 'feed_rate', the context has none"):
        model.bind(GRID, {})(state)
    with pytest.raises(BadInputError, match=r"has shape \(3,\); expected \(2,\) or \(2, 16, 16\)"):
        model.bind(GRID, {"feed_rate": torch.zeros(3)})(state)
    with pytest.raises(BadInputError, match="binds to a Grid"):
        model.bind("grid", {})


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_an_emulator_that_can_be_trained(name):
    model = network(name)
    assert isinstance(model, Emulator)
    assert isinstance(model, Trainable)
    assert model.num_parameters == count_parameters(model.body)
    assert model.sample_masks(1, 1, GRID, None, torch.zeros(1)) is None
    seen = []
    context = {"feed_rate": torch.full((1,), 0.03).double()}
    state = model.advance(torch.rand(1, 2, 16, 16).double(), context, GRID, 3, watch=seen.append)
    assert state.dtype == torch.float64
    assert [item.shape for item in seen] == [(1, 16, 16, 2)] * 3
    assert torch.equal(seen[-1].movedim(-1, 1), state)
    state.square().sum().backward()
    assert all(value.grad is not None for value in model.parameters())


def test_complex_numbers_count_twice():
    layer = torch.nn.Module()
    layer.register_parameter("weight", torch.nn.Parameter(torch.zeros(3, dtype=torch.complex64)))
    layer.register_parameter("fixed", torch.nn.Parameter(torch.zeros(5), requires_grad=False))
    assert count_parameters(layer) == 6


def test_positions_break_the_symmetry_under_translations():
    pytest.importorskip("neuralop", reason="needs the extra `baselines`")
    made = body("fno", tell_position=True)
    given = features(made, 1, 3, 16, 16)
    assert (made(given.roll(4, 2), GRID) - made(given, GRID).roll(4, 2)).abs().max() > 1e-3


def test_the_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "neuralop.models", None)
    with pytest.raises(
        BadInputError, match=r"neuraloperator .*usual cure: pip install 'pdenca\[baselines\]'"
    ):
        build_body(settings("fno"), 3, 2, 2, seed=0)


def test_what_cannot_be_built_or_run_is_refused():
    for values, message in (
        ({"architecture": "u-net", "widht": 3}, "unknown setting 'widht': did you mean 'width'"),
        ({"architecture": "unet"}, "architecture"),
        ({"architecture": "u-net", "num_modes": 12}, "num_modes plays no role in the architecture u-net"),
        ({"architecture": "fno", "rank": 0.5}, "rank plays no role in the architecture fno"),
        ({"architecture": "dilated-cnn", "dilations": []}, "dilations"),
        ({"architecture": "tfno", "rank": 1.0}, "rank"),
    ):
        with pytest.raises(BadInputError, match=message):
            NetworkSettings.parse(values)
    with pytest.raises(BadInputError, match=r"multiple of 4 cells .* got \(16, 18\); usual cure: fewer"):
        body("u-net")(torch.zeros(1, 3, 16, 18).double(), Grid.uniform((16, 18), 1.0))
