"""Which way steps are taken: what is asked for, what is worth it, what falls back, and said once."""

import subprocess
import sys
import warnings
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from pdenca.core import Field
from pdenca.core.errors import BadInputError
from pdenca.solvers import (
    EULER,
    INTEGRATORS,
    RK4,
    GrayScott,
    Grid,
    ReactionDiffusion,
    RungeKutta,
    StencilDerivatives,
)
from pdenca.solvers.integrators import runge_kutta
from pdenca.solvers.kernels import OPERATIONS, UntraceableError, flushed_denormals, fused, trace_rate

EQUATION = GrayScott(0.03, 0.06, diffusivity_a=2e-4, diffusivity_b=1e-4)
GRID = Grid.uniform(8, 0.2)


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    """Every test hears what is said once."""
    monkeypatch.setattr(runge_kutta, "_SAID", set())


@dataclass(frozen=True, eq=False)
class Reacting(ReactionDiffusion):
    """One field with any reaction."""

    name: ClassVar[str] = "reacting"
    fields: ClassVar[tuple[Field, ...]] = (Field("T"),)

    function: object

    def parameters(self):
        return {}

    def diffusivities(self):
        return (0.01,)

    def reaction(self, state):
        return self.function(state)


def _in_place(state):
    rate = state * 2
    rate.sub_(state).mul_(rate)
    return rate


def _by_channels(state):
    rate = torch.zeros_like(state)
    first = torch.cat((state[:, :1], rate[:, :1] + 1), dim=1)
    return torch.stack((first[:, 0] - first[:, 1],), dim=1).squeeze(1).unsqueeze(1)


ARITHMETIC = {
    "zero": torch.zeros_like,
    "powers": lambda u: u**3 - u.square() + u**0.5 + u**-1.5 + 2.0 ** (-u),
    "exponentials": lambda u: torch.exp(-u) - torch.expm1(u) / 4 + torch.log(u) + torch.log1p(u),
    "angles": lambda u: torch.sin(u) + torch.cos(3 * u) + torch.tanh(u) + torch.sinh(u) - torch.cosh(u),
    "roots": lambda u: torch.sqrt(u) - u.rsqrt() / 3 + u.reciprocal() + torch.sigmoid(u),
    "choices": lambda u: torch.where(u > 0.5, u * u, -u) + u.clamp(0.3, 0.6) + torch.relu(u - 0.5),
    "more choices": lambda u: torch.maximum(u, 1 - u) - torch.minimum(u, u * u) + (u - 0.5).abs(),
    "comparisons": lambda u: torch.where(u <= 0.5, u, torch.where(u >= 0.7, 1 - u, 0.1)),
    "factors": lambda u: (
        torch.addcmul(u, u, u, value=0.5) + torch.add(u, u, alpha=3) - torch.rsub(u, 2, alpha=2)
    ),
    "constants": lambda u: (
        u * torch.tensor([0.5, -1.0], dtype=u.dtype)[:, None, None, None] + torch.tensor(0.1)
    ),
    "in place": _in_place,
    "channels": _by_channels,
    "no change": lambda u: (u.clone().to(u.dtype).expand_as(u) / 2).neg(),
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_is_followed(generator, name):
    """In place only: the kernels' text is made of the same instructions, and compared below in one go."""
    solver = RungeKutta(Reacting(ARITHMETIC[name]), GRID, 0.1, tableau=EULER, backend="eager")
    state = 0.2 + 0.7 * torch.rand(2, 1, 8, 8, generator=generator, dtype=torch.float64)
    trace_rate(solver.equation, StencilDerivatives(GRID), state)
    with flushed_denormals():
        expected = solver._march_allocating(state, 2)
    torch.testing.assert_close(solver.march(state, 2), expected, rtol=0, atol=1e-14)


def test_kernels_know_all_of_the_arithmetic(generator, dtype):
    def everything(state):
        return 0.1 * sum(function(state) for function in ARITHMETIC.values())

    solvers = [
        RungeKutta(Reacting(everything), GRID, 0.1, tableau=EULER, backend=name)
        for name in ("eager", "numba")
    ]
    state = 0.2 + 0.7 * torch.rand(2, 1, 8, 8, generator=generator, dtype=dtype)
    program = trace_rate(solvers[0].equation, StencilDerivatives(GRID), state)
    used = {instruction.operation for instruction in program.instructions}
    assert used == OPERATIONS.keys() - {"eq", "lt", "ne"}
    results = [solver.march(state, 2) for solver in solvers]
    assert solvers[1].backend_for(state, 2) == "numba"
    torch.testing.assert_close(results[1], results[0], rtol=0, atol=20 * torch.finfo(dtype).eps)


def test_a_nan_stays_visible():
    """Also through maxima, which Python's own would swallow."""
    equation = Reacting(lambda u: torch.relu(u) - u.clamp(0.1, 0.5))
    state = torch.full((1, 1, 8, 8), 0.3)
    state[0, 0, 4, 4] = torch.nan
    for backend in ("eager", "numba"):
        result = RungeKutta(equation, GRID, 0.1, "order-2", EULER, backend).march(state, 1)
        assert int(result.isnan().sum()) == 5


def _partly_in_place(state):
    rate = state.clone()
    rate[:, 0] *= 2
    return rate


REASONS = {
    "uses torch's 'mean'": lambda u: u - u.mean((2, 3), keepdim=True),
    "uses torch's 'roll'": lambda u: u.roll(1, -1),
    "constants that vary in space": lambda u: u * torch.linspace(0, 1, 8, dtype=u.dtype),
    "in place": _partly_in_place,
    "along another axis": lambda u: torch.stack((u[..., 0],) * 8, dim=-1),
    "uses torch's '_to_copy'": lambda u: u.float().to(u.dtype),
    "not computed in the precision": lambda u: ((u > 0.2) * (u < 0.7)).to(u.dtype),
    "does not always do the same": lambda u: u * float(u.detach().numpy().max()),
}


@pytest.mark.parametrize("reason", REASONS)
def test_what_is_no_arithmetic_falls_back_and_is_said_once(generator, reason):
    function = REASONS[reason]
    state = torch.rand(2, 1, 8, 8, generator=generator, dtype=torch.float64)
    asked = RungeKutta(Reacting(function), GRID, 0.1, tableau=EULER, backend="numba")
    with pytest.warns(RuntimeWarning, match=f"'reacting' has no kernel.*{reason}"):
        result = asked.march(state, 3)
    silent = RungeKutta(Reacting(function), GRID, 0.1, tableau=EULER, backend="auto")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(asked.march(state, 3), result)
        assert torch.equal(silent.march(state, 3), result)
    assert asked.backend_for(state, 3) == "eager"


@pytest.mark.parametrize("how", ["no numba", "half precision", "four coupled stages"])
def test_kernels_that_cannot_be_fall_back_and_say_why_once(generator, monkeypatch, how):
    state = torch.rand(1, 2, 8, 8, generator=generator)
    tableau = RK4
    if how == "no numba":
        monkeypatch.setattr(fused, "has_numba", lambda: False)
        reason = r"numba is not installed \(pip install 'pdenca\[fast\]'\)"
    elif how == "half precision":
        state, reason = state.bfloat16(), "no kernels for torch.bfloat16"
    else:  # Kutta's rule of 3/8
        stages = ((1 / 3,), (-1 / 3, 1.0), (1.0, -1.0, 1.0))
        tableau = runge_kutta.Tableau("three eighths", 4, stages, (1 / 8, 3 / 8, 3 / 8, 1 / 8), 2.785)
        reason = "use more than the one before"
    solver = RungeKutta(EQUATION, GRID, 0.5, tableau=tableau, backend="numba")
    with pytest.warns(RuntimeWarning, match=reason):
        result = solver.march(state, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solver.march(state, 2)
        RungeKutta(EQUATION, GRID, 0.25, tableau=tableau, backend="numba").march(state, 1)
    eager = RungeKutta(EQUATION, GRID, 0.5, tableau=tableau, backend="eager")
    assert torch.equal(result, eager.march(state, 2))


def test_numba_is_not_imported_before_it_is_needed():
    """Nor what else takes a second to import."""
    code = (
        "import sys, torch; from pdenca.solvers import *; grid = Grid.uniform(8, 0.2); "
        "RungeKutta(GrayScott(0.03, 0.06), grid, 0.5).march(torch.rand(1, 2, 8, 8), 3); "
        "print('numba' in sys.modules, 'sympy' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]


def test_auto_compiles_what_is_worth_it(generator):
    grid = Grid.uniform(64, 0.2)
    state = torch.rand(1, 2, 64, 64, generator=generator)
    short = RungeKutta(EQUATION, grid, 0.5)
    assert short.backend_for(state, 100) == "eager"
    assert short.backend_for(state, 10_000) == "numba"
    planned = RungeKutta(EQUATION, grid, 0.5, planned_steps=10_000)
    assert planned.backend_for(state, 100) == "numba"
    assert planned.backend_for(state.bfloat16(), 100) == "eager"


def test_gradients_take_the_plain_way_and_are_right(generator):
    state = torch.rand(1, 2, 8, 8, generator=generator, dtype=torch.float64)
    solver = RungeKutta(EQUATION, GRID, 0.5, backend="numba")
    asking = state.clone().requires_grad_()
    assert solver.backend_for(asking, 3) == "eager"
    solver.march(asking, 3).square().sum().backward()
    direction = torch.rand(1, 2, 8, 8, generator=generator, dtype=torch.float64)
    up, down = (solver.march(state + s * direction, 3).square().sum() for s in (1e-6, -1e-6))
    assert asking.grad is not None
    assert float((asking.grad * direction).sum()) == pytest.approx(float(up - down) / 2e-6, rel=1e-6)
    with torch.no_grad():
        assert solver.backend_for(asking, 3) == "numba"


@pytest.mark.parametrize("boundary", ["periodic", "no-flux", "dirichlet(1, 0)"])
@pytest.mark.parametrize("stencil", ["order-2-isotropic", "order-4"])
def test_the_inner_loop_allocates_nothing(generator, boundary, stencil):
    """Twice the steps ask for exactly as much memory."""
    solver = RungeKutta(EQUATION, Grid.uniform(16, 0.2, boundary), 0.5, stencil, backend="eager")
    state = torch.rand(4, 2, 16, 16, generator=generator)

    def allocations(march, num_steps):
        march(state, num_steps)
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
            march(state, num_steps)
        # numbers become tensors of a few bytes; the smallest slice of the state has 256
        return sum(item.self_cpu_memory_usage >= 256 for item in record.events())

    assert allocations(solver.march, 4) == allocations(solver.march, 8) > 0
    assert allocations(solver._march_allocating, 4) < allocations(solver._march_allocating, 8)


def test_threads_share_the_trajectories_and_change_nothing(generator, monkeypatch):
    monkeypatch.setattr(fused, "_WORTH_A_THREAD", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    feed = torch.linspace(0.02, 0.05, 7)
    state = torch.rand(7, 2, 8, 8, generator=generator)
    together = RungeKutta(GrayScott(feed, 0.06), GRID, 0.5, backend="numba").march(state, 20)
    for number in range(7):
        solver = RungeKutta(GrayScott(feed[number : number + 1], 0.06), GRID, 0.5, backend="numba")
        assert torch.equal(solver.march(state[number : number + 1], 20), together[number : number + 1])


def test_one_kernel_serves_other_numbers(generator):
    """Another grid, step and constants of the same form compile nothing."""
    state = torch.rand(1, 2, 8, 8, generator=generator)
    RungeKutta(EQUATION, GRID, 0.5, "order-2", EULER, "numba").march(state, 1)
    before = fused._compiled.cache_info()
    other = RungeKutta(GrayScott(0.05, 0.062), Grid.uniform((6, 9), 0.3), 0.1, "order-2", EULER, "numba")
    other.march(torch.rand(3, 2, 6, 9, generator=generator), 1)
    after = fused._compiled.cache_info()
    assert (after.misses, after.hits) == (before.misses, before.hits + 1)


def test_denormals_are_flushed_inside_and_only_there():
    tiny = torch.full((8,), 1e-39)
    assert bool((tiny * 0.5 != 0).all())
    with flushed_denormals():
        assert bool((tiny * 0.5 == 0).all())
        with flushed_denormals():
            pass
        assert bool((tiny * 0.5 == 0).all())
    assert bool((tiny * 0.5 != 0).all())
    with pytest.raises(ValueError, match="inside"), flushed_denormals():
        raise ValueError("inside")
    assert bool((tiny * 0.5 != 0).all())


@pytest.mark.parametrize("backend", ["eager", "numba"])
def test_decayed_backgrounds_become_zero(backend):
    equation = Reacting(lambda u: -0.9 * u)
    state = torch.full((1, 1, 8, 8), 2e-38)
    result = RungeKutta(equation, GRID, 1.0, "order-2", EULER, backend).march(state, 1)
    assert not result.any()
    assert bool((state * 0.1 > 0).all())


def test_an_unknown_backend_is_refused():
    with pytest.raises(BadInputError, match="'fortran' is unknown; expected one of auto, eager"):
        RungeKutta(EQUATION, GRID, 0.5, backend="fortran")


def test_untraceable_rates_raise_where_asked_directly():
    with pytest.raises(UntraceableError, match="vary in space"):
        trace_rate(GrayScott(torch.rand(1, 8, 8), 0.06), StencilDerivatives(GRID), torch.rand(1, 2, 8, 8))


@pytest.mark.parametrize("method", INTEGRATORS)
def test_every_integrator_flushes_denormals(method, generator):
    """A dead trajectory decays through that range; the spectral methods were five times slower there."""
    seen = []

    class Watching(Reacting):
        def reaction(self, state):
            seen.append(bool((torch.full((8,), 1e-39) * 0.5 == 0).all()))
            return -0.1 * state

    grid = Grid.uniform(8, 0.2)
    solver = INTEGRATORS[method](Watching(None), grid, 0.5)
    state = torch.rand(1, 1, 8, 8, generator=generator, dtype=torch.float64)
    seen.clear()
    with torch.no_grad():
        solver.march(state, 2)
    assert seen
    assert seen[-1]
