"""The automaton as a whole: marching, context, channels, masks, domains, NaN."""

import copy

import pytest
import torch

from pdenca.automaton import Automaton, BoundAutomaton, FixedKernels, HiddenChannels, Increment, PointwiseMLP
from pdenca.automaton import automaton as automaton_module
from pdenca.core import BadInputError, Emulator, Step
from pdenca.solvers import Grid, laplacian
from pdenca.symmetry import translate

GRID = Grid.uniform(8, 1.0)
FEED = {"feed_rate": torch.tensor([0.03, 0.05], dtype=torch.float64)}


def test_number_of_parameters_of_the_founding_paper():
    rule = PointwiseMLP(16, 0, 8, 32, activation="relu", hidden_bias=False, skip=False)
    automaton = Automaton(FixedKernels(8), rule, Increment(), HiddenChannels(2, 6))
    assert automaton.num_parameters == 776


def test_what_it_is_to_others(make_isotropic):
    automaton = make_isotropic(time_step=0.5, steps_per_frame=4)
    step = automaton.bind(GRID, FEED)
    assert isinstance(automaton, Emulator)
    assert isinstance(step, Step)
    assert isinstance(step, BoundAutomaton)
    assert (step.time_step, step.deterministic) == (2.0, True)
    assert automaton.bind(GRID, FEED, num_steps=3).time_step == 1.5


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_many_steps_are_single_steps_one_after_the_other(boundary, make_isotropic, small_state):
    automaton, grid = make_isotropic(), Grid.uniform(8, 1.0, boundary)
    watched = []
    with torch.no_grad():
        state = small_state
        for _ in range(5):
            state = automaton.advance(state, FEED, grid, 1)
        assert torch.equal(automaton.advance(small_state, FEED, grid, 5), state)
        assert torch.equal(automaton.bind(grid, FEED, num_steps=5)(small_state), state)
        assert torch.equal(automaton.advance(small_state, FEED, grid, 5, watch=watched.append), state)
    assert len(watched) == 5
    assert torch.equal(watched[-1].movedim(-1, 1), state)
    assert not torch.equal(state, small_state)


def test_marching_changes_nothing_outside(make_isotropic, small_state):
    automaton = make_isotropic()
    before, weights = small_state.clone(), copy.deepcopy(automaton.state_dict())
    with torch.no_grad():
        first = automaton.advance(small_state, FEED, GRID, 3)
        second = automaton.advance(small_state, FEED, GRID, 3)
    assert torch.equal(first, second)
    assert torch.equal(small_state, before)
    assert all(torch.equal(value, weights[name]) for name, value in automaton.state_dict().items())


def test_the_rate_is_the_change_per_time(make_isotropic, small_state):
    automaton = make_isotropic(time_step=0.25)
    with torch.no_grad():
        after = automaton.advance(small_state, FEED, GRID, 1)
        torch.testing.assert_close(
            small_state + 0.25 * automaton.rate(small_state, FEED, GRID), after, atol=1e-14, rtol=0
        )


def test_channels_keep_their_places(small_state):
    # a rule that is zero leaves every channel where it was, bit for bit, in the layout it came in
    automaton = Automaton(FixedKernels(2), PointwiseMLP(4, 0, 2, 3), Increment(), HiddenChannels(2)).double()
    with torch.no_grad():
        assert torch.equal(automaton.advance(small_state, {}, GRID, 3), small_state)
        # a rule that adds 1 and 10 per step says which channel is which
        automaton.rule.output_bias.copy_(torch.tensor([1.0, 10.0]))
        found = automaton.advance(small_state, {}, GRID, 2)
    added = torch.tensor([2.0, 20.0], dtype=torch.float64).view(1, 2, 1, 1)
    torch.testing.assert_close(found, small_state + added)


def test_an_untrained_isotropic_automaton_only_diffuses(make_isotropic, small_state):
    automaton = make_isotropic(time_step=2.0)
    with torch.no_grad():
        for value in automaton.rule.parameters():
            value.zero_()
        automaton.perception.sample.zero_()
        automaton.perception.transport.zero_()
        automaton.perception.transport[0] = 1.0
        found = automaton.advance(small_state, FEED, GRID, 1)
    expected = small_state + 2.0 * 0.05 * laplacian(small_state, GRID, "order-2")
    torch.testing.assert_close(found, expected)


def test_parameters_as_numbers_and_as_fields_agree(make_isotropic, small_state):
    automaton = make_isotropic(told=("feed_rate", "kill_rate"))
    numbers = {**FEED, "kill_rate": torch.tensor([0.06, 0.05], dtype=torch.float64)}
    fields = {name: value.view(2, 1, 1).expand(2, 8, 8) for name, value in numbers.items()}
    mixed = {"feed_rate": numbers["feed_rate"], "kill_rate": fields["kill_rate"]}
    with torch.no_grad():
        expected = automaton.advance(small_state, numbers, GRID, 5)
        for context in (fields, mixed, {**numbers, "not for the rule": torch.zeros(9)}):
            torch.testing.assert_close(automaton.advance(small_state, context, GRID, 5), expected)
        swapped = {"feed_rate": numbers["kill_rate"], "kill_rate": numbers["feed_rate"]}
        assert not torch.allclose(automaton.advance(small_state, swapped, GRID, 5), expected)


def test_a_parameter_field_acts_where_it_is(make_isotropic, small_state):
    automaton = make_isotropic(radius=1)
    plain = FEED["feed_rate"].view(2, 1, 1).repeat(1, 8, 8)
    changed = plain.clone()
    changed[:, 3, 4] += 0.01
    with torch.no_grad():
        first = automaton.advance(small_state, {"feed_rate": plain}, GRID, 1)
        second = automaton.advance(small_state, {"feed_rate": changed}, GRID, 1)
    places = (first != second).any(1).nonzero().tolist()
    assert places == [[0, 3, 4], [1, 3, 4]]


def test_a_larger_torus_repeats_the_small_one(make_isotropic, small_state):
    automaton = make_isotropic()
    with torch.no_grad():
        small = automaton.bind(GRID, FEED, num_steps=6)(small_state)
        large = automaton.bind(Grid.uniform(16, 1.0), FEED, num_steps=6)(small_state.repeat(1, 1, 2, 2))
    torch.testing.assert_close(large, small.repeat(1, 1, 2, 2), atol=1e-13, rtol=0)


def test_a_mirrored_torus_is_a_box_with_walls(make_isotropic, small_state):
    automaton = make_isotropic()
    mirrored = torch.cat((small_state, small_state.flip(-1)), -1)
    mirrored = torch.cat((mirrored, mirrored.flip(-2)), -2)
    with torch.no_grad():
        walls = automaton.bind(Grid.uniform(8, 1.0, "no-flux"), FEED, num_steps=6)(small_state)
        torus = automaton.bind(Grid.uniform(16, 1.0), FEED, num_steps=6)(mirrored)
    torch.testing.assert_close(torus[..., :8, :8], walls, atol=1e-13, rtol=0)


def test_the_neighbourhood_is_what_the_reach_says(make_isotropic, small_state):
    automaton = make_isotropic(radius=2, sample_radius=1)
    grid = Grid.uniform(8, 1.0)
    changed = small_state.clone()
    changed[0, 0, 4, 4] += 1.0
    with torch.no_grad():
        first, second = (automaton.advance(state, FEED, grid, 1) for state in (small_state, changed))
    places = (first != second)[0].any(0).nonzero()
    assert set((places - 4).abs().sum(1).tolist()) == {0, 1, 2}
    assert torch.equal(first[1], second[1])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_spreads_and_is_not_hidden(bad, make_isotropic, small_state):
    automaton = make_isotropic(radius=1)
    small_state[0, 1, 4, 4] = bad
    with torch.no_grad():
        after = automaton.advance(small_state, FEED, GRID, 1)
        later = automaton.advance(small_state, FEED, GRID, 8)
    broken = (~after.isfinite())[0].any(0).nonzero()
    assert sorted((broken - 4).abs().sum(1).tolist()) == [0, 1, 1, 1, 1]
    assert not later[0].isfinite().any()
    assert later[1].isfinite().all()


def test_one_decision_per_cell(make_fixed, generator, small_state):
    automaton = make_fixed(("identity",), fire_rate=0.5)
    with torch.no_grad():
        after = automaton.bind(GRID, {}, generator, num_steps=1)(small_state)
    changed = after != small_state
    assert torch.equal(changed[:, 0], changed[:, 1])
    assert 0.2 < float(changed.double().mean()) < 0.8


@pytest.mark.parametrize("fire_rate", [1.0, 0.5])
def test_large_batches_are_advanced_in_pieces_that_fit_the_cache(
    fire_rate, make_isotropic, generator, monkeypatch
):
    model = make_isotropic(fire_rate=fire_rate)
    grid = Grid.uniform(8, 1.0)
    state = torch.rand(5, 2, 8, 8, generator=generator, dtype=torch.float64)
    told = {"feed_rate": torch.linspace(0.01, 0.05, 5, dtype=torch.float64)}

    def march():
        with torch.no_grad():
            return model.bind(grid, told, torch.Generator().manual_seed(3), num_steps=3)(state)

    whole = march()
    sizes = []
    advance = model.advance_told
    monkeypatch.setattr(
        model, "advance_told", lambda state, *rest: sizes.append(len(state)) or advance(state, *rest)
    )
    monkeypatch.setattr(automaton_module, "CELLS_AT_ONCE", 2 * 64 + 1)
    torch.testing.assert_close(march(), whole, rtol=1e-14, atol=1e-15)
    assert sizes == [2, 2, 1]


def test_what_the_whole_batch_is_told_is_prepared_once(make_isotropic, generator, monkeypatch):
    model = make_isotropic()
    grid = Grid.uniform(8, 1.0)
    state = torch.rand(5, 2, 8, 8, generator=generator, dtype=torch.float64)
    field = 0.05 * torch.rand(1, 1, 8, 8, generator=generator, dtype=torch.float64)
    prepared, prepare = [], model.rule.prepare
    monkeypatch.setattr(model.rule, "prepare", lambda told, *rest: prepared.append(1) or prepare(told, *rest))
    with torch.no_grad():
        each = model.bind(grid, {"feed_rate": field.expand(5, -1, -1, -1)}, num_steps=3)(state)
        monkeypatch.setattr(automaton_module, "CELLS_AT_ONCE", 2 * 64 + 1)
        prepared.clear()
        bound = model.bind(grid, {"feed_rate": field}, num_steps=3)
        shared, part = bound(state), bound.select(torch.tensor([4]))(state[4:])
    torch.testing.assert_close(part, each[4:], rtol=1e-14, atol=1e-15)
    torch.testing.assert_close(shared, each, rtol=1e-14, atol=1e-15)
    assert len(prepared) == 2


@pytest.mark.parametrize("fire_rate", [0.5, 1.0])
def test_no_step_changes_nothing(fire_rate, make_isotropic, small_state):
    model = make_isotropic(fire_rate=fire_rate)
    told = {"feed_rate": torch.full(small_state.shape[:1], 0.04, dtype=small_state.dtype)}
    grid = Grid.uniform(small_state.shape[-1], 1.0)
    assert torch.equal(model.bind(grid, told, torch.Generator(), num_steps=0)(small_state), small_state)


def test_random_firing_follows_the_generator(make_isotropic, small_state):
    automaton = make_isotropic(fire_rate=0.5)

    def run(seed):
        step = automaton.bind(GRID, FEED, torch.Generator().manual_seed(seed), num_steps=3)
        assert not step.deterministic
        with torch.no_grad():
            return step(small_state), step(small_state)

    first, again, other = run(1), run(1), run(2)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], other[0])


def test_masks_drawn_outside_are_the_ones_used(make_isotropic, small_state):
    automaton = make_isotropic(fire_rate=0.5)
    masks = automaton.sample_masks(3, 2, GRID, torch.Generator().manual_seed(1), small_state)
    assert masks.shape == (3, 2, 8, 8, 1)
    bound = automaton.bind(GRID, FEED, torch.Generator().manual_seed(1), num_steps=3)
    watched = []
    with torch.no_grad():
        expected = bound(small_state)
        assert torch.equal(automaton.advance(small_state, FEED, GRID, 3, masks), expected)
        found = automaton.advance(small_state, FEED, GRID, 3, masks, watched.append)
        assert torch.equal(found, expected)
        silent = automaton.advance(small_state, FEED, GRID, 3, torch.zeros_like(masks))
        assert torch.equal(silent, small_state)


def test_firing_at_random_without_a_generator_is_refused(make_isotropic):
    with pytest.raises(BadInputError, match=r"fire rate 0.5 draws random masks; usual cure: pass a torch"):
        make_isotropic(fire_rate=0.5).bind(GRID, FEED)


def test_types_and_gradients(make_isotropic, small_state, dtype):
    automaton = make_isotropic().to(dtype)
    state = small_state.to(dtype).requires_grad_()
    after = automaton.bind(GRID, FEED, num_steps=2)(state)  # the context follows the state's type
    assert after.dtype == dtype
    after.square().sum().backward()
    for value in (state, *automaton.parameters()):
        assert value.grad is not None
        assert value.grad.isfinite().all()
        assert value.grad.any()


def test_a_copy_marches_with_its_own_weights(make_isotropic, small_state):
    automaton = make_isotropic()
    other = copy.deepcopy(automaton)
    with torch.no_grad():
        for value in other.parameters():
            value.mul_(0.5)
        assert not torch.equal(
            automaton.advance(small_state, FEED, GRID, 1), other.advance(small_state, FEED, GRID, 1)
        )


def test_shifts_commute(make_isotropic, small_state):
    step = make_isotropic().bind(GRID, FEED)
    with torch.no_grad():
        assert torch.equal(step(translate((3, -2), small_state)), translate((3, -2), step(small_state)))


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({}, "needs the parameter 'feed_rate', the context has none; usual cure"),
        ({"kill_rate": torch.zeros(2)}, r"needs the parameter 'feed_rate', the context has \['kill_rate'\]"),
        ({"feed_rate": torch.zeros(3)}, r"'feed_rate' has shape \(3,\); expected \(2,\) or \(2, 8, 8\)"),
        ({"feed_rate": torch.zeros(2, 8, 7)}, r"has shape \(2, 8, 7\)"),
    ],
)
def test_contexts_that_do_not_fit_are_refused(context, message, make_isotropic, small_state):
    with pytest.raises(BadInputError, match=message):
        make_isotropic().advance(small_state, context, GRID, 1)


@pytest.mark.parametrize(
    ("options", "lattice", "message"),
    [
        ({"time_step": 0.0}, GRID, "time step must be positive"),
        ({"steps_per_frame": 0}, GRID, "at least one step"),
        ({}, "grid", "binds to a Grid, got str"),
        ({}, Grid((8, 8), (1.0, 2.0), ("periodic", "periodic")), "same spacing on every axis"),
    ],
)
def test_impossible_automata_and_lattices_are_refused(options, lattice, message, make_isotropic):
    with pytest.raises(BadInputError, match=message):
        make_isotropic(**options).bind(lattice, FEED)


def test_a_state_off_the_grid_is_refused(make_isotropic, small_state):
    with pytest.raises(BadInputError, match="space shape"):
        make_isotropic().bind(Grid.uniform(9, 1.0), FEED)(small_state)
