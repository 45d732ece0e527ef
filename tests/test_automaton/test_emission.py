"""Emission kernels: exact on waves, keep the total, make one evaluation of the reaction second-order."""

import math

import pytest
import torch

from pdenca.automaton import (
    Automaton,
    Emission,
    FixedKernels,
    HiddenChannels,
    Increment,
    IsotropicKernels,
    LocalRule,
    ParameterAffineMLP,
    PointwiseMLP,
    TransportReaction,
)
from pdenca.core import BadInputError
from pdenca.solvers import Grid
from pdenca.symmetry import D4, assert_equivariant


def emitting(randomise, radius=2, time_step=0.1):
    perception = IsotropicKernels(2, 3, 1)
    rule = TransportReaction(PointwiseMLP(2, 0, 2, 5))
    emission = Emission(2, radius)
    return randomise(Automaton(perception, rule, Increment(), HiddenChannels(2), emission=emission,
                               time_step=time_step), 0.3)  # fmt: skip


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_what_is_emitted_arrives_somewhere(boundary, randomise, generator):
    emission = randomise(Emission(2, 2))
    reaction = torch.rand(3, 8, 8, 2, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        arrived = emission(reaction, Grid.uniform(8, 1.0, boundary))
    assert (arrived - reaction).abs().max() > 0.01
    if boundary == "periodic":
        torch.testing.assert_close(arrived.sum((1, 2)), reaction.sum((1, 2)), rtol=1e-12, atol=0)


def test_the_value_of_a_wall_is_no_reaction(randomise):
    emission = randomise(Emission(1, 2, num_dims=1))
    nothing, something = torch.zeros(1, 8, 1, dtype=torch.float64), torch.ones(1, 8, 1, dtype=torch.float64)
    held, bare = (Grid.uniform(8, 1.0, name, num_dims=1) for name in ("dirichlet(1)", "dirichlet"))
    with torch.no_grad():
        assert torch.equal(emission(nothing, held), nothing)
        assert torch.equal(emission(something, held), emission(something, bare))


def test_the_second_moment_is_a_diffusion_number():
    emission = Emission(1, 1, num_dims=1, reference_spacing=0.5).double()
    with torch.no_grad():
        emission.moments.fill_(2.0)
    for spacing in (0.5, 0.25):
        grid = Grid.uniform(16, spacing, num_dims=1)
        x = grid.coordinates()[0]
        wave = torch.cos(2 * math.pi * x / (16 * spacing))[None, :, None]
        # 2 UNIT h0² times the second difference over h²
        eigenvalue = 1 + 0.1 * (0.5 / spacing) ** 2 * (2 * math.cos(2 * math.pi / 16) - 2)
        with torch.no_grad():
            torch.testing.assert_close(emission(wave, grid), eigenvalue * wave, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_it_keeps_the_symmetries(boundary, randomise, small_state):
    step = emitting(randomise).bind(Grid.uniform(8, 1.0, boundary), {}, num_steps=1)
    assert_equivariant(step, D4, small_state, num_steps=20)


def test_a_step_reaches_as_far_as_its_radius_says(randomise, generator):
    automaton = emitting(randomise, radius=3)
    assert automaton.radius == 4  # a sample of reach 1 emitted over 3, further than the transport's 3
    assert automaton.evaluations_per_step == 2
    grid = Grid.uniform(16, 1.0)
    state = torch.rand(1, 2, 16, 16, generator=generator, dtype=torch.float64)
    touched = state.clone()
    touched[..., 8, 8] += 1
    with torch.no_grad():
        change = automaton.advance(touched, {}, grid, 1) - automaton.advance(state, {}, grid, 1)
    cells = (change.abs().amax((0, 1)) > 0).nonzero() - 8
    assert int(cells.abs().sum(1).max()) == 4


class _Decay(LocalRule):
    """The exact flow of u' = -u² over one time step, as a rate."""

    def __init__(self, time_step: float) -> None:
        super().__init__()
        self.time_step = time_step

    def forward(self, features, parameters):
        return (features / (1 + features * self.time_step) - features) / self.time_step


@pytest.mark.parametrize(("emits", "order"), [(True, 2), (False, 1)], ids=["with", "without"])
def test_half_steps_of_diffusion_before_and_after_make_the_second_order(emits, order):
    # u_t = D u_xx - u²
    diffusivity, spacing, end = 0.1, 0.05, 0.5
    grid = Grid.uniform(48, spacing, num_dims=1)
    x = grid.coordinates()[0]
    start = (1 + 0.5 * torch.cos(2 * math.pi * x / 2.4))[None, None]

    def moments(number):
        # exp(number h² ∂²) in second differences: h² ∂² = δ² - δ⁴/12 + δ⁶/90
        third = number / 90 - number**2 / 12 + number**3 / 6
        return torch.tensor([number, number**2 / 2 - number / 12, third], dtype=torch.float64) / 0.05

    def solve(num_steps):
        step = end / num_steps
        perception = IsotropicKernels(1, 3, 3, 1, spacing).double()
        emission = Emission(1, 3, 1, spacing).double()
        number = diffusivity * step / spacing**2
        half = number / 2 if emits else number  # all of it before, where nothing comes after
        with torch.no_grad():
            perception.transport[:, 0] = moments(number) / step
            perception.sample[:, 0] = moments(half)
            emission.moments[:, 0] = moments(half)
        automaton = Automaton(
            perception,
            TransportReaction(_Decay(step)),
            Increment(),
            HiddenChannels(1),
            emission=emission if emits else None,
            time_step=step,
        )
        with torch.no_grad():
            return automaton.advance(start, {}, grid, num_steps)

    # the error in space is the same for all: differences between step lengths show the order in time
    solutions = [solve(number) for number in (50, 100, 200)]
    coarse, fine = (float((solutions[i] - solutions[i + 1]).abs().max()) for i in range(2))
    assert order - 0.3 < math.log2(coarse / fine) < order + 0.3


def test_an_emission_needs_a_reaction_of_its_own():
    with pytest.raises(BadInputError, match="got PointwiseMLP; usual cure: TransportReaction"):
        Automaton(
            FixedKernels(2), PointwiseMLP(4, 0, 2, 3), Increment(), HiddenChannels(2), emission=Emission(2)
        )
    with pytest.raises(BadInputError, match="at least 1 cell, got 0"):
        Emission(2, 0)


def test_parameters_weigh_the_outputs(randomise, generator):
    rule = randomise(ParameterAffineMLP(2, 2, 2, 4))
    fields = torch.rand(7, 2, generator=generator, dtype=torch.float64)

    def at(*values):
        return rule(fields, torch.tensor([values], dtype=torch.float64))

    with torch.no_grad():
        # affine: values at three points determine all others
        expected = at(0.0, 0.0) + 3 * (at(1.0, 0.0) - at(0.0, 0.0)) - 2 * (at(0.0, 1.0) - at(0.0, 0.0))
        torch.testing.assert_close(at(3.0, -2.0), expected, rtol=1e-12, atol=1e-12)
        assert (at(1.0, 0.0) - at(0.0, 0.0)).std() > 0.01
    with pytest.raises(BadInputError, match="activation 'gelu' is unknown"):
        ParameterAffineMLP(2, 2, 2, 4, activation="gelu")
