"""Jacobian products and the batched linear solver."""

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.equilibrium import Linearisation, RowMap, gmres, solve


class NoForwardMode(torch.autograd.Function):
    """x², with a derivative in reverse mode only, that itself can be differentiated."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 2 * x * gradient


def test_products_are_those_of_the_dense_jacobian(tanh_cell, generator, dtype):
    cell = tanh_cell(4, 0.9).to(dtype)
    given, state, vector = torch.randn(3, 2, 4, generator=generator, dtype=dtype)
    linear = Linearisation(RowMap(lambda z: cell(z, given), state), state)
    for number in range(2):
        dense = torch.autograd.functional.jacobian(lambda z, n=number: cell(z, given[n]), state[number])
        torch.testing.assert_close(linear.times(vector)[number], dense @ vector[number])
        torch.testing.assert_close(linear.transposed_times(vector)[number], dense.T @ vector[number])


def test_operations_without_forward_mode(generator):
    state, vector = torch.randn(2, 2, 3, generator=generator, dtype=torch.float64)
    linear = Linearisation(RowMap(NoForwardMode.apply, state), state)
    for _ in range(2):
        torch.testing.assert_close(linear.times(vector), 2 * state * vector)
    found = solve(lambda z: NoForwardMode.apply(z) / 4 + 0.5, state.abs() / 9, method="newton-krylov")
    assert bool(found.converged.all())
    assert bool((found.products > 0).all())


def test_a_map_that_hides_its_derivative_is_refused(generator):
    """The eigenvalues of such a map would all be 0: as stable as can be."""
    state, vector = torch.randn(2, 2, 3, generator=generator, dtype=torch.float64)
    with pytest.raises(BadInputError, match="no derivative"):
        Linearisation(RowMap(lambda z: 2 * z.detach(), state), state).times(vector)
    for step in (torch.no_grad()(lambda z: 2 * z), lambda z: 2 * z.detach()):
        with pytest.raises(BadInputError, match="no derivative"):
            Linearisation(RowMap(step, state), state).transposed_times(vector)
    # forward mode looks through no_grad
    linear = Linearisation(RowMap(torch.no_grad()(lambda z: 2 * z), state), state)
    torch.testing.assert_close(linear.times(vector), 2 * vector)


def test_a_derivative_that_happens_to_vanish_is_fine(generator):
    """As of a ReLU that is off, or on its kink."""
    vector = torch.randn(2, 3, generator=generator)
    for height in (0.0, -1.0, -1e-3):
        linear = Linearisation(
            RowMap(lambda z, h=height: torch.relu(2 * z + h), vector), torch.zeros_like(vector)
        )
        assert not linear.times(vector).any()
        assert not linear.transposed_times(vector).any()


def test_a_constant_map_is_fine(generator):
    state, vector = torch.randn(2, 2, 3, generator=generator, dtype=torch.float64)
    linear = Linearisation(RowMap(lambda z: torch.ones_like(z), state), state)
    assert not linear.times(vector).any()
    assert not linear.transposed_times(vector).any()


@pytest.mark.parametrize("basis_size", [4, 60])
def test_systems_are_solved_each_by_itself(basis_size, generator, dtype):
    noise = torch.randn(3, 12, 12, generator=generator, dtype=dtype)
    matrix = torch.eye(12, dtype=dtype) + noise * torch.tensor([0.02, 0.1, 0.0], dtype=dtype)[:, None, None]
    right = torch.randn(3, 12, generator=generator, dtype=dtype)
    right[2] = 0
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    solved = gmres(lambda x: (matrix @ x[..., None])[..., 0], right, tolerance, basis_size=basis_size)
    assert bool(solved.converged.all())
    expected = torch.linalg.solve(matrix, right)
    torch.testing.assert_close(solved.solution, expected, rtol=100 * tolerance, atol=100 * tolerance)
    assert solved.products[2] == 0
    assert 0 < solved.products[0] <= solved.products[1]
    residual = right - (matrix @ solved.solution[..., None])[..., 0]
    torch.testing.assert_close(solved.residuals[:2] * right[:2].norm(dim=1), residual[:2].norm(dim=1))
    values = torch.linalg.svdvals(matrix)
    assert bool((solved.smallest[:2] >= 0.999 * values[:2, -1]).all())
    assert bool((solved.largest[:2] <= 1.001 * values[:2, 0]).all())
    assert not solved.near_singular[:2].any()


def test_singular_systems():
    """diag(0, 1, 2): solvable without the first entry, and as good as can be with it."""
    diagonal = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    right = torch.tensor([[0.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    solved = gmres(lambda x: diagonal * x, right, 1e-10)
    assert solved.converged.tolist() == [True, False, False]
    torch.testing.assert_close(solved.solution[0], torch.tensor([0.0, 1.0, 0.5], dtype=torch.float64))
    assert solved.near_singular.tolist() == [False, True, True]
    assert solved.residuals[2] == 1
    assert bool(solved.solution.isfinite().all())


def test_a_nan_stays_in_its_sample():
    right = torch.ones(2, 3, dtype=torch.float64)
    factor = torch.tensor([[2.0], [float("nan")]], dtype=torch.float64)
    solved = gmres(lambda x: factor * x, right, 1e-10)
    assert solved.converged.tolist() == [True, False]
    torch.testing.assert_close(solved.solution[0], right[0] / 2)


def test_the_budget_is_kept(generator):
    matrix = torch.randn(30, 30, generator=generator, dtype=torch.float64)
    right = torch.randn(1, 30, generator=generator, dtype=torch.float64)
    solved = gmres(lambda x: x @ matrix.T, right, 1e-12, max_products=10)
    assert solved.products.item() == 11
    assert not solved.converged.item()
    assert 0 < solved.residuals.item() <= 1
