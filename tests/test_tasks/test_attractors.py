"""Attractors: what is measured is measured right on steps whose basins are known, and the wiring runs."""

import math

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.solvers import Grid
from pdenca.tasks.attractors import (
    MODES,
    AttractorSettings,
    build_automaton,
    grow,
    picture,
    relative_error,
    rest_of,
    return_probabilities,
    return_probability,
    seed_state,
    train,
)
from pdenca.training import erase

TOY = AttractorSettings(
    num_cells=8,
    num_hidden_channels=1,
    num_hidden_units=4,
    num_steps=(3, 5),
    pool_size=6,
    pool_training_steps=3,
    warm_up_steps=2,
    equilibrium_training_steps=2,
    validate_every=2,
    validate_at=(2, 6),
)
TARGET = picture("crescent", 12)
GRID = Grid.uniform(12, 1.0)


def relaxing(state):
    """Everything returns: z <- z + Δt (target - z)."""
    return state + 0.2 * (TARGET - state)


def bistable(state):
    """Only what has kept more than half of its mass returns, the rest dies."""
    alive = (state.sum((1, 2, 3), keepdim=True) > 0.5 * TARGET.sum()).to(state)
    return state + 0.2 * (alive * TARGET - state)


def returns(step, kept, num_trials=20):
    return return_probability(
        step,
        TARGET[None],
        lambda states: states * kept,
        lambda states: relative_error(states, TARGET) < 0.2,
        num_trials=num_trials,
    )


@pytest.mark.parametrize(
    ("step", "kept", "expected"),
    [(relaxing, 0.0, 1), (relaxing, 0.9, 1), (bistable, 0.51, 1), (bistable, 0.49, 0)],
)
def test_return_probability_of_known_basins(step, kept, expected):
    assert returns(step, kept) == (expected, 0.0)


def test_the_standard_error_is_that_of_a_share():
    kept = torch.tensor([1.0, 1.0, 1.0, 0.1]).view(4, 1, 1, 1)
    share, error = returns(bistable, kept, num_trials=4)
    assert (share, error) == (0.75, math.sqrt(0.75 * 0.25 / 4))


def test_what_loses_all_its_cells_is_lost_and_what_loses_none_is_not():
    for share, expected in ((0.0, 1.0), (1.0, 0.0)):

        def damage(states, share=share):
            return erase(states, share, GRID, torch.Generator().manual_seed(0))

        found, _ = return_probability(
            bistable, TARGET[None], damage, lambda states: relative_error(states, TARGET) < 0.2
        )
        assert found == expected


def test_growth_of_a_known_step():
    start = torch.zeros(1, 1, 12, 12)
    grown = grow(relaxing, start, TARGET, grown_after=20, num_steps=60)
    assert grown.steps_to_grow == math.ceil(math.log(0.2) / math.log(0.8))
    assert grown.error == pytest.approx(0.8**20, rel=1e-3)
    assert grown.held_error < 1e-5
    assert grown.largest_error == grown.error
    assert grown.residual < 1e-5
    never = grow(lambda state: state, start, TARGET, num_steps=10)
    assert (never.steps_to_grow, never.error) == (None, 1.0)
    assert grow(lambda state: 1e30 * (state + 1), start, TARGET, num_steps=10).residual == math.inf


def test_pictures_and_the_seed():
    for name in ("crescent", "ring"):
        drawn = picture(name, 24)
        assert drawn.shape == (1, 24, 24)
        assert 0 <= float(drawn.min()) < 0.01 < 0.9 < float(drawn.max()) <= 1
    assert seed_state(TOY).sum() == 2
    with pytest.raises(BadInputError, match="'star' is unknown"):
        picture("star", 24)


def test_rest_of_a_rule_that_decays():
    model = build_automaton(TOY)
    with torch.no_grad():
        model.rule.skip_weight[:, :2] -= 0.5 * torch.eye(2)
        model.rule.output_bias += 0.5
    start, grid = torch.full((1, 2, 3, 3), 1.01), Grid.uniform(3, 1.0)
    rest = rest_of(model, start, torch.ones(1, 3, 3), grid, push_steps=20)
    assert rest.found
    assert rest.returned
    assert rest.verdict == "stable"
    assert rest.spectral_radius == pytest.approx(0.5)
    assert rest.error < 1e-6
    assert next(model.parameters()).dtype == torch.float32


@pytest.mark.parametrize("mode", MODES)
def test_each_way_trains_and_is_resumed_to_the_same_rule(mode, tmp_path):
    model, training = train(TOY, mode, tmp_path / "run", seed=1)
    assert math.isfinite(training.best_score)
    stages = [row["stage"] for row in training.rows[1:]]
    expected = {"pool": ["pool"] * 3, "from scratch": ["equilibrium"] * 2}
    assert stages == expected.get(mode, ["warm-up"] * 2 + ["equilibrium"] * 2)
    again, _ = train(TOY, mode, tmp_path / "run", seed=1, resume=True)
    for one, other in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    found = return_probabilities(
        model, TOY, seed_state(TOY)[None], shares=(0.0, 0.3), num_trials=2, num_steps=5
    )
    assert found.keys() == {0.0, 0.3}


def test_wrong_requests_are_refused(tmp_path):
    with pytest.raises(BadInputError, match="mode 'pools' is unknown"):
        train(TOY, "pools", tmp_path)
    with pytest.raises(BadInputError, match="at least one trial, got 0"):
        returns(relaxing, 1.0, num_trials=0)
