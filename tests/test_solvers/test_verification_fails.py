"""Each measurement sees what it is for: wrong equations, schemes, stencils and walls do not pass."""

import dataclasses
import functools
from typing import ClassVar

import pytest
import torch

from pdenca.core import Field
from pdenca.solvers import (
    INTEGRATORS,
    RK4,
    AdaptiveRungeKutta,
    AllenCahn,
    CahnHilliard,
    FisherKPP,
    GrayScott,
    Heat,
    ReactionDiffusion,
    RungeKutta,
    SpectralDerivatives,
    Stencil,
    StencilDerivatives,
)
from pdenca.solvers.verification import (
    EXACT_SOLUTIONS,
    ManufacturedSolution,
    agreement_with_scipy,
    balance_of_mean,
    decay_of_spectral_error,
    defect_of_symmetry,
    error_beside_tolerance,
    growth_rate_of_wave,
    order_in_space,
    order_in_time,
    order_of_convergence,
    problem_of,
    rise_of_free_energy,
)

MAZE = GrayScott(0.029, 0.057, diffusivity_a=2e-4, diffusivity_b=1e-4)
# a weight of the third stage that is off by a hundredth: consistent, stable, no longer of fourth order
BAD_RK4 = dataclasses.replace(RK4, stages=((1 / 2,), (0.0, 0.49), (0.0, 0.0, 1.0)))


class Decay(ReactionDiffusion):
    """A base for wrong equations: ∂u/∂t = D ∇²u - u³, told right."""

    name: ClassVar[str] = "decay"
    fields: ClassVar[tuple[Field, ...]] = (Field("u"),)

    def parameters(self):
        return {}

    def diffusivities(self):
        return (0.1,)

    def reaction(self, state):
        return -(state**3)

    def homogeneous_states(self):
        return ((0.0,),)


class OwnLaplacian(Decay):
    """Differences of its own, of second order, that go round the domain, whatever it is given."""

    def rate(self, state, derivatives):
        if isinstance(derivatives, StencilDerivatives | SpectralDerivatives):
            h = derivatives.grid.spacing[0]
            return self.reaction(state) + 0.1 * (state.roll(1, 2) + state.roll(-1, 2) - 2 * state) / h**2
        return super().rate(state, derivatives)


class OneSided(Decay):
    """A stencil that leans to one side, which its linear part does not tell."""

    def rate(self, state, derivatives):
        return super().rate(state, derivatives) + 0.02 * derivatives.first(state, 0)


class Leaking(Heat):
    """Diffusion that does not conserve: D(x) ∇²T instead of ∇·(D ∇T)."""

    def rate(self, state, derivatives):
        x = torch.linspace(0, 1, state.shape[2], dtype=state.dtype)
        return (1 + x) * derivatives.laplacian(state) * self.diffusivity


class LosingBudget(GrayScott):
    def budget(self, state):
        return 1.01 * super().budget(state)


class UphillAllenCahn(AllenCahn):
    def free_energy(self, state, derivatives):
        return -super().free_energy(state, derivatives)


class WrongTerm(AllenCahn):
    """An energy of which a part has the wrong sign."""

    def free_energy(self, state, derivatives):
        return super().free_energy(state, derivatives) - 10 * (state**2).flatten(1).mean(1)


class WrongSplit(FisherKPP):
    """What spectral methods are told is not the equation as it is written."""

    def linear_rate(self):
        return (-1.01 * self.growth_rate,)


@pytest.mark.parametrize("stencil", ["order-2", "order-4", "order-6"])
def test_a_stencil_of_lower_order(stencil):
    known = {"order-2": (-2.0, 1.02), "order-4": (-2.0, 1.0), "order-6": (-5 / 2, 4 / 3, -1 / 12)}[stencil]
    order = int(stencil[-1])
    wrong = Stencil(order, len(known) - 1, False, known)
    assert order_in_space(problem_of(MAZE), stencil).passed
    assert not order_in_space(problem_of(MAZE), wrong).passed


def test_differences_that_ignore_stencil_and_walls():
    right, wrong = problem_of(Decay()), problem_of(OwnLaplacian())
    for shape in ("periodic", "no-flux", "dirichlet", "dirichlet, bent"):
        assert order_in_space(right, "order-4", shape).passed
        assert not order_in_space(wrong, "order-4", shape).passed
    assert order_in_space(wrong, "order-2", "periodic").passed
    assert not order_in_space(wrong, "order-2", "no-flux").passed
    assert not order_in_space(wrong, "order-2", "dirichlet, bent").passed
    assert decay_of_spectral_error(right).passed
    assert not decay_of_spectral_error(wrong).passed


def test_a_scheme_of_lower_order():
    problem = problem_of(MAZE)
    wrong = functools.partial(RungeKutta, tableau=BAD_RK4)
    assert order_in_time(problem, functools.partial(RungeKutta, tableau=RK4)).passed
    assert not order_in_time(problem, wrong).passed
    assert not agreement_with_scipy(problem, wrong).passed


def test_a_split_that_does_not_add_up():
    problem = problem_of(WrongSplit())
    for method in ("etdrk2", "etdrk4", "semi-implicit"):
        assert not order_in_time(problem, method).passed
        assert not agreement_with_scipy(problem, method).passed
    assert order_in_time(problem, "rk4").passed


def test_a_tolerance_that_is_ignored(monkeypatch):
    def careless(equation, grid, time_step, tolerance=1e-6, absolute_tolerance=1e-9):
        return AdaptiveRungeKutta(equation, grid, time_step, 1e-4)

    monkeypatch.setitem(INTEGRATORS, "careless", careless)
    assert not error_beside_tolerance(problem_of(MAZE), "careless").passed


@pytest.mark.parametrize("boundary", ["no-flux", "dirichlet"])
def test_walls_of_another_kind(boundary):
    def misled(equation, grid, time_step):
        other = {"no-flux": "dirichlet", "dirichlet": "no-flux"}[boundary]
        return INTEGRATORS["euler"](equation, dataclasses.replace(grid, boundaries=(other,)), time_step)

    solution = ManufacturedSolution(problem_of(Decay()), boundary)
    assert order_of_convergence(solution, "euler").passed
    assert not order_of_convergence(solution, misled).passed


@pytest.mark.parametrize("name", EXACT_SOLUTIONS)
def test_an_equation_with_other_constants(name):
    solution = EXACT_SOLUTIONS[name]()
    constant = {
        "heat": "diffusivity",
        "advection-diffusion": "velocity_y",
        "fisher-kpp": "growth_rate",
        "allen-cahn": "diffusivity",
        "complex-ginzburg-landau": "linear_dispersion",
    }[solution.equation.name]
    value = 1.02 * getattr(solution.equation, constant)
    wrong = dataclasses.replace(solution, equation=solution.equation.with_parameters({constant: value}))
    assert not order_of_convergence(wrong, "midpoint").passed


def test_fluxes_that_do_not_balance():
    assert balance_of_mean(problem_of(Heat(0.1)), "rk4").passed
    assert not balance_of_mean(problem_of(Leaking(0.1)), "rk4").passed
    assert not balance_of_mean(problem_of(LosingBudget(0.03, 0.06)), "rk4").passed
    assert not balance_of_mean(problem_of(Decay()), "rk4").passed  # it has no budget
    assert not balance_of_mean(problem_of(CahnHilliard()), leaking).passed


def leaking(equation, grid, time_step):
    solver = RungeKutta(equation, grid, time_step)

    class Leak(type(solver)):
        def march(self, state, num_steps):
            return super().march(state, num_steps) * (1 - 1e-9) ** num_steps

    return Leak(equation, grid, time_step)


def test_energies_that_rise():
    assert rise_of_free_energy(problem_of(AllenCahn()), "midpoint").passed
    assert not rise_of_free_energy(problem_of(UphillAllenCahn()), "midpoint").passed
    assert not rise_of_free_energy(problem_of(WrongTerm()), "midpoint").passed
    assert not rise_of_free_energy(problem_of(Heat(0.1)), "midpoint").passed  # it has none


def test_stencils_that_lean():
    plane = problem_of(Decay(), num_dims=2)
    assert defect_of_symmetry(plane, "rk4").passed
    assert not defect_of_symmetry(plane, "rk4", isotropic=False).passed  # there is no defect to be seen
    assert not defect_of_symmetry(problem_of(OneSided(), num_dims=2), "rk4").passed


def test_waves_that_grow_too_fast():
    problem = problem_of(FisherKPP())
    assert growth_rate_of_wave(problem, (0.0,), 0.5).passed
    assert growth_rate_of_wave(problem, (0.0,), 0.5, "rk4", num_cells=64).passed
    assert not growth_rate_of_wave(problem_of(WrongSplit()), (0.0,), 0.5, "rk4", num_cells=64).passed
    assert not growth_rate_of_wave(problem, (0.0,), 0.5, "euler").passed
    assert not growth_rate_of_wave(problem, (0.9,), 0.5).passed  # not a steady state
