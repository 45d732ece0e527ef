"""Explaining rules that are known: set by hand to the true equations, or wrong in one place."""

import json
import math

import numpy as np
import pytest
import torch

from pdenca.automaton import (
    Automaton,
    Emission,
    HiddenChannels,
    Increment,
    IsotropicKernels,
    LocalRule,
    ParameterWeights,
    PointwiseMLP,
    ProductRule,
    TransportReaction,
)
from pdenca.core import BadInputError
from pdenca.evaluation import ResultsTable
from pdenca.solvers import (
    EQUATIONS,
    ComplexGinzburgLandau,
    FitzHughNagumo,
    Grid,
    SpectralDerivatives,
    dispersion,
)
from pdenca.tasks.explanation import (
    cells,
    columns_of,
    describe,
    draw,
    explain,
    explaining,
    fit,
    moments,
    polynomial_terms,
    rate_of_step,
    select_terms,
    to_json,
)
from pdenca.tasks.explanation.moments import directional_moments, moments_of_symbol, offsets, symbol_of
from pdenca.tasks.explanation.reading import read_kernels
from pdenca.tasks.explanation.taps import kernel_taps, step_taps
from pdenca.tasks.explanation.truth import law_of
from pdenca.tasks.model_settings import ModelSettings
from pdenca.tasks.models import NeuralEmulator, build_automaton
from pdenca.tasks.settings import EmulationSettings
from pdenca.tasks.stage_settings import StageSettings
from pdenca.tasks.training_data import measure_scales

H, DT = 1 / 64, 1.0
DIFFUSIVITIES = (2e-5, 1e-5)
STAGE = StageSettings(objective="derivative", fitter="levenberg-marquardt", num_steps=1)


class Chemistry(LocalRule):
    """The Gray-Scott reaction by hand, for one step: exactly its flow, or its rate as it stands."""

    def __init__(self, conversion=1.0, num_steps=8):
        super().__init__()
        self.conversion, self.num_steps = conversion, num_steps

    def rate(self, state, feed, kill):
        a, b = state.unbind(-1)
        made = self.conversion * a * b * b
        return torch.stack((feed * (1 - a) - made, made - (feed + kill) * b), dim=-1)

    def forward(self, features, parameters):
        feed, kill = parameters.unbind(-1)
        if self.num_steps == 0:
            return self.rate(features, feed, kill)
        state, dt = features, DT / self.num_steps
        for _ in range(self.num_steps):
            first = self.rate(state, feed, kill)
            second = self.rate(state + dt / 2 * first, feed, kill)
            third = self.rate(state + dt / 2 * second, feed, kill)
            fourth = self.rate(state + dt * third, feed, kill)
            state = state + dt / 6 * (first + 2 * second + 2 * third + fourth)
        return (state - features) / DT


def diffusion_moments(diffusivity, dt, radius):
    """Moments of (exp(dt D ∇²) - 1) / dt on the lattice, exact up to derivatives of order 2 radius."""
    one, two, three = diffusivity / H**2, dt * diffusivity**2 / 2 / H**4, dt**2 * diffusivity**3 / 6 / H**6
    all_orders = [one, -one / 12 + two, 2 * two, one / 90 - two / 6 + three, -two / 6 + 3 * three]
    return torch.tensor(all_orders[: {1: 1, 2: 3, 3: 5}[radius]]).double() / IsotropicKernels.UNIT


@pytest.fixture(autouse=True)
def few_cells(monkeypatch):
    """Read rules at an eighth of the cells, which is quicker."""
    monkeypatch.setattr(cells, "CELLS_PER_PLACE", 8)
    monkeypatch.setattr(explaining, "STEP_CELLS", 32)
    monkeypatch.setattr(moments, "NUM_CURVE", 6)


@pytest.fixture
def by_hand(make_scales):
    """Build an emulator whose kernels and reaction are those of the equation."""

    def make(reaction=None, diffusivities=DIFFUSIVITIES, blur=(0.5, 0.5), **scales):
        perception = IsotropicKernels(2, 3, 1 if blur[0] else 0, 2, H).double()
        emission = Emission(2, 1, 2, H).double() if blur[1] else None
        with torch.no_grad():
            for channel, diffusivity in enumerate(diffusivities):
                perception.transport[:, channel] = diffusion_moments(diffusivity, DT, 3)
                if blur[0]:
                    perception.sample[:, channel] = diffusion_moments(diffusivity, 0.0, 1) * blur[0] * DT
                if emission is not None:
                    emission.moments[:, channel] = diffusion_moments(diffusivity, 0.0, 1) * blur[1] * DT
        automaton = Automaton(
            perception,
            TransportReaction(reaction or Chemistry()),
            Increment(),
            HiddenChannels(2),
            emission=emission,
            context_names=("feed_rate", "kill_rate"),
            time_step=DT,
            steps_per_frame=10,
        ).double()
        pairs = ((0.014, 0.054), (0.029, 0.057), (0.018, 0.051))
        known = make_scales(spacing=H, parameter_pairs=pairs, **scales)
        return NeuralEmulator("by hand", automaton, EmulationSettings(stages=(STAGE,)), known)

    return make


def test_a_perfect_rule_is_read_as_the_equation(by_hand):
    found = explain(by_hand(), tolerance=1e-3)
    for reaction, wanted in zip(
        found.reactions,
        ({"feed_rate", "feed_rate A", "A B²"}, {"A B²", "feed_rate B", "kill_rate B"}),
        strict=True,
    ):
        assert set(reaction.coefficients) == wanted
        assert reaction.missing == reaction.superfluous == ()
        assert [abs(term.error) < 1e-3 for term in reaction.terms] == [True] * 3
        assert reaction.error < 1e-4
        assert reaction.step_error < 1e-6 < reaction.time_step_effect
        assert reaction.true_unexplained < 1e-12
        assert reaction.r_squared > 1 - 1e-6
    assert found.reactions[0].true_equation.count("A B²") == 1
    transport = [kernel for kernel in found.kernels if kernel.taps.kind == "transport"]
    assert [kernel.agreement for kernel in transport] == [6, 6]
    assert max(kernel.isotropy_error for kernel in transport) < 1e-6
    assert all(max(kernel.symbol_errors.values()) < 0.02 for kernel in transport)
    for kernel, diffusivity in zip(transport, DIFFUSIVITIES, strict=True):
        assert kernel.moments["x"][2] == pytest.approx(diffusivity, rel=1e-9)
        assert kernel.moments["xy"][4] == pytest.approx(DT * diffusivity**2 / 2, rel=1e-6)
    np.testing.assert_allclose(found.step.diffusivities, found.step.exact_diffusivities, rtol=0.02)
    assert max(found.step.errors.values()) < 0.03
    assert found.polynomials is None


def test_a_plain_euler_step_shows_the_time_step(by_hand):
    found = explain(by_hand(Chemistry(num_steps=0)))
    for reaction in found.reactions:
        # the rate itself is right, but one step of it is not what a perfect rule does
        assert reaction.step_error == pytest.approx(reaction.time_step_effect, rel=1e-6)
        assert reaction.error > 10 * 1e-4
    assert found.polynomials[0]["A B²"] == pytest.approx(-1, rel=1e-9)
    assert found.polynomials[0]["1"] == pytest.approx(0.014, rel=1e-9)
    assert found.polynomials_at == {"feed_rate": 0.014, "kill_rate": 0.054}


def test_wrong_coefficients_and_kernels_show(by_hand):
    found = explain(by_hand(Chemistry(conversion=1.1), diffusivities=(2e-5, 1.2e-5)))
    errors = {term.name: term.error for term in found.reactions[1].terms}
    assert errors["A B²"] == pytest.approx(0.1, abs=1e-3)
    assert abs(errors["feed_rate B"]) < 1e-2
    assert found.reactions[1].error > 0.05
    kernels = {kernel.taps.name: kernel for kernel in found.kernels}
    assert kernels["transport A"].agreement == 6
    assert kernels["transport B"].agreement == 0
    assert kernels["transport B"].ratio("x", 2) == pytest.approx(1.2, rel=1e-6)


def test_without_the_blur_the_whole_step_is_worse(by_hand):
    with_blur, without = explain(by_hand()), explain(by_hand(blur=(0.0, 0.0)))
    assert min(without.step.errors.values()) > 2 * min(with_blur.step.errors.values())
    names = {kernel.taps.name: kernel for kernel in without.kernels}
    assert "emission A" not in names
    assert names["sample A"].moments["x"] == (1, 0, 0, 0, 0, 0, 0)


def test_tables_json_and_figure(by_hand):
    found = explain(by_hand())
    parts = list(describe(found))
    words = "\n".join(part.markdown() if isinstance(part, ResultsTable) else part for part in parts)
    for expected in ("transport A", "emission B", "2e-05 (1)", "equation  dA/dt = ", "perfect step", "box"):
        assert expected in words
    content = json.loads(to_json(found))
    assert content["kernels"][2]["kind"] == "transport"
    assert np.array(content["kernels"][2]["taps"]).shape == (7, 7)
    assert content["reactions"][0]["terms"][0]["name"] in ("feed_rate", "A B²", "feed_rate A")
    assert len(draw(found).axes) == len(found.kernels) + 1


def test_a_parameter_that_never_varies_is_part_of_the_coefficients(by_hand):
    emulator = by_hand()
    scales = emulator.scales.replace(parameter_pairs=((0.03, 0.06),))
    found = explain(NeuralEmulator("one pair", emulator.automaton, emulator.settings, scales))
    assert found.reactions[0].coefficients["1"] == pytest.approx(0.03, rel=1e-2)
    assert any("feed_rate, kill_rate cannot be told" in note for note in found.notes)


def test_fixed_kernels_and_what_does_not_exist(make_scales):
    model = ModelSettings(
        perception="fixed-kernels",
        kernels=("identity", "laplacian", "gradient-norm"),
        standardise=False,
        num_hidden_channels=1,
        fire_rate=0.5,
        parameters_as_input=False,
        hidden_bias=False,
    )
    scales = make_scales(equation="unheard-of", spacing=H)
    automaton = build_automaton(model, scales)
    with torch.no_grad():
        automaton.rule.skip_weight[0, 3] = 0.25  # A changes with its own Laplacian
    settings = EmulationSettings(stages=(STAGE,), model=model)
    found = explain(NeuralEmulator("fixed", automaton, settings, scales))
    assert {kernel.taps.kind for kernel in found.kernels} == {"identity", "laplacian"}
    laplacian = next(kernel for kernel in found.kernels if kernel.taps.name == "laplacian A")
    assert laplacian.moments["x"][2] == pytest.approx(H**2)
    # fourth moments h⁴ (1, 5/4) / 12 along axis and diagonal
    assert laplacian.isotropy_error == pytest.approx(2 / 9, rel=1e-6)
    assert found.step.diffusivities[0] == pytest.approx(0.25 * H**2, rel=1e-6)
    assert found.step.exact_diffusivities is None
    assert found.reactions[0].true_equation is None
    notes = " ".join(found.notes)
    for words in ("not known here", "hidden channel", "chance of 0.5", "gradient-norm A", "not told"):
        assert words in notes
    assert [part for part in describe(found) if "perfect" in str(part)] == []
    assert laplacian.agreement == 2
    tables = [part.markdown() for part in describe(found) if isinstance(part, ResultsTable)]
    assert tables[0].count("laplacian (all channels)") == 2  # along the axes and along the diagonals
    assert len(draw(found).axes) == 3  # identity, Laplacian, and the Laplacian's error
    json.loads(to_json(found))


def test_kernels_of_a_group_and_invariants_of_gradients(make_scales):
    scales = make_scales(spacing=H)
    for changes in ({"perception": "group-kernels", "group": "C1"}, {"perception": "gradient-invariants"}):
        model = ModelSettings(**changes)
        automaton = build_automaton(model, scales)
        with torch.no_grad():
            weights = next(p for name, p in automaton.named_parameters() if name.endswith("transport"))
            weights[:, 0] = 0
            weights[0, 0] = 0.3
        settings = EmulationSettings(stages=(STAGE,), model=model)
        found = explain(NeuralEmulator("other", automaton, settings, scales))
        kernels = {kernel.taps.name: kernel for kernel in found.kernels}
        assert set(kernels) == {"sample A", "sample B", "transport A", "transport B"}
        moments = kernels["transport A"].moments
        if "group" in changes:  # the first member is a difference along one axis alone
            assert abs(moments["x"][1] - moments["y"][1]) > 1e-6
        else:
            assert moments["x"][2] == pytest.approx(0.3 * 0.05 * H**2)
            assert any("invariant 1" in note for note in found.notes)


def test_a_field_that_does_not_diffuse():
    """Spirals of FitzHugh and Nagumo: the recovery stays where it is, which no kernel is relative to."""
    told = {name: torch.full((4,), 0.5, dtype=torch.float64) for name in FitzHughNagumo().parameters()}
    law = law_of("fitzhugh-nagumo", told, {"diffusivity_u": 1.0, "diffusivity_v": 0.0})
    automaton = Automaton(
        IsotropicKernels(2, 2),
        TransportReaction(PointwiseMLP(2, 0, 2, 2)),
        Increment(),
        HiddenChannels(2),
    ).double()
    found, _ = read_kernels(automaton, ("u", "v"), law, 2, 1.0, (0.1, 0.2))
    readings = {kernel.taps.name: kernel for kernel in found}
    assert readings["transport u"].symbol_errors
    still = readings["transport v"]
    assert (still.exact_name, still.exact_moments, still.symbol_errors) == ("0", None, {})
    assert readings["sample v"].symbol_errors == pytest.approx({0.1: 0, 0.2: 0})  # the cell itself is right


def test_crossed_kernels_beside_a_transport_that_couples_the_fields():
    """(1 + ib) ∇²: what u gets from v is -b ∇² v, at the parameters of the law's first cell."""
    b = 1.5
    told = {name: torch.full((4,), b, dtype=torch.float64) for name in ComplexGinzburgLandau().parameters()}
    law = law_of("complex-ginzburg-landau", told, {})
    weights = ParameterWeights(*(torch.tensor([value], dtype=torch.float64) for value in (0.5, 0.25)))
    perception = IsotropicKernels(2, 1, 1, weights=weights).double()
    with torch.no_grad():
        perception.transport.zero_()
        for number, sign in ((0, 1), (1, -1)):
            perception.transport[0, number, 0, number] = 20.0
            # b = 0.5 + 0.25 w
            perception.transport[0, number, :, 1 - number] = sign * 20 * torch.tensor([0.5, 0.25]).double()
    automaton = Automaton(
        perception,
        TransportReaction(PointwiseMLP(2, 1, 2, 2)),
        Increment(),
        HiddenChannels(2),
        context_names=("linear_dispersion",),
        time_step=1e-3,
    ).double()
    told = torch.tensor([b], dtype=torch.float64)
    found, _ = read_kernels(automaton, ("u", "v"), law, 2, 1.0, (0.1, 0.5), told)
    readings = {kernel.taps.name: kernel for kernel in found}
    for name in ("transport u", "transport v", "transport u from v", "transport v from u"):
        errors = readings[name].symbol_errors
        assert errors[0.1] < 2e-3 < 1e-2 < errors[0.5] < 0.1  # of second order in space
    assert "sample u from v" not in readings
    centred, _ = read_kernels(automaton, ("u", "v"), law, 2, 1.0, (0.1,))
    wrong = {kernel.taps.name: kernel.symbol_errors[0.1] for kernel in centred}
    assert wrong["transport u"] < 2e-3
    assert wrong["transport u from v"] == pytest.approx(2 / 3, rel=0.01)  # there b = 0.5


def test_bad_tolerance(by_hand):
    with pytest.raises(BadInputError, match="above 0 and below 1"):
        explain(by_hand(), tolerance=2.0)


def test_cells_of_data_and_other_data(dataset, by_hand, make_scales):
    emulator = by_hand()
    scales = emulator.scales.replace(parameter_pairs=((0.01, 0.05),))
    with pytest.raises(BadInputError, match="no training file"):
        explain(NeuralEmulator("elsewhere", emulator.automaton, emulator.settings, scales), dataset)
    scales = measure_scales(dataset)
    seen = NeuralEmulator("seen", emulator.automaton, emulator.settings, scales)
    found = explain(seen, dataset)
    assert "cells of 64 training frames" in found.cells
    assert len(found.wavenumbers) >= 2
    other = NeuralEmulator(
        "other", emulator.automaton, emulator.settings, scales.replace(field_names=("u", "v"))
    )
    with pytest.raises(BadInputError, match="knows the fields u, v"):
        explain(other, dataset)


def test_known_polynomials_are_found():
    generator = np.random.default_rng(0)
    fields = generator.uniform(0, 1, (400, 2))
    parameters = {"p": generator.uniform(0.5, 1, 400)}
    terms = polynomial_terms(2, ("p",))
    assert len(terms) == 20
    names = [term.name(("u", "v")) for term in terms]
    columns = columns_of(terms, fields, parameters)
    u, v = fields.T
    target = 3 * u - 2 * u * v**2 + 0.5 * parameters["p"] * v
    for values, tolerance in ((target, 1e-7), (target + 0.01 * np.sin(40 * u), 0.05)):
        chosen = select_terms(columns, values, 400, tolerance)
        assert {name for name, kept in zip(names, chosen, strict=True) if kept} == {"u", "u v²", "p v"}
    exact = fit(columns[:, chosen], target)
    np.testing.assert_allclose(np.sort(exact.coefficients), [-2, 0.5, 3], rtol=1e-10)
    assert exact.unexplained < 1e-12
    outside = fit(columns, np.exp(3 * u))
    assert 1e-4 < outside.unexplained < 0.1
    # nothing to explain, and a column that follows from another one
    assert not select_terms(columns, np.zeros(400), 400).any()
    double = np.concatenate([columns, 2 * columns], axis=1)
    assert select_terms(double, target, 400).sum() == 3


def test_the_time_step_can_be_taken_out():
    terms = polynomial_terms(1, ())
    u = np.linspace(0.1, 1.5, 50)[:, None]
    dt = 0.8
    logistic = u * math.exp(dt) / (1 + u * (math.exp(dt) - 1))  # the flow of u (1 - u)
    found = rate_of_step(terms, u, {}, (logistic - u) / dt, dt)
    np.testing.assert_allclose(found, u * (1 - u), atol=1e-5)
    assert np.abs((logistic - u) / dt - u * (1 - u)).max() > 0.1
    # a rule that runs away within one step is left as it is
    wild = 1e200 * u**3
    np.testing.assert_array_equal(rate_of_step(terms, u, {}, wild, dt), wild)


@pytest.mark.parametrize(
    "name", ["gray-scott", "brusselator", "swift-hohenberg", "cahn-hilliard", "complex-ginzburg-landau"]
)
def test_the_true_law_agrees_with_the_solvers(name):
    kind = EQUATIONS[name]
    values = dict(next(iter(kind.presets.values())).parameters)
    states = torch.rand(3, len(kind.fields), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    law = law_of(name, {key: torch.full((3,), value, dtype=torch.float64) for key, value in values.items()})
    equation = kind.from_parameters(values)
    grid = Grid.uniform((8,), 1.0)
    spread = states[:, :, None].expand(-1, -1, 8).contiguous()
    rate = equation.rate(spread, SpectralDerivatives(grid))[:, :, 0]
    torch.testing.assert_close(law.reaction(states), rate, rtol=1e-9, atol=1e-12)
    # over a short step the propagator is exp(J dt), J the Jacobian behind the dispersion relation
    k, dt = torch.tensor([[0.7]], dtype=torch.float64), 1e-5
    made = torch.linalg.eigvals(law.propagators(states, k, dt)[0, 0]).log() / dt
    wanted = dispersion(equation, states[0].tolist(), k)[0]
    for value in wanted:
        assert float((made - value).abs().min()) < 1e-3 * float(1 + value.abs())


def test_moments_of_taps_and_of_symbols():
    taps = torch.tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]], dtype=torch.float64) / H**2
    axis, diagonal = (
        directional_moments(taps, H, (1.0, 0.0)),
        directional_moments(taps, H, (math.sqrt(0.5),) * 2),
    )
    np.testing.assert_allclose(axis[:5], [0, 0, 1, 0, H**2 / 12], atol=1e-12)
    assert diagonal[4] == pytest.approx(H**2 / 24)
    symbol = symbol_of(taps.flatten(), offsets((3, 3), H))
    np.testing.assert_allclose(moments_of_symbol(symbol, (1.0, 0.0), 0.5 / H), axis, rtol=1e-4, atol=1e-9)
    upwind = torch.tensor([-1.0, 1.0, 0.0], dtype=torch.float64)  # z_0 - z_-1 = ∂ - ∂²/2 + ...
    assert directional_moments(upwind, 1.0, (1.0,))[:3] == pytest.approx((0, 1, -0.5))


@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_taps_are_what_the_step_does(num_dims):
    perception = IsotropicKernels(1, 2, 1, num_dims, 0.5).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in perception.parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=generator, dtype=torch.float64))
    rule = TransportReaction(PointwiseMLP(1, 0, 1, 3, generator=generator))
    with torch.no_grad():
        rule.reaction.output_weight.fill_(0.3)
    automaton = Automaton(perception, rule, Increment(), HiddenChannels(1), time_step=0.1).double()
    taps, nonlinear = kernel_taps(automaton, ("u",), num_dims, 0.5)
    assert [item.name for item in taps] == ["sample u", "transport u"]
    assert not nonlinear
    grid = Grid.uniform((6,) * num_dims, 0.5)
    state = torch.rand(1, 1, *grid.shape, generator=generator, dtype=torch.float64)
    base = torch.full_like(state, 0.4)
    change = automaton.advance(base + 1e-6 * state, {}, grid, 1) - automaton.advance(base, {}, grid, 1)
    weights = step_taps(automaton, torch.tensor([[0.4]], dtype=torch.float64), {}, num_dims, 0.5)[0, 0, 0]
    expected = torch.zeros_like(state)
    for place in np.ndindex(*weights.shape):
        shift = tuple(size // 2 - index for index, size in zip(place, weights.shape, strict=True))
        expected += weights[place] * state.roll(shift, tuple(range(2, 2 + num_dims)))
    torch.testing.assert_close(change / 1e-6, expected, rtol=1e-4, atol=1e-6)


def test_a_product_rule_is_written_out(make_scales):
    model = ModelSettings(rule="products", num_products=3)
    scales = make_scales(spacing=H)
    automaton = build_automaton(model, scales)
    product = next(module for module in automaton.modules() if isinstance(module, ProductRule))
    with torch.no_grad():
        product.output_weight.fill_(0.2)
    settings = EmulationSettings(stages=(STAGE,), model=model)
    found = explain(NeuralEmulator("products", automaton, settings, scales))
    state = torch.tensor([[0.3, 0.7]], dtype=torch.float64)
    context = {
        name: torch.tensor([value], dtype=torch.float64) for name, value in found.polynomials_at.items()
    }
    grid = Grid.uniform((7, 7), H)
    spread = state[:, :, None, None].expand(1, 2, 7, 7).contiguous()
    with torch.no_grad():
        rate = automaton.rate(spread, context, grid)[0, :, 0, 0]
    terms = polynomial_terms(2, ())
    row = columns_of(terms, state.numpy(), {})[0]
    for number, polynomial in enumerate(found.polynomials):
        value = sum(polynomial[term.name(("A", "B"))] * item for term, item in zip(terms, row, strict=True))
        assert value == pytest.approx(float(rate[number]), rel=1e-8)
