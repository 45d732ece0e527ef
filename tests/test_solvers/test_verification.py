"""Every equation and every integrator, measured; a new member of either dictionary is covered on arrival."""

import math
from typing import ClassVar

import pytest
import torch

from pdenca.core import Field
from pdenca.core.errors import BadInputError
from pdenca.solvers import (
    EQUATIONS,
    INTEGRATORS,
    Equation,
    Factored,
    Grid,
    ReactionDiffusion,
    StencilDerivatives,
)
from pdenca.solvers.equations import preset_of
from pdenca.solvers.verification import (
    EXACT_SOLUTIONS,
    MEASUREMENTS,
    SHAPES,
    TURING_POINTS,
    ExactDerivatives,
    Forced,
    Formula,
    Measurement,
    Scope,
    fitted_order,
    is_isotropic,
    problem_of,
    rough_state,
    symmetries,
)
from pdenca.solvers.verification.in_time import build, supports

# what the quick suite measures of each equation; the slow one measures everything
QUICK = {
    "space": Scope(stencils=("order-2-isotropic", "order-6")),
    "time": Scope(methods=("etdrk4",), boundaries=("periodic",)),
    "manufactured": Scope(methods=("euler",), boundaries=("dirichlet",)),
    "exact": Scope(methods=("midpoint", "etdrk4")),
    "scipy": Scope(methods=("etdrk4",), boundaries=("periodic",)),
    "invariants": Scope(methods=("semi-implicit",), boundaries=("periodic",)),
    "symmetry": Scope(methods=("etdrk4",), boundaries=("periodic",)),
    "growth": Scope(methods=("etdrk4",)),
}


def _equation(name: str) -> Equation:
    return EQUATIONS[name].from_parameters(preset_of(EQUATIONS[name]).parameters)


def _check(equation: Equation, kind: str, scope: Scope) -> list[Measurement]:
    found = list(MEASUREMENTS[kind](equation, scope))
    failed = [str(measurement) for measurement in found if not measurement.passed]
    assert not failed, "\n".join(failed)
    return found


def test_the_quick_suite_leaves_no_kind_out():
    assert QUICK.keys() == MEASUREMENTS.keys()


@pytest.mark.parametrize("kind", MEASUREMENTS)
@pytest.mark.parametrize("name", EQUATIONS)
def test_every_equation(name, kind):
    found = _check(_equation(name), kind, QUICK[kind])
    if kind not in ("exact", "invariants"):  # not every equation has these
        assert found


@pytest.mark.parametrize("method", INTEGRATORS)
def test_every_integrator_at_every_boundary(method):
    _check(_equation("fisher-kpp"), "time", Scope(methods=(method,)))
    _check(_equation("heat"), "manufactured", Scope(methods=(method,), boundaries=("no-flux",)))
    _check(_equation("allen-cahn"), "invariants", Scope(methods=(method,), boundaries=("no-flux",)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", MEASUREMENTS)
@pytest.mark.parametrize("name", EQUATIONS)
def test_everything_of_every_equation(name, kind):
    _check(_equation(name), kind, Scope())


@pytest.mark.slow
@pytest.mark.parametrize("name", EQUATIONS)
def test_order_in_space_in_two_dimensions(name):
    _check(_equation(name), "space", Scope(num_dims=2))


def test_nothing_is_left_out_by_mistake():
    """Which integrator can do what, in so many words; and what equations have."""
    for name in ("gray-scott", "cahn-hilliard", "complex-ginzburg-landau", "advection-diffusion"):
        equation = _equation(name)
        problem = problem_of(equation)
        for method in INTEGRATORS:
            spectral = getattr(build(method, equation, problem.grid(8), 1e-9), "stencil", None) is None
            assert supports(method, equation, problem.grid(8, "periodic"))
            assert supports(method, equation, problem.grid(8, "dirichlet")) == (not spectral)
            no_flux = supports(method, equation, problem.grid(8, "no-flux"))
            assert no_flux == (not spectral or name != "advection-diffusion")
    solved = {make().equation.name for make in EXACT_SOLUTIONS.values()}
    assert solved >= {"heat", "advection-diffusion", "fisher-kpp", "allen-cahn", "complex-ginzburg-landau"}
    assert set(TURING_POINTS) == {"brusselator", "schnakenberg"}
    anisotropic = {name for name in EQUATIONS if not is_isotropic(_equation(name), 2)}
    assert anisotropic == {"advection-diffusion"}


def test_what_has_an_energy_and_a_budget():
    energies, budgets = set(), set()
    for name in EQUATIONS:
        problem = problem_of(_equation(name))
        grid = problem.grid(8)
        state = rough_state(problem, grid)
        if problem.equation.free_energy(state, StencilDerivatives(grid)) is not None:
            energies.add(name)
        if problem.equation.budget(state) is not None:
            budgets.add(name)
    assert energies >= {"allen-cahn", "cahn-hilliard", "swift-hohenberg"}
    assert budgets >= EQUATIONS.keys() - {"advection-diffusion"}


class Epidemic(ReactionDiffusion):
    """Susceptible and infected; no presets, no dataclass: what a user might write."""

    name: ClassVar[str] = "epidemic"
    fields: ClassVar[tuple[Field, ...]] = (Field("s"), Field("i"))

    def parameters(self):
        return {}

    def diffusivities(self):
        return (0.02, 0.05)

    def reaction(self, state):
        s, i = state.unbind(1)
        return torch.stack((0.1 * (1 - s) - 2 * s * i, 2 * s * i - i), 1)

    def homogeneous_states(self):
        return ((1.0, 0.0), (0.5, 0.05))


@pytest.mark.parametrize("kind", MEASUREMENTS)
def test_an_equation_of_the_user(kind):
    found = _check(Epidemic(), kind, QUICK[kind])
    assert bool(found) == (kind not in ("exact", "invariants"))


@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_exact_derivatives_are_those_of_the_formula(num_dims):
    grid = Grid.uniform(5, 0.3, num_dims=num_dims)
    exact = ExactDerivatives(grid)
    phase = sum(((axis + 1) * x for axis, x in enumerate(exact.points)), torch.zeros((), dtype=torch.float64))
    state = torch.stack((torch.sin(phase), torch.exp(-exact.points[0])), 1)
    k2 = sum((axis + 1) ** 2 for axis in range(num_dims))
    sine, decay = state.detach()[:, 0], state.detach()[:, 1]
    cosine = torch.cos(phase).detach()

    def check(found, first, second):
        torch.testing.assert_close(found.detach(), torch.stack((first, second), 1))

    check(exact.laplacian(state), -k2 * sine, decay)
    check(exact.biharmonic(state), k2**2 * sine, decay)
    check(exact.first(state, 0), cosine, -decay)
    check(exact.second(state, num_dims - 1), -(num_dims**2) * sine, decay if num_dims == 1 else 0 * decay)
    check(exact.laplacian_of(lambda u: u**2, state), 2 * k2 * (cosine**2 - sine**2), 4 * decay**2)
    spread = 1 + exact.points[0][:, None]
    x = exact.points[0].detach()
    check(exact.divergence_of_flux(spread, state, 0), cosine - (1 + x) * sine, -decay + (1 + x) * decay)
    assert float(exact.first(torch.ones_like(state.detach()), 0).abs().max()) == 0


@pytest.mark.parametrize("shape", [name for name in SHAPES if name != "analytic"])
def test_forced_equations_have_their_formula_as_solution(shape):
    """∂u*/∂t by differences in time equals the forced rate with exact derivatives."""
    formula = Formula(problem_of(_equation("brusselator"), num_dims=2), shape)
    grid = formula.problem.grid(6, formula.boundary)
    forced = Forced(formula, grid)
    time, shift = 0.7 * formula.problem.duration, 1e-5 * formula.problem.duration
    exact = ExactDerivatives(grid)
    state = torch.cat((formula(exact.points, time), torch.full((1, 1, *grid.shape), time)), 1)
    change = (forced.solution(time + shift) - forced.solution(time - shift)) / (2 * shift)
    torch.testing.assert_close(forced.rate(state, exact).detach(), change, rtol=1e-6, atol=1e-6)
    assert len(forced.fields) == 3
    assert forced.parameters() == formula.problem.equation.parameters()


def test_formulas_obey_their_boundaries():
    problem = problem_of(_equation("schnakenberg"), num_dims=1)
    walls = torch.tensor([[0.0, problem.length]], dtype=torch.float64, requires_grad=True)
    centre = torch.tensor(problem.centre, dtype=torch.float64)[:, None].expand(2, 2)
    for shape in ("dirichlet", "dirichlet, bent"):
        values = Formula(problem, shape)([walls], 0.3)[0].detach()
        torch.testing.assert_close(values, centre)
    fields = Formula(problem, "no-flux")([walls], 0.3)
    (slope,) = torch.autograd.grad(fields.sum(), walls)
    assert float(slope.abs().max()) < 1e-12
    for shape in ("periodic", "analytic"):
        ends = Formula(problem, shape)([walls], 0.3)[0].detach()
        torch.testing.assert_close(ends[:, 0], ends[:, 1])


def test_symmetries_are_those_of_the_interval_square_and_cube():
    state = torch.arange(2 * 27, dtype=torch.float64).reshape(1, 2, 3, 3, 3)
    for num_dims, number in ((1, 1), (2, 7), (3, 47)):
        part = state[(slice(None), slice(None), *([0] * (3 - num_dims)))]
        images = [turn(part) for turn in symmetries(num_dims)]
        assert len(images) == number
        distinct = {tuple(image.flatten().tolist()) for image in (part, *images)}
        assert len(distinct) == number + 1


def test_fitted_order_and_record():
    assert fitted_order([1.0, 2.0, 4.0], [3.0, 12.0, 48.0]) == pytest.approx(2)
    assert math.isnan(fitted_order([1.0, 2.0], [0.0, 1.0]))
    assert math.isnan(fitted_order([1.0, 2.0], [math.nan, 1.0]))
    with pytest.raises(BadInputError, match="at least two points"):
        fitted_order([1.0, 1.0], [1.0, 2.0])
    good = Measurement("order", "heat", "rk4", 4.0, 3.6, 4.4, 0.1)
    assert good.passed
    assert str(good) == "order, heat (rk4): 4 in [3.6, 4.4]: passed, 0.10 s"
    assert not Measurement("order", "heat", "rk4", math.nan, 0.0, math.inf, 0.1).passed
    assert "FAILED" in str(Measurement("order", "heat", "rk4", 4.5, 3.6, 4.4, 0.1))


def test_refusals():
    heat = _equation("heat")
    with pytest.raises(BadInputError, match="'triangular' is unknown"):
        Formula(problem_of(heat), "triangular")
    gray_scott = _equation("gray-scott").with_parameters({"feed_rate": torch.tensor([0.03, 0.04])})
    with pytest.raises(BadInputError, match=r"one value for each constant, got feed_rate of shape \(2,\)"):
        problem_of(gray_scott)
    with pytest.raises(BadInputError, match="usual cure: give centre, amplitude and length"):
        problem_of(heat.with_parameters({"diffusivity": 0.0}))
    problem = problem_of(_equation("cahn-hilliard"))
    with pytest.raises(BadInputError, match="stands under derivatives"):
        Forced(Formula(problem, "periodic"), problem.grid(8)).factored_nonlinear()
    assert isinstance(
        Forced(Formula(problem_of(heat), "periodic"), problem_of(heat).grid(8)).factored_nonlinear(), Factored
    )
