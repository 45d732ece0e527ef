"""Steps by torch.compile: the same result where it works, one warning and the ordinary steps where not."""

import shutil
import subprocess
import sys
import warnings

import pytest
import torch
from torch._dynamo.exc import TorchDynamoException

from pdenca.solvers import EULER, STENCILS, GrayScott, Grid, RungeKutta

EQUATION = GrayScott(0.03, 0.06, diffusivity_a=2e-4, diffusivity_b=(1e-4, 2e-4))


@pytest.mark.parametrize("stencil", STENCILS)
@pytest.mark.parametrize("boundary", ["periodic", "no-flux", "dirichlet(1, 0.25)"])
def test_what_is_compiled_agrees(generator, monkeypatch, stencil, boundary, dtype):
    """The step itself, run without the compiler."""
    monkeypatch.setattr(torch, "compile", lambda function: function)
    grid = Grid((7, 8), (0.2, 0.2), (boundary, "periodic"))
    state = torch.rand(2, 2, 7, 8, generator=generator, dtype=dtype)
    for equation in (EQUATION, GrayScott(torch.tensor([0.03, 0.04]), 0.06, diffusivity_a=2e-4)):
        solvers = [RungeKutta(equation, grid, 0.5, stencil, backend=name) for name in ("compile", "eager")]
        assert solvers[0].backend_for(state, 4) == "compile"
        results = [solver.march(state, 4) for solver in solvers]
        torch.testing.assert_close(*results, rtol=0, atol=20 * torch.finfo(dtype).eps)


def test_without_a_working_compiler_it_is_said_once_and_steps_go_on(generator, monkeypatch):
    def broken(_function):
        def fail(*_arguments):
            raise TorchDynamoException("no working C++ compiler\nlong trace")

        return fail

    monkeypatch.setattr(torch, "compile", broken)
    grid = Grid.uniform(8, 0.2)
    state = torch.rand(2, 2, 8, 8, generator=generator)
    asked, eager = (RungeKutta(EQUATION, grid, 0.5, backend=name) for name in ("compile", "eager"))
    with pytest.warns(RuntimeWarning, match="not compiled, running eagerly instead: no working C.. compiler"):
        result = asked.march(state, 3)
    torch.testing.assert_close(result, eager.march(state, 3), rtol=0, atol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(asked.march(state, 3), result)


# a program of its own: torch's compiler cannot follow the shape checks that run inside the tests
PROGRAM = """
import torch
from pdenca.solvers import *
grid = Grid((8, 9), (0.2, 0.2), ("periodic", "no-flux"))
equation = GrayScott(torch.tensor([0.03, 0.04]), 0.06, diffusivity_a=2e-4)
state = torch.rand(2, 2, 8, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
results = [RungeKutta(equation, grid, 0.5, backend=name).march(state, 4) for name in ("compile", "eager")]
torch.testing.assert_close(*results, rtol=0, atol=1e-14)
counters = torch._dynamo.utils.counters
print(counters["stats"]["unique_graphs"], sum(counters["graph_break"].values()))
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_compiled_step_is_one_graph():
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c", PROGRAM]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["1", "0"]


def test_a_steady_state_stays(monkeypatch):
    """A homogeneous state of A = 1, B = 0 is steady, so that only roundings may move it."""
    monkeypatch.setattr(torch, "compile", lambda function: function)
    state = torch.stack((torch.ones(1, 8, 8), torch.zeros(1, 8, 8)), 1)
    solver = RungeKutta(EQUATION, Grid.uniform(8, 0.2), 0.5, "order-2", EULER, "compile")
    torch.testing.assert_close(solver.march(state, 5), state, rtol=0, atol=1e-6)
