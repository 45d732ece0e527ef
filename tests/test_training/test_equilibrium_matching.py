"""Moving the equilibria of an automaton onto targets."""

import math

import pytest
import torch

from pdenca.automaton import Automaton, FixedKernels, HiddenChannels, Increment, PointwiseMLP
from pdenca.core import BadInputError
from pdenca.equilibrium import EquilibriumSettings
from pdenca.solvers import Grid
from pdenca.training import EquilibriumMatching, FirstOrder

GRID = Grid.uniform(6, 1.0, "no-flux", 2)
TIGHT = EquilibriumSettings(method="newton-krylov", tolerance=1e-12, backward_tolerance=1e-12)


def automaton(fire_rate=1.0, num_hidden=0):
    """A diffusing, decaying automaton that is told a field b: rate = D ∇²z - z + b + something small."""
    channels = 1 + num_hidden
    perception = FixedKernels(channels, ("identity", "laplacian"))
    rule = PointwiseMLP(
        2 * channels,
        1,
        channels,
        3,
        generator=torch.Generator().manual_seed(0),
        activation="tanh",
        spread=0.3,
    )
    with torch.no_grad():
        rule.output_weight += 0.05 * torch.randn(
            channels, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64
        )
        for channel in range(channels):
            rule.skip_weight[channel, channel] = -1.0
            rule.skip_weight[channel, channels + channel] = 0.2
            rule.skip_weight[channel, -1] = 0.7
    made = Automaton(
        perception,
        rule,
        Increment(fire_rate),
        HiddenChannels(1, num_hidden),
        context_names=("b",),
        time_step=0.5,
    )
    return made.double()


def objective(model, batch_size=None, settings=TIGHT, **options):
    generator = torch.Generator().manual_seed(2)
    fields = torch.rand(4, 6, 6, generator=generator, dtype=torch.float64)
    targets = 0.5 + 0.3 * torch.rand(4, 1, 6, 6, generator=generator, dtype=torch.float64)
    return EquilibriumMatching(
        model,
        targets,
        {"b": fields},
        GRID,
        field_std=torch.tensor([0.5], dtype=torch.float64),
        settings=settings,
        batch_size=batch_size,
        **options,
    )


def loss_of(matching, step):
    return float(matching.loss(matching.batch(step)).detach())


def test_the_loss_is_that_of_a_long_roll_out():
    model = automaton()
    matching = objective(model)
    state, targets, context, _ = matching.batch(0)
    rolled = model.bind(GRID, context, num_steps=200)(state)
    expected = ((rolled - targets) / 0.5).square().mean()
    assert loss_of(matching, 0) == pytest.approx(float(expected.detach()), rel=1e-9)
    assert matching.note == ""


@pytest.mark.parametrize("num_hidden", [0, 2])
def test_the_gradient_is_that_of_a_long_roll_out(num_hidden):
    model = automaton(num_hidden=num_hidden)
    matching = objective(model)
    batch = matching.batch(0)
    parameters = list(model.parameters())
    implicit = torch.autograd.grad(matching.loss(batch), parameters)
    rolled = model.advance(batch[0], batch[2], GRID, 150)
    unrolled = torch.autograd.grad(((rolled[:, :1] - batch[1]) / 0.5).square().mean(), parameters)
    for one, other in zip(implicit, unrolled, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)


def test_first_order_steps_bring_the_equilibria_nearer():
    model = automaton()
    matching = objective(model, settings=EquilibriumSettings(method="newton-krylov", tolerance=1e-6))
    fitter = FirstOrder(model, learning_rate=0.05)
    losses = [fitter.step(matching, matching.batch(step)).loss for step in range(8)]
    assert losses[-1] < 0.5 * losses[0]


def test_searches_that_fail_are_counted():
    hurried = EquilibriumSettings(method="picard", tolerance=1e-12, max_evaluations=2)
    matching = objective(automaton(), settings=hurried)
    assert math.isfinite(loss_of(matching, 0))
    assert matching.note == "4 of 4 equilibria not found"


def test_batches_and_probes_depend_on_the_step_alone():
    matching = objective(automaton(), batch_size=2, jacobian_weight=0.1)
    first, again, other = (matching.batch(step) for step in (3, 3, 4))
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], other[0])
    assert loss_of(matching, 3) == loss_of(matching, 3) != loss_of(matching, 4)
    plain = objective(automaton(), batch_size=2)
    assert loss_of(matching, 3) > loss_of(plain, 3)


def test_a_stochastic_automaton_is_refused():
    with pytest.raises(BadInputError, match=r"fire rate 0\.5 never comes to rest"):
        objective(automaton(fire_rate=0.5))
