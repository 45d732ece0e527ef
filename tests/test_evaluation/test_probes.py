"""Lyapunov exponents, symmetry and budgets of models, beside those of the solver."""

import math
from dataclasses import replace

import pydantic
import pytest
import torch

from pdenca.baselines import EquationsOnGrid, Persistence, SpectralOnGrid
from pdenca.core import LastFrame
from pdenca.evaluation import Case, EvaluationSettings, evaluate, relative_budget_residual
from pdenca.solvers import GrayScott, Grid, Heat, simulate

EXPONENTS = EvaluationSettings(
    num_given=1, windows=((1, 1),), num_bootstrap=5, dtype="float64", lyapunov_frames=200
)


class Map:
    """Every cell follows a map of the interval, alone."""

    codec, deterministic, time_step = LastFrame(), True, 2.0

    def __init__(self, function):
        self.function = function

    def bind(self, lattice, context, generator=None):
        return self

    def __call__(self, state):
        return self.function(state)


def small_case(shape=(4, 4), **changes):
    truth = torch.rand(3, 6, 1, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    case = Case("test", "map", truth, Grid.uniform(shape, 1.0), {}, 2.0, ("u",), (0.3,))
    return replace(case, **changes)


def found(results, metric, model="m"):
    rows = [row for row in results.rows if (row.metric, row.model, row.regime) == (metric, model, "all")]
    return rows[0].value if rows else None


def test_the_exponent_of_the_logistic_map_and_of_a_decay():
    """The map x -> 4 x (1 - x) has ln 2 a step; half the distance a step is -ln 2. A step takes 2 units."""
    models = {"m": Map(lambda x: 4 * x * (1 - x)), "decay": Map(lambda x: 0.5 * x + 0.2)}
    results = evaluate([small_case((1, 2))], models, EXPONENTS)
    assert found(results, "lyapunov_exponent") == pytest.approx(math.log(2) / 2, rel=0.1)
    assert found(results, "lyapunov_exponent", "decay") == pytest.approx(-math.log(2) / 2, rel=1e-3)


def test_the_solver_is_chaotic_where_the_equation_is():
    """Complex Ginzburg-Landau is turbulent; growth to saturation forgets its start at its own rate."""
    grid = Grid.uniform((64,), 1.0, num_dims=1)
    start = 0.5 * torch.randn(1, 2, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turbulent = {"linear_dispersion": torch.tensor([3.0]), "nonlinear_dispersion": torch.tensor([-3.0])}
    growing = {"growth_rate": torch.tensor([0.5])}
    found_exponents = {}
    for name, context, state in (
        ("complex-ginzburg-landau", turbulent, start),
        ("fisher-kpp", growing, start[:, :1].abs()),
    ):
        truth = state[:, None].expand(-1, 4, *state.shape[1:])
        fields = ("a", "b")[: state.shape[1]]
        case = Case("test", name, truth, grid, context, 1.0, fields, (1.0,) * len(fields))
        settings = EXPONENTS.replace(lyapunov_frames=60, lyapunov_discarded=30)
        results = evaluate([case], {"m": SpectralOnGrid(name, 1.0, max_time_step=0.25)}, settings)
        found_exponents[name] = found(results, "lyapunov_exponent")
    assert found_exponents["complex-ginzburg-landau"] > 0.05
    assert found_exponents["fisher-kpp"] == pytest.approx(-0.5, rel=0.05)


def test_a_blown_up_model_has_no_exponent_and_a_random_one_no_row():
    results = evaluate([small_case()], {"m": Map(lambda x: x * x * 1e9)}, EXPONENTS)
    assert math.isnan(found(results, "lyapunov_exponent"))
    noisy = Map(lambda x: x)
    noisy.deterministic = False
    assert found(evaluate([small_case()], {"m": noisy}, EXPONENTS), "lyapunov_exponent") is None


def test_exponents_need_float64_and_frames():
    for changes in ({"lyapunov_frames": 5}, {"dtype": "float32"}):
        with pytest.raises(pydantic.ValidationError, match="usual cure"):
            EvaluationSettings(**{**EXPONENTS.model_dump(), **changes})


@pytest.mark.parametrize("shape", [(6, 6), (4, 6), (8,), (3, 3, 3)])
def test_symmetric_models_have_no_residual_and_others_do(shape):
    settings = EvaluationSettings(
        num_given=1, windows=((1, 1),), num_bootstrap=5, dtype="float64", symmetry_frames=2
    )
    models = {"m": Map(lambda x: x.square() + 0.1), "shift": Map(lambda x: x.roll(1, -1))}
    results = evaluate([small_case(shape)], models, settings)
    assert found(results, "equivariance_residual") < 1e-14
    assert found(results, "equivariance_residual", "shift") > 0.1


def test_kinds_of_fields_decide_what_is_symmetric():
    """A step that turns a vector field's components into each other is symmetric for vectors alone."""

    def divergence(x):  # of a vector field, as its own gradient: a vector again
        flux = sum(x[:, axis].roll(-1, axis + 1) - x[:, axis].roll(1, axis + 1) for axis in range(2))
        return torch.stack([flux.roll(-1, axis + 1) - flux.roll(1, axis + 1) for axis in range(2)], 1)

    truth = torch.rand(1, 6, 2, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    case = small_case((6, 6), truth=truth, field_names=("x", "y"), field_std=(1.0, 1.0))
    settings = EvaluationSettings(num_given=1, windows=((1, 1),), dtype="float64", symmetry_frames=1)
    model = {"m": Map(divergence)}
    assert found(evaluate([case], model, settings), "equivariance_residual") > 0.1
    vectors = replace(case, kinds=("vector",))
    assert found(evaluate([vectors], model, settings), "equivariance_residual") < 1e-14


def test_the_residual_of_a_known_budget():
    """m = t³ has the rate 3 t², which a cubic integrates exactly; a frame that is off shows on both sides."""
    t = torch.arange(7, dtype=torch.float64) * 0.5
    total, flow, size = t[None] ** 3, 0.5 * 3 * t[None] ** 2, torch.tensor([2.0], dtype=torch.float64)
    assert float(relative_budget_residual(total, flow, size).max()) < 1e-14
    off = total.clone()
    off[0, 3] += 0.1
    residual = relative_budget_residual(off, flow, size)[0]
    expected = torch.tensor([0, 0, 0.05, 0.05, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(residual, expected, rtol=0, atol=1e-12)


def test_solvers_keep_the_budget_and_persistence_does_not():
    grid, settings = Grid.uniform(16, 1 / 48), EvaluationSettings(num_given=1, windows=((1, 6),))
    generator = torch.Generator().manual_seed(0)
    start = torch.rand(2, 2, 16, 16, generator=generator, dtype=torch.float64) * 0.3 + 0.3
    context = {"feed_rate": torch.tensor([0.03, 0.05]), "kill_rate": torch.tensor([0.06, 0.06])}
    equation = GrayScott(*(value.double() for value in context.values()))
    truth = simulate(equation, grid, start, num_frames=12, frame_interval=2.0, time_step=0.5)[:, 4:]
    case = Case("test", "s", truth, grid, context, 2.0, ("A", "B"), (0.1, 0.1), equation=equation)
    models = {"m": EquationsOnGrid("gray-scott", 2.0), "stuck": Persistence(2.0)}
    results = evaluate([case], models, settings)
    assert found(results, "budget_residual") < 1e-4
    assert found(results, "budget_residual", "stuck") > 5e-3
    assert found(evaluate([replace(case, equation=None)], models, settings), "budget_residual") is None


def test_a_conserved_mean_must_stay():
    settings = EvaluationSettings(num_given=1, windows=((1, 5),))
    models = {"m": Map(lambda x: x.roll(1, -1)), "leak": Map(lambda x: 0.99 * x)}
    results = evaluate([small_case(equation=Heat(0.1))], models, settings)
    assert found(results, "budget_residual") < 1e-6
    assert found(results, "budget_residual", "leak") == pytest.approx(0.0098 * 0.93, rel=0.2)
