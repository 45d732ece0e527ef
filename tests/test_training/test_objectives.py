"""Objectives: their numbers by hand, and their randomness a function of seed and step alone."""

import math

import pytest
import torch

from pdenca.automaton import (
    Automaton,
    FixedKernels,
    HiddenChannels,
    Increment,
    IsotropicKernels,
    PointwiseMLP,
    TransportReaction,
)
from pdenca.core import BadInputError
from pdenca.solvers import Grid
from pdenca.training import (
    DerivativeMatching,
    LevenbergMarquardt,
    Objective,
    PropagatedPairs,
    RolloutMatching,
    step_generator,
)
from pdenca.training.losses import overflow
from pdenca.training.objectives import LeastSquares, interpolation_weights

GRID = Grid.uniform((4, 5), 1.0)
STD = torch.tensor([0.5, 0.25], dtype=torch.float64)
LOW, HIGH = torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)


def drift(by=(0.5, -1.0), num_hidden=0, **options):
    """An automaton that adds ``by`` to its observed fields per unit time and 1 to hidden channels."""
    channels = 2 + num_hidden
    rule = PointwiseMLP(channels, 0, channels, 1)
    with torch.no_grad():
        rule.output_bias.copy_(torch.tensor([*by, *(1.0,) * num_hidden]))
    perception = FixedKernels(channels, ("identity",))
    fire_rate = options.pop("fire_rate", 1.0)
    codec = HiddenChannels(2, num_hidden)
    return Automaton(perception, rule, Increment(fire_rate), codec, **options).double()


@pytest.fixture
def frames(generator):
    """3 trajectories of 6 frames, 2 fields, 4 x 5 cells."""
    return torch.rand(3, 6, 2, 4, 5, generator=generator, dtype=torch.float64)


def test_generators_of_steps_depend_on_seed_and_place():
    def draw(*where):
        return float(torch.rand((), generator=step_generator(*where)))

    assert draw(1, "noise", 2) == draw(1, "noise", 2)
    assert len({draw(1, "noise", 2), draw(1, "noise", 3), draw(2, "noise", 2), draw(1, "pairs", 2)}) == 4


def test_overflow_is_the_mean_distance_outside():
    state = torch.tensor([[-0.5, 0.5], [0.25, 3.0]])
    assert float(overflow(state, torch.tensor([0.0]), torch.tensor([1.0]))) == pytest.approx(2.5 / 4)
    assert float(overflow(state, torch.tensor([-1.0, 1.0]), torch.tensor([0.0, 2.0]))) == pytest.approx(
        (0.25 + 0.5 + 1.0) / 4
    )


@pytest.mark.parametrize("num_points", [2, 4, 8])
@pytest.mark.parametrize("offset", [0.0, 0.1, 0.5, 1.0])
def test_interpolation_is_exact_for_polynomials(num_points, offset):
    weights = interpolation_weights(offset, num_points)
    times = torch.arange(num_points, dtype=torch.float64) - (num_points // 2 - 1)
    for degree in range(num_points + 1):
        found = float((weights * times**degree).sum())
        if degree < num_points:
            assert found == pytest.approx(offset**degree, abs=1e-11)
    beyond = float((weights * times**num_points).sum())
    assert (abs(beyond - offset**num_points) > 1e-3) == (offset in (0.1, 0.5))


def decay_windows(rates, generator, num_points=8, interval=2.0):
    """z(x, t) = z0(x) exp(rate t) in every cell; frames ``interval`` apart."""
    start = torch.rand(4, 1, 2, 4, 5, generator=generator, dtype=torch.float64) + 0.5
    times = interval * torch.arange(num_points, dtype=torch.float64).view(1, -1, 1, 1, 1)
    return start * torch.exp(torch.tensor(rates, dtype=torch.float64).view(1, 1, 2, 1, 1) * times)


def linear_automaton(time_step=0.5):
    """A pointwise linear rule: it can learn any linear equation in a cell."""
    rule = PointwiseMLP(2, 0, 2, 1, activation="linear", generator=torch.Generator().manual_seed(1))
    rule = TransportReaction(rule)
    automaton = Automaton(
        IsotropicKernels(2, 1, 0), rule, Increment(), HiddenChannels(2), time_step=time_step
    ).double()
    with torch.no_grad():
        automaton.perception.transport.zero_()
    return automaton


def matching(automaton, windows, generator, **options):
    settings = {
        "cells_per_window": 9,
        "frame_interval": 2.0,
        "rate_scale": torch.tensor([0.1, 0.2], dtype=torch.float64),
        "generator": generator,
    }
    return DerivativeMatching(automaton, windows, {}, GRID, **{**settings, **options})


def test_matching_sees_the_rates_of_a_linear_equation(generator):
    rates = (-0.1, 0.05)
    automaton = linear_automaton()
    objective = matching(automaton, decay_windows(rates, generator), generator)
    assert isinstance(objective, LeastSquares)
    # the exact change over a step of 0.5, divided by it
    exact = torch.tensor([math.expm1(0.5 * rate) / 0.5 for rate in rates], dtype=torch.float64)
    assert float(objective.loss(objective.batch(0)).detach()) > 1e-3
    with torch.no_grad():
        automaton.rule.reaction.skip_weight.copy_(torch.diag(exact))
    assert float(objective.loss(objective.batch(0)).detach()) < 1e-14


def test_fitting_rates_finds_the_equation(generator):
    rates = (-0.1, 0.05)
    automaton, windows = linear_automaton(), decay_windows(rates, generator)
    objective, fitter = matching(automaton, windows, generator), LevenbergMarquardt(automaton)
    for number in range(12):
        fitter.step(objective, objective.batch(number))
    state = torch.rand(1, 2, 4, 5, generator=generator, dtype=torch.float64) + 0.5
    with torch.no_grad():
        found = automaton.advance(state, {}, GRID, 20)
    expected = state * torch.tensor([math.exp(10 * rate) for rate in rates]).double().view(1, 2, 1, 1)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_residuals_of_samples_make_the_loss(generator):
    automaton = linear_automaton()
    objective = matching(automaton, decay_windows((-0.1, 0.05), generator), generator)
    batch = objective.batch(0)
    assert len(batch[0]) == 4 * 9
    parameters = dict(automaton.named_parameters())
    rows = [objective.sample_residuals(parameters, *row) for row in zip(*batch, strict=True)]
    together = objective.sample_residuals(parameters, *batch)
    torch.testing.assert_close(torch.stack(rows), together)
    torch.testing.assert_close(together.square().mean(), objective.loss(batch))
    other = {name: value + 1 for name, value in parameters.items()}
    assert not torch.allclose(objective.sample_residuals(other, *batch), together)


def test_matching_agrees_with_a_step_of_the_automaton(automaton, generator, frames):
    # the proposal for gathered cells is the change that a whole step makes there
    context = {"feed_rate": torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)}
    with torch.no_grad():
        for value in automaton.parameters():
            value.add_(0.1)
        objective = DerivativeMatching(
            automaton,
            frames[:, :4],
            context,
            GRID,
            cells_per_window=1000,  # more than there are: all, each once
            frame_interval=2.0,
            rate_scale=torch.ones(2, dtype=torch.float64),
            generator=generator,
        )
        weights = interpolation_weights(0.25, 4)
        later = torch.einsum("p,wp...->w...", weights, frames[:, :4])
        predicted = automaton.advance(frames[:, 1], context, GRID, 1)
        expected = ((predicted - later) / 0.5).square().mean()
        torch.testing.assert_close(objective.loss(objective.batch(0)), expected)
    assert len(objective.batch(0)[0]) == 3 * 20


def test_rates_of_each_window_may_have_their_own_unit(generator):
    windows = decay_windows((-0.1, 0.05), generator)
    units = torch.tensor([[0.1, 0.2], [1.0, 0.3], [0.5, 0.5], [2.0, 4.0]], dtype=torch.float64)

    def residuals(units):
        whole = matching(
            linear_automaton(),
            windows,
            torch.Generator().manual_seed(3),
            cells_per_window=20,
            rate_scale=units,
        )
        return whole.sample_residuals({}, *whole.batch(0)).view(4, 20, 2)

    torch.testing.assert_close(
        residuals(units), residuals(torch.ones(2, dtype=torch.float64)) / units[:, None, :]
    )


def test_matching_takes_the_cells_of_its_generator(generator):
    windows = decay_windows((-0.1, 0.05), generator)

    def target(seed):
        return matching(linear_automaton(), windows, torch.Generator().manual_seed(seed)).batch(0)[0]

    assert torch.equal(target(1), target(1))
    assert not torch.equal(target(1), target(2))


@pytest.mark.parametrize("options", [{"num_hidden": 1}, {"fire_rate": 0.5}])
def test_matching_needs_states_that_are_data(options, generator):
    with pytest.raises(BadInputError, match="deterministic automaton without hidden channels; usual cure"):
        matching(drift(**options), decay_windows((0.1, 0.1), generator), generator)


def rollouts(automaton, frames, context=None, **options):
    settings = {"field_std": STD, "low": LOW, "high": HIGH}
    return RolloutMatching(automaton, frames, context or {}, GRID, **{**settings, **options})


def test_the_rollout_loss_by_hand(frames):
    objective = rollouts(drift(time_step=0.5, steps_per_frame=2), frames)
    assert isinstance(objective, Objective)
    added = torch.tensor([0.5, -1.0], dtype=torch.float64).view(1, 2, 1, 1)
    expected = 0.0
    for frame in range(1, 6):
        predicted = frames[:, 0] + frame * added
        expected += float(((predicted - frames[:, frame]) / STD.view(1, 2, 1, 1)).square().mean()) / 5
    assert float(objective.loss(objective.batch(0)).detach()) == pytest.approx(expected)
    assert not isinstance(objective, LeastSquares)


def test_each_window_may_have_its_own_unit(frames):
    automaton = drift(time_step=0.5, steps_per_frame=2)
    units = torch.tensor([[0.1, 2.0], [1.0, 0.5], [4.0, 3.0]], dtype=torch.float64)
    together = rollouts(automaton, frames, field_std=units)
    apart = [rollouts(automaton, frames[k : k + 1], field_std=units[k]) for k in range(3)]
    expected = sum(one.loss(one.batch(0)) for one in apart) / 3
    torch.testing.assert_close(together.loss(together.batch(0)), expected)
    # a batch of some windows takes their units with it, and noise is counted in them
    few = rollouts(automaton, frames, field_std=units, batch_size=2, seed=3)
    windows, unit, _, _ = few.batch(4)
    order = [next(k for k in range(3) if torch.equal(frames[k], window)) for window in windows]
    assert torch.equal(unit[:, :, 0, 0], units[order])
    noisy = rollouts(drift((0.0, 0.0)), frames[:, :1].expand(-1, 2, -1, -1, -1), field_std=units, noise=0.1)
    residuals = noisy.residuals({}, noisy.batch(0)).view(3, 2, -1)
    assert torch.equal((residuals.std(-1) > 0.05) & (residuals.std(-1) < 0.2), torch.ones(3, 2).bool())


def test_hidden_channels_roll_out_but_are_not_compared(frames):
    plain = rollouts(drift(time_step=0.5, steps_per_frame=2), frames)
    hidden = rollouts(drift(num_hidden=3, time_step=0.5, steps_per_frame=2), frames)
    torch.testing.assert_close(plain.loss(plain.batch(0)), hidden.loss(hidden.batch(0)))


def test_the_penalty_of_rollouts_by_hand(frames):
    automaton = drift(by=(4.0, 0.0), time_step=0.5, steps_per_frame=2)
    plain = rollouts(automaton, frames[:, :2])
    penalised = rollouts(automaton, frames[:, :2], overflow_weight=3.0)
    # field 0 leaves [0, 1] upwards after 0.5 and after 1 time units, field 1 never
    outside = [(frames[:, 0, 0] + change - 1).clamp_min(0).mean() / 2 for change in (2.0, 4.0)]
    expected = 3.0 * float(sum(outside)) / 2
    found = penalised.loss(penalised.batch(0)) - plain.loss(plain.batch(0))
    assert float(found.detach()) == pytest.approx(expected)


def test_batches_are_a_function_of_seed_and_step(frames):
    # the parameter of a trajectory says which one it is
    context = {"feed_rate": torch.arange(3.0, dtype=torch.float64)}
    objective = rollouts(drift(), frames, context, batch_size=2, seed=5)
    again = rollouts(drift(), frames, context, batch_size=2, seed=5)
    chosen = []
    for step in range(12):
        windows, unit, told, number = objective.batch(step)
        indices = told["feed_rate"].long()
        assert number == step
        assert len(set(indices.tolist())) == 2
        assert torch.equal(windows, frames[indices])
        assert torch.equal(unit, STD.view(1, 2, 1, 1).expand(2, 2, 1, 1))
        assert torch.equal(again.batch(step)[0], windows)
        chosen.append(tuple(indices.tolist()))
    assert len(set(chosen)) > 2
    other = rollouts(drift(), frames, context, batch_size=2, seed=6)
    assert chosen != [tuple(other.batch(step)[2]["feed_rate"].long().tolist()) for step in range(12)]


def test_without_a_batch_size_every_step_is_the_same(frames):
    objective = rollouts(drift(), frames, noise=0.1)
    losses = [float(objective.loss(objective.batch(step)).detach()) for step in (0, 1, 7)]
    assert losses[0] == losses[1] == losses[2]
    assert torch.equal(objective.batch(3)[0], frames)


def test_noise_is_in_standard_deviations_and_of_its_step(generator):
    frames = torch.zeros(50, 2, 2, 4, 5, dtype=torch.float64)
    objective = rollouts(drift(by=(0.0, 0.0)), frames, noise=0.1, batch_size=50)
    # nothing moves: what is left of the loss is the noise itself
    losses = [float(objective.loss(objective.batch(step)).detach()) for step in range(3)]
    assert losses == pytest.approx([0.01] * 3, rel=0.15)
    assert len(set(losses)) == 3
    again = rollouts(drift(by=(0.0, 0.0)), frames, noise=0.1, batch_size=50)
    assert [float(again.loss(again.batch(step)).detach()) for step in range(3)] == losses


def test_firing_is_of_the_seed_and_step(frames):
    def losses(seed):
        objective = rollouts(drift(fire_rate=0.5, steps_per_frame=3), frames, batch_size=3, seed=seed)
        return [float(objective.loss(objective.batch(step)).detach()) for step in (0, 1, 0)]

    first = losses(1)
    assert first[0] == first[2] != first[1]
    assert losses(1) == first != losses(2)


def test_a_window_without_a_frame_to_predict_is_refused(frames):
    with pytest.raises(BadInputError, match=r"needs a frame to predict after 1 given, got 1 in all"):
        rollouts(drift(), frames[:, :1])


def pairs(automaton, frames, **options):
    settings = {"field_std": STD, "low": 0.0, "high": 1.0, "overflow_weight": 0.0}
    return PropagatedPairs(automaton, frames, {}, GRID, **{**settings, **options})


def test_the_loss_of_pairs_by_hand(frames):
    objective = pairs(drift(by=(0.5, 0.0)), frames, batch_size=15)
    assert isinstance(objective, Objective)
    indices, step = objective.batch(3)
    assert sorted(indices.tolist()) == list(range(15))
    assert step == 3
    added = torch.tensor([0.5, 0.0], dtype=torch.float64).view(2, 1, 1)
    error = (frames[:, :-1] + added - frames[:, 1:]) / STD.view(2, 1, 1)
    expected = error.square().mean((-1, -2, -3)).sqrt().mean()
    torch.testing.assert_close(objective.loss(objective.batch(3)).detach(), expected)


def test_the_penalty_of_pairs_counts_hidden_channels_too(frames):
    automaton = drift(by=(0.0, 0.0), num_hidden=2, time_step=3.0)
    plain = pairs(automaton, frames, batch_size=15)
    penalised = pairs(automaton, frames, batch_size=15, overflow_weight=1.0)
    # observed fields stay in [0, 1]; both hidden channels end at 3, that is 2 outside
    found = penalised.loss(penalised.batch(0)) - plain.loss(plain.batch(0))
    assert float(found.detach()) == pytest.approx(2 * 2 / 4)


def test_outputs_are_passed_on_and_one_trajectory_is_reset(frames):
    objective = pairs(drift(num_hidden=1), frames, batch_size=15)
    truth = objective.pool.truth
    step_of = {int(_reset_of(step)): step for step in range(40)}
    assert set(step_of) == {0, 1, 2}
    # two steps that put trajectory 2 back, so that 0 and 1 carry on
    again = next(step for step in range(40) if _reset_of(step) == 2 and step != step_of[2])
    for step in (step_of[2], again):
        batch = objective.batch(step)
        objective.loss(batch)
        objective.accept(batch)
    states = objective.pool.states
    assert torch.equal(states[:, 0], truth[:, 0])
    assert torch.equal(states[2], truth[2])
    # after two rounds pair m starts from two drifts after pair m - 2, hidden channel included
    added = torch.tensor([0.5, -1.0, 1.0], dtype=torch.float64).view(3, 1, 1)
    torch.testing.assert_close(states[:2, 1], truth[:2, 0] + added)
    torch.testing.assert_close(states[:2, 2:], truth[:2, :-2] + 2 * added)


def _reset_of(step):
    return int(torch.randint(3, (1,), generator=step_generator(0, "reset", step)))


def test_pairs_not_drawn_stay(frames):
    objective = pairs(drift(), frames, batch_size=1)
    before = objective.pool.states.clone()
    batch = objective.batch(0)
    objective.loss(batch)
    assert torch.equal(objective.pool.states, before)
    objective.accept(batch)
    changed = (objective.pool.states != before).flatten(2).any(-1).nonzero().tolist()
    trajectory, pair = divmod(int(batch[0]), 5)
    reset = _reset_of(0)
    expected = [[trajectory, pair + 1]] if pair < 4 and trajectory != reset else []
    assert changed == expected


def test_noise_on_pairs_spares_hidden_channels():
    frames = torch.zeros(4, 3, 2, 4, 5, dtype=torch.float64)
    objective = pairs(drift(by=(0.0, 0.0), num_hidden=1, time_step=1e-300), frames, noise=0.2)
    batch = objective.batch(0)
    objective.loss(batch)
    objective.accept(batch)
    moved = objective.pool.states[:, 1:]
    assert moved[:, :, :2].any()
    assert not moved[:, :, 2:].gt(1e-200).any()
    found = (objective._outputs[:, :2] / STD.view(2, 1, 1)).std()
    assert float(found) == pytest.approx(0.2, rel=0.15)


def test_the_pool_is_saved_and_put_back(frames):
    objective, other = (pairs(drift(), frames, batch_size=4) for _ in range(2))
    for step in range(5):
        batch = objective.batch(step)
        objective.loss(batch)
        objective.accept(batch)
    other.load_state(objective.state())
    for step in range(5, 8):
        losses = []
        for item in (objective, other):
            batch = item.batch(step)
            losses.append(float(item.loss(batch).detach()))
            item.accept(batch)
        assert losses[0] == losses[1]
    assert torch.equal(objective.pool.states, other.pool.states)
    assert not torch.equal(objective.pool.states, objective.pool.truth)


def smooth_diffusion(generator, num_points=8, interval=1.0, diffusivity=0.6):
    """Exact solutions of the heat equation whose waves are at least eight cells long, on 32 x 32 cells."""
    wave = 2 * math.pi * torch.fft.fftfreq(32, dtype=torch.float64)
    square = wave[:, None] ** 2 + wave[None] ** 2
    start = torch.fft.fft2(torch.randn(6, 1, 1, 32, 32, generator=generator, dtype=torch.float64))
    start = start * (square <= (2 * math.pi / 8) ** 2)
    times = interval * torch.arange(num_points, dtype=torch.float64).view(1, -1, 1, 1, 1)
    return torch.fft.ifft2(start * torch.exp(-diffusivity * square * times)).real


@pytest.mark.parametrize(("noise", "amplified"), [(None, True), (1e-3, False)])
def test_noise_keeps_kernels_from_amplifying_waves_that_the_data_do_not_hold(noise, amplified, generator):
    grid = Grid.uniform(32, 1.0, num_dims=2)
    windows = smooth_diffusion(generator)
    rule = TransportReaction(PointwiseMLP(1, 0, 1, 1, activation="linear", generator=generator))
    automaton = Automaton(
        IsotropicKernels(1, 3, 0), rule, Increment(), HiddenChannels(1), time_step=1.0
    ).double()
    objective = DerivativeMatching(
        automaton,
        windows,
        {},
        grid,
        cells_per_window=300,
        frame_interval=1.0,
        rate_scale=windows.std().view(1),
        generator=generator,
        noise=None if noise is None else noise * windows.std().view(1),
    )
    fitter = LevenbergMarquardt(automaton)
    for _ in range(40):
        fitter.step(objective, objective.batch(0))
    step = automaton.bind(grid, {}, num_steps=1)
    with torch.no_grad():
        cells = torch.arange(32, dtype=torch.float64)
        checkers = torch.cos(math.pi * (cells[:, None] + cells)).view(1, 1, 32, 32)
        zero = step(torch.zeros_like(checkers))
        growth = float((step(checkers) - zero).abs().max())
        # what the data tell is learnt either way
        long = torch.cos(2 * math.pi / 16 * cells).expand(1, 1, 32, 32)
        decay = float((step(long) - zero).abs().max())
    assert decay == pytest.approx(math.exp(-0.6 * (2 * math.pi / 16) ** 2), abs=2e-3)
    assert (growth > 1.5) if amplified else (growth < 1)
