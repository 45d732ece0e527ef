"""Local rules: the formulas they promise."""

import pytest
import torch

from pdenca.automaton import (
    Automaton,
    HiddenChannels,
    Increment,
    IsotropicKernels,
    LayeredMLP,
    NormalisedMixing,
    ParameterAffineMLP,
    PointwiseMLP,
    ProductRule,
    Standardised,
    TransportReaction,
)
from pdenca.automaton.lattice import shells
from pdenca.core import BadInputError
from pdenca.solvers import EULER, GrayScott, Grid, RungeKutta


@pytest.fixture
def cells(generator):
    """Features (4, 5, 3) and parameters that broadcast over the second axis."""
    features = torch.randn(4, 5, 3, generator=generator, dtype=torch.float64)
    return features, torch.randn(4, 1, 2, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("hidden_bias", [True, False])
@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("activation", ["tanh", "relu", "silu", "linear"])
def test_mlp_formula(activation, skip, hidden_bias, cells, randomise):
    rule = randomise(PointwiseMLP(3, 2, 4, 7, activation=activation, skip=skip, hidden_bias=hidden_bias))
    features, parameters = cells
    together = torch.cat((features, parameters.expand(-1, 5, -1)), dim=-1)
    hidden = together @ rule.hidden_weight.T
    if hidden_bias:
        hidden = hidden + rule.hidden_bias
    hidden = {
        "tanh": torch.tanh(hidden),
        "relu": hidden.clamp_min(0),
        "silu": hidden * torch.sigmoid(hidden),
        "linear": hidden,
    }[activation]
    expected = hidden @ rule.output_weight.T + rule.output_bias
    if skip:
        expected = expected + together @ rule.skip_weight.T
    torch.testing.assert_close(rule(features, parameters), expected)


@pytest.mark.parametrize("where", ["trajectory", "cell", "one for all", "none"])
@pytest.mark.parametrize("skip", [True, False])
def test_affine_mlp_formula(where, skip, randomise, generator):
    """Parameters of each trajectory, of each cell, the same for all, and a rule that is told none."""
    shape = {"trajectory": (4, 1, 2), "cell": (4, 5, 2), "one for all": (1, 1, 2), "none": (1, 1, 0)}[where]
    parameters = torch.randn(shape, generator=generator, dtype=torch.float64)
    features = torch.randn(4, 5, 3, generator=generator, dtype=torch.float64)
    rule = randomise(ParameterAffineMLP(3, shape[-1], 4, 7, skip=skip))
    hidden = torch.tanh(features @ rule.hidden_weight.T + rule.hidden_bias)
    outputs = hidden @ rule.output_weight.T + rule.output_bias
    if skip:
        outputs = outputs + features @ rule.skip_weight.T
    expected = outputs[..., :4]
    for number in range(shape[-1]):
        expected = expected + parameters[..., number, None] * outputs[..., 4 * (number + 1) :][..., :4]
    torch.testing.assert_close(rule(features, parameters), expected)


def test_an_untrained_mlp_proposes_nothing_but_has_random_inner_weights(cells):
    rule = PointwiseMLP(3, 2, 4, 500, spread=0.5, generator=torch.Generator().manual_seed(1)).double()
    assert float(rule.hidden_weight.detach().std()) == pytest.approx(0.5, rel=0.1)
    assert torch.equal(rule(*cells), torch.zeros(4, 5, 4, dtype=torch.float64))
    again = PointwiseMLP(3, 2, 4, 500, spread=0.5, generator=torch.Generator().manual_seed(1)).double()
    other = PointwiseMLP(3, 2, 4, 500, spread=0.5, generator=torch.Generator().manual_seed(2)).double()
    assert torch.equal(again.hidden_weight, rule.hidden_weight)
    assert not torch.equal(other.hidden_weight, rule.hidden_weight)


def test_product_formula(cells, randomise):
    rule = randomise(ProductRule(3, 2, 4, 6))
    features, parameters = cells
    together = torch.cat((features, parameters.expand(-1, 5, -1)), dim=-1)
    factors = [together @ w.T + b for w, b in zip(rule.factor_weight, rule.factor_bias, strict=True)]
    torch.testing.assert_close(
        rule(features, parameters), (factors[0] * factors[1] * factors[2]) @ rule.output_weight.T
    )


def test_an_untrained_product_rule_proposes_nothing(cells):
    rule = ProductRule(3, 2, 4, 6, generator=torch.Generator().manual_seed(1)).double()
    assert rule.factor_weight.detach().std() > 0.3
    assert not rule(*cells).any()


def gray_scott_rule():
    """Three products A·B·B, (F + k)·B·1 and F·(1 - A)·1; inputs A, B, F, k."""
    rule = ProductRule(2, 2, 2, 3).double()
    a, b, feed, kill = torch.eye(4, dtype=torch.float64)
    nothing = torch.zeros(4, dtype=torch.float64)
    with torch.no_grad():
        rule.factor_weight.copy_(
            torch.stack(
                [
                    torch.stack([a, feed + kill, feed]),
                    torch.stack([b, b, -a]),
                    torch.stack([b, nothing, nothing]),
                ]
            )
        )
        rule.factor_bias.copy_(torch.tensor([[0.0, 0, 0], [0, 0, 1], [0, 1, 1]]))
        rule.output_weight.copy_(torch.tensor([[-1.0, 0, 1], [1, -1, 0]]))
    return rule


def test_products_contain_the_gray_scott_reaction(small_state):
    feed = torch.tensor([0.03, 0.05], dtype=torch.float64)
    kill = torch.tensor([0.06, 0.055], dtype=torch.float64)
    parameters = torch.stack((feed, kill), -1).view(2, 1, 1, 2)
    found = gray_scott_rule()(small_state.movedim(1, -1), parameters).movedim(-1, 1)
    torch.testing.assert_close(found, GrayScott(feed, kill).reaction(small_state), rtol=0, atol=1e-16)


# which moments make which stencil: d² = D² - D⁴/12 + D⁶/90, plus the mixed difference over 6 if isotropic
STENCIL_MOMENTS = {
    "order-2": {(1, 0): 1.0},
    "order-2-isotropic": {(1, 0): 1.0, (1, 1): 1 / 6},
    "order-4": {(1, 0): 1.0, (2, 0): -1 / 12},
    "order-6": {(1, 0): 1.0, (2, 0): -1 / 12, (3, 0): 1 / 90},
}


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize("stencil", list(STENCIL_MOMENTS))
def test_an_automaton_set_by_hand_is_the_euler_solver(stencil, boundary, small_state):
    grid = Grid.uniform(8, 1 / 64, boundary)
    context = {
        "feed_rate": torch.tensor([0.03, 0.05], dtype=torch.float64),
        "kill_rate": torch.tensor([0.06, 0.055], dtype=torch.float64),
    }
    perception = IsotropicKernels(2, 3, 0, reference_spacing=1 / 64).double()
    with torch.no_grad():
        for number, name in enumerate(shells(3, 2)[1:]):
            moment = STENCIL_MOMENTS[stencil].get(name, 0.0) / perception.UNIT * 64**2
            perception.transport[number] = moment * torch.tensor([2e-5, 1e-5], dtype=torch.float64)
    automaton = Automaton(
        perception,
        TransportReaction(gray_scott_rule()),
        Increment(),
        HiddenChannels(2),
        context_names=("feed_rate", "kill_rate"),
        time_step=0.5,
        steps_per_frame=7,
    )
    solver = RungeKutta(GrayScott(**context), grid, 0.5, stencil, EULER)
    step = automaton.bind(grid, context)
    assert step.time_step == 3.5
    with torch.no_grad():
        torch.testing.assert_close(step(small_state), solver.march(small_state, 7), rtol=1e-12, atol=1e-14)
        rate = automaton.rate(small_state, context, grid)
    torch.testing.assert_close(rate, (solver(small_state) - small_state) / 0.5, rtol=1e-12, atol=1e-14)


def test_standardised_formula(cells, randomise):
    inner = randomise(PointwiseMLP(3, 2, 4, 7))
    numbers = [torch.rand(size, dtype=torch.float64) + 0.5 for size in (3, 3, 2, 2, 4)]
    x0, x_scale, p0, p_scale, rate = numbers
    rule = Standardised(inner, *numbers)
    features, parameters = cells
    expected = rate * inner((features - x0) / x_scale, (parameters - p0) / p_scale)
    torch.testing.assert_close(rule(features, parameters), expected)
    assert set(dict(rule.named_parameters())) == {f"rule.{n}" for n, _ in inner.named_parameters()}


def test_transport_passes_by_the_reaction(cells, randomise):
    reaction = randomise(PointwiseMLP(2, 2, 2, 7))
    parameters = cells[1]
    sampled, transport = torch.randn(2, 4, 5, 2, dtype=torch.float64)
    found = TransportReaction(reaction)(torch.cat((sampled, transport), -1), parameters)
    torch.testing.assert_close(found, transport + reaction(sampled, parameters))


def test_an_unknown_activation_is_refused():
    with pytest.raises(BadInputError, match="activation 'sine' is unknown; expected one of"):
        PointwiseMLP(2, 0, 2, 4, activation="sine")


@pytest.mark.parametrize("num_parameters", [2, 0])
@pytest.mark.parametrize(
    "make",
    [
        lambda count: PointwiseMLP(3, count, 4, 7),
        lambda count: LayeredMLP(3, count, 4, (5, 5), output="tanh"),
        lambda count: NormalisedMixing(3, count, 4),
    ],
    ids=["pointwise", "layered", "mixing"],
)
def test_a_rule_is_its_two_halves(make, num_parameters, cells, randomise):
    rule = randomise(make(num_parameters))
    features, parameters = cells[0], cells[1][..., :num_parameters]
    whole = rule(features, parameters)
    assert whole.abs().max() > 0.1
    assert (rule.decide(features, rule.prepare(parameters)) - whole).abs().max() < 1e-14


def test_an_automaton_prepares_its_parameters_once_for_all_steps(randomise):
    grid = Grid.uniform(8, 1.0)
    seen = []

    class Counting(PointwiseMLP):
        def prepare(self, parameters, lattice=None):
            seen.append(parameters.shape)
            assert lattice is grid
            return super().prepare(parameters, lattice)

    perception = IsotropicKernels(2, 1, 1, reference_spacing=1.0).double()
    rule = randomise(Counting(perception.num_features, 1, 2, 4))
    automaton = Automaton(
        perception, rule, Increment(), HiddenChannels(2, 0), context_names=("feed_rate",), time_step=0.1
    )
    state = torch.zeros(3, 2, 8, 8, dtype=torch.float64)
    automaton.advance(state, {"feed_rate": torch.rand(3, dtype=torch.float64)}, grid, 5)
    assert seen == [(3, 1, 1, 1)]
