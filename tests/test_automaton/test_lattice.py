"""Shells, their sums and the moments made of them, against loops over all offsets in numpy."""

import itertools

import numpy as np
import pytest
import torch

from pdenca.automaton.lattice import common_spacing, first_differences, moment_weights, shell_sums, shells
from pdenca.core import BadInputError
from pdenca.solvers import Grid

CASES = [(radius, num_dims) for num_dims in (1, 2, 3) for radius in (1, 2, 3)]
MODES = {"periodic": "wrap", "no-flux": "symmetric"}


def offsets_in_reach(radius, num_dims):
    steps = range(-radius, radius + 1)
    return [o for o in itertools.product(steps, repeat=num_dims) if sum(map(abs, o)) <= radius]


def brute_force_sums(values, radius, mode):
    """Sum the cells at all offsets, grouped by the sorted sizes of their parts; values "*space"."""
    padded = np.pad(values, radius, mode=mode)
    sums = {}
    for offset in offsets_in_reach(radius, values.ndim):
        window = padded[
            tuple(
                slice(radius + part, radius + part + cells)
                for part, cells in zip(offset, values.shape, strict=True)
            )
        ]
        key = tuple(sorted(map(abs, offset), reverse=True))
        sums[key] = sums.get(key, 0) + window
    return sums


@pytest.mark.parametrize(("radius", "num_dims"), CASES)
def test_shells_are_the_orbits_of_the_offsets_in_reach(radius, num_dims):
    names = shells(radius, num_dims)
    expected = {tuple(sorted(map(abs, o), reverse=True)) for o in offsets_in_reach(radius, num_dims)}
    assert set(names) == expected
    assert len(names) == len(expected)
    assert names[0] == (0,) * num_dims
    reaches = [sum(name) for name in names]
    assert reaches == sorted(reaches)
    # smaller neighbourhoods come first: kernels of smaller reach use the first shells of a larger one
    assert names[: len(shells(radius - 1, num_dims))] == shells(radius - 1, num_dims)


def test_shells_of_the_plane():
    assert [len(shells(radius, 2)) for radius in (0, 1, 2, 3)] == [1, 2, 4, 6]


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize(("radius", "num_dims"), CASES)
def test_shell_sums_equal_loops_over_padded_arrays(radius, num_dims, boundary, generator):
    shape = (7, 5, 4)[:num_dims]
    state = torch.rand(2, *shape, 3, generator=generator, dtype=torch.float64)
    sums = shell_sums(state, Grid.uniform(shape, 0.5, boundary), radius)
    assert len(sums) == len(shells(radius, num_dims))
    for batch, channel in itertools.product(range(2), range(3)):
        expected = brute_force_sums(state[batch, ..., channel].numpy(), radius, MODES[boundary])
        for name, found in zip(shells(radius, num_dims), sums, strict=True):
            np.testing.assert_allclose(found[batch, ..., channel].numpy(), expected[name], atol=1e-13)


def test_boundaries_may_differ_between_axes(generator):
    state = torch.rand(1, 6, 4, 1, generator=generator, dtype=torch.float64)
    sums = shell_sums(state, Grid((6, 4), (1.0, 1.0), ("no-flux", "periodic")), 2)
    values = np.pad(state[0, ..., 0].numpy(), ((2, 2), (0, 0)), mode="symmetric")
    values = np.pad(values, ((0, 0), (2, 2)), mode="wrap")
    corners = values[1:-3, 1:-3] + values[1:-3, 3:-1] + values[3:-1, 1:-3] + values[3:-1, 3:-1]
    np.testing.assert_allclose(sums[3][0, ..., 0].numpy(), corners, atol=1e-14)


def second_difference(power):
    kernel = np.array([1.0])
    for _ in range(power):
        kernel = np.convolve(kernel, [1.0, -2.0, 1.0])
    return kernel


def embedded(kernel, radius):
    margin = radius - len(kernel) // 2
    return np.pad(kernel, margin)


@pytest.mark.parametrize(("radius", "num_dims"), CASES)
def test_moments_are_sums_of_products_of_second_differences(radius, num_dims):
    names = shells(radius, num_dims)
    weights = np.array(moment_weights(radius, num_dims))
    assert weights.shape == (len(names), len(names))
    for moment, row in zip(names, weights, strict=True):
        expected = np.zeros((2 * radius + 1,) * num_dims)
        for parts in set(itertools.permutations(moment)):
            product = np.array(1.0)
            for part in parts:
                product = np.multiply.outer(product, embedded(second_difference(part), radius))
            expected += product
        found = np.zeros_like(expected)
        for offset in itertools.product(range(-radius, radius + 1), repeat=num_dims):
            name = tuple(sorted(map(abs, offset), reverse=True))
            if name in names:
                found[tuple(part + radius for part in offset)] = row[names.index(name)]
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("radius", "num_dims"), [(3, 1), (3, 2), (2, 3)])
def test_moments_approximate_their_derivatives_to_second_order(radius, num_dims):
    waves, phases = (1, 2, 1)[:num_dims], (0.3, 1.1, 2.0)[:num_dims]
    names = shells(radius, num_dims)[1:]

    def errors(cells):
        h = 2 * np.pi / cells
        grid = Grid.uniform((cells,) * num_dims, h)
        field = torch.ones(())
        for wave, phase, x in zip(waves, phases, grid.coordinates(), strict=True):
            field = field[..., None] * torch.cos(wave * x + phase)
        sums = shell_sums(field[None, ..., None], grid, radius)
        found = []
        for name, row in zip(names, moment_weights(radius, num_dims)[1:], strict=True):
            moment = sum(weight * part for weight, part in zip(row, sums, strict=True))[0, ..., 0]
            # every second derivative of a wave is the wave times -wave²
            factor = sum(
                np.prod([(-(float(wave) ** 2)) ** part for wave, part in zip(waves, parts, strict=True)])
                for parts in set(itertools.permutations(name))
            )
            found.append(float((moment / h ** (2 * sum(name)) - factor * field).abs().max() / abs(factor)))
        return np.array(found)

    orders = np.log2(errors(16) / errors(32))
    assert np.all((orders > 1.8) & (orders < 2.1)), dict(zip(names, orders, strict=True))


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_first_differences_are_sobel_kernels(boundary, generator):
    state = torch.rand(1, 6, 5, 1, generator=generator, dtype=torch.float64)
    found = first_differences(state, Grid.uniform((6, 5), 1.0, boundary))
    kernel = np.outer([-0.5, 0.0, 0.5], [0.25, 0.5, 0.25])
    padded = np.pad(state[0, ..., 0].numpy(), 1, mode=MODES[boundary])
    for component, taps in zip(found, (kernel, kernel.T), strict=True):
        expected = np.zeros((6, 5))
        for i, j in itertools.product(range(3), range(3)):
            expected += taps[i, j] * padded[i : i + 6, j : j + 5]
        np.testing.assert_allclose(component[0, ..., 0].numpy(), expected, atol=1e-15)


def test_cells_must_be_square():
    assert common_spacing(Grid.uniform((4, 6), 0.25)) == 0.25
    with pytest.raises(BadInputError, match=r"same spacing on every axis, got \(0.5, 0.25\); usual cure"):
        common_spacing(Grid((4, 4), (0.5, 0.25), ("periodic", "periodic")))


def test_the_reach_must_fit_the_grid():
    with pytest.raises(BadInputError, match="cannot pad an axis of 2 cells by 3"):
        shell_sums(torch.zeros(1, 2, 8, 1), Grid.uniform((2, 8), 1.0), 3)
