"""Fitters on problems with known answers, and their memories through a checkpoint."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from pdenca.core import BadInputError, NonFiniteError
from pdenca.training import (
    FITTERS,
    FirstOrder,
    Fitter,
    GaussNewton,
    LevenbergMarquardt,
    PreconditionedLBFGS,
)
from pdenca.training.checkpoint import load_tree, save_tree
from pdenca.training.fitters.base import SmallGains, assign, flatten, trainable, unflatten
from pdenca.training.fitters.first_order import OPTIMIZERS
from pdenca.training.fitters.levenberg_marquardt import normal_equations, sum_of_squares
from pdenca.training.schedules import SCHEDULES


class Quadratic:
    """½ (p - p*)ᵀ H (p - p*) + constant, of a model's parameters; counts how often it is asked."""

    def __init__(self, model, hessian, minimum):
        self.model, self.hessian, self.minimum, self.calls = model, hessian, minimum, 0
        self.constant = 0.0

    def batch(self, step):
        return None

    def loss(self, batch):
        self.calls += 1
        away = flatten(trainable(self.model).values()) - self.minimum
        return away @ self.hessian @ away / 2 + self.constant

    def accept(self, batch):
        """Nothing to remember."""

    def state(self):
        return {}

    def load_state(self, state):
        """Nothing to restore."""


@pytest.fixture
def two_tensors():
    """A model with a vector of 5 and a matrix of 2 x 2 learned numbers, and one frozen number."""
    model = nn.Module()
    model.first = nn.Parameter(torch.linspace(-1, 1, 5, dtype=torch.float64))
    model.second = nn.Parameter(torch.tensor([[0.5, -1.5], [2.0, 0.25]], dtype=torch.float64))
    model.frozen = nn.Parameter(torch.ones(3, dtype=torch.float64), requires_grad=False)
    return model


@pytest.fixture
def hard_quadratic(two_tensors, generator):
    """A quadratic in 9 unknowns with condition number 1e8."""
    basis, _ = torch.linalg.qr(torch.randn(9, 9, generator=generator, dtype=torch.float64))
    hessian = basis @ torch.diag(torch.logspace(-4, 4, 9, dtype=torch.float64)) @ basis.T
    return Quadratic(two_tensors, hessian, torch.randn(9, generator=generator, dtype=torch.float64))


def parameters_of(model):
    return flatten(trainable(model).values()).detach().clone()


def through_a_file(state, path):
    save_tree(path, {"fitter": state})
    return load_tree(path)["fitter"]


def test_vectors_and_parameters(two_tensors):
    vector = parameters_of(two_tensors)
    assert vector.shape == (9,)
    parts = unflatten(vector, trainable(two_tensors))
    assert set(parts) == {"first", "second"}
    assert all(torch.equal(part, getattr(two_tensors, name)) for name, part in parts.items())
    assign(two_tensors, vector + 1)
    assert torch.equal(parameters_of(two_tensors), vector + 1)
    assert (two_tensors.frozen == 1).all()


def least_squares(objective):
    targets, inputs = (part.numpy() for part in objective.samples)
    design = np.concatenate((inputs, np.ones((len(inputs), 1))), 1)
    solution = np.linalg.lstsq(design, targets, rcond=None)[0]
    return solution, float(np.mean((design @ solution - targets) ** 2))


def test_marquardt_solves_a_linear_problem_in_one_step(make_regression):
    model, objective = make_regression()
    solution, smallest = least_squares(objective)
    report = LevenbergMarquardt(model, damping=1e-10).step(objective, objective.batch(0))
    np.testing.assert_allclose(model.weight.detach().numpy().T, solution[:-1], rtol=1e-6)
    np.testing.assert_allclose(model.bias.detach().numpy(), solution[-1], rtol=1e-6)
    assert report.loss == pytest.approx(smallest, rel=1e-12)


def test_marquardt_converges_and_says_so(make_regression):
    model, objective = make_regression()
    _, smallest = least_squares(objective)
    fitter = LevenbergMarquardt(model)
    reports = [fitter.step(objective, objective.batch(number)) for number in range(6)]
    losses = [float(objective.loss(objective.samples).detach()), *(report.loss for report in reports)]
    assert losses[0] == pytest.approx(losses[-1], rel=1e-12)
    assert losses[2] == pytest.approx(smallest, rel=1e-6)
    assert not reports[0].converged
    assert reports[-1].converged


def test_marquardt_goes_downhill_only(make_regression):
    model, objective = make_regression(num_inputs=2, bend=torch.sin)
    assign(model, torch.tensor([700.0, 30, -500, 2, 3, -3], dtype=torch.float64))
    fitter = LevenbergMarquardt(model, damping=1e-12)
    previous = float(objective.loss(objective.samples).detach())
    for number in range(10):
        report = fitter.step(objective, objective.batch(number))
        found = float(objective.loss(objective.samples).detach())
        assert found <= previous * (1 + 1e-12)
        assert report.loss == pytest.approx(found, rel=1e-9)
        previous = found


def test_marquardt_refuses_to_start_from_nan(make_regression):
    model, objective = make_regression()
    objective.samples[0][3, 1] = float("nan")
    before = parameters_of(model)
    with pytest.raises(NonFiniteError, match="not finite at its starting point; usual cure"):
        LevenbergMarquardt(model).step(objective, objective.batch(0))
    assert torch.equal(parameters_of(model), before)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own forward mode
@pytest.mark.parametrize(("num_inputs", "num_outputs"), [(3, 2), (1, 5)], ids=["backwards", "forwards"])
@pytest.mark.parametrize("chunk", [7, 1000])
def test_normal_equations_equal_finite_differences(
    num_inputs, num_outputs, chunk, make_regression, generator
):
    model, objective = make_regression(13, num_inputs, num_outputs, bend=torch.sin)
    if num_outputs == 5:  # the bias is shared: fewer parameters (2) than residuals per sample (5)
        model, objective = shared(objective)
    vector = torch.randn(parameters_of(model).shape, generator=generator, dtype=torch.float64)
    assign(model, vector)
    batch = objective.batch(0)

    def residuals(at):
        parameters = unflatten(at, trainable(model))
        rows = zip(*batch, strict=True)
        return torch.cat([objective.sample_residuals(parameters, *row).reshape(-1) for row in rows]).detach()

    steps = 1e-6 / (1 + vector.new_tensor([1e3] * len(vector)))
    columns = []
    for number, step in enumerate(steps):
        shift = torch.zeros_like(vector)
        shift[number] = step
        columns.append((residuals(vector + shift) - residuals(vector - shift)) / (2 * step))
    jacobian, value = torch.stack(columns, 1), residuals(vector)
    matrix, gradient, cost = normal_equations(model, objective, batch, chunk)
    scale = float(matrix.abs().max())
    torch.testing.assert_close(matrix, jacobian.T @ jacobian, rtol=1e-5, atol=1e-7 * scale)
    torch.testing.assert_close(gradient, jacobian.T @ value, rtol=1e-5, atol=1e-6 * scale**0.5)
    torch.testing.assert_close(cost, value @ value)
    total = sum_of_squares(objective, unflatten(vector, trainable(model)), batch, chunk)
    torch.testing.assert_close(total, value @ value)


def shared(objective):
    """The same data for y_i = tanh(w x) + b, i = 1 ... 5."""

    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.numbers = nn.Parameter(torch.zeros(2, dtype=torch.float64))

        def forward(self, x):
            return (torch.tanh(self.numbers[0] * x) + self.numbers[1]).expand(*x.shape[:-1], 5)

    model = Shared()
    objective.model = model
    return model, objective


def test_lbfgs_in_the_right_metric_needs_few_evaluations(two_tensors, hard_quadratic):
    first = float(hard_quadratic.loss(None).detach())
    hard_quadratic.calls = 0
    fitter = PreconditionedLBFGS(two_tensors, hard_quadratic.hessian, damping=1e-12)
    report = fitter.step(hard_quadratic, None)
    assert report.loss < 1e-12 * first
    assert hard_quadratic.calls < 15
    torch.testing.assert_close(parameters_of(two_tensors), hard_quadratic.minimum, rtol=1e-3, atol=1e-3)


def test_lbfgs_without_the_metric_stalls_on_the_same_problem(two_tensors, hard_quadratic):
    first = float(hard_quadratic.loss(None).detach())
    fitter = PreconditionedLBFGS(two_tensors, torch.eye(9, dtype=torch.float64), damping=1e-12)
    assert fitter.step(hard_quadratic, None).loss > 1e-8 * first


def test_lbfgs_reports_the_loss_of_where_it_ends_and_convergence(two_tensors, hard_quadratic):
    metric = hard_quadratic.hessian + torch.eye(9, dtype=torch.float64)
    hard_quadratic.constant = 1.0
    fitter = PreconditionedLBFGS(two_tensors, metric, iterations=2, tolerance=1e-4)
    reports = [fitter.step(hard_quadratic, None) for _ in range(20)]
    assert reports[-1].loss == pytest.approx(float(hard_quadratic.loss(None).detach()))
    assert not reports[0].converged
    assert any(report.converged for report in reports)
    losses = [report.loss for report in reports]
    assert all(after <= before * (1 + 1e-12) for before, after in itertools.pairwise(losses))


def test_lbfgs_leaves_parameters_alone_that_play_no_part(two_tensors):
    class Part(Quadratic):
        def loss(self, batch):
            return (two_tensors.first - 1).square().sum()

    before = two_tensors.second.detach().clone()
    fitter = PreconditionedLBFGS(two_tensors, torch.eye(9, dtype=torch.float64))
    assert fitter.step(Part(two_tensors, None, None), None).loss < 1e-10
    assert torch.equal(two_tensors.second, before)


def test_lbfgs_lowers_its_first_step_and_forgets(two_tensors, hard_quadratic):
    fitter = PreconditionedLBFGS(two_tensors, hard_quadratic.hessian, iterations=1)
    fitter.step(hard_quadratic, None)
    at = parameters_of(two_tensors)
    assert fitter.state()["memory"]
    fitter.lower_rate()
    state = fitter.state()
    assert (state["learning_rate"], state["memory"]) == (0.5, {})
    assert torch.equal(fitter.anchor + fitter.basis @ state["coordinates"], at)


def make_fitter(name, model, hessian):
    if name == "lbfgs":
        return PreconditionedLBFGS(
            model, hessian + 0.1 * torch.eye(9, dtype=torch.float64), iterations=2, history=3
        )
    return FirstOrder(model, optimizer=name, learning_rate=1e-3, schedule="cosine", num_steps=20)


@pytest.mark.parametrize("name", ["lbfgs", *OPTIMIZERS])
def test_a_restored_fitter_goes_on_bit_for_bit(name, two_tensors, hard_quadratic, tmp_path):
    begin = parameters_of(two_tensors)
    fitter = make_fitter(name, two_tensors, hard_quadratic.hessian)
    assert isinstance(fitter, Fitter)
    for _ in range(8):
        fitter.step(hard_quadratic, None)
    saved = through_a_file(fitter.state(), tmp_path / "fitter.safetensors")
    middle = parameters_of(two_tensors)
    reports = [fitter.step(hard_quadratic, None) for _ in range(8)]
    end = parameters_of(two_tensors)
    assert not torch.equal(end, middle)

    assign(two_tensors, begin)
    other = make_fitter(name, two_tensors, hard_quadratic.hessian)
    assign(two_tensors, middle)
    other.load_state(saved)
    assert [other.step(hard_quadratic, None) for _ in range(8)] == reports
    assert torch.equal(parameters_of(two_tensors), end)
    # without the memory it would have gone elsewhere
    assign(two_tensors, middle)
    make_fitter(name, two_tensors, hard_quadratic.hessian).step(hard_quadratic, None)
    assert not torch.equal(parameters_of(two_tensors), end)


def test_three_small_gains_in_a_row_make_a_minimum():
    gains = SmallGains(0.01)
    found = [gains.add(before, after) for before, after in itertools.pairwise([1.0, 0.5, 0.499, 0.498, 0.4])]
    assert found == [False] * 4  # two small ones, then a large one
    assert [gains.add(1.0, 0.995) for _ in range(4)] == [False, False, True, True]


def test_marquardts_damping_is_its_memory(make_regression):
    model, objective = make_regression()
    fitter = LevenbergMarquardt(model, damping=0.5)
    fitter.step(objective, objective.batch(0))
    assert fitter.state() == {"damping": 0.1, "small_gains": 0}
    fitter.lower_rate()
    other = LevenbergMarquardt(model)
    other.load_state(fitter.state())
    assert other.damping == pytest.approx(10.0)


def gradients(model, objective):
    return torch.autograd.grad(objective.loss(None), list(trainable(model).values()))


@pytest.mark.parametrize("gradient", ["plain", "normalise", "clip"])
@pytest.mark.parametrize("size", [1e-3, 1e3])
def test_treatments_of_the_gradient(gradient, size, two_tensors, generator):
    hessian = size * torch.diag(torch.rand(9, generator=generator, dtype=torch.float64))
    objective = Quadratic(two_tensors, hessian, torch.full((9,), 0.3, dtype=torch.float64))
    raw = gradients(two_tensors, objective)
    total = flatten(raw).norm()
    expected = {
        "plain": raw,
        "normalise": [part / (part.norm() + 1e-8) for part in raw],
        "clip": [part / total if total > 1 else part for part in raw],
    }[gradient]
    before = parameters_of(two_tensors)
    fitter = FirstOrder(two_tensors, optimizer="sgd", learning_rate=0.01, gradient=gradient)
    report = fitter.step(objective, None)
    torch.testing.assert_close(
        before - parameters_of(two_tensors), 0.01 * flatten(expected), rtol=1e-5, atol=0
    )
    assert report.rate == 0.01
    assert (two_tensors.frozen == 1).all()


def test_a_schedule_moves_the_rate_and_a_divergence_halves_it(two_tensors, hard_quadratic):
    options = {"optimizer": "sgd", "learning_rate": 1e-9, "schedule": "cosine", "num_steps": 4}
    fitter = FirstOrder(two_tensors, **options)
    rates = [fitter.step(hard_quadratic, None).rate for _ in range(3)]
    expected = [1e-9 * SCHEDULES["cosine"](number, 4) for number in range(4)]
    assert rates == pytest.approx(expected[:3])
    fitter.lower_rate()
    assert fitter.step(hard_quadratic, None).rate == pytest.approx(expected[3] / 2)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_leaves_the_parameters_alone(bad, two_tensors, hard_quadratic):
    fitter = FirstOrder(two_tensors)
    fitter.step(hard_quadratic, None)
    before, memory = parameters_of(two_tensors), fitter.state()["taken"]
    hard_quadratic.hessian[0, 0] = bad
    report = fitter.step(hard_quadratic, None)
    assert np.isnan(report.loss)
    assert torch.equal(parameters_of(two_tensors), before)
    assert fitter.state()["taken"] == memory == 1


@pytest.mark.parametrize("option", ["optimizer", "schedule", "gradient"])
def test_unknown_options_are_refused(option, two_tensors):
    with pytest.raises(BadInputError, match="'unheard-of' is unknown; expected one of"):
        FirstOrder(two_tensors, **{option: "unheard-of"})


def test_the_dictionary_of_fitters():
    assert {
        "levenberg-marquardt": LevenbergMarquardt,
        "gauss-newton": GaussNewton,
        "lbfgs": PreconditionedLBFGS,
        "first-order": FirstOrder,
    } == FITTERS


def test_schedules():
    steps = (0, 5, 10, 15)
    assert [SCHEDULES["constant"](step, 10) for step in steps] == [1.0] * 4
    assert [SCHEDULES["cosine"](step, 10) for step in steps] == pytest.approx([1.0, 0.5, 0.0, 0.0])
    assert [SCHEDULES["exponential"](step, 10) for step in steps] == pytest.approx([1.0, 0.1, 0.01, 0.001])
