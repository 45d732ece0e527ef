"""The gradient of a fixed point, by the implicit function theorem and by its cheap stand-ins."""

import itertools
import math
import warnings

import pytest
import torch

from pdenca.core import BadInputError, IncompleteError
from pdenca.equilibrium import (
    SOLVERS,
    EquilibriumLayer,
    EquilibriumRecord,
    EquilibriumSettings,
    fixed_point,
)

TIGHT = EquilibriumSettings(tolerance=1e-14, backward_tolerance=1e-13, max_evaluations=400)


@pytest.fixture
def problem(tanh_cell, generator):
    """A cell, an input and a loss's gradient."""
    cell = tanh_cell(5, 0.8)
    given = torch.randn(3, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    slope = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    return cell, given, slope


def gradients(problem, settings, record=None):
    cell, given, slope = problem
    state = fixed_point(lambda z: cell(z, given), torch.zeros_like(given), settings, record=record)
    loss = (slope * state).sum()
    return torch.autograd.grad(loss, (cell.weight, cell.inward, given))


def dense_gradients(problem):
    """The same with I - J as a matrix, solved by LU."""
    cell, given, slope = problem
    state = fixed_point(lambda z: cell(z, given), torch.zeros_like(given), TIGHT).detach()
    adjoints = []
    for number in range(len(state)):
        jacobian = torch.autograd.functional.jacobian(
            lambda z, number=number: cell(z, given[number].detach()), state[number]
        )
        adjoints.append(torch.linalg.solve((torch.eye(5) - jacobian).T, slope[number]))
    total = (torch.stack(adjoints) * cell(state, given)).sum()
    return torch.autograd.grad(total, (cell.weight, cell.inward, given))


def unrolled_gradients(problem, num_steps=400):
    cell, given, slope = problem
    state = torch.zeros_like(given)
    for _ in range(num_steps):
        state = cell(state, given)
    return torch.autograd.grad((slope * state).sum(), (cell.weight, cell.inward, given))


def distance(ones, others):
    """Relative distance and cosine of two gradients."""
    one, other = (torch.cat([part.reshape(-1) for part in parts]) for parts in (ones, others))
    return float((one - other).norm() / other.norm()), float(torch.cosine_similarity(one, other, dim=0))


@pytest.mark.parametrize("method", sorted(SOLVERS))
def test_three_roads_to_the_same_gradient(method, problem):
    record = EquilibriumRecord()
    ours = gradients(problem, TIGHT.replace(method=method), record)
    assert bool(record.solution.converged.all()) or record.solution.residuals.max() < 1e-13
    assert bool(record.adjoint.converged.all())
    assert record.adjoint.reason == ("converged",) * 3
    assert bool((record.adjoint.products > 0).all())
    for theirs in (dense_gradients(problem), unrolled_gradients(problem)):
        for one, other in zip(ours, theirs, strict=True):
            assert (one - other).norm() <= 1e-10 * other.norm()


def test_gradcheck_in_input_and_parameters(tanh_cell, generator):
    cell = tanh_cell(3, 0.7)
    given = torch.randn(2, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in cell.named_parameters()]

    def solved(given, *values):
        def step(z):
            return torch.func.functional_call(cell, dict(zip(names, values, strict=True)), (z, given))

        return fixed_point(step, torch.zeros_like(given), TIGHT)

    assert torch.autograd.gradcheck(solved, (given, *cell.parameters()), eps=1e-5, atol=1e-8, rtol=1e-7)


def test_an_unstable_fixed_point_has_a_gradient_too(generator):
    """z = W z + x with a radius above 1: dz/dx = (I - W)^-1."""
    weight = 2 * torch.randn(4, 4, generator=generator, dtype=torch.float64)
    given = torch.randn(1, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    settings = TIGHT.replace(method="newton-krylov", tolerance=1e-12)
    state = fixed_point(lambda z: z @ weight.T + given, torch.zeros(1, 4, dtype=torch.float64), settings)
    (found,) = torch.autograd.grad(state.sum(), given)
    expected = torch.linalg.solve((torch.eye(4) - weight).T, torch.ones(4, dtype=torch.float64))
    torch.testing.assert_close(found[0], expected, rtol=1e-9, atol=1e-9)


def test_jacobian_free_and_phantom_gradients_point_downhill(problem):
    exact = dense_gradients(problem)
    free, cosine = distance(gradients(problem, TIGHT.replace(gradient="jacobian-free")), exact)
    assert 0.001 < free < 1
    assert cosine > 0.5
    errors = [
        distance(gradients(problem, TIGHT.replace(gradient="phantom", phantom_steps=steps)), exact)
        for steps in (1, 2, 5, 10, 40)
    ]
    assert errors[0][0] == pytest.approx(free)
    assert all(after[0] < before[0] for before, after in itertools.pairwise(errors))
    assert all(cosine > 0.5 for _, cosine in errors)
    assert errors[-1][0] < 1e-4
    damped = distance(
        gradients(problem, TIGHT.replace(gradient="phantom", phantom_steps=5, phantom_damping=0.5)), exact
    )
    assert errors[2][0] < damped[0] < 1
    assert damped[1] > 0.5


@pytest.mark.parametrize("gradient", ["implicit", "jacobian-free", "phantom"])
def test_the_value_does_not_depend_on_the_gradient(gradient, problem):
    cell, given, _ = problem
    record = EquilibriumRecord()
    settings = EquilibriumSettings(gradient=gradient)
    state = fixed_point(lambda z: cell(z, given), torch.zeros_like(given), settings, record=record)
    assert torch.equal(state, record.solution.state)
    assert state.requires_grad


@pytest.mark.parametrize("gradient", ["implicit", "jacobian-free", "phantom"])
def test_a_search_that_stops_at_once_still_carries_gradients(gradient, problem):
    cell, given, slope = problem
    solution = fixed_point(lambda z: cell(z, given), torch.zeros_like(given), TIGHT).detach()
    record = EquilibriumRecord()
    settings = EquilibriumSettings(gradient=gradient)
    state = fixed_point(lambda z: cell(z, given), solution, settings, record=record)
    assert record.solution.evaluations.tolist() == [1, 1, 1]
    for found in torch.autograd.grad((slope * state).sum(), (cell.weight, cell.inward, given)):
        assert found.abs().max() > 0


def test_gradients_go_to_nothing_else(problem):
    cell, given, _ = problem
    start = torch.zeros(3, 5, dtype=torch.float64, requires_grad=True)
    cell.inward.requires_grad_(False)
    fixed_point(lambda z: cell(z, given), start).sum().backward()
    assert start.grad is None
    assert cell.inward.grad is None
    assert cell.weight.grad is not None
    assert given.grad is not None
    cell.requires_grad_(False)
    assert not fixed_point(lambda z: cell(z, given.detach()), start).requires_grad
    with torch.no_grad():
        assert not fixed_point(lambda z: cell(z, given), start).requires_grad


def test_memory_does_not_grow_with_the_search(problem):
    cell, given, _ = problem

    def num_saved(run):
        saved = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
            run()
        return len(saved)

    def step(z):
        return cell(z, given)

    def implicit(most):
        settings = EquilibriumSettings(method="picard", tolerance=0.0, max_evaluations=most)
        return lambda: fixed_point(step, torch.zeros_like(given), settings)

    def unrolled(most):
        def run():
            state = torch.zeros_like(given)
            for _ in range(most):
                state = step(state)
            return state

        return run

    assert num_saved(implicit(3)) == num_saved(implicit(60)) > 0
    assert num_saved(unrolled(60)) > 10 * num_saved(unrolled(3)) > num_saved(implicit(3))


def test_twice_backward_through_one_graph(problem):
    cell, given, slope = problem
    state = fixed_point(lambda z: cell(z, given), torch.zeros_like(given), TIGHT)
    loss = (slope * state).sum()
    first = torch.autograd.grad(loss, given, retain_graph=True)[0]
    second = torch.autograd.grad(2 * loss, given)[0]
    torch.testing.assert_close(second, 2 * first)


def test_gradients_of_gradients_are_refused(problem):
    cell, given, _ = problem
    state = fixed_point(lambda z: cell(z, given), torch.zeros_like(given), TIGHT)
    (first,) = torch.autograd.grad(state.square().sum(), given, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        first.sum().backward()


def test_a_linear_solve_that_fails_is_visible(problem):
    record = EquilibriumRecord()
    gradients(problem, TIGHT.replace(backward_products=2), record)
    assert not record.adjoint.converged.any()
    assert record.adjoint.reason == ("max products",) * 3
    assert bool((record.adjoint.residuals > 1e-13).all())


def test_a_family_of_fixed_points_is_noticed():
    """z = z along the second axis: its place has no gradient, and the solve says so."""
    given = torch.ones(1, 2, dtype=torch.float64, requires_grad=True)
    matrix = torch.tensor([[0.5, 0.2], [0.0, 1.0]], dtype=torch.float64)

    def step(z):
        return z @ matrix.T + given * torch.tensor([[1.0, 0.0]], dtype=torch.float64)

    start = torch.zeros(1, 2, dtype=torch.float64)
    record = EquilibriumRecord()
    state = fixed_point(step, start, record=record)
    state[:, 1].sum().backward()
    assert bool(record.adjoint.near_singular)
    assert record.adjoint.reason == ("near-null direction",)
    assert not record.adjoint.converged.item()

    # null vectors: J (0.4, 1) = (0.4, 1); a loss that is constant along it is (2.5 z_0 - z_1)
    mode = torch.tensor([[0.4, 1.0]], dtype=torch.float64)
    for told, loss, reason in (
        (None, lambda z: 2.5 * z[:, 0] - z[:, 1], "converged"),
        (lambda _: [mode], lambda z: 2.5 * z[:, 0] - z[:, 1], "converged"),
        (lambda _: [mode], lambda z: z[:, 0], "loss not invariant"),
    ):
        given.grad = None
        state = fixed_point(step, start, null_modes=told, record=record)
        loss(state).sum().backward()
        assert record.adjoint.reason == (reason,)
        if reason == "converged":
            # the invariant z_0 - 0.4 z_1 is 2 x_0 for every member of the family
            torch.testing.assert_close(given.grad, torch.tensor([[5.0, 0.0]], dtype=torch.float64))
    with pytest.raises(BadInputError, match="shape of the state"):
        fixed_point(step, start, null_modes=lambda _: [mode[0]]).sum().backward()


def test_a_broken_sample_harms_no_other(tanh_cell, generator):
    cell = tanh_cell()
    given = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    start = torch.zeros(3, 5, dtype=torch.float64)
    start[1] = math.nan
    record = EquilibriumRecord()
    state = fixed_point(lambda z: cell(z, given), start, TIGHT, record=record)
    assert bool(state[1].isnan().all())
    assert record.solution.reason[1] == "not finite"
    state[[0, 2]].sum().backward()
    assert record.adjoint.reason[1] == "no fixed point"
    broken = cell.weight.grad.clone()
    cell.weight.grad = None
    fixed_point(lambda z: cell(z, given[[0, 2]]), start[[0, 2]], TIGHT).sum().backward()
    torch.testing.assert_close(broken, cell.weight.grad)
    with pytest.raises(IncompleteError, match="sample 1: not finite"):
        fixed_point(lambda z: cell(z, given), start, TIGHT.replace(on_failure="raise"))


def test_a_loss_that_is_not_finite_stays_so(problem):
    cell, given, _ = problem
    record = EquilibriumRecord()
    state = fixed_point(lambda z: cell(z, given), torch.zeros_like(given), record=record)
    (state[0] * math.nan).sum().backward()
    assert bool(given.grad[0].isnan().all())
    assert record.adjoint.reason[0] == "not finite"
    assert record.adjoint.reason[1] == "converged"


def test_the_layer_trains(tanh_cell, generator):
    """The equilibrium of a small cell learns to copy a linear map, in train mode as in eval mode."""
    cell = tanh_cell(4, 0.5)
    layer = EquilibriumLayer(cell, EquilibriumSettings(tolerance=1e-10))
    given = torch.randn(16, 4, generator=generator, dtype=torch.float64)
    target = 0.3 * given.flip(1)
    start = torch.zeros_like(given)
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.05)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        loss = (layer(start, given) - target).square().mean()
        loss.backward()
        assert bool(layer.record.adjoint.converged.all())
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]
    assert torch.equal(layer.eval()(start, given), layer.train()(start, given))

    class Random(torch.nn.Module):
        deterministic = False

        def forward(self, state):
            return state

    with pytest.raises(BadInputError, match="deterministic"):
        EquilibriumLayer(Random())(start)


def test_settings_name_what_they_do_not_know():
    with pytest.raises(BadInputError, match="did you mean 'tolerance'"):
        EquilibriumSettings.parse({"tolerence": 1e-3})
    with pytest.raises(BadInputError, match="did you mean 'anderson'"):
        EquilibriumSettings.parse({"method": "anderso"})
    with pytest.raises(BadInputError, match="did you mean 'memory'"):
        EquilibriumSettings.parse({"options": {"memry": 4}})
    assert EquilibriumSettings.from_json(TIGHT.to_json()) == TIGHT


def test_no_warning_is_given(problem):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradients(problem, TIGHT)
