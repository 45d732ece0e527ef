"""An independent implementation finds the same fixed points and the same gradients through them.

torchdeq 0.1.0 is unmaintained and nothing here depends on it. Two of its habits are worked round: tolerances
are absolute unless asked for otherwise, and without ``ift`` its gradient is that of one application.
"""

import pytest
import torch

from pdenca.equilibrium import SOLVERS, EquilibriumSettings, fixed_point, solve

torchdeq = pytest.importorskip("torchdeq")
SIZE = 8


@pytest.fixture
def problem(generator):
    """z = tanh(W z + U x + b) with ‖W‖ = 0.7, a batch of four inputs and a loss on z."""

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    weight = draw(SIZE, SIZE)
    weight = (0.7 * weight / torch.linalg.matrix_norm(weight, 2)).requires_grad_()
    inward, bias, x = draw(SIZE, 3).requires_grad_(), draw(SIZE).requires_grad_(), draw(4, 3)
    target = draw(4, SIZE)

    def step(state):
        return torch.tanh(state @ weight.T + x @ inward.T + bias)

    return step, target, [weight, inward, bias]


@pytest.mark.parametrize("their_solver", ["fixed_point_iter", "anderson", "broyden"])
def test_fixed_points_and_gradients_agree(their_solver, problem):
    step, target, inputs = problem
    start = torch.zeros(4, SIZE, dtype=torch.float64)
    theirs = torchdeq.get_deq(
        f_solver=their_solver,
        b_solver=their_solver,
        f_stop_mode="rel",
        b_stop_mode="rel",
        f_max_iter=200,
        b_max_iter=200,
        f_tol=1e-12,
        b_tol=1e-12,
        ift=True,
    )
    theirs.train()
    (their_state, *_), _ = theirs(step, start)
    their_gradients = torch.autograd.grad((their_state - target).square().sum(), inputs)
    for method in SOLVERS:
        found = solve(step, start, method=method, tolerance=1e-13)
        assert bool(found.converged.all())
        torch.testing.assert_close(found.state, their_state, rtol=1e-9, atol=1e-10)
    settings = EquilibriumSettings(tolerance=1e-13, backward_tolerance=1e-12)
    our_gradients = torch.autograd.grad((fixed_point(step, start, settings) - target).square().sum(), inputs)
    for one, two in zip(our_gradients, their_gradients, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("steps", [1, 3])
def test_the_cheap_gradients_agree(steps, problem):
    """theirs of k steps at the fixed point, which for one step is called jacobian-free"""
    step, target, inputs = problem
    start = torch.zeros(4, SIZE, dtype=torch.float64)
    theirs = torchdeq.get_deq(
        f_solver="fixed_point_iter", f_stop_mode="rel", f_max_iter=300, f_tol=1e-14, ift=False, grad=steps
    )
    theirs.train()
    (their_state, *_), _ = theirs(step, start)
    expected = torch.autograd.grad((their_state - target).square().sum(), inputs)
    kinds = [EquilibriumSettings(tolerance=1e-13, gradient="phantom", phantom_steps=steps)]
    if steps == 1:
        kinds.append(EquilibriumSettings(tolerance=1e-13, gradient="jacobian-free"))
    for settings in kinds:
        state = fixed_point(step, start, settings)
        found = torch.autograd.grad((state - target).square().sum(), inputs)
        for one, two in zip(found, expected, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-11)
