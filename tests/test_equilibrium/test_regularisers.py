"""Terms of a loss for learned maps."""

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.equilibrium import attached_iterates, fixed_point_correction, jacobian_penalty


def test_the_penalty_is_the_mean_square_of_the_jacobian(linear_map, generator):
    step = linear_map([0.9, 0.5], num_entries=5)
    expected = step.weight.square().sum() / (2 * 5)
    found = jacobian_penalty(step, step.start, num_probes=4000, generator=generator)
    assert float(found) == pytest.approx(float(expected), rel=0.02)
    # one probe is rough, but right on average
    single = [float(jacobian_penalty(step, step.start, generator=generator)) for _ in range(400)]
    assert sum(single) / 400 == pytest.approx(float(expected), rel=0.05)


def test_the_penalty_is_exact_for_diagonal_maps_and_has_a_gradient():
    """Random signs see a diagonal without any noise: |Jᵀv|² = Σ 4 a² z²."""
    factor = torch.tensor([0.5, -0.3], dtype=torch.float64, requires_grad=True)
    state = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    found = jacobian_penalty(lambda z: factor * z * z, state)
    assert float(found.detach()) == pytest.approx((4 * 0.25 + 4 * 0.09 * 4) / 2)
    (slope,) = torch.autograd.grad(found, factor)
    torch.testing.assert_close(slope, torch.tensor([4 * 0.5, -16 * 0.3], dtype=torch.float64))
    assert not state.requires_grad


def test_a_constant_map_has_no_penalty():
    assert float(jacobian_penalty(lambda z: torch.ones_like(z), torch.zeros(1, 3))) == 0
    with pytest.raises(BadInputError, match="num_probes"):
        jacobian_penalty(lambda z: z, torch.zeros(1, 3), num_probes=0)


def test_training_with_the_penalty_makes_a_contraction(tanh_cell, generator):
    cell = tanh_cell(6, 2.5)
    state = 0.1 * torch.randn(8, 6, generator=generator, dtype=torch.float64)
    given = torch.zeros_like(state)
    optimiser = torch.optim.SGD(cell.parameters(), lr=0.5)
    before = float(torch.linalg.matrix_norm(cell.weight.detach(), 2))
    for _ in range(30):
        optimiser.zero_grad()
        jacobian_penalty(lambda z: cell(z, given), state, generator=generator).backward()
        optimiser.step()
    after = float(torch.linalg.matrix_norm(cell.weight.detach(), 2))
    assert before > 2
    assert after < 0.5


def test_iterates_are_those_of_plain_iteration_with_one_step_of_graph(tanh_cell, generator):
    cell = tanh_cell(3, 0.9)
    given = torch.randn(2, 3, generator=generator, dtype=torch.float64)
    start = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    found = attached_iterates(lambda z: cell(z, given), start, (1, 4))
    state = start.detach()
    for number in range(1, 5):
        before, state = state, cell(state, given).detach()
        if number in (1, 4):
            one = found[0 if number == 1 else 1]
            assert torch.equal(one.detach(), state)
            mine, other = (torch.autograd.grad(z.sum(), cell.weight)[0] for z in (one, cell(before, given)))
            torch.testing.assert_close(mine, other)
    assert start.grad is None
    for bad in ((), (0, 1), (3, 2)):
        with pytest.raises(BadInputError, match="counted from 1"):
            attached_iterates(lambda z: z, start, bad)


def test_the_correction_weighs_late_iterates_most():
    iterates = [torch.tensor([[float(k)]], requires_grad=True) for k in (1, 2, 3)]
    found = fixed_point_correction(lambda z: z.sum(), iterates, 0.5)
    assert float(found.detach()) == pytest.approx(0.25 * 1 + 0.5 * 2 + 3)
    found.backward()
    assert [float(z.grad) for z in iterates] == [0.25, 0.5, 1.0]
    for bad in (0.0, 1.5, float("nan")):
        with pytest.raises(BadInputError, match="discount"):
            fixed_point_correction(lambda z: z.sum(), iterates, bad)
    with pytest.raises(BadInputError, match="at least one iterate"):
        fixed_point_correction(lambda z: z.sum(), [])
