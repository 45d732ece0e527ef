"""Baselines through the one pipeline, and the promises of each."""

import inspect
import math

import pytest
import torch

from pdenca.baselines import (
    BASELINES,
    ConvergedInTime,
    EqualEvaluations,
    EquationsOnGrid,
    FixedSteps,
    Persistence,
    SpatialMean,
    SpectralOnGrid,
    largest_usable_step,
)
from pdenca.core import BadInputError, Repeated, StabilityError, rollout
from pdenca.evaluation import Case, EvaluationSettings, evaluate
from pdenca.solvers import STENCILS, GrayScott, Grid, derivatives, simulate
from pdenca.solvers.integrators import EULER, MIDPOINT, RK4, runge_kutta

INTERVAL = 10.0
GRID = Grid.uniform(16, 1 / 64)
SETTINGS = EvaluationSettings(
    num_given=2, windows=((1, 1), (2, 3)), num_bootstrap=20, dtype="float64", example_frames=()
)
CONTEXT = {
    "feed_rate": torch.tensor([0.03, 0.018], dtype=torch.float64),
    "kill_rate": torch.tensor([0.062, 0.051], dtype=torch.float64),
}


@pytest.fixture
def blob():
    """Two trajectories with one smooth blob of B each, "batch channel *space"."""
    x, y = torch.meshgrid(*GRID.coordinates(), indexing="ij")
    bump = torch.exp(-600 * ((x - 0.11) ** 2 + (y - 0.13) ** 2))
    one = torch.stack([1 - 0.7 * bump, 0.6 * bump])
    return torch.stack([one, 0.8 * one.flip(-1)])


def case_of(truth, grid=GRID, context=CONTEXT):
    return Case("test", "spots", truth, grid, context, INTERVAL, ("A", "B"), (0.2, 0.1))


def scores(truth, model, **changes):
    results = evaluate([case_of(truth, **changes)], {"m": model}, SETTINGS)
    return {row.window: row.value for row in results.rows if row.metric == "pooled_vrmse"}


def solved(blob, method, time_step, **options):
    return simulate(
        GrayScott(**CONTEXT),
        GRID,
        blob,
        num_frames=5,
        frame_interval=INTERVAL,
        time_step=time_step,
        method=method,
        **options,
    )


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_goes_through_the_evaluation(name, blob):
    make = BASELINES[name]
    offered = {"equation": "gray-scott", "frame_interval": INTERVAL, "num_evaluations": 16}
    wanted = inspect.signature(make).parameters
    model = make(**{key: value for key, value in offered.items() if key in wanted})
    results = evaluate([case_of(solved(blob, "etdrk4", 1.0))], {name: model}, SETTINGS)
    assert all(math.isfinite(row.value) for row in results.rows)
    assert {row.window for row in results.rows if row.metric == "pooled_vrmse"} == {"1", "2:3"}
    step = model.bind(GRID, CONTEXT)
    assert step.time_step == INTERVAL
    assert step.deterministic
    assert model.description


def test_persistence_is_exact_where_nothing_changes_and_not_elsewhere(blob):
    still = blob[:, None].repeat(1, 5, 1, 1, 1)
    assert scores(still, Persistence(INTERVAL)) == {"1": 0.0, "2:3": 0.0}
    moving = solved(blob, "etdrk4", 1.0)
    assert scores(moving, Persistence(INTERVAL))["2:3"] > scores(moving, Persistence(INTERVAL))["1"] > 0.01


def test_spatial_mean_scores_one_on_a_stationary_pattern(blob):
    still = blob[:, None].repeat(1, 5, 1, 1, 1)
    assert scores(still, SpatialMean(INTERVAL)) == pytest.approx({"1": 1.0, "2:3": 1.0}, rel=1e-12)


def test_spatial_mean_keeps_the_mean_of_the_last_given_frame(small_state):
    model = SpatialMean(INTERVAL)
    given = torch.stack([small_state + 5, small_state], dim=1)
    state = model.codec.lift(given)
    assert state.shape == small_state.shape
    torch.testing.assert_close(state, small_state.mean((-2, -1), keepdim=True).expand_as(small_state))
    assert torch.equal(model.codec.observe(model.bind(GRID, {})(state)), state)


@pytest.mark.parametrize("stencil", STENCILS)
def test_a_stencil_solver_scores_zero_against_itself(blob, stencil):
    truth = solved(blob, "rk4", 1.0, stencil=stencil)
    own = EquationsOnGrid("gray-scott", INTERVAL, stencil, FixedSteps(RK4, 10))
    assert max(scores(truth, own).values()) < 1e-12
    other = "order-4" if stencil == "order-2" else "order-2"
    assert min(scores(truth, EquationsOnGrid("gray-scott", INTERVAL, other)).values()) > 1e-3


@pytest.mark.parametrize("dealiasing", [1.0, 2 / 3])
def test_the_spectral_solver_scores_zero_against_itself(blob, dealiasing):
    truth = solved(blob, "etdrk4", 1.0, dealiasing=dealiasing)
    own = SpectralOnGrid("gray-scott", INTERVAL, dealiasing=dealiasing)
    assert max(scores(truth, own).values()) < 1e-12


def test_the_spectral_solver_is_the_strongest(blob):
    x, y = torch.meshgrid(*GRID.refined(3).coordinates(), indexing="ij")
    bump = torch.exp(-600 * ((x - 0.11) ** 2 + (y - 0.13) ** 2))
    fine = torch.stack([1 - 0.7 * bump, 0.6 * bump]).expand(2, -1, -1, -1)
    truth = simulate(
        GrayScott(**CONTEXT), GRID, fine, num_frames=5, frame_interval=INTERVAL, time_step=0.5, refine=3
    )
    spectral = scores(truth, SpectralOnGrid("gray-scott", INTERVAL))
    six, four, two = (
        scores(truth, EquationsOnGrid.converged_in_time("gray-scott", INTERVAL, name))
        for name in ("order-6", "order-4", "order-2")
    )
    for window in ("1", "2:3"):
        assert spectral[window] < six[window] < four[window] < two[window]


@pytest.mark.parametrize("stencil", STENCILS)
@pytest.mark.parametrize("spacing", [1 / 64, 1 / 128])
def test_converged_in_time_means_that_halving_the_step_changes_nothing_visible(blob, stencil, spacing):
    grid = Grid.uniform(16, spacing)
    tableau, num_steps = ConvergedInTime().choose(GrayScott(**CONTEXT), grid, INTERVAL, stencil)
    assert tableau is RK4
    chosen, halved = (
        EquationsOnGrid("gray-scott", INTERVAL, stencil, FixedSteps(RK4, number))
        for number in (num_steps, 2 * num_steps)
    )
    coarse, fine = (rollout(model.bind(grid, CONTEXT), blob, 2) for model in (chosen, halved))
    exact = rollout(SpectralOnGrid("gray-scott", INTERVAL).bind(grid, CONTEXT), blob, 2)
    temporal, spatial = (coarse - fine).square().mean().sqrt(), (fine - exact).square().mean().sqrt()
    assert temporal < 0.01 * spatial
    assert temporal < 1e-5


def test_converged_in_time_follows_the_grid():
    schedule, equation = ConvergedInTime(), GrayScott(**CONTEXT)
    steps = [
        schedule.choose(equation, Grid.uniform(16, h), INTERVAL, "order-4")[1]
        for h in (1 / 32, 1 / 64, 1 / 128)
    ]
    assert steps[0] == 10  # the reaction's time scale
    assert steps[2] / 4 <= steps[1] <= steps[2] / 4 + 1
    assert steps[2] > 40


@pytest.mark.parametrize(
    ("num_evaluations", "tableau", "num_steps"),
    [(9, EULER, 9), (10, EULER, 10), (12, MIDPOINT, 6), (14, MIDPOINT, 7), (16, RK4, 4), (40, RK4, 10)],
)
def test_equal_evaluations_are_counted_not_promised(monkeypatch, blob, num_evaluations, tableau, num_steps):
    calls = []
    original = derivatives.laplacian
    monkeypatch.setattr(derivatives, "laplacian", lambda *args: (calls.append(1), original(*args))[1])
    model = EquationsOnGrid.equal_evaluations("gray-scott", INTERVAL, num_evaluations)
    step = model.bind(GRID, CONTEXT)
    rollout(step, blob.clone().requires_grad_(), 3)  # without gradients the operations are recorded once
    assert len(calls) == 3 * num_evaluations
    assert step.steps_per_frame == num_steps
    assert f"{num_steps} {tableau.name} steps a frame" in step.description
    assert f"{num_evaluations} stencil evaluations" in step.description


def test_equal_evaluations_takes_another_scheme_where_the_grid_is_finer():
    schedule, equation = EqualEvaluations(16), GrayScott(**CONTEXT)
    assert schedule.choose(equation, Grid.uniform(16, 1 / 64), INTERVAL, "order-4") == (RK4, 4)
    assert schedule.choose(equation, Grid.uniform(16, 1 / 68), INTERVAL, "order-4") == (MIDPOINT, 8)
    assert schedule.choose(equation, Grid.uniform(16, 1 / 72), INTERVAL, "order-4") == (MIDPOINT, 8)
    assert schedule.choose(equation, Grid.uniform(16, 1 / 96), INTERVAL, "order-4") == (EULER, 16)


def test_too_few_evaluations_are_refused_with_the_number_that_would_do(blob):
    with pytest.raises(StabilityError, match="at least 5 evaluations") as caught:
        EquationsOnGrid.equal_evaluations("gray-scott", INTERVAL, 4).bind(GRID, CONTEXT)
    assert "order-4" in str(caught.value)
    EquationsOnGrid.equal_evaluations("gray-scott", INTERVAL, 5).bind(GRID, CONTEXT)


@pytest.mark.parametrize(
    "model", [EquationsOnGrid("gray-scott", INTERVAL), SpectralOnGrid(GrayScott, INTERVAL)]
)
def test_every_trajectory_has_its_own_parameters(blob, model):
    together = model.bind(GRID, CONTEXT)(blob)
    for number in range(2):
        one = {name: values[number : number + 1] for name, values in CONTEXT.items()}
        torch.testing.assert_close(
            model.bind(GRID, one)(blob[number : number + 1]), together[number : number + 1]
        )
    assert not torch.allclose(together[0], model.bind(GRID, CONTEXT)(blob.flip(0))[1])


def test_one_frame_is_the_steps_of_the_integrator(blob):
    integrator = runge_kutta.RungeKutta(GrayScott(**CONTEXT), GRID, 2.0, "order-6", MIDPOINT)
    step = EquationsOnGrid("gray-scott", INTERVAL, "order-6", FixedSteps(MIDPOINT, 5)).bind(GRID, CONTEXT)
    assert torch.equal(step(blob), Repeated(integrator, 5)(blob))


def test_both_precisions_go_through_one_bound_step(blob):
    for model in (SpectralOnGrid("gray-scott", INTERVAL), EquationsOnGrid("gray-scott", INTERVAL)):
        step = model.bind(GRID, CONTEXT)
        single, double = step(blob.float()), step(blob)
        assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
        torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("boundaries", [("no-flux", "no-flux"), ("periodic", "no-flux")])
def test_between_no_flux_walls_the_spectral_solver_is_that_of_the_mirrored_domain(blob, boundaries):
    grid = Grid((16, 16), (1 / 64,) * 2, boundaries)
    found = rollout(SpectralOnGrid("gray-scott", INTERVAL).bind(grid, CONTEXT), blob, 2)
    state = blob
    for axis, boundary in enumerate(boundaries, start=2):
        state = torch.cat((state, state.flip(axis)), axis) if boundary == "no-flux" else state
    doubled = Grid(tuple(state.shape[2:]), (1 / 64,) * 2, ("periodic", "periodic"))
    expected = rollout(SpectralOnGrid("gray-scott", INTERVAL).bind(doubled, CONTEXT), state, 2)
    torch.testing.assert_close(found, expected[..., :16, :16], rtol=0, atol=1e-11)


def test_held_walls_are_no_obstacle_to_stencils_but_to_the_spectral_solver(blob):
    walled = Grid.uniform(16, 1 / 64, "dirichlet(1, 0)")
    assert EquationsOnGrid("gray-scott", INTERVAL).bind(walled, CONTEXT)(blob).isfinite().all()
    with pytest.raises(BadInputError, match=r"periodic or no-flux axes, .* usual cure: EquationsOnGrid"):
        SpectralOnGrid("gray-scott", INTERVAL).bind(walled, CONTEXT)


def test_every_stencil_row_approaches_the_truth_at_its_order(fitted_slope):
    """One frame of each row against the spectral solution of the same smooth start on the same grid."""
    cells, errors = (24, 28, 32, 40), {order: [] for order in (2, 4, 6, 8, 10, 12)}
    for number in cells:
        grid = Grid.uniform(number, 0.5 / number)
        x, y = torch.meshgrid(*grid.coordinates(), indexing="ij")
        wave = torch.cos(8 * math.pi * x) * torch.cos(4 * math.pi * y)
        start = torch.stack([0.6 + 0.002 * wave, 0.2 + 0.002 * wave]).expand(2, -1, -1, -1)
        exact = SpectralOnGrid("gray-scott", 4.0, 0.1).bind(grid, CONTEXT)(start)
        for order, found in errors.items():
            row = EquationsOnGrid.converged_in_time("gray-scott", 4.0, f"order-{order}", max_time_step=0.1)
            found.append(float((row.bind(grid, CONTEXT)(start) - exact).abs().max()))
    slopes = {order: fitted_slope([1 / number for number in cells], found) for order, found in errors.items()}
    for order in (2, 4, 6):  # errors of higher orders end at that of the time steps
        assert slopes[order] == pytest.approx(order, abs=0.6)
    first = [found[0] for found in errors.values()]
    assert first == sorted(first, reverse=True)


@pytest.fixture
def fitted_slope():
    """(sizes, errors) -> slope of log error against log size."""

    def fit(sizes, errors):
        x, y = (torch.tensor(values, dtype=torch.float64).log() for values in (sizes, errors))
        x, y = x - x.mean(), y - y.mean()
        return float((x * y).sum() / (x * x).sum())

    return fit


def test_rows_tell_what_they_cost(blob):
    rows = (
        (Persistence(INTERVAL), 0, 0, 0),
        (SpatialMean(INTERVAL), 0, None, 0),
        (EquationsOnGrid.equal_evaluations("gray-scott", INTERVAL, 16, "order-8"), 0, 4, 16),
        (EquationsOnGrid.converged_in_time("gray-scott", INTERVAL, "order-2"), 0, 1, 40),
        (SpectralOnGrid("gray-scott", INTERVAL, 2.5), 0, None, 16),
    )
    for row, num_parameters, radius, evaluations in rows:
        assert (row.num_parameters, row.radius) == (num_parameters, radius)
        assert row.bind(GRID, CONTEXT).evaluations_per_frame == evaluations


def test_the_largest_usable_step_is_the_longest_that_is_good_enough():
    # a made-up error: 0.01 of space, and one in time that falls with the fourth power of the step
    asked = []

    def score(solver):
        asked.append(solver.steps_per_frame)
        error = 0.01 * (1 + (3 / solver.steps_per_frame) ** 4)
        return error if solver.steps_per_frame > 1 else math.nan

    found = largest_usable_step("gray-scott", INTERVAL, score)
    # (3 / n)^4 <= 0.1 from n = 6 on (5.33 is the limit)
    assert found.solver.steps_per_frame == 6
    assert found.score == pytest.approx(0.01 * (1 + 0.5**4))
    assert found.converged.steps_per_frame in (8, 16)
    assert found.converged_score == pytest.approx(0.01, rel=0.03)
    assert len(asked) == len(set(asked))
    assert largest_usable_step("gray-scott", INTERVAL, score, slack=0.01).solver.steps_per_frame == 10
    with pytest.raises(BadInputError, match="does not settle up to 32 steps"):
        largest_usable_step("gray-scott", INTERVAL, lambda solver: math.nan, most_steps=32)
    with pytest.raises(BadInputError, match="slack must be positive"):
        largest_usable_step("gray-scott", INTERVAL, score, slack=0.0)


def test_the_largest_usable_step_of_gray_scott_is_longer_than_its_converged_one(blob):
    truth = solved(blob, "etdrk4", 0.5)
    error = lambda solver: scores(truth, solver)["2:3"] + 0.01  # noqa: E731
    found = largest_usable_step("gray-scott", INTERVAL, error)
    assert found.solver.steps_per_frame < found.converged.steps_per_frame
    assert error(found.solver) <= 1.1 * error(found.converged)


def test_what_cannot_be_solved_is_refused():
    for make, message in (
        (lambda: Persistence(0.0), "frame_interval must be positive"),
        (lambda: SpatialMean(-1.0), "frame_interval must be positive"),
        (lambda: EquationsOnGrid("gray-scott", 0.0), "frame_interval must be positive"),
        (lambda: SpectralOnGrid("gray-scott", math.nan), "frame_interval must be positive"),
        (lambda: SpectralOnGrid("gray-scott", 1.0, 0.0), "max_time_step must be positive"),
        (lambda: ConvergedInTime(0.0), "max_time_step must be positive"),
        (lambda: ConvergedInTime(stable_fraction=1.5), "stable_fraction must lie"),
        (lambda: FixedSteps(RK4, 0), "steps_per_frame must be at least 1"),
        (lambda: EqualEvaluations(0), "num_evaluations must be at least 1"),
        (lambda: EquationsOnGrid("grey-scott", 1.0).bind(GRID, CONTEXT), "grey-scott"),
        (lambda: EquationsOnGrid("gray-scott", 1.0, "order-3").bind(GRID, CONTEXT), "order-3"),
        (lambda: EquationsOnGrid("gray-scott", 1.0).bind(GRID, {"feed": torch.zeros(1)}), "feed_rate"),
        (lambda: SpectralOnGrid(GrayScott, 1.0).bind(GRID, {"feed": torch.zeros(1)}), "feed_rate"),
    ):
        with pytest.raises(BadInputError, match=message):
            make()
