"""Every equation of the dictionary: the parts agree, constants may differ per trajectory or in space."""

import math
import sys
import types

import pytest
import torch

from pdenca.core.errors import BadInputError
from pdenca.solvers import (
    EQUATIONS,
    INITIAL_CONDITIONS,
    AdvectionDiffusion,
    CahnHilliard,
    ComplexGinzburgLandau,
    Equation,
    GrayScott,
    Grid,
    Heat,
    ReactionDiffusion,
    RungeKutta,
    SpectralDerivatives,
    SpectralETDRK4,
    StencilDerivatives,
    equation_class,
    equation_from_name,
    fourier_waves,
    largest_stable_step,
    preset_of,
    stencil_waves,
)
from pdenca.solvers.parameters import expand, scale_fields

PRESETS = [(name, preset) for name, equation in EQUATIONS.items() for preset in equation.presets]
STENCILS = ("order-2", "order-4", "order-6", "order-2-isotropic")


@pytest.fixture(params=EQUATIONS)
def equation(request) -> Equation:
    return equation_from_name(request.param, preset_of(EQUATIONS[request.param]).parameters)


def _state(equation, generator, batch=3, shape=(8, 9), dtype=torch.float64):
    return 0.2 + torch.rand(batch, len(equation.fields), *shape, generator=generator, dtype=dtype)


def test_names_fields_and_presets(equation):
    cls = type(equation)
    assert EQUATIONS[equation.name] is cls
    assert equation_class(equation.name) is cls
    assert len({field.name for field in equation.fields}) == len(equation.fields)
    if isinstance(equation, ReactionDiffusion):
        assert len(equation.fields) == len(equation.diffusivities()) == len(equation.linear_rate())
    constants = vars(equation)
    assert all(torch.equal(torch.as_tensor(constants[name]), torch.as_tensor(value))
               for name, value in equation.parameters().items())  # fmt: skip
    assert cls.__doc__ is not None
    assert "∂" in cls.__doc__
    assert cls.presets


@pytest.mark.parametrize("shape", [(6,), (4, 5), (3, 4, 2)])
def test_the_parts_of_the_reaction_add_up(equation, generator, dtype, shape):
    if not isinstance(equation, ReactionDiffusion):
        return
    state = _state(equation, generator, shape=shape, dtype=dtype)
    reaction = equation.reaction(state)
    assert reaction.dtype == dtype
    parts = equation.nonlinear(state) + scale_fields(equation.linear_rate(), state)
    torch.testing.assert_close(parts, reaction)
    factored = equation.factored_nonlinear()
    product = factored.product(state)
    assert product.dtype == dtype
    assert product.shape[1] in (1, len(equation.fields))
    rebuilt = scale_fields(factored.coefficients, product.expand_as(state))
    rebuilt = rebuilt + scale_fields(factored.source, torch.ones_like(state))
    torch.testing.assert_close(rebuilt, equation.nonlinear(state))


@pytest.mark.parametrize("shape", [(16,), (12, 15), (8, 9, 10)])
def test_the_linear_and_the_nonlinear_part_add_up_to_the_rate(equation, smooth_field, shape):
    """With exact derivatives: what the spectral methods solve is the equation as it is written."""
    grid = Grid.uniform(shape, 0.3)
    _require_the_parts_to_add_up(equation, grid, smooth_field(grid, len(equation.fields)))


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_the_parts_add_up_for_every_preset(name, preset, smooth_field):
    values = preset_of(EQUATIONS[name], preset)
    grid = Grid.uniform(12, values.spacing, num_dims=values.num_dims)
    equation = equation_from_name(name, values.parameters)
    _require_the_parts_to_add_up(equation, grid, smooth_field(grid, len(equation.fields)))


def _require_the_parts_to_add_up(equation, grid, state):
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
    exact = equation.rate(state, SpectralDerivatives(grid))
    scale = float(torch.fft.irfftn(linear, s=grid.shape, dim=dims).abs().max() + exact.abs().max())
    torch.testing.assert_close(rebuilt, exact, rtol=0, atol=1e-11 * scale)


def test_rounding_errors_do_not_grow_in_the_linear_part(equation):
    """A spectral method marches in Fourier space, where what is not the transform of a real field only ever
    meets L: with a growing L it would grow without bounds."""
    symbol = equation.linear_symbol(stencil_waves(Grid.uniform(16, 0.5), "order-4"))
    if symbol.ndim == 5:
        symbol = torch.linalg.eigvals(symbol.flatten(3).movedim(3, 1))
    assert float(symbol.real.max()) <= 1e-12


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize("name", [name for name in EQUATIONS if name != "advection-diffusion"])
def test_budget_is_the_exact_change_of_the_mean(name, generator, boundary):
    equation = equation_from_name(name, preset_of(EQUATIONS[name]).parameters)
    grid = Grid.uniform((8, 9), 0.2, boundary)
    state = _state(equation, generator, shape=grid.shape)
    for stencil in STENCILS:
        rate = equation.rate(state, StencilDerivatives(grid, stencil))
        exact = rate.sum(1).mean((-1, -2))
        torch.testing.assert_close(
            equation.budget(state), exact, rtol=0, atol=1e-14 * (1 + float(rate.abs().max()))
        )


def test_a_stream_through_walls_has_no_budget(small_state):
    assert AdvectionDiffusion().budget(small_state[:, :1]) is None


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_homogeneous_states_are_steady(equation, boundary):
    grid = Grid.uniform(8, 0.5, boundary)
    states = equation.homogeneous_states()
    assert states
    for values in states:
        state = torch.tensor(values, dtype=torch.float64)[None, :, None, None].expand(1, -1, 8, 8)
        rate = equation.rate(state, StencilDerivatives(grid))
        assert float(rate.abs().max()) < 1e-12 * (1 + float(state.abs().max()))


def test_constants_per_trajectory_equal_separate_equations(equation, generator):
    state = _state(equation, generator)
    factors = torch.tensor([1.0, 0.5, 1.7], dtype=torch.float64)
    constants = preset_of(type(equation)).parameters
    together = equation.with_parameters({name: value * factors for name, value in constants.items()})
    waves = fourier_waves(Grid.uniform((8, 9), 0.3))
    for number, factor in enumerate(factors.tolist()):
        alone = equation.with_parameters({name: value * factor for name, value in constants.items()})
        one = state[number : number + 1]
        derivatives = StencilDerivatives(Grid.uniform((8, 9), 0.3), "order-4")

        def compare(found, expected, number=number):
            assert (found is None) == (expected is None)
            if found is not None:
                row = found[number : number + 1] if len(found) > 1 else found
                torch.testing.assert_close(row, expected)

        compare(together.rate(state, derivatives), alone.rate(one, derivatives))
        compare(together.budget(state), alone.budget(one))
        compare(together.free_energy(state, derivatives), alone.free_energy(one, derivatives))
        compare(together.linear_symbol(waves), alone.linear_symbol(waves))


def test_constants_per_trajectory_in_a_spectral_march(equation, generator):
    """Also when the integrator works on a few trajectories at a time."""
    grid = Grid.uniform(8, 0.5)
    batch, constants = 150, preset_of(type(equation)).parameters
    factors = torch.linspace(0.5, 1.5, batch, dtype=torch.float64)
    state = _state(equation, generator, batch=batch, shape=grid.shape)
    together = equation.with_parameters({name: value * factors for name, value in constants.items()})
    found = SpectralETDRK4(together, grid, 1e-3).march(state, 3)
    for number in (0, 97, batch - 1):
        values = {name: value * float(factors[number]) for name, value in constants.items()}
        alone = SpectralETDRK4(equation.with_parameters(values), grid, 1e-3)
        torch.testing.assert_close(found[number : number + 1], alone.march(state[number : number + 1], 3))


FIELDS_IN_SPACE = [
    (name, constant)
    for name, cls in EQUATIONS.items()
    for constant in preset_of(cls).parameters
    if (name, constant)
    not in {
        ("cahn-hilliard", "mobility"),
        ("cahn-hilliard", "interface"),
        ("complex-ginzburg-landau", "linear_dispersion"),
    }
]


@pytest.mark.parametrize(("name", "constant"), FIELDS_IN_SPACE)
def test_constants_may_be_fields_in_space(name, constant, generator):
    """A field that is constant gives what the number gives; one of two halves gives each half its own, away
    from the seams; and the parts of the equation still add up where L allows it."""
    values = dict(preset_of(EQUATIONS[name]).parameters)
    equation = equation_from_name(name, values)
    grid = Grid.uniform(16, 0.5)
    derivatives = StencilDerivatives(grid, "order-2")
    state = _state(equation, generator, batch=2, shape=grid.shape)
    value = values[constant] or 0.1
    even = torch.full((2, 16, 16), value, dtype=torch.float64)
    numbers = equation.with_parameters({constant: value}).rate(state, derivatives)
    fields = equation.with_parameters({constant: even})
    torch.testing.assert_close(fields.rate(state, derivatives), numbers)
    halves = even.clone()
    halves[:, 8:] *= 2
    found = equation.with_parameters({constant: halves}).rate(state, derivatives)
    doubled = equation.with_parameters({constant: 2 * value}).rate(state, derivatives)
    torch.testing.assert_close(found[..., 2:6, :], numbers[..., 2:6, :])
    torch.testing.assert_close(found[..., 10:14, :], doubled[..., 10:14, :])
    step = largest_stable_step(equation.with_parameters({constant: halves}), grid, "order-2")
    assert 0 < step <= largest_stable_step(equation.with_parameters({constant: value}), grid, "order-2")
    if isinstance(fields, ReactionDiffusion):
        varying = equation.with_parameters({constant: halves})
        factored = varying.factored_nonlinear()
        rebuilt = scale_fields(factored.coefficients, factored.product(state).expand_as(state))
        rebuilt = rebuilt + scale_fields(factored.source, torch.ones_like(state))
        rebuilt = rebuilt + scale_fields(varying.linear_rate(), state)
        torch.testing.assert_close(rebuilt, varying.reaction(state))


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize("name", ["allen-cahn", "swift-hohenberg", "cahn-hilliard"])
def test_free_energy_falls(name, boundary, generator):
    """The first two go down its steepest slope, ∂u/∂t = -δF/δu; Cahn-Hilliard conserves matter meanwhile."""
    for preset in EQUATIONS[name].presets.values():
        equation = equation_from_name(name, preset.parameters)
        grid = Grid.uniform((8, 9), 0.7, boundary)
        for stencil in STENCILS:
            derivatives = StencilDerivatives(grid, stencil)
            state = (_state(equation, generator, shape=grid.shape) - 0.7).requires_grad_()
            energy = equation.free_energy(state, derivatives)
            assert energy.shape == (3,)
            (slope,) = torch.autograd.grad(energy.sum(), state)
            slope = slope * grid.num_cells
            rate = equation.rate(state, derivatives)
            if name == "cahn-hilliard":
                potential = derivatives.laplacian(slope) * equation.mobility
                torch.testing.assert_close(rate, potential)
                assert float((slope * rate).flatten(1).mean(1).max().detach()) < 0
            else:
                torch.testing.assert_close(rate, -slope)


def test_gradients_flow_through_the_rate(equation, generator):
    """To the state and to every constant, as finite differences say."""
    derivatives = StencilDerivatives(Grid.uniform(5, 0.5), "order-2")
    names = list(preset_of(type(equation)).parameters)
    state = _state(equation, generator, batch=1, shape=(5, 5))
    values = [
        torch.tensor([preset_of(type(equation)).parameters[name]], dtype=torch.float64) for name in names
    ]

    def rate(state, *values):
        return equation.with_parameters(dict(zip(names, values, strict=True))).rate(state, derivatives)

    inputs = [tensor.requires_grad_() for tensor in (state, *values)]
    assert torch.autograd.gradcheck(rate, inputs)


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_presets_name_what_exists(name, preset):
    values = preset_of(EQUATIONS[name], preset)
    assert values.initial_condition in INITIAL_CONDITIONS
    equation_from_name(name, values.parameters)
    assert values.frame_interval / values.time_step == pytest.approx(
        round(values.frame_interval / values.time_step)
    )


def test_a_class_can_be_named_by_its_module():
    assert equation_class("pdenca.solvers:Heat") is Heat
    assert isinstance(equation_from_name("pdenca.solvers:Heat", {"diffusivity": 1.0}), Heat)


def test_with_parameters_changes_only_what_is_named():
    equation = GrayScott(0.03, 0.06, diffusivity_a=3e-5).with_parameters({"feed_rate": 0.05})
    assert isinstance(equation, GrayScott)
    assert (equation.feed_rate, equation.kill_rate, equation.diffusivity_a) == (0.05, 0.06, 3e-5)


def test_refusals_of_names():
    with pytest.raises(BadInputError, match="'gray-scot' is unknown; did you mean 'gray-scott'"):
        equation_from_name("gray-scot", {})
    with pytest.raises(BadInputError, match=r"expected one of gray-scott, .*, or 'module:Class'"):
        equation_class("xyz")
    with pytest.raises(BadInputError, match=r"cannot import module 'no_such_module'.*PYTHONPATH"):
        equation_class("no_such_module:Mine")
    with pytest.raises(BadInputError, match="cannot import module ''"):
        equation_class(":Mine")
    with pytest.raises(BadInputError, match="'Mine' in module 'math' does not exist"):
        equation_class("math:Mine")
    with pytest.raises(BadInputError, match=r"'Grid' in module 'pdenca.solvers' is not a subclass"):
        equation_class("pdenca.solvers:Grid")
    with pytest.raises(BadInputError, match="no preset 'mase'; did you mean 'maze'"):
        preset_of(GrayScott, "mase")
    with pytest.raises(BadInputError, match="has no parameter 'feedrate': did you mean 'feed_rate'"):
        equation_from_name("gray-scott", {"feedrate": 0.03})
    with pytest.raises(BadInputError, match="expected feed_rate, kill_rate, diffusivity_a, diffusivity_b"):
        equation_from_name("gray-scott", {"feed_rate": 0.03})
    for value in (math.nan, math.inf, (0.1, math.nan)):
        with pytest.raises(BadInputError, match="diffusivity of equation 'heat' must be finite, got"):
            equation_from_name("heat", {"diffusivity": value})


def test_refusals_of_constants(equation, generator):
    state, derivatives = _state(equation, generator), StencilDerivatives(Grid.uniform((8, 9), 0.3))
    with pytest.raises(BadInputError, match="has no parameter 'xyz'"):
        equation.with_parameters({"xyz": 1.0})
    for name in preset_of(type(equation)).parameters:
        with pytest.raises(BadInputError, match=r"shape \(4,\) does not fit a field of shape \(3, 8, 9\)"):
            equation.with_parameters({name: torch.ones(4)}).rate(state, derivatives)
    with pytest.raises(BadInputError, match=r"expected a number, \(3,\) or \(3, 4, 5\)"):
        expand(torch.zeros(3, 5, 4), torch.zeros(3, 4, 5))


def test_refusals_of_what_cannot_vary_or_is_not_there():
    field, grid = torch.ones(1, 8, 8), Grid.uniform(8, 0.5)
    for constants in ({"mobility": field}, {"interface": field}):
        with pytest.raises(BadInputError, match="constant in space"):
            CahnHilliard(**constants)
    with pytest.raises(BadInputError, match="constant in space"):
        ComplexGinzburgLandau(linear_dispersion=field)
    with pytest.raises(BadInputError, match="velocity_z is the velocity along an axis that a grid of 2"):
        RungeKutta(AdvectionDiffusion(velocity_z=0.1), grid, 0.01)
    with pytest.raises(BadInputError, match="anisotropic diffusion on 2 axes needs 2 diffusivities"):
        RungeKutta(AdvectionDiffusion(diffusivity=(0.1, 0.1, 0.1)), grid, 0.01)
    with pytest.raises(BadInputError, match="must not be negative"):
        largest_stable_step(AdvectionDiffusion(diffusivity=-0.1), grid)
    for value in (-0.1, (0.1, -0.1), torch.tensor([0.1, -0.1]), math.nan):
        with pytest.raises(BadInputError, match="must not be negative"):
            SpectralETDRK4(Heat(value), grid, 0.01)
    with pytest.raises(BadInputError, match="velocities that are constant in space"):
        AdvectionDiffusion(velocity_x=field).linear_symbol(fourier_waves(grid))


def test_a_constant_that_is_not_per_axis_refuses_a_list_and_a_class_must_be_a_dataclass(monkeypatch):
    with pytest.raises(BadInputError, match=r"feed_rate of equation 'gray-scott' is not one per axis"):
        equation_from_name("gray-scott", {"feed_rate": [0.03, 0.04], "kill_rate": 0.06})

    module = types.ModuleType("plain_equations")
    module.Plain = type("Plain", (ReactionDiffusion,), {"name": "plain", "fields": ()})
    monkeypatch.setitem(sys.modules, "plain_equations", module)
    with pytest.raises(BadInputError, match="is not a dataclass; usual cure"):
        equation_class("plain_equations:Plain")
