"""Kernels from every channel to every channel, weighed by the parameters."""

import math

import pytest
import torch

from pdenca.automaton import (
    Automaton,
    Emission,
    HiddenChannels,
    Increment,
    IsotropicKernels,
    ParameterWeights,
    PointwiseMLP,
    TransportReaction,
    can_rescale,
    rescaled,
)
from pdenca.automaton.moments import kernel_from_moments, weigh_crossed, weigh_shells
from pdenca.solvers import Grid, laplacian
from pdenca.symmetry import D4, assert_equivariant

CENTRE, SCALE = torch.tensor([0.3, -1.0], dtype=torch.float64), torch.tensor([0.1, 2.0], dtype=torch.float64)


def told_weights():
    return ParameterWeights(CENTRE, SCALE)


def crossed(randomise, radius=3, sample_radius=2):
    return randomise(IsotropicKernels(2, radius, sample_radius, weights=told_weights()), 0.3)


def test_weights_are_one_and_the_scaled_parameters():
    weights = told_weights()
    assert weights.num_weights == 3
    found = weights(torch.tensor([[0.5, 3.0], [0.3, -1.0]], dtype=torch.float64))
    torch.testing.assert_close(found, torch.tensor([[1.0, 2.0, 2.0], [1.0, 0.0, 0.0]], dtype=torch.float64))
    assert torch.equal(weights(None), torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64))
    none = ParameterWeights(torch.zeros(0), torch.ones(0))
    assert torch.equal(none(torch.zeros(4, 0)), torch.ones(4, 1))


@pytest.mark.parametrize("where", ["trajectory", "cell"])
def test_crossed_kernels_are_a_sum_over_sources_and_weights(where, randomise, generator):
    perception = crossed(randomise)
    grid = Grid.uniform(6, 0.5)
    state = torch.rand(3, 6, 6, 2, generator=generator, dtype=torch.float64)
    shape = (3, 1, 1, 2) if where == "trajectory" else (3, 6, 6, 2)
    parameters = torch.rand(shape, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        found = perception(state, grid, parameters)
        gathered = perception.gather(state, grid)
        weights = perception.weights(parameters)
        expected = []
        for moments, radius in ((perception.sample, 2), (perception.transport, 3)):
            kernel = kernel_from_moments(moments, radius, 2, 1.0 / 0.5)
            columns = []
            for channel in range(2):
                total = torch.zeros(3, 6, 6, dtype=torch.float64)
                for source in range(2):
                    for number in range(3):
                        alone = weigh_shells(
                            gathered, kernel[:, source, number, channel][:, None].expand(-1, 2)
                        )
                        total = total + weights[..., number] * alone[..., source]
                columns.append(total)
            expected.append(torch.stack(columns, -1))
    expected[0] = expected[0] + state
    torch.testing.assert_close(found, torch.cat(expected, -1))


def test_one_cell_sees_what_the_whole_grid_does(randomise, generator):
    """Derivative matching hands over single cells, each with its own parameters."""
    perception = crossed(randomise)
    grid = Grid.uniform(6, 1.0)
    state = torch.rand(2, 6, 6, 2, generator=generator, dtype=torch.float64)
    parameters = torch.rand(2, 1, 1, 2, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        whole = perception(state, grid, parameters)
        gathered = perception.gather(state, grid)
        place = (1, 4, 2)
        one = perception.combine(tuple(part[place] for part in gathered), 1.0, parameters[1, 0, 0])
        rows = perception.combine(
            tuple(part.flatten(0, 2) for part in gathered), 1.0, parameters.expand(2, 6, 6, 2).flatten(0, 2)
        )
    torch.testing.assert_close(one, whole[place])
    torch.testing.assert_close(rows, whole.flatten(0, 2))


def test_the_start_is_plain_diffusion(small_state):
    perception = IsotropicKernels(2, weights=told_weights()).double()
    sampled, transport = perception(small_state.movedim(1, -1), Grid.uniform(8, 1.0)).chunk(2, -1)
    assert torch.equal(sampled.movedim(-1, 1), small_state)
    expected = 0.05 * laplacian(small_state, Grid.uniform(8, 1.0), "order-2")
    torch.testing.assert_close(transport.movedim(-1, 1), expected)


def test_crossed_kernels_can_be_the_transport_of_complex_ginzburg_landau(small_state):
    """(1 + ib) ∇² of u + iv: u gets ∇²u - b ∇²v, v gets ∇²v + b ∇²u, whatever b."""
    weights = ParameterWeights(*(torch.tensor([value], dtype=torch.float64) for value in (0.5, 2.0)))
    perception = IsotropicKernels(2, 1, 0, weights=weights).double()
    with torch.no_grad():
        perception.transport.zero_()
        for channel in range(2):
            perception.transport[0, channel, 0, channel] = 20.0
        # b = 0.5 + 2 w
        for weight, factor in ((0, 0.5), (1, 2.0)):
            perception.transport[0, 1, weight, 0] = -20 * factor
            perception.transport[0, 0, weight, 1] = 20 * factor
    grid = Grid.uniform(8, 1.0)
    for b in (-1.0, 0.0, 3.0):
        told = torch.full((1, 1, 1, 1), b, dtype=torch.float64)
        with torch.no_grad():
            found = perception(small_state.movedim(1, -1), grid, told)[..., 2:].movedim(-1, 1)
        u, v = laplacian(small_state, grid, "order-2").unbind(1)
        torch.testing.assert_close(found, torch.stack((u - b * v, v + b * u), 1))


def crossed_automaton(randomise):
    names = ("feed_rate", "removal_rate")
    automaton = Automaton(
        IsotropicKernels(2, 3, 1, weights=told_weights()),
        TransportReaction(PointwiseMLP(2, 2, 2, 5)),
        Increment(),
        HiddenChannels(2),
        emission=Emission(2, 2, weights=told_weights()),
        context_names=names,
        time_step=0.1,
    )
    return randomise(automaton, 0.1)


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_a_crossed_automaton_keeps_the_symmetries(boundary, randomise, small_state):
    automaton = crossed_automaton(randomise)
    context = {
        name: torch.linspace(0.1, 0.5, len(small_state), dtype=torch.float64)
        for name in automaton.context_names
    }
    step = automaton.bind(Grid.uniform(8, 1.0, boundary), context, num_steps=1)
    assert_equivariant(step, D4, small_state, num_steps=20)


def test_parameters_move_the_kernels_of_the_emission(randomise, generator):
    emission = randomise(Emission(2, 1, weights=told_weights()))
    reaction = torch.rand(1, 6, 6, 2, generator=generator, dtype=torch.float64)
    grid = Grid.uniform(6, 1.0)
    with torch.no_grad():
        first, second = (
            emission(reaction, grid, torch.full((1, 1, 1, 2), value, dtype=torch.float64))
            for value in (0.0, 1.0)
        )
        centred = emission(reaction, grid)
        at_centre = emission(reaction, grid, CENTRE.view(1, 1, 1, 2))
    assert (first - second).abs().max() > 0.01
    torch.testing.assert_close(centred, at_centre)
    # what one channel makes reaches the other one
    alone = torch.zeros_like(reaction)
    alone[0, 3, 3, 0] = 1
    with torch.no_grad():
        assert emission(alone, grid)[..., 1].abs().max() > 0.01


def test_fields_that_depend_on_place_weigh_cell_by_cell(randomise, generator):
    kernel = torch.rand(3, 2, 3, 2, generator=generator, dtype=torch.float64)
    sums = tuple(torch.rand(2, 4, 5, 2, generator=generator, dtype=torch.float64) for _ in range(3))
    alike = torch.rand(2, 1, 1, 3, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(
        weigh_crossed(sums, kernel, alike), weigh_crossed(sums, kernel, alike.expand(2, 4, 5, 3))
    )


def rotating(spacing, step):
    """∂z/∂t = (D + i b) ∇² z for z = u + iv, one step exact to fourth order in k: D = 0.08, b = 0.02 p."""
    weights = ParameterWeights(*(torch.tensor([value], dtype=torch.float64) for value in (0.0, 1.0)))
    perception = IsotropicKernels(2, 2, 0, weights=weights, reference_spacing=spacing)
    automaton = Automaton(
        perception,
        TransportReaction(PointwiseMLP(2, 1, 2, 1)),
        Increment(),
        HiddenChannels(2),
        context_names=("dispersion",),
        time_step=step,
    ).double()
    moments, unit = perception.transport, 20 / spacing**2
    with torch.no_grad():
        moments.zero_()
        for channel in range(2):
            moments[0, channel, 0, channel] = 0.08 * unit
            moments[0, 1 - channel, 1, channel] = 0.02 * unit * (-1, 1)[channel]
            # fourth order: -h²/12 of the Laplacian's square in each axis, (dt D²/2) of the whole square
            for number, factor in ((1, 1), (2, 2)):
                moments[number, channel, 0, channel] = factor * 0.08**2 * step / 2 * 20 / spacing**4
            moments[1, channel, 0, channel] -= 0.08 * unit / 12
    return automaton


@pytest.mark.parametrize(("factor", "tolerance"), [(0.5, 0.01), (2.0, 0.05)])
def test_on_other_cells_crossed_kernels_do_what_they_did(factor, tolerance):
    """Waves turn and decay as before, to first order in the turning, also at other parameters."""
    automaton = rotating(1.0, 1.0)
    assert can_rescale(automaton)
    other = rescaled(automaton, factor)
    cells = round(16 / factor)
    grid = Grid.uniform(cells, factor)
    x = torch.meshgrid(*grid.coordinates(), indexing="ij")[0]
    k = 2 * math.pi / 16
    start = torch.stack((torch.cos(k * x), torch.sin(k * x)))[None]
    for dispersion in (-1.0, 0.5):
        told = {"dispersion": torch.tensor([dispersion], dtype=torch.float64)}
        decay, turn = math.exp(-0.08 * k**2 * 10), 0.02 * dispersion * k**2 * 10
        exact = decay * torch.stack((torch.cos(k * x - turn), torch.sin(k * x - turn)))[None]
        straight = decay * start
        assert (straight - exact).abs().max() > 2 * tolerance * (exact - start).abs().max()
        with torch.no_grad():
            found = other.bind(grid, told, num_steps=round(10 / other.time_step))(start)
        assert (found - exact).abs().max() < tolerance * (exact - start).abs().max()


def test_the_same_cells_leave_crossed_kernels_alone(randomise):
    made = crossed_automaton(randomise)
    for one, two in zip(made.parameters(), rescaled(made, 1.0).parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=0)


def test_pictures_show_each_channel_by_itself(randomise):
    perception = crossed(randomise)
    plain = IsotropicKernels(2, 3, 2).double()
    with torch.no_grad():
        for channel in range(2):
            plain.transport[:, channel] = perception.transport[:, channel, 0, channel]
            plain.sample[:, channel] = perception.sample[:, channel, 0, channel]
        torch.testing.assert_close(perception.kernel_images(0.5), plain.kernel_images(0.5))
