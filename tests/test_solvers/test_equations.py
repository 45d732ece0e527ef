"""Every equation of the dictionary: the parts agree, constants may differ per trajectory."""

import pytest
import torch

from pdenca.core.errors import BadInputError
from pdenca.solvers import (
    EQUATIONS,
    REGIMES,
    Equation,
    FourierDerivatives,
    GrayScott,
    Grid,
    Heat,
    ReactionDiffusion,
    StencilDerivatives,
    equation_from_name,
    fourier_waves,
)
from pdenca.solvers.parameters import expand, scale_fields

CONSTANTS = {
    "gray-scott": {"feed_rate": 0.03, "kill_rate": 0.06, "diffusivity_a": 2e-2, "diffusivity_b": 1e-2},
    "heat": {"diffusivity": 0.1},
}


@pytest.fixture(params=EQUATIONS)
def equation(request) -> Equation:
    return equation_from_name(request.param, CONSTANTS[request.param])


def _state(equation, generator, batch=3, shape=(4, 5), dtype=torch.float64):
    return torch.rand(batch, len(equation.fields), *shape, generator=generator, dtype=dtype)


def test_names_and_fields(equation):
    assert EQUATIONS[equation.name] is type(equation)
    if isinstance(equation, ReactionDiffusion):
        assert len(equation.fields) == len(equation.diffusivities()) == len(equation.linear_rate())
    assert len({field.name for field in equation.fields}) == len(equation.fields)
    assert set(equation.parameters()) <= set(CONSTANTS[equation.name])


@pytest.mark.parametrize("shape", [(6,), (4, 5), (3, 4, 2)])
def test_the_parts_of_the_reaction_add_up(equation, generator, dtype, shape):
    state = _state(equation, generator, shape=shape, dtype=dtype)
    reaction = equation.reaction(state)
    assert reaction.dtype == dtype
    parts = equation.nonlinear(state) + scale_fields(equation.linear_rate(), state)
    torch.testing.assert_close(parts, reaction)
    factored = equation.factored_nonlinear()
    product = factored.product(state)
    assert product.shape[1] in (1, len(equation.fields))
    rebuilt = scale_fields(factored.coefficients, product.expand_as(state))
    rebuilt = rebuilt + scale_fields(factored.source, torch.ones_like(state))
    torch.testing.assert_close(rebuilt, equation.nonlinear(state))


@pytest.mark.parametrize("shape", [(16,), (12, 15), (8, 9, 10)])
def test_the_linear_and_the_nonlinear_part_add_up_to_the_rate(equation, smooth_field, shape):
    """With exact derivatives, on waves that leave room for products: what the spectral methods solve is the
    equation as it is written."""
    grid = Grid.uniform(shape, 0.3)
    state = smooth_field(grid, len(equation.fields))
    dims, waves = tuple(range(-grid.num_dims, 0)), fourier_waves(grid)
    spectrum = torch.fft.rfftn(state, dim=dims)
    symbol = equation.linear_symbol(waves)
    coupled = symbol.ndim == grid.num_dims + 3
    linear = (symbol * spectrum[:, None]).sum(2) if coupled else symbol * spectrum
    factored = equation.factored_nonlinear()
    product = torch.fft.rfftn(factored.product(state).expand_as(state), dim=dims)
    weights = [value(waves) if callable(value) else value for value in factored.coefficients]
    nonlinear = torch.stack([w * part for w, part in zip(weights, product.unbind(1), strict=True)], 1)
    source = scale_fields(factored.source, torch.ones_like(state))
    rebuilt = torch.fft.irfftn(linear + nonlinear, s=grid.shape, dim=dims) + source
    exact = equation.rate(state, FourierDerivatives(grid))
    torch.testing.assert_close(rebuilt, exact, rtol=0, atol=1e-11 * float(exact.abs().max()))


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_budget_is_the_exact_change_of_the_mean(equation, generator, boundary):
    grid = Grid.uniform((8, 9), 0.2, boundary)
    state = _state(equation, generator, shape=grid.shape)
    for stencil in ("order-2", "order-4", "order-6", "order-2-isotropic"):
        rate = equation.rate(state, StencilDerivatives(grid, stencil))
        torch.testing.assert_close(equation.budget(state), rate.sum(1).mean((-1, -2)), rtol=0, atol=1e-13)


def test_constants_per_trajectory_equal_separate_equations(equation, generator):
    state = _state(equation, generator)
    factors = torch.tensor([1.0, 0.5, 1.7])
    constants = CONSTANTS[equation.name]
    together = equation.with_parameters({name: value * factors for name, value in constants.items()})
    for number, factor in enumerate(factors.tolist()):
        alone = equation.with_parameters({name: value * factor for name, value in constants.items()})
        one = state[number : number + 1]
        for method in ("reaction", "nonlinear", "budget"):
            torch.testing.assert_close(
                getattr(together, method)(state)[number : number + 1], getattr(alone, method)(one)
            )
        derivatives = StencilDerivatives(Grid.uniform((4, 5), 0.3), "order-4")
        rates = together.rate(state, derivatives)[number : number + 1]
        torch.testing.assert_close(rates, alone.rate(one, derivatives))


def test_gray_scott_is_the_equation_of_the_literature(generator):
    state = torch.rand(1, 2, 3, 3, generator=generator, dtype=torch.float64)
    a, b = state.unbind(1)
    reaction = GrayScott(0.03, 0.06).reaction(state)
    torch.testing.assert_close(reaction[:, 0], -a * b**2 + 0.03 * (1 - a))
    torch.testing.assert_close(reaction[:, 1], a * b**2 - (0.03 + 0.06) * b)
    assert GrayScott(0.03, 0.06).linear_rate() == (-0.03, pytest.approx(-0.09))
    assert GrayScott(0.03, 0.06).diffusivities() == (2e-5, 1e-5)


def test_gray_scott_parameters_may_vary_in_space(generator):
    state = torch.rand(2, 2, 4, 5, generator=generator, dtype=torch.float64)
    feed = torch.rand(2, 4, 5, generator=generator, dtype=torch.float64)
    equation = GrayScott(feed, 0.06)
    a, b = state.unbind(1)
    torch.testing.assert_close(equation.reaction(state)[:, 0], -a * b**2 + feed * (1 - a))
    torch.testing.assert_close(equation.linear_rate()[0], -feed.mean((1, 2)))
    factored = equation.factored_nonlinear()
    torch.testing.assert_close(factored.product(state), equation.nonlinear(state))
    assert factored.source == (0.0, 0.0)


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


def test_with_parameters_changes_only_what_is_named():
    equation = GrayScott(0.03, 0.06, diffusivity_a=3e-5).with_parameters({"feed_rate": 0.05})
    assert isinstance(equation, GrayScott)
    assert (equation.feed_rate, equation.kill_rate, equation.diffusivity_a) == (0.05, 0.06, 3e-5)


def test_refusals(generator):
    with pytest.raises(BadInputError, match="'gray-scot' is unknown; did you mean 'gray-scott'"):
        equation_from_name("gray-scot", {})
    with pytest.raises(BadInputError, match="has no parameter 'feedrate': did you mean 'feed_rate'"):
        equation_from_name("gray-scott", {"feedrate": 0.03})
    with pytest.raises(BadInputError, match="expected feed_rate, kill_rate, diffusivity_a, diffusivity_b"):
        equation_from_name("gray-scott", {"feed_rate": 0.03})
    with pytest.raises(BadInputError, match="'heat' has no parameter 'xyz'"):
        Heat(0.1).with_parameters({"xyz": 1.0})
    with pytest.raises(BadInputError, match=r"shape \(4,\) does not fit a field of shape \(3, 4, 5\)"):
        GrayScott(torch.zeros(4), 0.06).reaction(torch.zeros(3, 2, 4, 5))
    with pytest.raises(BadInputError, match=r"expected a number, \(3,\) or \(3, 4, 5\)"):
        expand(torch.zeros(3, 5, 4), torch.zeros(3, 4, 5))
