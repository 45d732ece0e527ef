"""Networks that a rule writes: local steps, zero-outs, the pool, the loss against ordinary modules."""

import pytest
import torch
from torch import nn

from pdenca.automaton import FeedForward
from pdenca.core import BadInputError
from pdenca.tasks.metanca import WeightRuleSettings, build_rule, writer
from pdenca.training.objectives import LocalSteps, TaskNetworks, zero_out

NETWORKS = ((4, 5, 3), (4, 3))
SETTINGS = WeightRuleSettings(num_hidden=2, units=(6,), num_waves=1, num_steps=3)


@pytest.fixture
def bound():
    rule = build_rule(SETTINGS, ())
    with torch.no_grad():
        rule.rule.weights[-1].normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
    return writer(rule, SETTINGS, NETWORKS)


def objective(bound, device="cpu", **options):
    generator = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(20, 4, generator=generator), torch.randint(3, (20,), generator=generator)
    told = {"local_steps": LocalSteps(3), "batch_size": 8, "num_samples": 4, **options}
    return TaskNetworks(
        bound.automaton,
        bound.lattice,
        bound.context,
        bound.begin,
        inputs.to(device),
        labels.to(device),
        activation=torch.relu,
        **told,
    )


def test_local_steps_grow_and_are_drawn_from_their_upper_half():
    steps = LocalSteps(10, grow_every=5)
    generator = torch.Generator().manual_seed(0)
    for step, now in ((0, 1), (4, 1), (5, 2), (22, 5), (500, 10)):
        drawn = {steps.draw(step, generator) for _ in range(200)}
        assert drawn == set(range((now + 1) // 2, now + 1))
    assert {LocalSteps(1).draw(0, generator)} == {1}
    for bad in ((0, 0), (3, -1)):
        with pytest.raises(BadInputError, match="one local step or more"):
            LocalSteps(*bad)


def test_a_zero_out_takes_one_layer_of_every_network_and_a_share_of_the_rest():
    lattice = FeedForward(((40, 50, 30), (40, 30)), biases=True)
    states = torch.ones(6, 3, lattice.num_cells)
    hurt = zero_out(states, lattice, 0.3, torch.Generator().manual_seed(0))
    assert torch.equal(states, torch.ones_like(states))
    lost = set()
    for sample in hurt:
        shares = [float(sample[:, layer.cells].mean()) for layer in lattice.layers_of(0)]
        assert shares.count(0.0) == 1
        lost.add(shares.index(0.0))
        assert max(shares) == pytest.approx(0.7, abs=0.05)
        assert not sample[:, lattice.cells_of(1)].any()  # its only layer
        assert torch.equal(sample[0], sample[1])
    assert lost == {0, 1}
    values = zero_out(states, lattice, 0.3, torch.Generator().manual_seed(0), hidden=False)
    assert torch.equal(values[:, 0], hurt[:, 0])
    assert values[:, 1:].all()


def test_the_loss_is_that_of_ordinary_modules(bound):
    task = objective(bound)
    rows, _, _ = batch = task.batch(7)
    loss = task.loss(batch)
    _, _, ends = task._ends
    losses = [
        nn.functional.cross_entropy(module(task.inputs[rows]), task.labels[rows])
        for network in range(2)
        for module in bound.modules(ends, network)
    ]
    torch.testing.assert_close(loss, torch.stack(losses).mean())
    loss.backward()
    assert all(bool(p.grad.isfinite().all()) for p in bound.automaton.parameters())
    assert torch.equal(task.loss(task.batch(7)), loss)


def test_the_pool_remembers_the_ends_and_is_mixed_with_fresh_starts(bound):
    task = objective(bound, pool_size=6, fresh_share=0.5, num_damaged=1)
    assert task.num_fresh == 2
    before = task.pool.clone()
    states, places = task.start(0)
    assert len(places) == 4
    assert torch.equal(states[3], before[places[3]])
    damaged = before[places[2]]
    assert not torch.equal(states[2], damaged)
    assert torch.equal(states[2][states[2] != 0], damaged[states[2] != 0])
    assert not any(torch.equal(states[0], entry) for entry in before)
    batch = task.batch(0)
    task.loss(batch)
    assert torch.equal(task.pool, before)
    task.accept(batch)
    changed = (task.pool != before).flatten(1).any(1).nonzero()[:, 0].tolist()
    assert changed == sorted(places.tolist())
    other = objective(bound, pool_size=6, fresh_share=0.5)
    other.load_state(task.state())
    assert torch.equal(other.pool, task.pool)


def test_drawn_networks_alone_are_written(bound):
    task = objective(bound, pool_size=6, fresh_share=0.5, networks_per_step=1)
    drawn = {task.drawn(step)[0].networks for step in range(20)}
    assert drawn == {(NETWORKS[0],), (NETWORKS[1],)}
    batch = task.batch(3)
    lattice, cells = task.drawn(3)
    number = NETWORKS.index(lattice.networks[0])
    before, loss = task.pool.clone(), task.loss(batch)
    task.accept(batch)
    changed = (task.pool != before).any(1).any(0).nonzero()[:, 0]
    assert torch.equal(changed, cells)
    ends = before[task.start(3)[1]]
    ends[..., cells] = task._ends[2]
    losses = [
        nn.functional.cross_entropy(module(task.inputs[batch[0]]), task.labels[batch[0]])
        for module in bound.modules(ends, number)
    ]
    torch.testing.assert_close(loss, torch.stack(losses).mean())


def test_without_a_pool_all_begin_anew(bound):
    task = objective(bound)
    assert task.state() == {}
    states, places = task.start(3)
    assert (len(states), len(places)) == (4, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_samples": 0}, "one sample or more"),
        ({"pool_size": 3}, "a pool that holds them, got 4 and 3"),
        ({"num_damaged": 1}, "0 of 4 samples come from the pool"),
        ({"pool_size": 8, "num_damaged": 4}, "3 of 4 samples come from the pool"),
        ({"networks_per_step": 3}, "there are 2 networks, got 3"),
        ({"batch_size": 21}, "a batch holds 1 to 20"),
    ],
)
def test_bad_input(bound, options, message):
    with pytest.raises(BadInputError, match=message):
        objective(bound, **options)


@pytest.mark.parametrize(
    ("perception", "options"),
    [
        ("mean", {}),
        ("mean", {"pool_size": 6, "num_damaged": 1}),
        ("attention", {}),
        ("mean", {"lesson_size": 5, "permuted": True}),
    ],
)
def test_a_training_step_stays_on_the_device_of_the_rule(perception, options):
    # torch's device without values refuses, like a GPU, what lives elsewhere; draws and indices are exempt
    meta = torch.device("meta")
    settings = SETTINGS.replace(perception=perception, lesson_size=options.get("lesson_size", 0))
    rule = build_rule(settings, ()).to(meta)
    task = objective(writer(rule, settings, NETWORKS), meta, **options)
    for step in range(2):
        batch = task.batch(step)
        loss = task.loss(batch)
        assert loss.device == meta
        loss.backward()
        task.accept(batch)
    assert all(parameter.grad.device == meta for parameter in rule.parameters())
    kept = task.state()
    task.load_state({name: torch.zeros(value.shape) for name, value in kept.items()})
    assert all(value.device == meta for value in task.state().values())
